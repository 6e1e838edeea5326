from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import EvalPrediction

from kemer.batches import UtteranceDataset
from kemer.data import Split
from kemer.evaluation import SCORE_NAMES, ValidationScores, predict_rows
from kemer.scoring import PREDICTION_COLUMNS, score_answers
from kemer.training import KemerTrainer
from tests.kemer.bench import make_trainer, prepare
from tests.kemer.predictions import make_predictions

LOGITS = np.array([[-2, -1, -3, 2, 1, -5, -6], [-2, -1, -3, -4, -0.5, -5, -6]], dtype=np.float32)
VALENCE_AROUSAL = np.array([[3, 4], [2.5, 1]], dtype=np.float32)
LABELS = np.array([[0, 0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 0, 0, 0]], dtype=np.float32)
REFERENCES = np.array([[3, 3], [2.5, 3]], dtype=np.float32)


def evaluation(**changes: np.ndarray) -> EvalPrediction:
    values = {"logits": LOGITS, "valence_arousal": VALENCE_AROUSAL, **changes}
    return EvalPrediction(
        predictions=(values["logits"], values["valence_arousal"]),
        label_ids=(LABELS, REFERENCES),
    )


@pytest.fixture(scope="module")
def untrained(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[KemerTrainer, Split]:
    """A trainer that never untrained, whose batches of 5 leave 2 of 12 rows for the last one."""
    output = tmp_path_factory.mktemp("run")
    settings = {"per_device_eval_batch_size": 5}
    # First the fold: `accelerate` keeps one global state, which the last arguments set.
    split = prepare(bench, output, **settings)[1]
    return make_trainer(bench, output, **settings), split


@pytest.mark.parametrize("weight", [0.0, 1.0, 0.25])
def test_the_loss_is_that_of_all_utterances(weight: float) -> None:
    scores = ValidationScores(threshold=0.5, valence_arousal_loss_weight=weight)(evaluation())
    probabilities = 1 / (1 + np.exp(-LOGITS.astype(float)))
    cross_entropy = -np.mean(
        LABELS * np.log(probabilities) + (1 - LABELS) * np.log(1 - probabilities)
    )
    assert scores["joint_loss"] == pytest.approx(cross_entropy + weight * (1 + 4) / 4, rel=1e-5)
    assert scores["distance"] == pytest.approx(5 / 4)


def test_the_names_of_the_scores_are_those_that_are_given() -> None:
    scores = ValidationScores(threshold=0.5, valence_arousal_loss_weight=1.0)(evaluation())
    assert set(scores) == set(SCORE_NAMES)
    assert len(set(SCORE_NAMES)) == len(SCORE_NAMES)
    assert set(score_answers(make_predictions())) == set(SCORE_NAMES) - {"joint_loss"}


@pytest.mark.parametrize(
    ("threshold", "decided"),
    [
        # Above a half: two emotions, and for want of any the likeliest, which is sad.
        (0.5, [[0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 0, 0]]),
        # 0.25 is passed by logits above -1.1.
        (0.25, [[0, 1, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 0, 0]]),
        (0.8, [[0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0]]),
    ],
)
def test_an_emotion_is_answered_above_the_threshold(
    untrained: tuple[KemerTrainer, Split], threshold: float, decided: list[list[int]]
) -> None:
    scores = ValidationScores(threshold=threshold, valence_arousal_loss_weight=1.0)(evaluation())
    right = [found == truth for found, truth in zip(decided, LABELS.tolist(), strict=True)]
    assert scores["exact_match"] == np.mean(right)
    found = predict_rows(
        SimpleNamespace(predict=lambda rows: evaluation()),
        untrained[1].rows["test"].select(range(2)),
        text_column="text_en",
        threshold=threshold,
    )
    assert found["labels_predicted"].tolist() == decided
    np.testing.assert_allclose(
        np.stack(found["probabilities"]), 1 / (1 + np.exp(-LOGITS)), rtol=1e-6
    )


@pytest.mark.parametrize("name", ["logits", "valence_arousal"])
def test_answers_that_are_no_numbers_say_that_training_diverged(name: str) -> None:
    broken = {"logits": LOGITS.copy(), "valence_arousal": VALENCE_AROUSAL.copy()}
    broken[name][0, 1] = np.nan
    with pytest.raises(ValueError, match="training has diverged; lower `learning_rate`"):
        ValidationScores(threshold=0.5, valence_arousal_loss_weight=1.0)(evaluation(**broken))


def test_every_row_is_answered_once_in_its_order(untrained: tuple[KemerTrainer, Split]) -> None:
    trainer, split = untrained
    rows = split.rows["train"]
    frame = predict_rows(trainer, rows, text_column="text_en", threshold=0.5)
    assert tuple(frame.columns) == PREDICTION_COLUMNS
    for name in ("id", "corpus", "session", "dialogue"):
        assert frame[name].tolist() == list(rows[name])
    assert frame["id"].is_unique and len(frame) == 12
    references = [np.flatnonzero(row).tolist() for row in frame["labels_reference"]]
    assert references == [sorted(row) for row in rows["emotions"]]
    assert frame["valence_reference"].tolist() == list(rows["valence"])
    assert frame["arousal_reference"].tolist() == list(rows["arousal"])


def test_a_rows_answer_is_the_models_answer_to_it_alone(
    untrained: tuple[KemerTrainer, Split],
) -> None:
    trainer, split = untrained
    rows = split.rows["train"]
    frame = predict_rows(trainer, rows, text_column="text_en", threshold=0.5)
    dataset, model = trainer.train_dataset, trainer.model.eval()
    for index in range(len(rows)):
        with torch.no_grad():
            output = model(**trainer.data_collator([dataset[index]]))
        expected = torch.sigmoid(output.logits)[0].numpy()
        np.testing.assert_allclose(frame["probabilities"][index], expected, rtol=1e-4, atol=1e-6)
        valence, arousal = output.valence_arousal[0].tolist()
        assert frame["valence_predicted"][index] == pytest.approx(valence, rel=1e-4)
        assert frame["arousal_predicted"][index] == pytest.approx(arousal, rel=1e-4)
    assert np.ptp(np.stack(frame["probabilities"]), axis=0).max() > 1e-3  # rows differ


def test_lost_answers_are_no_scores(untrained: tuple[KemerTrainer, Split]) -> None:
    losing: Any = SimpleNamespace(predict=lambda rows: evaluation())
    with pytest.raises(RuntimeError, match="gave 2 answers to 4 utterances"):
        predict_rows(losing, untrained[1].rows["test"], text_column="text_en", threshold=0.5)


@pytest.mark.parametrize("modality", ["speech", "text"])
def test_one_modality_alone_can_be_given(
    untrained: tuple[KemerTrainer, Split], modality: str
) -> None:
    trainer, split = untrained
    rows = split.rows["train"]  # the one that has no text among them
    whole = predict_rows(trainer, rows, text_column="text_en", threshold=0.5)
    alone = predict_rows(trainer, rows, text_column="text_en", threshold=0.5, modality=modality)
    assert trainer.data_collator.speech and trainer.data_collator.text  # as it was
    assert alone["id"].tolist() == whole["id"].tolist()
    gap = np.array(alone["probabilities"].tolist()) - np.array(whole["probabilities"].tolist())
    without_text = [not text for text in rows["text_en"]]
    assert sum(without_text) == 1
    unchanged = np.abs(gap).max(axis=1) < 1e-6
    assert unchanged.tolist() == (without_text if modality == "speech" else [False] * len(rows))

    # The model itself, given this modality only, says the same.
    utterances = UtteranceDataset(rows, text_column="text_en")
    collator = replace(trainer.data_collator, **{n: n == modality for n in ("speech", "text")})
    batch = collator([utterances[index] for index in range(len(rows))])
    batch = {name: value for name, value in batch.items() if "labels" not in name}
    assert ("input_values" in batch, "input_ids" in batch) == (
        modality == "speech",
        modality == "text",
    )
    with torch.no_grad():
        expected = torch.sigmoid(trainer.model.eval()(**batch).logits)
    np.testing.assert_allclose(alone["probabilities"].tolist(), expected, atol=1e-5)
