"""A trained checkpoint with its processor, for the commands that only answer with it."""

from __future__ import annotations

from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor


def load_trained(checkpoint: str, *, option: str) -> tuple[KemerModel, KemerProcessor]:
    """Load a model, in evaluation mode, and its processor.

    Args:
        checkpoint: folder or repository of a KEMER model.
        option: what the user named it by, for the message.

    Raises:
        ValueError: if it cannot be loaded.
    """
    try:
        model = KemerModel.from_pretrained(checkpoint).eval()
        return model, KemerProcessor.from_pretrained(checkpoint)
    except OSError as error:  # the library speaks of its servers, and may not name what it sought
        raise ValueError(
            f"`{option}` is {checkpoint!r}, which cannot be loaded ({error}); name the folder "
            "`model` of a training run, or a repository of the Hub."
        ) from error
