"""The training loop: transformers' Trainer with the paper's sampler.

Fourth step of `train.py`. The epoch that is kept is chosen on the validation sessions; test
sessions are not seen here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from kemer.batches import HiddenStates, UtteranceCollator, UtteranceDataset
from kemer.checkpoint_weights import check_frozen, hash_frozen, refuse_lost, save_trained
from kemer.data import Split
from kemer.data_arguments import DataArguments
from kemer.evaluation import ValidationScores
from kemer.progress import EpochProgress
from kemer.training_arguments import KemerTrainingArguments
from kemer.variants import VariantDataset
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor

BATCHES_PER_WINDOW = 50
"""Batches among which rows of like length are looked for: enough to pad little."""


class UtteranceSampler(torch.utils.data.Sampler[int]):
    """Draws an epoch's rows, of like length beside each other.

    An epoch has as many draws as there are rows, and depends on the seed and its number alone, so
    that an interrupted run resumes with the same rows.

    Args:
        seed: of the draws.
        size: number of rows.
        weights: `(rows,)`, rows are drawn with replacement in proportion; None draws each once.
        lengths: `(rows,)`, rows of like length come into one batch; None leaves them as drawn.
        batch_size: rows of a batch over all processes, needed with `lengths`.
    """

    def __init__(
        self,
        *,
        seed: int,
        size: int,
        weights: np.ndarray | None = None,
        lengths: np.ndarray | None = None,
        batch_size: int = 1,
    ) -> None:
        self.seed = seed
        self.size = size
        self.weights = None if weights is None else torch.from_numpy(weights)
        self.lengths = lengths
        self.batch_size = batch_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose rows are drawn next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        seed = np.random.SeedSequence([self.seed, self.epoch]).generate_state(1)[0]
        generator = torch.Generator().manual_seed(int(seed))
        if self.weights is None:
            drawn = torch.randperm(self.size, generator=generator)
        else:
            drawn = torch.multinomial(
                self.weights, self.size, replacement=True, generator=generator
            )
        if self.lengths is not None:
            drawn = self._group(drawn, generator)
        return iter(drawn.tolist())

    def _group(self, drawn: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Sort by length inside windows of many batches, then shuffle the whole batches."""
        window = self.batch_size * BATCHES_PER_WINDOW
        batches: list[torch.Tensor] = []
        for start in range(0, len(drawn), window):
            rows = drawn[start : start + window]
            order = np.argsort(-self.lengths[rows.numpy()], kind="stable")
            batches += rows[torch.from_numpy(order)].split(self.batch_size)
        # A batch that is not full must stay last, or it would shift all others.
        full = [batch for batch in batches if len(batch) == self.batch_size]
        rest = [batch for batch in batches if len(batch) < self.batch_size]
        order = torch.randperm(len(full), generator=generator).tolist()
        return torch.cat([full[index] for index in order] + rest)


class NumberedSampler(torch.utils.data.Sampler[tuple[int, int]]):
    """Hands out each row with the number of its epoch, as `VariantDataset` takes it.

    Args:
        sampler: what chooses the rows.
    """

    def __init__(self, sampler: UtteranceSampler) -> None:
        self.sampler = sampler

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose rows are drawn next."""
        self.sampler.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.sampler.epoch
        return ((index, epoch) for index in self.sampler)


def inverse_frequency_weights(labels: np.ndarray) -> np.ndarray:
    """Return weights under which every emotion is drawn equally often (paper's implementation).

    Args:
        labels: `(rows, emotions)` of 0 and 1.

    Returns:
        `(rows,)`: the mean, over a row's emotions, of one over the emotion's number of rows.

    Raises:
        ValueError: if a row has no emotion.
    """
    counts = labels.sum(1)
    if (counts == 0).any():
        raise ValueError(
            f"`labels` has no emotion in row {int((counts == 0).argmax())}; every training row "
            "needs one."
        )
    frequency = np.maximum(labels.sum(0), 1)
    return (labels / frequency).sum(1).astype(np.float64) / counts


class KemerTrainer(Trainer):
    """transformers' Trainer, with our choice of training rows and of what checkpoints hold."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.train_sampler: UtteranceSampler | NumberedSampler | None = None
        self.add_callback(TellEpoch(self))

    @functools.cached_property
    def frozen_hashes(self) -> dict[str, str]:
        """Hash of each frozen encoder, which stays as it is; found where a checkpoint needs it."""
        return hash_frozen(self.accelerator.unwrap_model(self.model))

    def _get_train_sampler(
        self, train_dataset: UtteranceDataset | None = None
    ) -> UtteranceSampler | NumberedSampler:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        sampler = self._make_sampler(dataset)
        numbered = isinstance(dataset, VariantDataset)
        self.train_sampler = NumberedSampler(sampler) if numbered else sampler
        return self.train_sampler

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if not self.frozen_hashes:
            super()._save(output_dir, state_dict)
        elif self.args.should_save:
            model = self.accelerator.unwrap_model(self.model)
            folder = Path(output_dir or self.args.output_dir)
            save_trained(model, folder, hashes=self.frozen_hashes)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        check_frozen(Path(resume_from_checkpoint), hashes=self.frozen_hashes)
        super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        refuse_lost(load_result.missing_keys, hashes=self.frozen_hashes)

    def _make_sampler(self, dataset: UtteranceDataset) -> UtteranceSampler:
        balanced = self.args.sampler == "inverse_frequency"
        return UtteranceSampler(
            seed=self.args.seed,
            size=len(dataset),
            weights=inverse_frequency_weights(dataset.label_matrix()) if balanced else None,
            lengths=dataset.durations() if self.args.group_by_length else None,
            batch_size=self.args.train_batch_size * self.args.world_size,
        )


class TellEpoch(TrainerCallback):
    """Tells the sampler its epoch where nobody else does.

    accelerate (1.15) does not reach it in a run of several processes that is resumed within an
    epoch, which would draw the rows of epoch 0 again.

    Args:
        trainer: the trainer whose sampler is told.
    """

    def __init__(self, trainer: KemerTrainer) -> None:
        self.trainer = trainer

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Before the first row of an epoch is drawn."""
        self.trainer.train_sampler.set_epoch(int(state.epoch))


def build_trainer(
    model: KemerModel,
    processor: KemerProcessor,
    *,
    split: Split,
    arguments: KemerTrainingArguments,
    data: DataArguments,
    hidden_states: Mapping[str, HiddenStates] | None = None,
    callbacks: list[TrainerCallback] | None = None,
) -> KemerTrainer:
    """Join model, data and arguments.

    Args:
        model: the model to train.
        processor: its processor.
        split: the rows of one fold; test rows are left alone.
        arguments: how to train.
        data: what training reads of an utterance; validation reads it whole and unchanged.
        hidden_states: by role, what frozen encoders gave; what is left out they compute anew.
        callbacks: further callbacks of the Trainer.

    Returns:
        the trainer.
    """
    stored = hidden_states or {}
    trainer = KemerTrainer(
        model=model,
        args=arguments,
        data_collator=UtteranceCollator(
            processor,
            speech=model.config.speech_config is not None,
            text=model.config.text_config is not None,
        ),
        train_dataset=_training_rows(
            split, data, seed=arguments.seed, hidden_states=stored.get("train")
        ),
        eval_dataset=UtteranceDataset(
            split.rows["validation"],
            text_column=data.text_column,
            hidden_states=stored.get("validation"),
        ),
        compute_metrics=ValidationScores(
            threshold=arguments.decision_threshold,
            valence_arousal_loss_weight=model.config.valence_arousal_loss_weight,
        ),
        callbacks=callbacks,
    )
    if not arguments.disable_tqdm:
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(EpochProgress)
    return trainer


def _training_rows(
    split: Split, data: DataArguments, *, seed: int, hidden_states: HiddenStates | None
) -> UtteranceDataset:
    """Return the training rows as each epoch, or every epoch alike, reads them."""
    settings = {
        "text_column": data.text_column,
        "max_seconds": data.max_train_seconds,
        "soft_labels": data.soft_labels,
        "hidden_states": hidden_states,
    }
    rows = split.rows["train"]
    if not data.redrawn:
        return UtteranceDataset(rows, **settings)
    return VariantDataset(
        rows, seed=seed, redraws=data.redrawn, augmentation=data.augmentation, **settings
    )
