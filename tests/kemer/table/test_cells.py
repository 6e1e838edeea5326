import json
from dataclasses import replace
from pathlib import Path

import pytest

from kemer.table.cells import (
    SETTINGS_FILE,
    TableCell,
    cache_folder,
    cell_folder,
    data_key,
    describe_settings,
    list_cells,
    refuse_other_settings,
    train_flags,
)
from kemer.table.plan import TablePlan, TableRow

DATASET = "release"


@pytest.fixture
def plan(tmp_path: Path) -> TablePlan:
    config = tmp_path / "row.yaml"
    config.write_text("use_cpu: true\n")
    frozen = {"freeze_speech_encoder": True, "freeze_text_encoder": True}
    rows = (
        TableRow("speech", "Speech", config, {"speech_encoder": "voice"}, {}),
        TableRow("text", "Text", config, {"text_encoder": "words", "learning_rate": 0.5}, {}),
        TableRow(
            "joint",
            "Joint",
            config,
            frozen,
            {"speech_encoder": "speech", "text_encoder": "text"},
        ),
    )
    return TablePlan(rows=rows, primary="joint", seeds=(4, 5))


def cells_of(plan: TablePlan, root: Path, **changed: object) -> list[TableCell]:
    place = {"corpus": "kemdy20", "protocol": "session", "folds": (0, 1), **changed}
    return list_cells(plan, root, **place)


def value(flags: list[str], name: str) -> str:
    return flags[flags.index(f"--{name}") + 1]


def test_there_is_a_cell_for_each_row_fold_and_seed(plan: TablePlan, tmp_path: Path) -> None:
    cells = cells_of(plan, tmp_path)
    assert len(cells) == len({cell.folder for cell in cells}) == 3 * 2 * 2
    for cell in cells:
        for _, source in cell.sources:
            assert (source.fold, source.seed) == (cell.fold, cell.seed)
            assert cells.index(source) < cells.index(cell)
    controls = cells_of(replace(plan, controls=("late_fusion", "mean_probabilities")), tmp_path)
    assert len(controls) == 4 * 2 * 2  # the mean is not trained


def test_the_flags_say_what_the_cell_is(plan: TablePlan, tmp_path: Path) -> None:
    root = tmp_path / "table"
    cells = cells_of(plan, root)
    text = train_flags(cells[1], DATASET, root=root)
    assert value(text, "learning_rate") == "0.5" and value(text, "text_encoder") == "words"
    assert value(text, "protocol") == "session" and value(text, "dataset_config") == "kemdy20"
    assert (value(text, "fold"), value(text, "seed")) == ("0", "4")
    assert "--feature_cache" not in text
    joint = train_flags(cells[2], DATASET, root=root)
    assert value(joint, "speech_encoder") == str(cells[0].folder / "model")
    assert value(joint, "text_encoder") == str(cells[1].folder / "model")
    assert value(joint, "feature_cache") == str(cache_folder(cells[2], root))


def test_encoders_of_other_cells_have_a_cache_of_their_fold_and_seed(
    plan: TablePlan, tmp_path: Path
) -> None:
    cells = cells_of(plan, tmp_path)
    joint = [cell for cell in cells if cell.row.name == "joint"]
    caches = {cache_folder(cell, tmp_path) for cell in joint}
    assert len(caches) == 4
    assert cache_folder(cells[0], tmp_path) not in caches


def test_a_row_that_train_py_would_refuse_is_named(plan: TablePlan, tmp_path: Path) -> None:
    row = replace(plan.rows[0], fields={"speech_encoder": "voice", "learning_rat": 1})
    cell = cells_of(replace(plan, rows=(row,), primary="speech"), tmp_path)[0]
    with pytest.raises(ValueError, match="the row `speech`: `--learning_rat` is not an argument"):
        train_flags(cell, DATASET, root=tmp_path)


def begun(cell: TableCell, root: Path, *, key: str = "key") -> dict:
    """Write what a begun training leaves."""
    settings = describe_settings(train_flags(cell, DATASET, root=root), root=root, dataset_key=key)
    cell.folder.mkdir(parents=True)
    (cell.folder / SETTINGS_FILE).write_text(json.dumps(settings))
    return settings


def test_a_table_may_move_with_its_dataset(plan: TablePlan, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    begun(cells_of(plan, here)[2], here)
    here.rename(there)
    cell = cells_of(plan, there)[2]
    flags = train_flags(cell, "elsewhere/release", root=there)
    refuse_other_settings(cell, describe_settings(flags, root=there, dataset_key="key"))


def test_other_settings_are_never_taken_for_the_same(plan: TablePlan, tmp_path: Path) -> None:
    cell = cells_of(plan, tmp_path)[1]
    settings = begun(cell, tmp_path)
    refuse_other_settings(cell, settings)
    other_data = describe_settings(
        train_flags(cell, DATASET, root=tmp_path), root=tmp_path, dataset_key="other"
    )
    with pytest.raises(ValueError, match="'other' in place of 'key'"):
        refuse_other_settings(cell, other_data)
    fields = {**cell.row.fields, "learning_rate": 0.25}
    changed = replace(cell, row=replace(cell.row, fields=fields))
    flags = train_flags(changed, DATASET, root=tmp_path)
    with pytest.raises(ValueError, match="'0.25' in place of '0.5'.*name another `--output`"):
        refuse_other_settings(changed, describe_settings(flags, root=tmp_path, dataset_key="key"))
    cell.row.config.write_text("use_cpu: true\nweight_decay: 0.1\n")
    with pytest.raises(ValueError, match="its configuration file or its number of settings"):
        flags = train_flags(cell, DATASET, root=tmp_path)
        refuse_other_settings(cell, describe_settings(flags, root=tmp_path, dataset_key="key"))


def test_a_run_that_no_table_began_is_left_alone(plan: TablePlan, tmp_path: Path) -> None:
    cell = cells_of(plan, tmp_path)[1]
    cell.folder.mkdir(parents=True)
    refuse_other_settings(cell, {})
    cell.paths.metrics.write_text("{}")
    assert cell.is_finished
    with pytest.raises(ValueError, match="holds a run that no table began"):
        refuse_other_settings(cell, {})


def test_the_key_of_the_data_is_its_content(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "folds.csv").write_text("fold\n0\n")
        (tmp_path / name / "data/part.parquet").write_bytes(b"12345")
    assert data_key(str(tmp_path / "a")) == data_key(str(tmp_path / "b"))
    (tmp_path / "b/folds.csv").write_text("fold\n1\n")
    assert data_key(str(tmp_path / "a")) != data_key(str(tmp_path / "b"))
    (tmp_path / "b/folds.csv").write_text("fold\n0\n")
    (tmp_path / "b/data/part.parquet").write_bytes(b"123456")
    assert data_key(str(tmp_path / "a")) != data_key(str(tmp_path / "b"))
    assert data_key("owner/name") == "owner/name"


def test_folders_tell_what_is_in_them(tmp_path: Path) -> None:
    place = {"corpus": "kemdy20", "protocol": "session", "fold": 1}
    found = cell_folder(tmp_path, "ngram", seed=None, **place)
    assert found == tmp_path / "cells/kemdy20/session/ngram/fold1"
    found = cell_folder(tmp_path, "joint", seed=3, **place)
    assert found == tmp_path / "cells/kemdy20/session/joint/fold1-seed3"
