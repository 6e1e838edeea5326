from typing import Any

import pytest

from kemer.augmentation import Augmentation
from kemer.data_arguments import DataArguments


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "`dataset` is missing; name a folder"),
        ({"dataset": "a", "fold": -1}, "`fold` is -1; folds are numbered from 0"),
        (
            {"dataset": "a", "text_variants": True, "text_column": "text_ko"},
            "`text_variants` is true and `text_column` is 'text_ko'; only 'text_en' has variants: ",
        ),
        ({"dataset": "a", "protocol": "sesion"}, "`protocol` is 'sesion'; allowed are session, "),
        (
            {"dataset": "a", "protocol": "random", "folds_file": "b.csv"},
            "`protocol` is 'random' and `folds_file` 'b.csv'; a protocol is a file of the dataset",
        ),
        ({"dataset": "a", "context_turns": -1}, "`context_turns` is -1; allowed is 0 or more"),
        ({"dataset": "a", "augment_speed": 0.6}, "`augment_speed` is 0.6 and `augment_gain` 0.0"),
        ({"dataset": "a", "augment_gain": -1.0}, "`augment_gain` -1.0; allowed are"),
        ({"dataset": "a", "max_train_seconds": 0.1}, "`max_train_seconds` is 0.1; it must"),
        ({"dataset": "a", "feature_cache": __file__}, "`feature_cache` is '.*', which is a file"),
        (
            {"dataset": "a", "feature_cache_precision": "int8"},
            "`feature_cache_precision` is 'int8'; allowed are fp16, bf16, fp32",
        ),
    ],
)
def test_data_arguments_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataArguments(**settings)


def test_what_is_drawn_anew_is_said_with_the_setting() -> None:
    assert DataArguments(dataset="a").redrawn == {}
    assert not DataArguments(dataset="a").augmentation
    quiet = DataArguments(dataset="a", augment_noise=0.0)
    assert quiet.redrawn == {"speech": "augment_noise"} and quiet.augmentation.noise == 0.0
    both = DataArguments(dataset="a", text_variants=True, augment_gain=6.0)
    assert both.redrawn == {"speech": "augment_gain", "text": "text_variants"}
    assert both.augmentation == Augmentation(gain=6.0)
