"""What a training run is told, as a whole: model, data, training and folders, checked together.

`command_line` fills it from a YAML file and flags; every step of `train.py` reads its own part.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kemer.batches import MODALITIES
from kemer.data_arguments import DataArguments
from kemer.model_arguments import ModelArguments
from kemer.training_arguments import KemerTrainingArguments


@dataclass(frozen=True)
class RunPaths:
    """Where a run writes what; only `model` is ever released."""

    root: Path

    @property
    def model(self) -> Path:
        """Checkpoint with its code and processor, as `from_pretrained` takes it."""
        return self.root / "model"

    @property
    def checkpoints(self) -> Path:
        """The Trainer's own checkpoints, with its pickled optimizer states."""
        return self.root / "checkpoints"

    @property
    def logs(self) -> Path:
        """TensorBoard's event files."""
        return self.root / "logs"

    @property
    def metrics(self) -> Path:
        """Scores of validation and test sessions and what they were measured on."""
        return self.root / "metrics.json"

    @property
    def predictions(self) -> Path:
        """One row a test utterance."""
        return self.predictions_given()

    @property
    def validation_predictions(self) -> Path:
        """One row a validation utterance: what the decoder was fitted on."""
        return self.root / "predictions.validation.parquet"

    def predictions_given(self, modality: str = "") -> Path:
        """Answers to the test utterances where one modality alone was given; "" is both."""
        return self.root / f"predictions{'.' if modality else ''}{modality}.parquet"

    @property
    def report(self) -> Path:
        """Folder of the report and its plots."""
        return self.root / "report"


@dataclass(frozen=True)
class RunArguments:
    """Everything that a run was told.

    Raises:
        ValueError: if the feature cache would have nothing to keep, or what changes in each epoch.
    """

    model: ModelArguments
    data: DataArguments
    training: KemerTrainingArguments
    paths: RunPaths

    def __post_init__(self) -> None:
        if self.data.feature_cache is None:
            return
        if not self.cached:
            raise ValueError(
                "`feature_cache` is set, but no encoder is frozen: hidden states change with the "
                "weights; set `freeze_speech_encoder` or `freeze_text_encoder` to true, or leave "
                "`feature_cache` out."
            )
        if "text" in self.cached and self.data.text_variants:
            raise ValueError(
                "`feature_cache` and `text_variants` are set and the text encoder is frozen, but "
                "variants are drawn anew in each epoch; leave one of the two out, or set "
                "`freeze_text_encoder` to false."
            )

    @property
    def cached(self) -> tuple[str, ...]:
        """Modalities whose encoder runs once: those that are frozen, where there is a cache."""
        if self.data.feature_cache is None:
            return ()
        model = self.model
        encoders = (model.speech_encoder, model.text_encoder)
        frozen = (model.freeze_speech_encoder, model.freeze_text_encoder)
        return tuple(
            modality
            for modality, encoder, is_frozen in zip(MODALITIES, encoders, frozen, strict=True)
            if encoder is not None and is_frozen
        )
