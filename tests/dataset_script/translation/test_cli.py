import argparse
import json

import pytest

from dataset_script.__main__ import main
from dataset_script.translation.cli import _read_options, add_arguments
from dataset_script.translation.options import ContextOptions, TranslationOptions

from ..corpus_files import make_segments, pack_folder, write_corpus
from .server import FaultyServer

REQUIRED = ["corpus", "--config", "kemdy20", "--output", "t.jsonl"]


def _parse(*options):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return _read_options(parser.parse_args([*REQUIRED, *options]))


def test_the_defaults_are_those_of_the_options():
    assert _parse() == TranslationOptions()


def test_every_flag_reaches_its_option():
    flags = "--model m --draft a/b --draft-languages ko en --context-before 1 --context-after 2 "
    flags += "--targets 4 --variants 3 --temperature 0.5 --response-format none --concurrency 5 "
    flags += "--timeout 7 --max-cost 1.5"
    assert _parse(*flags.split()) == TranslationOptions(
        model="m",
        draft="a/b",
        draft_languages=("ko", "en"),
        context=ContextOptions(1, 2, 4),
        variants=3,
        temperature=0.5,
        response_format="none",
        concurrency=5,
        timeout=7.0,
        max_cost=1.5,
    )


def test_the_causal_form_asks_for_one_utterance_at_a_time():
    assert _parse("--context-after", "0").context == ContextOptions(3, 0, 1)
    with pytest.raises(ValueError, match="`targets` is 5 with `context_after` 0"):
        _parse("--context-after", "0", "--targets", "5")


@pytest.fixture
def corpus(tmp_path):
    segments = make_segments(2)
    for segment in segments:
        segment.samples = None
    return write_corpus(tmp_path / "KEMDy20", segments)


def _main(root, output, *options):
    return main(["translate", str(root), "--config", "kemdy20", "--output", str(output), *options])


def test_a_zip_is_translated_where_it_is_and_a_synthetic_corpus_is_called_so(
    corpus, tmp_path, capsys
):
    (corpus.root / "synthetic.json").write_text("{}")
    archive = pack_folder(corpus.root, tmp_path / "KEMDy20.zip")
    with FaultyServer() as server:
        assert _main(archive, tmp_path / "t.jsonl", "--base-url", server.base_url) == 0
    said = capsys.readouterr().out
    assert said.startswith("SYNTHETIC corpus: nothing in it was said by anyone.\n")
    assert "3 before and 3 after (which sees what is said later), 10 utterance(s)" in said
    lines = (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 16 and json.loads(lines[0])["status"] == "ok"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--concurrency", "0"], "error: `concurrency` is 0; it must be 1 or more."),
        (["--prices", "none.json"], "error: `prices` 'none.json' is not a file"),
        (
            ["--max-cost", "1", "--model", "mine", "--dry-run"],
            "error: `max_cost` is 1.0 and the price of 'mine' is not known",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence_before_anything_is_written(
    corpus, tmp_path, capsys, options, said, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert _main(corpus.root, tmp_path / "t.jsonl", *options) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["KEMDy20"]


def test_a_store_that_is_none_is_left_alone(corpus, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work, and longer than a header of a database")
    options = ["--store", str(tmp_path / "thesis.txt"), "--base-url", "http://127.0.0.1:9/v1"]
    assert _main(corpus.root, tmp_path / "t.jsonl", *options) == 2
    assert "cannot be used as the store of translations" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text().startswith("years of work")


def test_the_store_is_never_a_file_that_is_written_over(corpus, tmp_path, capsys):
    output = tmp_path / "t.jsonl"
    for name in ("t.jsonl", "t.report.html"):
        options = ["--store", str(tmp_path / name), "--base-url", "http://127.0.0.1:9/v1"]
        assert _main(corpus.root, output, *options) == 2
        assert "is a file that the run writes over" in capsys.readouterr().err
    output.mkdir()
    assert _main(corpus.root, output, "--base-url", "http://127.0.0.1:9/v1") == 2
    assert "is a folder; give a file" in capsys.readouterr().err


def test_the_variable_of_the_client_names_the_server_too(corpus, tmp_path, capsys, monkeypatch):
    with FaultyServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        assert _main(corpus.root, tmp_path / "t.jsonl") == 0
    assert f"go to {server.base_url} and stay on this machine" in capsys.readouterr().out


def test_a_store_in_a_folder_that_cannot_be_is_one_sentence(corpus, tmp_path, capsys):
    options = ["--store", str(tmp_path), "--base-url", "http://127.0.0.1:9/v1"]
    assert _main(corpus.root, tmp_path / "t.jsonl", *options) == 2
    assert "cannot be used as the store of translations" in capsys.readouterr().err
