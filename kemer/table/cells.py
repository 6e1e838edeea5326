"""The trainings of a table: one cell for each row, corpus, protocol, fold and seed.

Between `plan`, which says what there is, and `runner`, which trains what is not there yet. A cell
is a folder that `train.py` wrote; it is finished when its `metrics.json` is there, which is written
last, and its `cell.json` says under which settings it was trained.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kemer.arguments import RunArguments, RunPaths
from kemer.command_line import as_words, parse_arguments
from kemer.table.plan import TablePlan, TableRow

SETTINGS_FILE = "cell.json"
CELLS_FOLDER = "cells"
CACHE_FOLDER = "feature_cache"
LOG_FILE = "log.txt"


@dataclass(frozen=True)
class TableCell:
    """One training.

    Attributes:
        row: the model.
        corpus: configuration of the dataset.
        protocol: what is held out.
        fold: number of the fold.
        seed: of training.
        folder: where it is trained.
        sources: by `speech_encoder` and `text_encoder`, the cells whose encoders it starts from.
    """

    row: TableRow
    corpus: str
    protocol: str
    fold: int
    seed: int
    folder: Path
    sources: tuple[tuple[str, TableCell], ...]

    @property
    def paths(self) -> RunPaths:
        """Where its training writes what."""
        return RunPaths(self.folder)

    @property
    def is_finished(self) -> bool:
        """Whether it was trained to the end."""
        return self.paths.metrics.is_file()

    def __str__(self) -> str:
        place = f"{self.corpus}, {self.protocol}, fold {self.fold}, seed {self.seed}"
        return f"{self.row.name} ({place})"


def cell_folder(
    root: Path, row: str, *, corpus: str, protocol: str, fold: int, seed: int | None
) -> Path:
    """Return the folder of a cell; a row that is not trained has no seed."""
    name = f"fold{fold}" if seed is None else f"fold{fold}-seed{seed}"
    return root / CELLS_FOLDER / corpus / protocol / row / name


def list_cells(
    plan: TablePlan, root: Path, *, corpus: str, protocol: str, folds: Sequence[int]
) -> list[TableCell]:
    """List the cells of one corpus and protocol, each after those that it starts from.

    Args:
        plan: rows, controls and seeds.
        root: the table's folder.
        corpus: configuration of the dataset.
        protocol: what is held out.
        folds: numbers of the folds.
    """
    cells: dict[tuple[str, int, int], TableCell] = {}
    for fold in folds:
        for seed in plan.seeds:
            for row in plan.trained_rows():
                place = {"corpus": corpus, "protocol": protocol, "fold": fold, "seed": seed}
                cells[row.name, fold, seed] = TableCell(
                    row=row,
                    folder=cell_folder(root, row.name, **place),
                    sources=tuple(
                        (field, cells[source, fold, seed])
                        for field, source in row.stage_one.items()
                    ),
                    **place,
                )
    return list(cells.values())


def train_flags(cell: TableCell, dataset: str, *, root: Path) -> list[str]:
    """Return the command line of `train.py` for a cell.

    Hidden states of encoders that other cells trained serve this fold and seed alone and lie beside
    its cells, so that they can be removed with them; all others are shared by the table.

    Args:
        cell: what to train.
        dataset: the release.
        root: the table's folder.

    Returns:
        the flags; with a feature cache where the cell freezes an encoder.

    Raises:
        ValueError: if `train.py` would refuse them.
    """
    flags = ["--config", str(cell.row.config), "--dataset", dataset]
    flags += ["--dataset_config", cell.corpus, "--protocol", cell.protocol]
    flags += ["--fold", str(cell.fold), "--seed", str(cell.seed)]
    flags += ["--output_dir", str(cell.folder)]
    for name, value in cell.row.fields.items():
        flags += [f"--{name}", *as_words(value)]
    for field, source in cell.sources:
        flags += [f"--{field}", str(source.paths.model)]
    arguments = _parse(cell, flags)
    redrawn = set(arguments.frozen) & set(arguments.data.redrawn)
    if arguments.data.feature_cache is None and arguments.frozen and not redrawn:
        flags += ["--feature_cache", str(cache_folder(cell, root))]
        _parse(cell, flags)
    return flags


def cache_folder(cell: TableCell, root: Path) -> Path:
    """Return where the hidden states of a cell's frozen encoders are kept."""
    if not cell.sources:
        return root / CACHE_FOLDER
    return root / CACHE_FOLDER / cell.corpus / cell.protocol / f"fold{cell.fold}-seed{cell.seed}"


def describe_settings(flags: Sequence[str], *, root: Path, dataset_key: str) -> dict[str, Any]:
    """Return what a cell's result depends on, as `cell.json` keeps it.

    Args:
        flags: of `train_flags`.
        root: the table's folder, which may move.
        dataset_key: of `data_key`; stands for the dataset, which may move, too.
    """
    words = list(flags)
    config = Path(words[words.index("--config") + 1])
    words[words.index("--config") + 1] = config.name
    words[words.index("--dataset") + 1] = dataset_key
    return {
        "flags": [word.replace(str(root), "TABLE") for word in words],
        "config": hashlib.sha256(config.read_bytes()).hexdigest(),
    }


def refuse_other_settings(cell: TableCell, settings: dict[str, Any]) -> None:
    """Raise ValueError if a cell was begun under other settings."""
    path = cell.folder / SETTINGS_FILE
    if not path.is_file():
        if cell.is_finished:
            raise ValueError(
                f"`{cell.folder}` holds a run that no table began; name another `--output`."
            )
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    if found == settings:
        return
    differing = [
        f"{now!r} in place of {then!r}"
        for then, now in zip(found["flags"], settings["flags"], strict=False)
        if then != now
    ]
    what = ", ".join(differing[:3]) or "its configuration file or its number of settings differs"
    raise ValueError(
        f"`{cell.folder}` was trained under other settings ({what}); name another `--output`, or "
        "remove that folder to train it again."
    )


def data_key(dataset: str) -> str:
    """Return a key of a release's content: names and sizes of its data, and its folds.

    Args:
        dataset: folder, or repository of the Hub, which is taken by its name.
    """
    folder = Path(dataset)
    if not folder.is_dir():
        return dataset
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".parquet":
            found.update(f"{name} {path.stat().st_size}\n".encode())
        elif path.suffix == ".csv":
            found.update(name.encode() + path.read_bytes())
    return found.hexdigest()


def _parse(cell: TableCell, flags: list[str]) -> RunArguments:
    try:
        return parse_arguments(flags)
    except ValueError as error:
        raise ValueError(f"the row `{cell.row.name}`: {error}") from error
