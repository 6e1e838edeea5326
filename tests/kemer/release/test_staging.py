import csv
import hashlib
import json
from pathlib import Path

import pytest

from kemer.release.staging import (
    stage_dataset,
    stage_identifiers,
    stage_metric,
    stage_model,
)


def make_run(folder: Path, *, more: str = "") -> Path:
    """Write a finished run with files of every kind."""
    for name in ("config.json", "model.safetensors", "modeling_kemer.py", "vocab.txt", more):
        path = folder / "model" / (name or "config.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for name in ("metrics.json", "predictions.parquet", "checkpoints/checkpoint-3/optimizer.pt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return folder


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_what_makes_a_model_goes_out(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    stage_model(make_run(tmp_path / "run"), target)
    assert names(target) == {"config.json", "model.safetensors", "modeling_kemer.py", "vocab.txt"}


@pytest.mark.parametrize("name", ["pytorch_model.bin", "optimizer.pt", "notes.pkl"])
def test_weights_that_can_hold_code_are_refused(tmp_path: Path, name: str) -> None:
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(ValueError, match=f"holds {name}, which no model of ours has"):
        stage_model(make_run(tmp_path / "run", more=name), target)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / "metrics.json").unlink()
    with pytest.raises(ValueError, match="is no finished run: it lacks `metrics.json` or `model`"):
        stage_model(run, tmp_path)


def test_a_data_set_goes_out_with_the_checksums_of_its_files(bench: Path, tmp_path: Path) -> None:
    stage_dataset(bench / "release", tmp_path)
    found = names(tmp_path)
    assert {"README.md", "folds/kemdy20.csv", "checksums.json"} <= found
    sums = json.loads((tmp_path / "checksums.json").read_text())
    assert set(sums) == found - {"checksums.json"}
    for name, digest in sums.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_without_texts_ids_and_folds_are_left(bench: Path, tmp_path: Path) -> None:
    stage_identifiers(bench / "release", tmp_path)
    found = names(tmp_path)
    assert {name.split("/")[0] for name in found} == {
        *("README.md", "ids.csv", "checksums.json", "folds")
    }
    with (tmp_path / "ids.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 and rows[0].keys() == {"corpus", "id"}
    # Whoever has the data set can tell whether it is this one.
    sums = json.loads((tmp_path / "checksums.json").read_text())
    (shard,) = (name for name in sums if name.endswith(".parquet"))
    content = (bench / "release" / shard).read_bytes()
    assert sums[shard] == hashlib.sha256(content).hexdigest()


def test_the_metric_is_there_under_the_name_of_its_repository(tmp_path: Path) -> None:
    source = Path(__file__).resolve().parents[3] / "evaluate_metric"
    stage_metric(source, tmp_path, name="kemer-metric")
    code = (source / "evaluate_metric.py").read_bytes()
    for name in ("kemer-metric.py", "evaluate_metric.py"):
        assert (tmp_path / name).read_bytes() == code
    assert {"README.md", "app.py", "requirements.txt"} <= names(tmp_path)
