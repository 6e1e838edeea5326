import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kemer.answers import RunAnswers, answer_held_out
from kemer.command_line import parse_arguments
from kemer.decoder_fitting import fit_run_decoder
from modeling_kemer import KemerModel
from tests.kemer.bench import EMPTY_TEXT, make_trainer, prepare, run_flags, run_train


def answer(bench: Path, output: Path, **settings: object) -> RunAnswers:
    """Let a model that was not trained answer the utterances of `bench`."""
    arguments, split = prepare(bench, output, **settings)
    return answer_held_out(make_trainer(bench, output, **settings), split, arguments)


def test_the_decoder_is_fitted_on_validation_and_the_sets_of_training(
    bench: Path, tmp_path: Path
) -> None:
    found = answer(bench, tmp_path)
    split = prepare(bench, tmp_path)[1]
    labels = make_trainer(bench, tmp_path).train_dataset.label_matrix()
    fit = {
        role: fit_run_decoder(frame, training_labels=labels, sampler="inverse_frequency")
        for role, frame in found.held_out.items()
    }
    assert found.decoder == fit["validation"] != fit["test"]
    for role, frame in found.held_out.items():
        assert frame["id"].tolist() == list(split.rows[role]["id"])
    assert not found.single_modality


def test_soft_labels_are_for_training_and_the_decoder_knows_the_hard_ones(
    bench: Path, tmp_path: Path
) -> None:
    hard, soft = (answer(bench, tmp_path, soft_labels=value) for value in (False, True))
    assert hard.decoder == soft.decoder
    pd.testing.assert_frame_equal(hard.held_out["test"], soft.held_out["test"])


# The utterance without text is among those that are tested.
FOLD = "\n".join(
    ["fold,session,dialogue,role"]
    + [f"0,{session},,{role}" for session, role in ((1, "train"), (2, "validation"), (3, "test"))]
    + ["0,4,,train", "0,5,,train"]
)


def test_one_checkpoint_answers_with_both_or_either(bench: Path, tmp_path: Path) -> None:
    folds = tmp_path / "folds.csv"
    folds.write_text(FOLD)
    settings = {"modality_dropout": 0.3, "freeze_text_encoder": True, "folds_file": folds}
    settings |= {"feature_cache": tmp_path / "cache"}
    run = tmp_path / "run"
    run_train(parse_arguments(run_flags(bench, run, **settings)))
    both, speech, text = (
        pd.read_parquet(run / f"predictions{name}.parquet") for name in ("", ".speech", ".text")
    )
    metrics = json.loads((run / "metrics.json").read_text())
    for name in ("test", "test_speech_only", "test_text_only"):
        assert metrics[name]["distance"] > 0 and metrics[name]["decodings"]["argmax"]
    tables = [np.stack(frame["probabilities"]) for frame in (both, speech, text)]
    mute = (both["id"] == EMPTY_TEXT).to_numpy()
    assert mute.sum() == 1 and len(mute) == 4
    assert np.allclose(tables[0][mute], tables[1][mute], atol=1e-5)  # nothing to read there
    for other in tables[1:]:
        assert not np.isclose(tables[0][~mute], other[~mute], atol=1e-5).all(axis=1).any()
    config = KemerModel.from_pretrained(run / "model").config
    assert config.modality_dropout == 0.3
    assert config.label_set_decoder == metrics["run"]["label_set_decoder"]


@pytest.mark.parametrize("modality", ["speech", "text"])
def test_a_model_of_one_modality_cannot_lose_it(bench: Path, tmp_path: Path, modality: str) -> None:
    missing = {"speech": "text_encoder", "text": "speech_encoder"}[modality]
    with pytest.raises(ValueError, match="`modality_dropout` is 0.3, but the model has one"):
        answer(bench, tmp_path, modality_dropout=0.3, **{missing: "none"})
