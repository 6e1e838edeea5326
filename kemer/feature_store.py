"""Hidden states on disk: packed, memory-mapped, in shards that are whole or not there.

Below `features`, which fills a store and reads it. One folder belongs to one encoder:

    encoder.json          what the folder's name is the key of, for people
    <name>.safetensors    a shard; written under a hidden name, brought to the disk, then renamed
    lock                  held by the job that builds

A shard lists itself: beside `hidden_states` (positions, hidden), the utterances one after the other
without padding, it holds their `keys` (rows, 16), bytes, and `ends` (rows,), the position behind
each one's last. Shards are never changed. So there is no list of them that could be half written,
and a reader needs no lock.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

SHARD_BYTES = 64 * 2**20
"""A shard is closed when it holds as much: about a quarter of an hour of speech in 16 bits."""

_SUFFIX = ".safetensors"
_PART = ".part"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class Place(NamedTuple):
    """Where the hidden states of an utterance stand: positions `start` to `stop` of a shard."""

    shard: Path
    start: int
    stop: int


class FeatureStore:
    """The shards of one encoder.

    Args:
        folder: where they are, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listed: set[Path] = set()
        self._places: dict[str, Place] = {}

    def lock(self) -> FileLock:
        """Return the lock that the job which builds holds; it ends with its process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    def places(self) -> dict[str, Place]:
        """Return where each utterance stands, by key, after looking for new shards.

        Raises:
            ValueError: if a shard is damaged.
        """
        found = set(self.folder.glob(f"*{_SUFFIX}"))
        for shard in sorted(found - self._listed):
            with _naming_damage(shard), safe_open(shard, framework="pt") as opened:
                keys = opened.get_tensor("keys").numpy()
                ends = opened.get_tensor("ends").tolist()
            for key, start, stop in zip(keys, [0, *ends], ends, strict=False):
                self._places.setdefault(key.tobytes().hex(), Place(shard, start, stop))
            self._listed.add(shard)
        return self._places

    def describe(self, description: dict[str, Any]) -> None:
        """Write down what the folder's name is the key of; only for who holds the lock."""
        text = json.dumps(description, indent=2, sort_keys=True) + "\n"
        self._write("encoder.json", text.encode("utf-8"))

    def remove_leftovers(self) -> None:
        """Remove what killed jobs left half written; only for who holds the lock."""
        for path in self.folder.glob(f".*{_PART}"):
            path.unlink(missing_ok=True)

    def refuse_full_disk(self, needed: int) -> None:
        """Raise OSError unless the disk has `needed` bytes left."""
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise self._disk_full(f"{needed / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} left")

    def write_shard(self, hidden_states: dict[str, Tensor]) -> None:
        """Write the hidden states of utterances as a new shard.

        Args:
            hidden_states: by key, each (positions, hidden) and of one type, on the CPU.

        Raises:
            OSError: if the disk is full.
        """
        keys = [list(bytes.fromhex(key)) for key in hidden_states]
        lengths = torch.tensor([len(states) for states in hidden_states.values()])
        content = save(
            {
                "hidden_states": torch.cat(list(hidden_states.values())),  # (positions, hidden)
                "keys": torch.tensor(keys, dtype=torch.uint8),  # (rows, 16)
                "ends": lengths.cumsum(0),  # (rows,)
            }
        )
        self._write(f"{uuid.uuid4().hex}{_SUFFIX}", content)

    def _write(self, name: str, content: bytes) -> None:
        """Write a file so that it is there wholly or not at all, even after a power cut."""
        part = self.folder / f".{uuid.uuid4().hex}{_PART}"
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.folder / name)
            _sync_folder(self.folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            if error.errno in _DISK_FULL:
                raise self._disk_full(
                    f"{len(content) / 1e6:,.1f} MB could not be written"
                ) from error
            raise

    def _disk_full(self, what: str) -> OSError:
        return OSError(
            f"`feature_cache` is on a full disk: in `{self.folder}` {what}; free some space and "
            "start again, which goes on from here, or name a folder on another disk."
        )


class ShardWriter:
    """Gathers hidden states and writes a shard whenever there is enough for one.

    Args:
        store: where the shards go.
    """

    def __init__(self, store: FeatureStore) -> None:
        self.store = store
        self._waiting: dict[str, Tensor] = {}
        self._bytes = 0

    def add(self, hidden_states: dict[str, Tensor]) -> None:
        """Take one batch, which comes into one shard.

        Args:
            hidden_states: by key, each (positions, hidden), on the CPU.
        """
        self._waiting.update(hidden_states)
        self._bytes += sum(states.nbytes for states in hidden_states.values())
        if self._bytes >= SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        if self._waiting:
            self.store.write_shard(self._waiting)
        self._waiting, self._bytes = {}, 0


class StoredFeatures(Sequence[Tensor]):
    """The hidden states of some utterances in their order, read from the disk when asked for.

    Args:
        places: where each utterance stands.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        self._opened: dict[Path, Tensor] = {}

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Tensor:
        """Return the hidden states of one utterance, (positions, hidden), as they are stored."""
        shard, start, stop = self.places[index]
        if shard not in self._opened:
            with _naming_damage(shard), safe_open(shard, framework="pt") as opened:
                # Mapped, not read: the tensor's pages come from the file when they are touched.
                self._opened[shard] = opened.get_tensor("hidden_states")
        return self._opened[shard][start:stop]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the maps behind when a worker of a data loader gets a copy."""
        return {**self.__dict__, "_opened": {}}


@contextmanager
def _naming_damage(shard: Path) -> Iterator[None]:
    """Say which shard cannot be read, and what to do."""
    try:
        yield
    except SafetensorError as error:
        raise ValueError(
            f"`feature_cache` holds the damaged file `{shard}` ({error}); remove it, and what it "
            "held is computed again."
        ) from error


def _sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
