import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers.activations import ACT2FN

from kemer.fast.products import Product

ACTIVATIONS = [None, "gelu", "relu", "gelu_new"]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("with_bias", [True, False])
def test_it_is_the_linear_layer_and_its_activation(
    name: str | None, dtype: torch.dtype, with_bias: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(48, 33, bias=with_bias)
    activation = None if name is None else ACT2FN[name]
    product = Product(layer.weight, layer.bias, dtype=dtype, activation=activation)
    memory = torch.randn(400).to(dtype)
    rows = memory.as_strided((11, 48), (16, 1))  # overlapping, as a convolution's are
    expected = functional.linear(rows.float(), layer.weight, layer.bias)
    expected = expected if activation is None else activation(expected)
    found = product(rows)
    assert found.dtype == dtype and found.shape == (11, 33)
    tolerance = 1e-5 if dtype == torch.float32 else 0.01
    assert (found.float() - expected).norm() < tolerance * expected.norm()


def test_only_what_the_library_fuses_exactly_is_fused() -> None:
    weight = torch.randn(8, 8)
    fused = [
        Product(weight, None, dtype=torch.bfloat16, activation=name and ACT2FN[name]).is_fused
        for name in ACTIVATIONS
    ]
    is_there = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert fused == [is_there, is_there, False, False]
    assert not Product(weight, None, dtype=torch.float32).is_fused
