import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataset_script.__main__ import main
from dataset_script.sample import cli
from dataset_script.sample.oracle import ORACLE_ROWS
from dataset_script.sample.session import SampleOptions

from .written import read_rows, read_tree

REPOSITORY = Path(__file__).resolve().parents[3]


def _parse(*arguments):
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(arguments)


def _fails(capsys, *arguments):
    """Run `sample` where it cannot: status 2, one sentence on standard error, which is returned."""
    assert main(["sample", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0]


@pytest.fixture
def handed_over(monkeypatch):
    """The options that `run` hands to the writer, which does nothing."""
    taken = []
    monkeypatch.setattr(
        cli, "write_sample_corpus", lambda directory, options: taken.append(options) or 0
    )
    return taken


def test_the_defaults_are_those_of_the_data_classes(handed_over):
    cli.run(_parse("corpus"))
    given, default = vars(handed_over[0]), vars(SampleOptions())
    assert {**given, "parameters": None} == {**default, "parameters": None}
    ours, theirs = vars(given["parameters"]), vars(default["parameters"])
    assert {name: str(value) for name, value in ours.items()} == {
        name: str(value) for name, value in theirs.items()
    }


def test_every_option_arrives(handed_over, tmp_path):
    arguments = "--layout kemdy19 --anomalies --bio --sessions 3 --turns 12 --seed 4 --folds 2"
    arguments += " --voices m1 f1 f:Annie m:Alex"
    signals = "--speech-signal .1 --text-signal .2 --context-signal .3 --neutral .5"
    cli.run(_parse("x", *arguments.split(), *signals.split(), "--lexicon", str(tmp_path)))
    options = handed_over[0]
    assert (options.sessions, options.turns, options.seed, options.folds) == (3, 12, 4, 2)
    assert options.voices == ("m1", "f1", "f:Annie", "m:Alex") and options.lexicon == tmp_path
    assert options.layout == "kemdy19" and options.anomalies and options.bio
    assert options.recordings
    model = options.parameters
    assert (model.speech_signal, model.text_signal, model.context_signal) == (0.1, 0.2, 0.3)
    assert model.neutral == 0.5


def test_without_wav_there_are_no_recordings(handed_over):
    cli.run(_parse("x", "--without-wav"))
    assert not handed_over[0].recordings and not handed_over[0].has_bio


def test_a_corpus_is_written_and_called_synthetic(tmp_path, capsys):
    target = tmp_path / "corpus"
    assert main(["sample", str(target), "--sessions", "1", "--turns", "1"]) == 0
    printed = capsys.readouterr().out
    assert f"6 synthetic utterances in 1 sessions: {target}" in printed
    assert str(target / "translations_contextual.jsonl") in printed
    assert len(read_rows(target)) == 6


def test_the_oracle_prints_its_table_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []

    def score(parameters):
        asked.append(parameters)
        return dict.fromkeys(ORACLE_ROWS, 0.5)

    monkeypatch.setattr(cli, "bayes_exact_match", score)
    assert main(["sample", "--oracle", "--text-signal", "0"]) == 0
    printed = capsys.readouterr().out
    assert "synthetic" in printed and "text signal 0," in printed
    for name in ORACLE_ROWS:
        assert f"  {name} " in printed
    assert asked[0].text_signal == 0 and os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "`directory` is missing; name a folder to write to, or give `--oracle`"),
        (["x", "--sessions", "0"], "`sessions` is 0; it must be 1 or more"),
        (["x", "--folds", "0"], "`folds` is 0; it must be 1 or more"),
        (["x", "--folds", "9"], "`voices` has 13 voices for 9 folds"),
        (["x", "--neutral", "0.1"], "`neutral` is 0.1; it must be between 0.25 and 0.9"),
        (["x", "--text-signal", "2"], "`text_signal` is 2.0; it must be between 0.0 and 1.0"),
        (["x", "--voices", "m1", "who", "--folds", "1"], "`voices` has 'who'; allowed are"),
        (["x", "--voices", "m1", "f:Nobody", "--folds", "1"], "'f:Nobody', which sounds like"),
        (["x", "--layout", "kemdy19", "--folds", "6"], "`voices` deals m6, m7 to one fold, and a"),
        (["x", "--without-wav", "--anomalies"], "leave out `--without-wav` or `--anomalies`"),
        (["x", "--lexicon", "none.json"], "`lexicon` 'none.json' is not a file"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in _fails(capsys, *arguments)
    assert os.listdir(tmp_path) == []


def test_a_folder_of_something_else_is_refused_and_untouched(tmp_path, capsys):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("mine")
    before = read_tree(tmp_path)
    assert "is not a sample corpus" in _fails(capsys, tmp_path / "thesis")
    assert read_tree(tmp_path) == before


def test_a_program_without_espeak_ends_in_one_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "dataset_script", "sample", str(tmp_path / "corpus")],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(
        "error: `espeak-ng` speaks the sample corpus and is not installed"
    )
    assert "apt-get install espeak-ng" in done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert not (tmp_path / "corpus").exists()
