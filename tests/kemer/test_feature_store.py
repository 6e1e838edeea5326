import errno
import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from filelock import Timeout

from kemer import feature_store
from kemer.feature_keys import input_key
from kemer.feature_store import FeatureStore, Place, ShardWriter, StoredFeatures

DTYPES = [torch.float16, torch.bfloat16, torch.float32]


def make_rows(
    *lengths: int, dtype: torch.dtype = torch.float16, seed: int = 0
) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randn(length, 5, generator=generator).to(dtype) for length in lengths]
    return {input_key(torch.tensor([seed, number])): row for number, row in enumerate(rows)}


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    (tmp_path / "store").mkdir()
    return FeatureStore(tmp_path / "store")


def read(store: FeatureStore) -> dict[str, torch.Tensor]:
    places = store.places()
    return dict(zip(places, StoredFeatures(list(places.values())), strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_written_is_read_to_the_last_bit(store: FeatureStore, dtype: torch.dtype) -> None:
    rows = make_rows(3, 0, 7, 1, dtype=dtype)
    more = make_rows(2, dtype=dtype, seed=1)
    store.write_shard(rows)
    assert store.places().keys() == rows.keys()
    store.write_shard(more)
    for found in (read(store), read(FeatureStore(store.folder))):
        assert found.keys() == {**rows, **more}.keys()
        for key, row in {**rows, **more}.items():
            assert found[key].dtype == dtype and torch.equal(found[key], row)


def test_no_padding_is_stored(store: FeatureStore) -> None:
    store.write_shard(make_rows(1, 5000))
    (shard,) = store.folder.glob("*.safetensors")
    assert 5001 * 5 * 2 < shard.stat().st_size < 5001 * 5 * 2 + 1000


def test_hidden_states_are_mapped_and_not_read(store: FeatureStore) -> None:
    store.write_shard(make_rows(4))
    (shard,) = store.folder.glob("*.safetensors")
    features = StoredFeatures(list(store.places().values()))
    address = features[0].data_ptr()
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    ranges = [fields[0].split("-") for fields in maps if fields[-1] == str(shard)]
    assert any(int(start, 16) <= address < int(end, 16) for start, end in ranges)


def test_a_worker_opens_its_own(store: FeatureStore) -> None:
    rows = make_rows(4, 2)
    store.write_shard(rows)
    features = StoredFeatures(list(store.places().values()))
    expected = [row.clone() for row in features]
    sent = pickle.dumps(features)
    assert len(sent) < 1000 and pickle.loads(sent)._opened == {}
    assert all(torch.equal(a, b) for a, b in zip(pickle.loads(sent), expected, strict=True))
    assert len(features) == 2 and features[-1] is not None
    with pytest.raises(IndexError):
        features[2]


def test_shards_are_closed_when_they_are_full(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_store, "SHARD_BYTES", 100)
    writer = ShardWriter(store)
    batches = [make_rows(4, 2, seed=seed) for seed in range(5)]  # 60 bytes each
    counts = []
    for batch in batches:
        writer.add(batch)
        counts.append(len(list(store.folder.iterdir())))
    assert counts == [0, 1, 1, 2, 2]
    writer.flush()
    writer.flush()
    assert len(list(store.folder.iterdir())) == 3
    expected = {key: row for batch in batches for key, row in batch.items()}
    found = read(store)
    assert all(torch.equal(found[key], row) for key, row in expected.items())
    assert found.keys() == expected.keys()


def test_a_half_written_shard_is_never_read(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the moment of each step to the disk, what is visible is whole."""
    seen = []

    def look(name: str) -> None:
        step = getattr(os, name)

        def watched(*arguments: object) -> object:
            seen.append((name, len(FeatureStore(store.folder).places())))
            return step(*arguments)

        monkeypatch.setattr(feature_store.os, name, watched)

    look("fsync")
    look("replace")
    store.write_shard(make_rows(3, 4))
    # The file is on the disk before it gets its name, and then its name is.
    assert seen == [("fsync", 0), ("replace", 0), ("fsync", 2)]


def test_leftovers_are_removed_and_nothing_else(store: FeatureStore) -> None:
    store.write_shard(make_rows(3))
    before = sorted(path.name for path in store.folder.iterdir())
    (store.folder / ".1234.part").write_bytes(b"half")
    assert len(store.places()) == 1
    store.remove_leftovers()
    assert sorted(path.name for path in store.folder.iterdir()) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_no_trace(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(file: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(feature_store.os, "fsync", fail)
    with pytest.raises(OSError, match="`feature_cache` is on a full disk: .*; free some space"):
        store.write_shard(make_rows(3))
    assert list(store.folder.iterdir()) == []


def test_another_fault_of_the_disk_keeps_its_name(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(feature_store.os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        store.write_shard(make_rows(3))
    assert list(store.folder.iterdir()) == []


def test_too_little_space_is_said_before_anything_is_computed(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(free=2_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    store.refuse_full_disk(2_000_000)
    with pytest.raises(OSError, match="full disk: .*3 MB are needed and 2 left; free some space"):
        store.refuse_full_disk(3_000_000)


@pytest.mark.parametrize("cut", [4, 40, -1])
def test_a_damaged_shard_is_named(store: FeatureStore, cut: int) -> None:
    store.write_shard(make_rows(3))
    (shard,) = store.folder.glob("*.safetensors")
    place = Place(shard, 0, 3)
    shard.write_bytes(shard.read_bytes()[:cut])
    for use in (lambda: store.places(), lambda: StoredFeatures([place])[0]):
        with pytest.raises(ValueError, match=f"holds the damaged file `{shard}`.*; remove it"):
            use()


def test_one_job_builds_at_a_time(tmp_path: Path) -> None:
    first, second = FeatureStore(tmp_path / "new"), FeatureStore(tmp_path / "new")
    with first.lock():
        with pytest.raises(Timeout):
            second.lock().acquire(timeout=0)
    with second.lock().acquire(timeout=0):
        pass


def test_a_folder_says_what_it_is_of(store: FeatureStore) -> None:
    store.describe({"weights": "abc"})
    assert '"weights": "abc"' in (store.folder / "encoder.json").read_text()
    assert store.places() == {}
