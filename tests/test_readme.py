"""The README tells the truth: its Python runs, its commands and files exist."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dataset_script.__main__ import make_parser as corpus_parser
from kemer.demo import parse_options as demo_options
from kemer.predict.__main__ import make_parser as predict_parser
from kemer.release.__main__ import make_parser as release_parser
from kemer.table.__main__ import make_parser as table_parser
from tests import tiny
from tests.kemer.bench import LINES, make_release

ROOT = Path(__file__).resolve().parent.parent
PAGE_NAMES = ("training", "translation", "data", "synthetic_results")
README = (ROOT / "README.md").read_text(encoding="utf-8")
KOREAN = (ROOT / "README.ko.md").read_text(encoding="utf-8")
# `reproduce.md` has a test of its own.
PAGES = [README, *((ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in PAGE_NAMES)]


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = "".join(block for page in PAGES for block in blocks("sh", page))
    lines = lines.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if shlex.split(line, comments=True)]


def test_loading_a_checkpoint_works_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "\n".join(block for block in blocks("python") if "outputs/demo/model" in block)
    tiny.make_model().save_pretrained(tmp_path / "outputs/demo/model")
    tiny.make_processor(tmp_path).save_pretrained(tmp_path / "outputs/demo/model")
    tone = np.sin(np.arange(12_000) / 9) / 2
    soundfile.write(tmp_path / "utterance.wav", tone, 22_050)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.count("'valence'") == 2


def test_the_metric_works_as_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [block for block in blocks("python") if "evaluate.load" in block]
    monkeypatch.chdir(ROOT)
    scope: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), scope)
    assert scope["metric"].name


def test_the_data_set_is_read_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = [block for block in blocks("python") if "load_dataset" in block]
    make_release(tmp_path).rename(tmp_path / "dataset")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/demo").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() in LINES


def test_every_python_block_is_tried_here_and_is_short() -> None:
    assert len(blocks("python")) == 4
    for block in blocks("python"):
        lines = [line for line in block.splitlines() if line and " import " not in line]
        assert len(lines) <= 5 + ("processor" in block), block


def test_programs_take_the_commands_as_shown() -> None:
    parsers = {
        "kemer.predict": predict_parser().parse_args,
        "kemer.release": release_parser().parse_args,
        "kemer.table": table_parser().parse_args,
        "kemer.demo": demo_options,
    }
    taken = []
    for words in commands():
        if words[:2] == [".venv/bin/python", "-m"]:
            module, flags = words[2], [word for word in words[3:] if word != "&"]
            take = parsers.get(module)
            if module == "dataset_script":
                take = corpus_parser(flags[0]).parse_args
            if take is not None:
                take(flags)
            taken.append(module)
    assert {"dataset_script", *parsers} <= set(taken)


def skeleton(page: str) -> dict[str, object]:
    """Return what both languages share: blocks, headings, rows of tables, links, names in code."""
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    links = set(re.findall(r"\]\((.*?)\)", prose)) - {"README.md", "README.ko.md"}
    return {
        "blocks": re.findall(r"```.*?```", page, flags=re.DOTALL),
        "headings": re.findall(r"^#+ ", prose, flags=re.MULTILINE),
        "rows": [line.count("|") for line in prose.splitlines() if line.startswith("|")],
        "points": len(re.findall(r"^- ", prose, flags=re.MULTILINE)),
        "links": links,
        "code": sorted(" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)),
        "cells": re.findall(r"^\| SpeechT5 .*", prose, flags=re.MULTILINE),
    }


def test_the_korean_twin_says_the_same() -> None:
    english, korean = skeleton(README), skeleton(KOREAN)
    for name in english:
        assert korean[name] == english[name], name
    assert len(re.findall("[가-힣]", KOREAN)) > 1500


def test_links_lead_to_files_that_exist() -> None:
    for page, folder in [(README, ROOT), (KOREAN, ROOT), *((p, ROOT / "docs") for p in PAGES[1:])]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page):
            assert (folder / link).exists(), link


def test_commands_name_files_that_exist() -> None:
    shown = commands()
    assert ["make", "demo"] in shown and ["make", "test"] in shown
    for words in shown:
        for word in words:
            if word.endswith((".py", ".yaml")):
                assert (ROOT / word).is_file(), " ".join(words)


def test_the_map_of_files_is_complete() -> None:
    table = README.split("## Files")[1].split("## Limits")[0]
    first_cells = "".join(re.findall(r"^\| (.*?) \|", table, flags=re.MULTILINE))
    listed = set(re.findall(r"`([\w./]+)`", first_cells))
    for path in ROOT.iterdir():
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py"))):
            name = path.name + ("/" if path.is_dir() else "")
            assert name in listed, name
    assert [name for name in listed if not (ROOT / name).exists()] == []


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.search(r"^[A-Z]+_[A-Z]+$|\bTODO\b", README, flags=re.MULTILINE)
