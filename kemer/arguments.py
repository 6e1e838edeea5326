"""What a training run is told, as a whole: model, data, training and folders, checked together.

`command_line` fills it from a YAML file and flags; every step of `train.py` reads its own part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kemer.batches import MODALITIES
from kemer.data_arguments import AUGMENTATIONS, DataArguments
from kemer.model_arguments import ModelArguments
from kemer.training_arguments import KemerTrainingArguments

TEXT_SETTINGS = ("context_turns", "permute_text", "text_variants")
"""Settings of what is read."""


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
        ValueError: if a setting is of a modality that the model lacks, or if the feature cache
            would have nothing to keep, or what changes in each epoch.
    """

    model: ModelArguments
    data: DataArguments
    training: KemerTrainingArguments
    paths: RunPaths

    def __post_init__(self) -> None:
        self._refuse_without_encoder("speech_encoder", AUGMENTATIONS)
        self._refuse_without_encoder("text_encoder", TEXT_SETTINGS)
        if self.data.feature_cache is None:
            return
        if not self.cached:
            raise ValueError(
                "`feature_cache` is set, but no encoder is frozen: hidden states change with the "
                "weights; set `freeze_speech_encoder` or `freeze_text_encoder` to true, or leave "
                "`feature_cache` out."
            )
        for modality, name in self.data.redrawn.items():
            if modality in self.cached:
                raise ValueError(
                    f"`feature_cache` and `{name}` are set and the {modality} encoder is frozen, "
                    "but what it reads is drawn anew in each epoch; leave one of the two out, or "
                    f"set `freeze_{modality}_encoder` to false."
                )

    def _refuse_without_encoder(self, encoder: str, settings: Sequence[str]) -> None:
        """Raise ValueError for a setting of what the model does not hear or read."""
        for name in settings if getattr(self.model, encoder) is None else ():
            value = getattr(self.data, name)
            if value not in (0, None):
                raise ValueError(
                    f"`{name}` is {value} and the model has no `{encoder}`; name one, or leave "
                    f"`{name}` out."
                )

    @property
    def cached(self) -> tuple[str, ...]:
        """Modalities whose encoder runs once: those that are frozen, where there is a cache."""
        return () if self.data.feature_cache is None else self.frozen

    @property
    def frozen(self) -> tuple[str, ...]:
        """Modalities whose encoder is there and frozen."""
        model = self.model
        encoders = (model.speech_encoder, model.text_encoder)
        frozen = (model.freeze_speech_encoder, model.freeze_text_encoder)
        return tuple(
            modality
            for modality, encoder, is_frozen in zip(MODALITIES, encoders, frozen, strict=True)
            if encoder is not None and is_frozen
        )
