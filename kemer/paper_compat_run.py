"""A run that is finished, scored under those of the published script's slips that need no training.

For `paper_compat --run`, which compares what one checkpoint answers; without it, the model is
trained anew, as the script did.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from accelerate import PartialState

from kemer.arguments import RunPaths
from kemer.batches import UtteranceCollator, UtteranceDataset
from kemer.data import load_split
from kemer.data_arguments import DataArguments
from kemer.paper_compat_passes import (
    OF_ANSWERING,
    BatchAnswers,
    SwitchedScores,
    answer_switched,
    score_batches,
)
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor

NOT_OF_THE_ROWS = ("dataset", "feature_cache")
"""Settings of a run that say nothing of which rows it tested, and may be others here."""


class FinishedRun:
    """A checkpoint with the test utterances of its run.

    Args:
        folder: of the run, as `train.py` wrote it.
        dataset: what it was trained on, which may lie elsewhere now.

    Raises:
        ValueError: if the run is not finished, has no meta-attention or decides at another
            threshold, or if the data set has other folds.
    """

    def __init__(self, folder: Path, dataset: str) -> None:
        paths = RunPaths(folder)
        if not paths.metrics.is_file() or not paths.model.is_dir():
            raise ValueError(
                f"`--run` is `{folder}`, which lacks `{paths.metrics.name}` or "
                f"`{paths.model.name}`; name the folder of a finished run of `train.py`."
            )
        metrics = json.loads(paths.metrics.read_text(encoding="utf-8"))
        told = metrics["run"]
        if told["decision_threshold"] != 0.5:
            raise ValueError(
                f"`--run` `{folder}` decides at {told['decision_threshold']}; the script decided "
                "at 0.5: name a run that does."
            )
        data = _read_data_arguments(told, dataset)
        self.split = load_split(data, reads_text=True)
        if self.split.folds_sha256 != told["folds_sha256"]:
            raise ValueError(
                f"the folds of `{dataset}` are not those that `{folder}` was trained on, so that "
                "it may have seen the test utterances; give the data set of the run."
            )
        self.exact_match: float = metrics["test"]["exact_match"]
        self.seed: int = told["seed"]
        self.model = KemerModel.from_pretrained(paths.model).eval()
        if self.model.meta_attention is None:
            raise ValueError(
                f"the model of `--run` `{folder}` has no meta-attention, which the switches are "
                "about; name a run with both modalities, and `fusion` as it is by default."
            )
        self.model.to(PartialState().device)
        processor = KemerProcessor.from_pretrained(paths.model)
        self.collator = UtteranceCollator(processor, speech=True, text=True)
        self.utterances = UtteranceDataset(self.split.rows["test"], text_column=data.text_column)
        self.answers: dict[tuple[str, ...], list[BatchAnswers]] = {}

    def score(self, switches: Sequence[str]) -> SwitchedScores:
        """Return the scores of the test utterances under some switches."""
        answering = tuple(name for name in OF_ANSWERING if name in switches)
        if answering not in self.answers:
            self.answers[answering] = answer_switched(
                self.model,
                self.utterances,
                collator=self.collator,
                switches=answering,
                seed=self.seed,
            )
        return score_batches(self.answers[answering], switches)


def _read_data_arguments(told: dict[str, Any], dataset: str) -> DataArguments:
    """Return the settings under which a run read its rows."""
    names = [item.name for item in fields(DataArguments) if item.name not in NOT_OF_THE_ROWS]
    return DataArguments(dataset=dataset, **{name: told[name] for name in names if name in told})
