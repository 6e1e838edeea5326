import json
from pathlib import Path

import numpy as np
import pytest

from kemer.arguments import RunPaths
from kemer.decoder_fitting import answer_logits, fit_run_decoder
from kemer.table.answers import DECODINGS, average_cells, pool_folds, read_cell
from kemer.table.baselines import mean_predictions
from tests.kemer.table.invented import make_answers, make_frame, single_sets

PLACE = {"corpus": "kemdy20", "protocol": "session", "fold": 0, "seed": 0}


def write_run(folder: Path, *, seed: int, sampler: str = "uniform") -> Path:
    """Write what `train.py` leaves and a table reads."""
    paths = RunPaths(folder)
    folder.mkdir(parents=True)
    make_frame(0, seed=seed, skill=2.0).to_parquet(paths.predictions)
    make_frame(1, seed=seed, skill=2.0).to_parquet(paths.validation_predictions)
    make_frame(0, seed=seed + 7, skill=1.0).to_parquet(paths.predictions_given("speech"))
    decoder = {"slopes": [1.0] * 7, "biases": [0.0] * 6 + [9.0], "label_sets": single_sets()}
    run = {"label_set_decoder": decoder, "sampler": sampler}
    paths.metrics.write_text(json.dumps({"run": run}))
    return folder


def test_each_decoding_answers_by_its_own_rule() -> None:
    one = make_answers("model", skill=2.0)[0]
    probabilities = np.array(one.test["probabilities"].tolist())
    found = {name: np.array(one.decoded(name)["labels_predicted"].tolist()) for name in DECODINGS}
    assert (found["threshold"] == (probabilities > 0.5)).all()
    assert (found["threshold"].sum(axis=1) == 0).any()  # the paper's rule may answer nothing
    assert (found["argmax"].argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert (found["label_sets"] == one.decoder(answer_logits(one.test))).all()
    with pytest.raises(ValueError, match="`decoding` is 'own'; `model` has threshold, argmax, lab"):
        one.decoded("own")


def test_a_row_that_answers_label_sets_is_not_decoded() -> None:
    one = make_answers("ngram", skill=2.0, seeds=(None,))[0]
    assert one.decodings == ("own",)
    assert one.decoded("own") is one.test
    with pytest.raises(ValueError, match="`ngram` has own"):
        one.decoded("argmax")


def test_folds_are_pooled_for_each_seed() -> None:
    answers = make_answers("model", skill=2.0)
    pooled = pool_folds(answers, "argmax")
    assert list(pooled) == [0, 1]
    for frame in pooled.values():
        assert len(frame) == 120 and frame["id"].is_monotonic_increasing
    assert pooled[0]["id"].tolist() == pooled[1]["id"].tolist()
    with pytest.raises(ValueError, match="rows whose `id` came before"):
        pool_folds([*answers, answers[0]], "argmax")


def test_a_training_is_read_with_its_decoder(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", seed=3)
    found = read_cell(folder, "model", **PLACE)
    assert found.row == "model" and found.seed == 0
    assert found.test["id"].tolist() == make_frame(0, seed=3, skill=2.0)["id"].tolist()
    # The bias of this decoder outweighs everything.
    assert np.array(found.decoded("label_sets")["labels_predicted"].tolist())[:, 6].all()
    alone = read_cell(folder, "model", given="speech", **PLACE)
    assert alone.row == "model_speech"
    assert not np.allclose(
        alone.test["probabilities"].tolist(), found.test["probabilities"].tolist()
    )


def test_probabilities_are_averaged_and_the_decoder_fitted_anew(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name, seed=n) for n, name in enumerate(("speech", "text"))]
    labels = np.array(make_frame(1, seed=0, skill=2.0)["labels_reference"].tolist())
    found = average_cells(folders, train_labels=labels, **PLACE)
    parts = [make_frame(0, seed=n, skill=2.0) for n in (0, 1)]
    expected = np.mean([part["probabilities"].tolist() for part in parts], axis=0)
    np.testing.assert_allclose(found.test["probabilities"].tolist(), expected)
    mean = np.mean([part["valence_predicted"] for part in parts], axis=0)
    np.testing.assert_allclose(found.test["valence_predicted"], mean)
    assert found.row == "mean_probabilities"
    assert set(found.decoder.label_sets) == set(map(tuple, labels.tolist()))
    assert len(set(found.decoder.slopes)) == 1 and found.decoder.slopes[0] != 1.0
    held_out = mean_predictions([make_frame(1, seed=n, skill=2.0) for n in (0, 1)])
    fit = fit_run_decoder(held_out, training_labels=labels, sampler="uniform")
    assert (
        found.decoder
        == fit
        != fit_run_decoder(found.test, training_labels=labels, sampler="uniform")
    )
