import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dataset_script.__main__ import CONFIGS, main
from dataset_script.builder import Kemdy

from .corpus_files import make_segments, make_segments19, write_corpus, write_corpus19

REPOSITORY = Path(__file__).resolve().parents[2]


def _build(corpus_dir, output, *more):
    return main(["build", str(corpus_dir), "--config", "kemdy20", "--output", str(output), *more])


def test_the_configs_of_the_command_are_those_of_the_builder():
    assert list(CONFIGS) == [config.name for config in Kemdy.BUILDER_CONFIGS]


def test_build_prints_what_it_found(tmp_path, capsys):
    corpus = write_corpus(tmp_path / "corpus", make_segments(3, turns=1))
    broken = corpus.wav(corpus.segments[2])
    broken.write_bytes(b"RIFF")
    assert _build(corpus.root, tmp_path / "release", "--folds", "3", "--keep-markers") == 0
    printed = capsys.readouterr().out
    assert "12 rows in = 11 rows out + 1 dropped" in printed
    assert f"unreadable_wav: 1, rows dropped 1: wav/Session01/{broken.name}" in printed
    listed = Path(re.search(r"All problems: (.*)", printed)[1])
    assert broken.name in listed.read_text()
    options = json.loads(listed.read_text())["options"]
    assert options["keep_markers"] is True and options["n_folds"] == 3


def test_what_cannot_be_used_is_one_sentence_and_status_two(tmp_path, capsys):
    corpus = write_corpus(tmp_path / "corpus", make_segments(3, turns=1))
    (tmp_path / "empty").mkdir()
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "file").write_text("x")
    out = tmp_path / "release"
    for arguments, message in (
        ([tmp_path / "nowhere", out], "is not a folder"),
        ([tmp_path / "empty", out], "holds no annotation file"),
        ([corpus.root, out], "`n_folds` is 5 for 3 session(s)"),
        ([corpus.root, out, "--folds", "3", "--translations", "no.jsonl"], "no.jsonl"),
        ([corpus.root, tmp_path / "busy", "--folds", "3"], "is not empty"),
        ([corpus.root, out, "--folds", "3", "--require-translations"], "`translations` is missing"),
    ):
        assert _build(*arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.startswith("error: ")
        assert message in captured.err and captured.err.count("\n") == 1
    assert not out.exists()


def test_the_summary_names_kinds_of_missing_translations_not_rows(tmp_path, capsys):
    corpus = write_corpus(tmp_path / "corpus", make_segments(5, turns=3))
    ids = [f"kemdy20/{segment.segment_id}" for segment in corpus.segments]
    file = tmp_path / "t.jsonl"
    lines = [{"id": row_id, "status": "failed", "reason": "refused"} for row_id in ids[:40]]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "release"
    assert _build(corpus.root, out, "--translations", str(file)) == 0
    printed = capsys.readouterr().out
    assert "translations 60 missing, 0 flagged" in printed
    assert "failed_translation: 40, rows dropped 0: t.jsonl:1, t.jsonl:2, t.jsonl:3, …" in printed
    assert f"'{ids[0]}' has no English, its translation failed: refused" in printed
    assert len(printed.splitlines()) < 20
    problems = json.loads((out / "reports" / "kemdy20.json").read_text())["problems"]
    assert [f"kemdy20/{problem['segment_id']}" for problem in problems] == ids
    before = (out / "README.md").read_bytes()
    assert _build(corpus.root, out, "--translations", str(file), "--require-translations") == 2
    assert "lacks the English of 60 of 60 rows" in capsys.readouterr().err
    assert (out / "README.md").read_bytes() == before


def test_check_prints_for_people_and_for_machines(tmp_path, capsys):
    corpus = write_corpus(tmp_path / "corpus", make_segments(3, turns=1))
    corpus.wav(corpus.segments[2]).write_bytes(b"RIFF")
    assert main(["check", str(corpus.root)]) == 0  # it warns, it does not fail
    printed = capsys.readouterr().out
    assert "rows                                11      13,462  differs\n" in printed
    assert "unreadable_wav  wav/Session01/" in printed
    assert main(["check", str(corpus.root), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["corpora"]
    assert found["rows_out"] == 11 and found["problems"][0]["kind"] == "unreadable_wav"
    assert main(["check", str(tmp_path / "nowhere")]) == 2
    assert "is not a folder or zip" in capsys.readouterr().err


def test_the_role_is_an_option_of_kemdy19(tmp_path, capsys):
    corpus = write_corpus19(tmp_path / "corpus", make_segments19(3, turns=1))
    out = tmp_path / "release"
    command = ["build", str(corpus.root), "--output", str(out), "--folds", "3", "--config"]
    assert main([*command, "kemdy20", "--role", "listener"]) == 2
    assert "`role` is 'listener' for kemdy20" in capsys.readouterr().err and not out.exists()
    for more, role, emotion in (
        ([], "speaker", "neutral"),
        (["--role", "listener"], "listener", "sad"),
    ):
        assert main([*command, "kemdy19", *more]) == 0
        assert "12 rows in = 12 rows out + 0 dropped" in capsys.readouterr().out
        report = json.loads((out / "reports" / "kemdy19.json").read_text())
        assert report["options"]["role"] == role and report["emotions"] == {emotion: 12}


@pytest.mark.parametrize(
    "arguments",
    [[], ["bild"], ["build"], ["build", "x", "--config", "kemdy99", "--output", "y"]],
)
def test_a_wrong_command_line_is_status_two(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_sample_has_its_own_options(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["sample", "--help"])
    assert caught.value.code == 0 and "--sessions" in capsys.readouterr().out


def test_an_interrupt_is_no_traceback(tmp_path, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("dataset_script.release.build_release", interrupt)
    assert _build(tmp_path, tmp_path / "release") == 130
    assert capsys.readouterr().err.startswith("interrupted")


def test_the_module_runs_as_a_program(tmp_path):
    command = [
        sys.executable,
        "-m",
        "dataset_script",
        "build",
        str(tmp_path),
        "--config",
        "kemdy20",
    ]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "x")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
