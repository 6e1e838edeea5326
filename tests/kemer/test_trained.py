from pathlib import Path

import pytest

from kemer.trained import load_trained
from tests import tiny


def test_model_and_processor_are_loaded_to_answer(tmp_path: Path) -> None:
    tiny.save_checkpoint(tmp_path)
    model, processor = load_trained(str(tmp_path), option="--model")
    assert not model.training and processor.minimum_samples == 30


def test_what_cannot_be_loaded_is_named_by_its_option(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="`--model` is '.*nowhere', which cannot be loaded"):
        load_trained(nowhere, option="--model")
