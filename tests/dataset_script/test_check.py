import dataclasses
import json
import shutil

import pytest

from dataset_script.check import Figure, check_corpora, format_check
from dataset_script.expectations import EXPECTATIONS
from dataset_script.report import CorpusError

from .corpus_files import (
    encode_wav,
    make_segments,
    make_segments19,
    pack_folder,
    write_corpus,
    write_corpus19,
)


@pytest.fixture
def corpus(tmp_path):
    return write_corpus(tmp_path / "KEMDy20", make_segments(3))


@pytest.fixture
def known(monkeypatch):
    """Expect what `make_segments(3)` gives."""
    small = dataclasses.replace(
        EXPECTATIONS["kemdy20"],
        rows_by_session=(8, 8, 8),
        dialogues=6,
        speakers=6,
        single_label={"neutral": 24},
        several_labels=0,
        hours=0.0,
        silent_wavs=0,
    )
    monkeypatch.setitem(EXPECTATIONS, "kemdy20", small)


def _figures(result):
    return {figure["name"]: figure for figure in result["figures"]}


def test_a_corpus_as_it_is_known_has_nothing_to_list(corpus, known):
    (result,) = check_corpora(corpus.root)
    assert not [figure for figure in result["figures"] if figure["differs"]]
    assert result["problems"] == result["notes"] == []
    assert (result["rows_in"], result["rows_out"], result["rows_dropped"]) == (24, 24, 0)
    text = format_check([result])
    assert text.startswith("KEMDy20\n") and "differs" not in text
    assert text.endswith(
        "24 rows in = 24 rows out + 0 dropped; 0 figure(s) differ from the version that is known."
    )


def test_each_figure_stands_beside_what_was_expected(corpus, known):
    happy, double, silent, broken = corpus.segments[:4]
    for segment, votes in (
        (happy, ("happy",) * 10),
        (double, ("sad", "fear") * 5),
    ):
        segment.votes = votes
    write_corpus(corpus.root, corpus.segments)
    corpus.wav(silent).write_bytes(encode_wav([0] * 16_000 * 3600))
    corpus.wav(broken).write_bytes(b"RIFF")
    (result,) = check_corpora(corpus.root)
    differing = {
        name: (figure["found"], figure["expected"])
        for name, figure in _figures(result).items()
        if figure["differs"]
    }
    assert differing == {
        "rows": (23, 24),
        "hours": (1.0, 0.0),
        "silent wavs": (1, 0),
        "rows with neutral alone": (21, 24),
        "rows with several": (1, 0),
        "rows of session 1": (7, 8),
    }
    assert _figures(result)["rows with happy alone"] == {
        "name": "rows with happy alone",
        "found": 1,
        "expected": None,
        "differs": False,
    }
    text = format_check([result])
    assert "rows with neutral alone             21          24  differs" in text
    assert "6 figure(s) differ" in text
    (problem,) = result["problems"]
    assert problem["kind"] == "unreadable_wav" and problem["file"].endswith(".wav")
    assert f"  unreadable_wav  {problem['file']}  the wav has no RIFF header" in text


def test_every_fault_is_listed_with_file_and_line(corpus):
    for number, segment in enumerate(corpus.segments[:12]):
        corpus.edit_cell(segment, 10, "furious" if number else "disqust")
    (result,) = check_corpora(corpus.root)
    text = format_check([result])
    lines = [f"annotation/Sess0{s}_eval.csv:{n}  'furious'" for s, n in ((1, 4), (1, 10), (2, 6))]
    assert all(line in text for line in lines)
    assert text.count("'furious' in column 10") == 11 and "Odd and harmless: 1\n" in text
    assert "label_spelling  annotation/Sess01_eval.csv:3  disqust was read as disgust" in text


def test_tolerance_is_what_was_in_doubt():
    assert not Figure("x", 100, None).differs
    assert not Figure("x", 104, 100, 4).differs and Figure("x", 105, 100, 4).differs
    assert Figure("x", 99, 100).differs


def test_a_version_without_recordings_is_counted_and_named(corpus):
    shutil.rmtree(corpus.root / "wav")
    (result,) = check_corpora(corpus.root)
    assert [problem["kind"] for problem in result["problems"]] == ["no_recordings"]
    assert _figures(result)["rows"]["found"] == 24


def test_both_corpora_of_a_zip_are_looked_over(corpus, tmp_path):
    write_corpus19(corpus.root, make_segments19(3))
    archive = pack_folder(corpus.root, tmp_path / "both.zip", prefix="x/")
    results = check_corpora(archive)
    assert [result["config"] for result in results] == ["kemdy19", "kemdy20"]
    assert [r["figures"] for r in results] == [r["figures"] for r in check_corpora(corpus.root)]
    assert _figures(results[0])["rows"] == {
        "name": "rows",
        "found": 24,
        "expected": 10_283,
        "differs": True,
    }
    assert [figure["name"] for figure in results[0]["figures"]][-1] == "rows of session 20"


def test_labels_of_listeners_are_looked_over_too(tmp_path):
    corpus = write_corpus19(tmp_path, make_segments19(3))
    path = corpus.annotation(1, "M")  # line 3 is the man's emotion while the woman speaks
    lines = path.read_text().splitlines()
    lines[2], lines[3] = (
        lines[2].replace("sad", "furious", 1),
        lines[3].replace("neutral", "sad", 1),
    )
    path.write_text("\n".join(lines) + "\n")
    (result,) = check_corpora(tmp_path)
    listed = [(p["kind"], p["line"], p["message"][:13]) for p in result["problems"]]
    assert listed == [("total_emotion", 4, "the total sad"), ("bad_row", 3, "(as listener)")]
    assert result["rows_dropped"] == 0 and result["rows_out"] == 24


def test_nothing_is_expected_of_a_synthetic_corpus(corpus):
    (corpus.root / "synthetic.json").write_text("{}")
    (result,) = check_corpora(corpus.root)
    assert not [f for f in result["figures"] if f["differs"] or f["expected"] is not None]
    text = format_check([result])
    assert text.startswith("KEMDy20, SYNTHETIC") and "session 4" not in text


def test_results_are_plain_values(corpus):
    results = check_corpora(corpus.root)
    assert json.loads(json.dumps(results)) == results
    assert str(corpus.root) not in json.dumps(results)


def test_a_folder_without_a_corpus_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"of KEMDy19 \(Session01_F_res.csv …\) or KEMDy20"):
        check_corpora(tmp_path)


def test_nothing_is_written_and_no_progress_goes_into_a_log(corpus, capsys):
    before = sorted(corpus.root.rglob("*"))
    check_corpora(corpus.root)
    assert sorted(corpus.root.rglob("*")) == before
    assert capsys.readouterr() == ("", "")


def _write_signal(root, signal, user, *lines):
    path = root / signal / "Session01" / f"Sess01_script01_{user}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def test_bio_signals_are_counted_and_looked_over(corpus):
    own = [f"Sess01_script01_{user}_001" for user in ("User001F", "User002M")]
    _write_signal(corpus.root, "EDA", "User001F", "t", "4", *[f"1.5,t,{n}" for n in own * 2])
    _write_signal(corpus.root, "EDA", "User002M", "t", "4", f"1.5,t,{own[0]}", f"x,t,{own[1]}")
    _write_signal(corpus.root, "IBI", "User001F")
    (result,) = check_corpora(corpus.root)
    figures = [
        (figure["name"], figure["found"], figure["expected"])
        for figure in result["figures"]
        if figure["name"].startswith("segments with")
    ]
    assert figures == [
        ("segments with EDA", 3, 13_381),
        ("segments with IBI", 0, None),
        ("segments with TEMP", 0, None),
    ]
    (problem,) = result["problems"]
    assert (problem["kind"], problem["line"]) == ("signal_lines", 4)
    missing = [note["file"] for note in result["notes"] if note["kind"] == "missing_signal"]
    # Two wearers in two dialogues of three sessions, but for what was written; no TEMP at all.
    assert len(missing) == (12 - 2) + (12 - 1) + 1 and "TEMP" in missing
    assert "EDA/Session01/Sess01_script02_User001F.csv" in missing


def test_there_are_no_figures_of_bio_signals_without_their_folders(corpus):
    (result,) = check_corpora(corpus.root)
    assert not [name for name in _figures(result) if name.startswith("segments with")]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_of_bio_signals_is_shown_on_a_terminal_only(
    corpus, is_terminal, capsys, monkeypatch
):
    _write_signal(corpus.root, "EDA", "User001F", "t", "4")
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal, raising=False)
    check_corpora(corpus.root)
    assert ("signal file" in capsys.readouterr().err) == is_terminal
