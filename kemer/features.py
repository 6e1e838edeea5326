"""The feature cache: frozen encoders run once, and training reads what they gave from the disk.

Between the model and the Trainer in `train.py`. What is kept is the last layer's hidden states of
every row of a fold, which a `KemerModel` takes in place of waveform or tokens; so training, scores
and answers are those of a run without it. All processes of a run compute, each its own batches into
files of its own. One job builds at a time; another waits, and then finds what it needs.

The batches depend on the rows alone, not on the processes or on what is there already: a build that
was killed and goes on gives what it would have given.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from filelock import FileLock, Timeout
from torch.utils.data import ConcatDataset
from tqdm import tqdm

from kemer.arguments import RunArguments
from kemer.batches import SAMPLING_RATE, HiddenStates, UtteranceDataset
from kemer.data import Split
from kemer.feature_source import FeatureSource, make_source
from kemer.feature_store import FeatureStore, ShardWriter, StoredFeatures
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor

WAIT_SECONDS = 10.0
"""Between two looks whether another job has finished: far below a process group's time limit."""


def build_features(
    model: KemerModel, processor: KemerProcessor, *, split: Split, arguments: RunArguments
) -> dict[str, HiddenStates]:
    """Return what the frozen encoders give for every row of a fold, computing what is not there.

    Every process of a run calls it. The first prints what the cache saved.

    Args:
        model: its frozen encoders are moved to the run's device.
        processor: the model's processor.
        split: the rows of one fold.
        arguments: of the run; `arguments.cached` says which encoders run once.

    Returns:
        by role and modality, the hidden states of each row; nothing of other encoders.

    Raises:
        ValueError: if an encoder is not frozen, its result not finite, or a file damaged.
        OSError: if the disk is full.
    """
    found: dict[str, dict[str, StoredFeatures]] = {role: {} for role in split.rows}
    for modality in arguments.cached:
        source = make_source(modality, model, processor, arguments=arguments)
        build = FeatureBuild(source, _utterances(split, arguments, modality=modality), arguments)
        for role, stored in build.run().items():
            found[role][modality] = stored
    return found


def _utterances(
    split: Split, arguments: RunArguments, *, modality: str
) -> dict[str, UtteranceDataset]:
    """Return the rows of each role as the encoder of a modality sees them."""
    data = arguments.data
    return {
        role: UtteranceDataset(
            rows if modality == "speech" else rows.remove_columns("audio"),
            text_column=data.text_column,
            max_seconds=data.max_train_seconds if role == "train" else None,
        )
        for role, rows in split.rows.items()
    }


class FeatureBuild:
    """One encoder's hidden states of the rows of a fold, brought to the disk and found there.

    Args:
        source: the encoder.
        utterances: by role, rows as the encoder sees them.
        arguments: of the run.
    """

    def __init__(
        self,
        source: FeatureSource,
        utterances: dict[str, UtteranceDataset],
        arguments: RunArguments,
    ) -> None:
        self.source = source
        self.utterances = utterances
        self.rows = ConcatDataset(utterances.values())
        self.batch_size = arguments.training.per_device_eval_batch_size
        self.quiet = arguments.training.disable_tqdm
        self.store = FeatureStore(Path(arguments.data.feature_cache) / source.name)
        self.state = PartialState()

    def run(self) -> dict[str, StoredFeatures]:
        """Compute what is not there; return the hidden states of each row by role."""
        began = time.monotonic()
        inputs = self._identify()
        lengths = dict(inputs)
        missing = self._missing(lengths)
        if missing:
            with self._building():
                missing = self._missing(lengths)  # another job may have written it meanwhile
                self._fill(inputs, missing)
        places = self.store.places()
        if lost := lengths.keys() - places.keys():
            raise OSError(
                f"`feature_cache` lacks {len(lost)} utterances that were just written to "
                f"`{self.store.folder}`; see that all machines of the run share this folder and "
                "that nobody empties it."
            )
        if self.state.is_main_process:
            print(self._report(inputs, missing, time.monotonic() - began), flush=True)
        ends = accumulate((len(part) for part in self.utterances.values()), initial=0)
        return {
            role: StoredFeatures([places[key] for key, _ in inputs[start:stop]])
            for role, (start, stop) in zip(self.utterances, pairwise(ends), strict=True)
        }

    def _identify(self) -> list[tuple[str, int]]:
        """Return key and length of what the encoder reads, for every row; processes share this."""
        own = list(range(len(self.rows)))[self.state.process_index :: self.state.num_processes]
        found = zip(own, self.source.identify(self.rows, own), strict=True)
        return [item for _, item in sorted(gather_object(list(found)))]

    def _missing(self, lengths: dict[str, int]) -> set[str]:
        """Return the keys that are not on the disk, as the first process sees it."""
        missing = (
            lengths.keys() - self.store.places().keys() if self.state.is_main_process else None
        )
        return _from_first(missing)

    @contextmanager
    def _building(self) -> Iterator[None]:
        """Hold the lock of the store in the first process, and the others back until it does."""
        lock, waits = self.store.lock(), 0
        while not _from_first(self.state.is_main_process and _try_to_acquire(lock)):
            waits += 1
            if self.state.is_main_process and waits == 1:
                print(f"feature cache: another job is writing `{self.store.folder}`; waiting.")
        try:
            yield
            self.state.wait_for_everyone()
        finally:
            lock.release()

    def _fill(self, inputs: list[tuple[str, int]], missing: set[str]) -> None:
        """Compute this process's share of the missing keys and write it."""
        lengths = dict(inputs)
        if self.state.is_main_process:
            self.store.remove_leftovers()
            self.store.describe(self.source.description)
            self.store.refuse_full_disk(self.source.bytes([lengths[key] for key in missing]))
        self.state.wait_for_everyone()
        # Of all keys, so that a batch has the same neighbours whatever is missing.
        ordered = sorted(lengths, key=lambda key: (-lengths[key], key))
        batches = [
            [key for key in ordered[start : start + self.batch_size] if key in missing]
            for start in range(0, len(ordered), self.batch_size)
        ]
        own = [batch for batch in batches if batch]
        own = own[self.state.process_index :: self.state.num_processes]
        row_of = {key: row for row, (key, _) in enumerate(inputs)}
        encoded = self.source.encode(self.rows, [[row_of[key] for key in keys] for keys in own])
        writer = ShardWriter(self.store)
        quiet = self.quiet or not self.state.is_main_process
        for keys in tqdm(own, f"{self.source.modality} encoder", disable=quiet, unit="batch"):
            writer.add(dict(zip(keys, next(encoded), strict=True)))
        writer.flush()

    def _report(self, inputs: list[tuple[str, int]], missing: set[str], seconds: float) -> str:
        """Return what the cache saved, in one line."""
        lengths = dict(inputs)
        kept = sum(key not in missing for key, _ in inputs)
        repeated = len(inputs) - kept - len(missing)
        line = f"feature cache, {self.source.modality} encoder: {len(inputs)} utterances, {kept} "
        line += f"kept before, {len(missing)} computed, {repeated} the same as another"
        if self.source.modality == "speech":
            computed = sum(lengths[key] for key in missing) / SAMPLING_RATE
            total = sum(length for _, length in inputs) / SAMPLING_RATE
            line += f"; {total - computed:.1f} of {total:.1f} s of audio not computed again"
        size = self.source.bytes(list(lengths.values())) / 1e6
        return f"{line}; {size:.2f} MB in `{self.store.folder}`, {seconds:.1f} s"


def _try_to_acquire(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=WAIT_SECONDS)
    except Timeout:
        return False
    return True


def _from_first(value: Any) -> Any:
    """Return what the first process gives."""
    return broadcast_object_list([value])[0]
