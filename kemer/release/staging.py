"""What of a folder is released: chosen by name, so that nothing goes out by accident.

First step of `python -m kemer.release`. Each release is put together in a folder of its own, and
what is not named here stays at home: checkpoints with pickles, logs, answers to single utterances.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet

from kemer.dataset_files import DATASET_FILES, FOLD_FILES

MODEL_FILES = ("*.json", "*.safetensors", "*_kemer.py", "*.model", "*.txt", "*.jinja")
"""Of a model's folder: weights in safetensors alone, code, configuration, tokenizer."""

METRIC_FILES = ("README.md", "requirements.txt", "app.py", "evaluate_metric.py")
IDS_FILE, CHECKSUMS_FILE = "ids.csv", "checksums.json"

IDS_CARD = """---
license: apache-2.0
language: [ko]
pretty_name: Folds of KEMDy
tags: [emotion-recognition, folds]
configs:
- config_name: ids
  data_files: ids.csv
---

# Folds of KEMDy, without the corpus

No recording, transcript or label is in here: ETRI hands the corpora out under a signed agreement
(https://nanum.etri.re.kr/share/kjnoh2/KEMDy20?lang=En_us). What is here lets somebody who has them
work on the same utterances, divided in the same way:

- `ids.csv`: corpus and id of every utterance of the data set that was built;
- `folds/`: which session has which role in each fold;
- `checksums.json`: SHA-256 of each file of that data set, and of the files here.

`python -m dataset_script build` of KEMER makes the data set from the corpora; with the same
versions of the libraries its files have these checksums.
"""


def stage_model(run: Path, target: Path) -> None:
    """Put a run's model together, without its card.

    Args:
        run: folder of a run of `train.py`.
        target: an empty folder.

    Raises:
        ValueError: if the run is not finished, or its model has weights that are no safetensors.
    """
    model = run / "model"
    if not (run / "metrics.json").is_file() or not model.is_dir():
        raise ValueError(
            f"`SOURCE` {run} is no finished run: it lacks `metrics.json` or `model`; name a folder "
            "that `train.py` wrote to the end."
        )
    copy_files(model, target, MODEL_FILES)
    known = {"README.md", *(path.name for path in target.iterdir())}
    left = {path.name for path in model.iterdir()} - known
    if left:
        raise ValueError(
            f"`{model}` holds {', '.join(sorted(left))}, which no model of ours has; weights are "
            "released as safetensors alone: remove what does not belong there."
        )


def stage_dataset(release: Path, target: Path) -> None:
    """Put a data set together, with its audio and texts.

    Args:
        release: folder that `python -m dataset_script build` wrote.
        target: an empty folder.

    Raises:
        ValueError: if it is no such folder.
    """
    _refuse_unless_dataset(release)
    copy_files(release, target, DATASET_FILES)
    _write_checksums(target)


def stage_identifiers(release: Path, target: Path) -> None:
    """Put together what may be known of a licensed data set: ids, folds and checksums.

    Args:
        release: folder that `python -m dataset_script build` wrote.
        target: an empty folder.

    Raises:
        ValueError: if it is no such folder.
    """
    _refuse_unless_dataset(release)
    copy_files(release, target, FOLD_FILES)
    with (target / IDS_FILE).open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["corpus", "id"])
        for shard in sorted((release / "data").rglob("*.parquet")):
            table = pyarrow.parquet.read_table(shard, columns=["corpus", "id"])
            columns = (table[name].to_pylist() for name in ("corpus", "id"))
            lines.writerows(zip(*columns, strict=True))
    _write_checksums(target, also=release)
    (target / "README.md").write_text(IDS_CARD, encoding="utf-8")


def stage_metric(source: Path, target: Path, *, name: str) -> None:
    """Put the metric's Space together.

    Args:
        source: folder of the metric.
        target: an empty folder.
        name: of the repository, without its owner.

    Raises:
        ValueError: if a file of it is missing.
    """
    missing = [file for file in METRIC_FILES if not (source / file).is_file()]
    if missing:
        raise ValueError(f"`SOURCE` {source} lacks {', '.join(missing)}; name `evaluate_metric`.")
    copy_files(source, target, METRIC_FILES)
    # `evaluate.load` looks for a file that is named as the repository; `app.py` for its own.
    shutil.copyfile(source / "evaluate_metric.py", target / f"{name}.py")


def _refuse_unless_dataset(release: Path) -> None:
    if not any((release / "data").rglob("*.parquet")):
        raise ValueError(
            f"`SOURCE` {release} holds no data set; name a folder that `python -m dataset_script "
            "build` wrote."
        )


def copy_files(source: Path, target: Path, patterns: tuple[str, ...]) -> None:
    """Copy the files of a folder that have one of some names, each to its place in another."""
    for pattern in patterns:
        for path in sorted(source.glob(pattern)):
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def _write_checksums(target: Path, *, also: Path | None = None) -> None:
    """Write the SHA-256 of every file, and of those of a folder that stays at home."""
    found = {}
    for root, patterns in ((target, ("**/*",)), (also, DATASET_FILES)):
        for pattern in patterns if root is not None else ():
            for path in sorted(root.glob(pattern)):
                if path.is_file():
                    digest = hashlib.sha256()
                    with path.open("rb") as file:
                        while block := file.read(2**20):
                            digest.update(block)
                    found[path.relative_to(root).as_posix()] = digest.hexdigest()
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    (target / CHECKSUMS_FILE).write_text(text, encoding="utf-8")
