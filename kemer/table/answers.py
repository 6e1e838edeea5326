"""Answers of a table's rows under each decoding, with what was answered put together over folds.

After the trainings and `baselines`; `scores` scores what is put together here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from decoding_kemer import DECODINGS, LabelSetDecoder, decode_by
from kemer.arguments import RunPaths
from kemer.decoder_fitting import answer_logits, fit_run_decoder
from kemer.scoring import read_predictions
from kemer.table.baselines import mean_predictions

OWN_DECODING = "own"
"""Of rows that answer label sets themselves."""

INPUTS = ("", "speech", "text")
"""What a model with both modalities was given: both, or one alone."""


@dataclass(frozen=True)
class FoldAnswers:
    """What one training, or one baseline, answered in one fold.

    Attributes:
        row: name of the row.
        corpus: configuration of the dataset.
        protocol: what was held out.
        fold: number of the fold.
        seed: of training, None for what is not trained.
        test: columns of `predictions.parquet`.
        decoder: label sets, fitted on the fold's validation utterances; None for a row that
            answers label sets itself.
    """

    row: str
    corpus: str
    protocol: str
    fold: int
    seed: int | None
    test: pd.DataFrame
    decoder: LabelSetDecoder | None

    @property
    def decodings(self) -> tuple[str, ...]:
        """The decodings that it has answers under."""
        return (OWN_DECODING,) if self.decoder is None else DECODINGS

    def decoded(self, decoding: str) -> pd.DataFrame:
        """Return the answers under a decoding.

        Args:
            decoding: one of `decodings`.

        Raises:
            ValueError: for another one.
        """
        if decoding not in self.decodings:
            raise ValueError(
                f"`decoding` is {decoding!r}; `{self.row}` has {', '.join(self.decodings)}."
            )
        if decoding == OWN_DECODING:
            return self.test
        answers = decode_by(decoding, answer_logits(self.test), decoder=self.decoder)
        return self.test.assign(labels_predicted=answers.tolist())


def read_cell(
    folder: Path, row: str, *, corpus: str, protocol: str, fold: int, seed: int, given: str = ""
) -> FoldAnswers:
    """Read what a finished training answered.

    Args:
        folder: of the training.
        row: name of the row.
        corpus: configuration of the dataset.
        protocol: what was held out.
        fold: number of the fold.
        seed: of training.
        given: one of `INPUTS`.
    """
    paths = RunPaths(folder)
    run = json.loads(paths.metrics.read_text(encoding="utf-8"))["run"]
    return FoldAnswers(
        row=f"{row}_{given}" if given else row,
        corpus=corpus,
        protocol=protocol,
        fold=fold,
        seed=seed,
        test=read_predictions(paths.predictions_given(given)),
        decoder=LabelSetDecoder.from_dict(run["label_set_decoder"]),
    )


def average_cells(
    folders: Sequence[Path],
    *,
    corpus: str,
    protocol: str,
    fold: int,
    seed: int,
    train_labels: np.ndarray,
) -> FoldAnswers:
    """Return the mean of several trainings' probabilities as a row of its own.

    Args:
        folders: of finished trainings of one fold and seed.
        corpus: configuration of the dataset.
        protocol: what was held out.
        fold: number of the fold.
        seed: of training.
        train_labels: (rows, emotions), whose sets may be answered.
    """
    by_role = {
        role: mean_predictions([read_predictions(path) for path in paths])
        for role, paths in {
            "test": [RunPaths(folder).predictions for folder in folders],
            "validation": [RunPaths(folder).validation_predictions for folder in folders],
        }.items()
    }
    samplers = {
        json.loads(RunPaths(folder).metrics.read_text(encoding="utf-8"))["run"]["sampler"]
        for folder in folders
    }
    return FoldAnswers(
        row="mean_probabilities",
        corpus=corpus,
        protocol=protocol,
        fold=fold,
        seed=seed,
        test=by_role["test"],
        decoder=fit_run_decoder(
            by_role["validation"],
            training_labels=train_labels,
            # Of two samplers, the one that has an effect is to be taken back.
            sampler="uniform" if samplers == {"uniform"} else "inverse_frequency",
        ),
    )


def pool_folds(answers: Sequence[FoldAnswers], decoding: str) -> dict[int | None, pd.DataFrame]:
    """Put the folds together, so that each utterance counts once.

    Args:
        answers: of one row, corpus and protocol.
        decoding: one that the row has.

    Returns:
        by seed, the answers of all folds, in the order of their ids.

    Raises:
        ValueError: if an utterance is answered in two folds.
    """
    by_seed: dict[int | None, list[pd.DataFrame]] = {}
    for one in answers:
        by_seed.setdefault(one.seed, []).append(one.decoded(decoding))
    return {
        seed: read_predictions(
            pd.concat(frames, ignore_index=True).sort_values("id", ignore_index=True)
        )
        for seed, frames in by_seed.items()
    }
