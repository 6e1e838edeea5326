"""The demo's Space runs from what is staged, and needs nothing else of this project."""

import ast
import sys
from pathlib import Path

import pytest
from huggingface_hub import RepoCard

from kemer.release.space_staging import ROOT, stage_space


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("staged") / "space"
    folder.mkdir()
    stage_space(ROOT / "space", folder, model_id="someone/kemer")
    return folder


def test_the_card_names_the_model_and_keeps_its_head(staged: Path) -> None:
    card, source = (
        RepoCard.load(folder / "README.md", ignore_metadata_errors=True)
        for folder in (staged, ROOT / "space")
    )
    assert card.data["models"] == ["someone/kemer"]
    assert {k: v for k, v in card.data.to_dict().items() if k != "models"} == source.data.to_dict()
    assert card.text == source.text


def test_every_module_of_ours_that_is_imported_goes_along(staged: Path) -> None:
    ours = {path.stem for path in ROOT.iterdir()} | {path.stem for path in staged.glob("*.py")}
    for path in staged.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                if node.module.split(".")[0] in ours:
                    place = staged / node.module.replace(".", "/")
                    assert place.with_suffix(".py").is_file() or place.is_dir(), (path, node.module)


def test_nothing_of_a_visit_or_a_build_goes_along(staged: Path) -> None:
    names = {path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()}
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
    assert {"app.py", "requirements.txt", "packages.txt", "modeling_kemer.py"} <= names
    assert [name for name in names if name.endswith(".flac")]


def test_requirements_name_what_is_imported(staged: Path) -> None:
    lines = (staged / "requirements.txt").read_text().split()
    named = {line.split(">=")[0] for line in lines} | {"gradio"}  # the card's `sdk_version`
    optional = {"silero_vad", "torchaudio"}
    for path in staged.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            roots = []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                roots = [node.module.split(".")[0]]
            elif isinstance(node, ast.Import):
                roots = [alias.name.split(".")[0] for alias in node.names]
            for root in roots:
                ours = (staged / f"{root}.py").is_file() or (staged / root).is_dir()
                assert ours or root in {*named, *optional, *sys.stdlib_module_names}, (path, root)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lacks README.md, app.py; name `space`"):
        stage_space(tmp_path, tmp_path / "target", model_id="a/b")
