"""The folder stands alone, and its builder also loads as a script that knows only its siblings."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

import dataset_script

FOLDER = Path(dataset_script.__file__).parent
REPOSITORY = FOLDER.parent
MODULES = sorted(FOLDER.glob("*.py"))


def _imports(path):
    """(level, dotted name) of every import of a file, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def _siblings(path):
    return {name.split(".")[0] for level, name in _imports(path) if level == 1}


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.stem)
def test_nothing_of_ours_is_imported_from_outside(path):
    ours = {entry.stem for entry in REPOSITORY.iterdir() if not entry.name.startswith(".")}
    depth = len(path.relative_to(FOLDER).parts)
    for level, name in _imports(path):
        assert level <= depth, f"{path} reaches above dataset_script"
        assert level > 0 or name.split(".")[0] not in ours, f"{path} imports {name}"


def test_the_builder_names_every_sibling_that_it_needs():
    named = _siblings(FOLDER / "builder.py")
    reached, waiting = set(), set(named)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= _siblings(FOLDER / f"{name}.py") - reached
    assert reached == named
    lines = (FOLDER / "builder.py").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if line.startswith("from .") and "#" in line]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_examples_in_docstrings_are_true(path):
    if path.stem == "__main__":
        pytest.skip("holds no example and parses the command line")
    module = importlib.import_module(f"dataset_script.{path.stem}")
    assert doctest.testmod(module).failed == 0
