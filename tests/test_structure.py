"""The layout holds: which file may import which, what is tested, and what no file may say."""

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import configuration_kemer
from dataset_script import layout
from evaluate_metric import evaluate_metric

ROOT = Path(__file__).resolve().parent.parent
REMOTE_CODE = sorted(path.stem for path in ROOT.glob("*_kemer.py"))
OURS = {"train", "kemer", "dataset_script", "evaluate_metric", "examples", "demo_encoders"}
OURS |= {"benchmarks", "space", "tests", *REMOTE_CODE}

MAY_IMPORT = {
    "train": {"kemer"},
    "kemer": {"kemer", *REMOTE_CODE},
    "dataset_script": {"dataset_script"},
    "evaluate_metric": {"evaluate_metric"},
    "examples": set(),
    "space": {"kemer", *REMOTE_CODE},
    "benchmarks": {"benchmarks", "dataset_script", "kemer", *REMOTE_CODE},
    **{name: set(REMOTE_CODE) for name in REMOTE_CODE},
}
"""What each part may import of ours; arrows go one way."""

NOT_OURS = {".git", ".pytest_cache", ".ruff_cache", ".hypothesis", "__pycache__", "outputs"}
NOT_OURS |= {"build", "dist", "kemer.egg-info"}

EVERY_USER_HAS = {"torch", "numpy", "transformers"}

# Written apart, so that this file does not say them.
MACHINE_PATHS = re.compile(r"(?<![\w.])/" + r"(?:work|tmp|root|home)/")
HOSTS = re.compile(r"(?i)\b(?:pypi\.org|pythonhosted|artifactory|nexus|jfrog|index-url)")


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Yield the files of the repository, without what was built or installed into it."""
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS:  # `.git` is a file in a worktree
            continue
        if path.is_file():
            yield path
        elif not (path / "pyvenv.cfg").exists():
            yield from files(path)


def texts() -> Iterator[tuple[str, str]]:
    """Yield name and content of every text file of the repository."""
    for path in files():
        content = path.read_bytes()
        if b"\0" not in content:
            yield path.relative_to(ROOT).as_posix(), content.decode("utf-8", errors="replace")


def part_of(path: Path) -> str:
    """Return which part of ours a file belongs to: its folder at the root, or its own name."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def sources() -> list[Path]:
    return [path for path in ROOT.rglob("*.py") if part_of(path) in MAY_IMPORT]


def imports(nodes: list[ast.stmt] | ast.AST) -> Iterator[str]:
    """Yield the first part of what is imported; relative imports as the part that they stay in."""
    for node in nodes if isinstance(nodes, list) else ast.walk(nodes):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Try) and isinstance(nodes, list):
            yield from imports(node.body)
            yield from imports([one for handler in node.handlers for one in handler.body])


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_go_one_way(path: Path) -> None:
    part = part_of(path)
    found = set(imports(ast.parse(path.read_text(encoding="utf-8")))) & OURS
    assert found <= MAY_IMPORT[part], f"{part} may not import {found - MAY_IMPORT[part]}"


def test_the_arrows_are_there() -> None:
    def reached(part: str) -> set[str]:
        trees = [ast.parse(path.read_text()) for path in sources() if part_of(path) == part]
        return set().union(*(set(imports(tree)) for tree in trees)) & OURS

    assert reached("train") == {"kemer"}
    assert {"modeling_kemer", "processing_kemer"} <= reached("kemer")
    assert "encoders_kemer" in reached("modeling_kemer")


@pytest.mark.parametrize("name", REMOTE_CODE)
def test_remote_code_imports_at_the_top_what_every_user_has(name: str) -> None:
    tree = ast.parse((ROOT / f"{name}.py").read_text())
    allowed = {*EVERY_USER_HAS, *REMOTE_CODE, *sys.stdlib_module_names}
    assert set(imports(tree.body)) <= allowed
    # Inside a function, the one library that resamples.
    assert set(imports(tree)) <= {*allowed, "torchaudio"}


def test_the_emotions_are_the_same_everywhere() -> None:
    expected = ("surprise", "angry", "fear", "neutral", "sad", "disgust", "happy")
    for module in (configuration_kemer, layout, evaluate_metric):
        assert tuple(module.EMOTIONS) == expected, module.__name__


TESTED_WITH_ANOTHER = {"evaluate_metric/app.py"}  # shows the metric, and is tested with it


def needs_a_test(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    if path.name == "__init__.py" or "/".join(parts) in TESTED_WITH_ANOTHER:
        return False
    return len(parts) == 1 or parts[0] in ("kemer", "dataset_script", "evaluate_metric", "space")


@pytest.mark.parametrize(
    "path",
    [path for path in files() if path.suffix == ".py" and needs_a_test(path)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_each_module_has_its_test_file(path: Path) -> None:
    place = path.relative_to(ROOT)
    names = {f"test_{place.stem.strip('_')}.py", f"test_{place.stem.strip('_')}_*.py"}
    folder = ROOT / "tests" / place.parent
    assert any(list(folder.glob(name)) for name in names), f"{folder} has no {sorted(names)}"


def test_remote_code_is_installed_and_no_module_is_forgotten() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options"]["py_modules"].split() == REMOTE_CODE
    packages = setup["options.packages.find"]["include"].split()
    assert {name.rstrip("*") for name in packages} == {
        *("dataset_script", "evaluate_metric", "kemer")
    }


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, HOSTS], ids=["machine paths", "hosts"])
def test_no_file_tells_where_it_was_written(pattern: re.Pattern[str]) -> None:
    found = [
        f"{name}: {match.group()}"
        for name, text in texts()
        if not name.startswith("tests/")
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_files_stay_readable() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in sources()
    }
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_fit_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            documented = ast.get_docstring(node, clean=False)
            lines = node.end_lineno - node.lineno + 1
            lines -= 0 if documented is None else len(documented.splitlines())
            assert lines <= 60, f"{node.name} has {lines} lines without its docstring"
