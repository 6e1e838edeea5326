"""Matrix products with their bias and activation in one pass over the result.

Below the other parts of `encoder`. In bfloat16 on a processor, oneDNN multiplies with weights that
were put in its own order once, and applies the activation while a result is still in the registers;
PyTorch's own `linear` orders the weights anew in each call. These are the products that PyTorch's
compiler (Inductor) calls for frozen weights. Everywhere else it is `linear`, then the activation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.activations import GELUActivation

TYPICAL_ROWS = 1024
"""Rows that oneDNN is told to expect when it orders weights."""


class Product:
    """A linear layer, perhaps with an activation, for inference.

    Args:
        weight: (out, in).
        bias: (out,), None for none.
        activation: what is applied to the result, None for nothing.
        dtype: that is computed in.
        reordered: put the weights in oneDNN's order, which takes as long as some products do.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        *,
        dtype: torch.dtype,
        activation: nn.Module | None = None,
        reordered: bool = True,
    ) -> None:
        self.weight = weight.detach().to(dtype)
        self.bias = None if bias is None else bias.detach().to(dtype)
        self.activation = activation
        self.is_fused = (
            dtype == torch.bfloat16
            and weight.device.type == "cpu"
            and torch.backends.mkldnn.is_available()
            and torch.ops.mkldnn._is_mkldnn_bf16_supported()
            and (activation is None or _is_gelu(activation))
        )
        if self.is_fused and reordered:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight, TYPICAL_ROWS)

    def __call__(self, rows: Tensor) -> Tensor:
        """Return (rows, out) of (rows, in), whose rows may overlap in memory."""
        if self.is_fused:
            name = "none" if self.activation is None else "gelu"
            return torch.ops.mkldnn._linear_pointwise(
                rows, self.weight, self.bias, name, [], "none"
            )
        found = functional.linear(rows, self.weight, self.bias)
        return found if self.activation is None else self.activation(found)


def _is_gelu(activation: nn.Module) -> bool:
    """Return whether an activation is the exact GELU, with the error function."""
    if isinstance(activation, GELUActivation):
        return activation.act is functional.gelu
    return isinstance(activation, nn.GELU) and activation.approximate == "none"
