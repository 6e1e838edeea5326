"""Where hidden states come from: a frozen encoder, and what it reads of each utterance.

Below `features`, which decides what is computed and keeps it. Utterances are read by the collator
of training, so that an encoder is given here what it would be given there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from encoders_kemer import encode_text, frame_lengths
from kemer.arguments import RunArguments
from kemer.batches import UtteranceCollator
from kemer.fast.encoder import DTYPES, FastSpeechEncoder, make_fast
from kemer.feature_keys import describe_encoder, encoder_key, input_key
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor


@dataclass(frozen=True)
class InputReader:
    """Turns utterances into what one encoder reads; workers of a data loader get a copy.

    Attributes:
        modality: `speech` or `text`.
        collator: the model's.
    """

    modality: str
    collator: UtteranceCollator

    def read(self, utterances: list[dict[str, Any]]) -> tuple[Tensor, Tensor]:
        """Return samples or token ids and their mask, both `(batch, length)`."""
        if self.modality == "speech":
            batch = self.collator.read_speech(utterances)
            return batch["input_values"], batch["attention_mask"]
        batch = self.collator.read_text(utterances)
        return batch["input_ids"], batch["text_attention_mask"]

    def identify(self, utterances: list[dict[str, Any]]) -> tuple[str, int]:
        """Return the key of what the encoder reads for the one utterance given, and its length."""
        values, mask = self.read(utterances)
        length = int(mask.sum())
        return input_key(values[0, :length]), length


@dataclass(frozen=True)
class FeatureSource:
    """A frozen encoder and how it is fed.

    Attributes:
        reader: of what the encoder reads.
        encoder: in evaluation mode, without a trainable weight, on `device`.
        description: what its results depend on, the input apart.
        stored: type of the hidden states on the disk.
        computed: type that it computes in under autocast; float32 is without.
        device: where it computes.
        workers: processes that read utterances for it, 0 for none.
        fast: what encodes in its place, None where nothing does.
    """

    reader: InputReader
    encoder: nn.Module
    description: dict[str, Any]
    stored: torch.dtype
    computed: torch.dtype
    device: torch.device
    workers: int
    fast: FastSpeechEncoder | None = None

    @property
    def modality(self) -> str:
        """`speech` or `text`."""
        return self.reader.modality

    @property
    def name(self) -> str:
        """Name of the folder of its hidden states."""
        return f"{self.modality}-{encoder_key(self.description)}"

    def bytes(self, lengths: list[int]) -> int:
        """Return the space that the hidden states take of inputs of these lengths, in bytes."""
        positions = torch.tensor(lengths, dtype=torch.int64)
        if self.modality == "speech":
            positions = frame_lengths(self.encoder.config, positions)
        return int(positions.sum()) * self.encoder.config.hidden_size * self.stored.itemsize

    def identify(self, rows: Dataset, chosen: list[int]) -> list[tuple[str, int]]:
        """Return key and length of what the encoder reads, for each of the chosen rows."""
        return list(self._load(rows, [[row] for row in chosen], self.reader.identify))

    def encode(self, rows: Dataset, batches: list[list[int]]) -> Iterator[list[Tensor]]:
        """Yield the hidden states of each batch of rows: for each row `(positions, hidden)`.

        Raises:
            ValueError: if one is not finite in the type that it is stored in.
        """
        for values, mask in self._load(rows, batches, self.reader.read):
            yield self._encode_batch(values, mask)

    def _load(self, rows: Dataset, batches: list[list[int]], collate: Any) -> DataLoader:
        return DataLoader(
            rows,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=self.workers,
            generator=torch.Generator(),  # else the loader would draw from training's numbers
        )

    @torch.no_grad()
    def _encode_batch(self, values: Tensor, mask: Tensor) -> list[Tensor]:
        """Return the hidden states of each utterance, `(positions, hidden)`, without padding.

        Args:
            values: (batch, length), samples or token ids.
            mask: (batch, length).
        """
        if self.fast is not None:
            rows = [states.to(self.stored) for states in self.fast.encode_padded(values, mask)]
        else:
            rows = self._encode_padded(values.to(self.device), mask.to(self.device))
        if not all(bool(torch.isfinite(row).all()) for row in rows):
            raise ValueError(
                f"the {self.modality} encoder gives hidden states that are not finite as "
                f"{self.description['stored']}; set `feature_cache_precision` to `fp32`, and mend "
                "the encoder if that gives the same."
            )
        return rows

    def _encode_padded(self, values: Tensor, mask: Tensor) -> list[Tensor]:
        """Return the same from the encoder of the model, the reference."""
        is_lower = self.computed != torch.float32
        with torch.autocast(self.device.type, dtype=self.computed, enabled=is_lower):
            if self.modality == "speech":
                states, valid = self.encoder(values, mask)
            else:
                states, valid = encode_text(self.encoder, values, mask)
        states = states.to(self.stored).cpu()  # (batch, positions, hidden)
        lengths = valid.sum(dim=1).tolist()
        return [row[:length] for row, length in zip(states, lengths, strict=True)]


def make_source(
    modality: str, model: KemerModel, processor: KemerProcessor, *, arguments: RunArguments
) -> FeatureSource:
    """Return the encoder of a modality as a source of hidden states.

    Args:
        modality: `speech` or `text`.
        model: its encoder is moved to the run's device.
        processor: the model's processor.
        arguments: of the run.

    Returns:
        the source.

    Raises:
        ValueError: if the model has no such encoder, or a weight of it is trained.
    """
    encoder = getattr(model, f"{modality}_encoder")
    if encoder is None or any(weight.requires_grad for weight in encoder.parameters()):
        raise ValueError(
            f"`model` has no frozen {modality} encoder, whose hidden states could be kept; call "
            "`freeze_encoders`, or leave `feature_cache` out."
        )
    training, stored = arguments.training, arguments.data.feature_cache_precision
    computed = "bf16" if training.bf16 else "fp16" if training.fp16 else "fp32"
    collator = UtteranceCollator(
        processor,
        speech=model.config.speech_config is not None,
        text=model.config.text_config is not None,
    )
    encoder = encoder.eval().to(training.device)
    fast = make_fast(encoder, dtype=DTYPES[computed]) if arguments.data.fast_encoder else None
    return FeatureSource(
        reader=InputReader(modality, collator),
        encoder=encoder,
        description=describe_encoder(
            encoder, stored=stored, computed=computed, fast=fast is not None
        ),
        stored=DTYPES[stored],
        computed=DTYPES[computed],
        device=training.device,
        workers=training.dataloader_num_workers,
        fast=fast,
    )
