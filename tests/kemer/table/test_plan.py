from pathlib import Path
from typing import Any

import pytest
import yaml

from kemer.table.plan import (
    CONTROLS,
    TRAINED_CONTROLS,
    TablePlan,
    choose_rows,
    control_row,
    read_plan,
)

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the configurations of three rows."""
    for name, encoder in (("speech", "speech_encoder"), ("text", "text_encoder")):
        (tmp_path / f"{name}.yaml").write_text(f"{encoder}: checkpoint_of_{name}\n")
    (tmp_path / "joint.yaml").write_text("freeze_speech_encoder: true\n")
    return tmp_path


def values(**changed: Any) -> dict[str, Any]:
    """Return a plan of three rows."""
    rows = {
        "speech": {"title": "Speech", "config": "speech.yaml"},
        "text": {"title": "Text", "config": "text.yaml", "fields": {"num_train_epochs": 2}},
        "joint": {
            "title": "Joint",
            "config": "joint.yaml",
            "speech_encoder": "speech",
            "text_encoder": "text",
        },
    }
    return {"primary": "joint", "rows": rows, **changed}


def plan_of(folder: Path, **changed: Any) -> TablePlan:
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(values(**changed), sort_keys=False))
    return read_plan(path)


def test_a_plan_is_read(folder: Path) -> None:
    plan = plan_of(folder, seeds=[4, 5], published={"joint": [89.58, 0.068]})
    assert [row.name for row in plan.rows] == ["speech", "text", "joint"]
    assert plan.row("text").fields == {"num_train_epochs": 2}
    assert plan.row("joint").config == (folder / "joint.yaml").resolve()
    assert plan.row("joint").stage_one == {"speech_encoder": "speech", "text_encoder": "text"}
    assert plan.mean_parts() == ("speech", "text")
    assert plan.seeds == (4, 5) and plan.protocols == ("session",) and plan.controls == ()


def test_the_plan_of_one_row_ships_too() -> None:
    plan = read_plan(ROOT / "configs/table1_sample_text.yaml")
    assert [row.name for row in plan.rows] == [plan.primary] == ["speecht5_tts"]
    assert (
        plan.row(plan.primary).fields
        == read_plan(ROOT / "configs/table1_sample.yaml").row("speecht5_tts").fields
    )


@pytest.mark.parametrize("name", ["table1.yaml", "table1_sample.yaml"])
def test_the_plans_that_ship_are_whole(name: str) -> None:
    plan = read_plan(ROOT / "configs" / name)
    assert [row.name for row in plan.rows] == [
        *("speecht5_vc", "speecht5_tts", "k_wav2vec2", "multimodal")
    ]
    assert plan.row("multimodal").stage_one == {
        "speech_encoder": "speecht5_vc",
        "text_encoder": "speecht5_tts",
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"primary": "joined"}, "`primary` is 'joined'; allowed are speech, text, joint"),
        ({"primry": "joint"}, "the plan has the unknown key `primry`"),
        ({"rows": {}}, "has no `rows`"),
        ({"seeds": []}, "`seeds` is \\[\\]; give one whole number"),
        ({"seeds": [True]}, "`seeds` is \\[True\\]"),
        ({"seeds": 3}, "`seeds` is 3; give a list"),
        ({"seeds": [1, 1]}, "`seeds` is \\[1, 1\\]; name each once"),
        ({"protocols": ["sesion"]}, "`protocol` is 'sesion'; allowed are session"),
        ({"protocols": []}, "`protocols` is empty"),
        ({"controls": ["late_fusio"]}, "`controls` has 'late_fusio'; allowed are text_permuted"),
    ],
)
def test_a_wrong_plan_is_refused(folder: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_of(folder, **changed)


@pytest.mark.parametrize(
    ("row", "change", "message"),
    [
        ("joint", {"speech_encoder": "voice"}, "`speech_encoder: voice`; name a row that stands"),
        ("speech", {"text_encoder": "text"}, "name a row that stands before it"),
        ("text", {"config": "texts.yaml"}, "`config` of `text`, .*texts.yaml`, is no file"),
        ("text", {"fields": 3}, "`fields` of `text` is 3"),
        ("text", {"feilds": {}}, "the row `text` has the unknown key `feilds`"),
    ],
)
def test_a_wrong_row_is_refused(
    folder: Path, row: str, change: dict[str, Any], message: str
) -> None:
    rows = values()["rows"]
    rows[row] |= change
    with pytest.raises(ValueError, match=message):
        plan_of(folder, rows=rows)


@pytest.mark.parametrize("name", ["constant", "ngram", "late_fusion"])
def test_a_row_cannot_take_a_name_that_is_taken(folder: Path, name: str) -> None:
    rows = {**values()["rows"], name: {"config": "text.yaml"}}
    with pytest.raises(ValueError, match=f"a row is named `{name}`, which is taken"):
        plan_of(folder, rows=rows)


def test_what_is_no_plan_is_said(folder: Path) -> None:
    with pytest.raises(ValueError, match="does not exist; name a YAML file"):
        read_plan(folder / "none.yaml")
    (folder / "broken.yaml").write_text("rows: [")
    with pytest.raises(ValueError, match="is not YAML"):
        read_plan(folder / "broken.yaml")
    (folder / "list.yaml").write_text("[1]")
    with pytest.raises(ValueError, match=r"holds \[1\]"):
        read_plan(folder / "list.yaml")


@pytest.mark.parametrize("name", TRAINED_CONTROLS)
def test_a_control_changes_one_thing_of_the_primary_row(folder: Path, name: str) -> None:
    plan = plan_of(folder, controls=[name])
    row = plan.trained_rows()[-1]
    assert row == control_row(plan, name) and row.name == name
    assert row.config == plan.row("joint").config and row.title.startswith("Joint, ")
    if name == "no_stage_one":
        assert row.stage_one == {}
        assert row.fields == {
            "speech_encoder": "checkpoint_of_speech",
            "text_encoder": "checkpoint_of_text",
        }
    else:
        assert row.stage_one == plan.row("joint").stage_one and row.fields


@pytest.mark.parametrize("name", sorted({"mean_probabilities", "no_stage_one"} & set(CONTROLS)))
def test_controls_that_need_two_stages_say_so(folder: Path, name: str) -> None:
    rows = {"text": values()["rows"]["text"]}
    with pytest.raises(ValueError, match=f"`{name}` needs a primary row with"):
        plan_of(folder, rows=rows, primary="text", controls=[name])


def test_rows_are_chosen_with_what_they_start_from(folder: Path) -> None:
    rows = {**values()["rows"], "other": {"config": "text.yaml"}}
    plan = plan_of(folder, rows=rows)
    assert [row.name for row in choose_rows(plan, ["joint"]).rows] == ["speech", "text", "joint"]
    with pytest.raises(ValueError, match="`--rows` has 'jont'; allowed are speech, text"):
        choose_rows(plan, ["jont"])
    with pytest.raises(ValueError, match="leaves out `joint`"):
        choose_rows(plan, ["speech"])
