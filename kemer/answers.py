"""What a trained model answers to the utterances that were held out, and the decoder fitted on it.

Fifth step of `train.py`, between the Trainer and `results`, which scores and writes the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from decoding_kemer import LabelSetDecoder
from kemer.arguments import RunArguments
from kemer.batches import MODALITIES, HiddenStates
from kemer.data import Split
from kemer.decoder_fitting import fit_run_decoder
from kemer.evaluation import predict_rows
from kemer.training import KemerTrainer


@dataclass(frozen=True)
class RunAnswers:
    """What a run answered.

    Attributes:
        held_out: by role, `validation` and `test`, the columns of `predictions.parquet`.
        decoder: label sets, fitted on the validation utterances.
        single_modality: by `speech` and `text`, the answers to the test utterances of a model with
            both that was given one alone.
    """

    held_out: Mapping[str, pd.DataFrame]
    decoder: LabelSetDecoder
    single_modality: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def answer_held_out(
    trainer: KemerTrainer,
    split: Split,
    arguments: RunArguments,
    *,
    hidden_states: Mapping[str, HiddenStates] | None = None,
) -> RunAnswers:
    """Let a trained model answer validation and test utterances; every process of a run calls it.

    A model that was trained with modality dropout also answers the test utterances with speech and
    with text alone.

    Args:
        trainer: holds the model.
        split: the rows of one fold.
        arguments: of the run.
        hidden_states: by role, what frozen encoders gave; what is left out they compute anew.

    Returns:
        the answers, and the decoder of label sets, which sees none of the test utterances.
    """
    stored = hidden_states or {}

    def answer(role: str, modality: str = "") -> pd.DataFrame:
        return predict_rows(
            trainer,
            split.rows[role],
            text_column=arguments.data.text_column,
            threshold=arguments.training.decision_threshold,
            hidden_states=stored.get(role),
            modality=modality,
        )

    held_out = {role: answer(role) for role in ("validation", "test")}
    alone = MODALITIES if arguments.model.modality_dropout > 0 else ()
    return RunAnswers(
        held_out=held_out,
        decoder=fit_run_decoder(
            held_out["validation"],
            training_labels=trainer.train_dataset.label_matrix(),
            sampler=arguments.training.sampler,
        ),
        single_modality={modality: answer("test", modality) for modality in alone},
    )
