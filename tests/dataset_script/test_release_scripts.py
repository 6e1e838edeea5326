"""Scripts in a release: found in the transcripts, or taken from a file, or not claimed at all."""

import csv
import hashlib

import datasets
import pytest

from dataset_script.__main__ import main
from dataset_script.check import check_corpora, format_check
from dataset_script.release import build_release, read_reports

from .corpus_files import Segment19, write_corpus19
from .dialogues import SCRIPTS, make_dialogues

SESSIONS = 8


def _write(root, *, replaced):
    """A corpus whose dialogues have two turns, and the script of each dialogue."""
    texts, truth = make_dialogues(replaced=replaced, sessions=SESSIONS, singles=1, seed=1)
    segments = []
    for (session, scene), text in texts.items():
        words = text.split()
        halves = words[: len(words) // 2], words[len(words) // 2 :]
        for gender, half in zip("FM", halves, strict=True):
            segment = Segment19(session, scene, gender, 1, text=" ".join(half), samples=[1] * 160)
            segments.append(segment)
    return write_corpus19(root, segments), truth


def _load(release, cache):
    rows = datasets.load_dataset(
        str(release), "kemdy19", split="train", cache_dir=str(cache)
    ).remove_columns("audio")
    return {row["dialogue"]: (row["script"], row["is_scripted"]) for row in rows}


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("corpus"), replaced=0.1)


@pytest.fixture(scope="module")
def corpus(played):
    return played[0]


def _build(corpus, output, *options):
    arguments = ["build", str(corpus.root), "--config", "kemdy19", "--output", str(output)]
    return main([*arguments, "--folds", "3", *options])


def test_dialogues_of_one_script_are_found_under_other_numbers(played, tmp_path, capsys):
    corpus, truth = played
    assert _build(corpus, tmp_path / "release") == 0
    found = _load(tmp_path / "release", tmp_path / "cache")
    names = {truth[1, f"script{n:02d}"]: f"script{n:02d}" for n in range(1, SCRIPTS + 1)}
    for (session, scene), script in truth.items():
        label = (names[script], True) if script in names else (f"single{session:03d}", False)
        assert found[f"Sess{session:02d}_{scene}"] == label
    printed = capsys.readouterr().out
    assert "scripts      6 recur in 48 dialogues, 8 dialogues play none (merge gap 0." in printed
    card = (tmp_path / "release" / "README.md").read_text()
    assert "| scripts that recur (in dialogues) | 6 (48) |" in card


def test_the_scripts_are_stored_with_their_hash(corpus, tmp_path):
    build_release(corpus.root, tmp_path / "release", config="kemdy19", n_folds=3)
    path = tmp_path / "release" / "scripts" / "kemdy19.csv"
    scripts = read_reports(tmp_path / "release")["kemdy19"]["scripts"]
    assert scripts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (scripts["verdict"], scripts["recurring"], scripts["single"]) == (
        "found",
        SCRIPTS,
        SESSIONS,
    )
    with path.open() as file:
        assert len(list(csv.reader(file))) == 1 + (SCRIPTS + 1) * SESSIONS


def test_a_recording_that_is_lost_changes_no_script(corpus, tmp_path):
    broken = write_corpus19(tmp_path / "corpus", corpus.segments)
    lost = next(segment for segment in broken.segments if segment.scene == "script02")
    broken.wav(lost).write_bytes(b"RIFF")
    reports = [
        build_release(source.root, tmp_path / name, config="kemdy19", n_folds=3)
        for name, source in (("whole", corpus), ("broken", broken))
    ]
    assert [report["rows_dropped"] for report in reports] == [0, 1]
    assert reports[0]["scripts"] == reports[1]["scripts"]


def test_a_small_gap_is_refused_and_a_file_settles_it(tmp_path, capsys):
    corpus, _ = _write(tmp_path / "corpus", replaced=0.45)
    assert _build(corpus, tmp_path / "release") == 0
    assert set(_load(tmp_path / "release", tmp_path / "cache").values()) == {(None, None)}
    printed = capsys.readouterr().out
    assert "scripts      not known (merge gap 0." in printed
    assert "less than 0.05: the scripts are a guess" in printed
    assert (
        "| scripts that recur (in dialogues) | not known |"
        in (tmp_path / "release" / "README.md").read_text()
    )
    path = tmp_path / "release" / "scripts" / "kemdy19.csv"
    with path.open() as file:
        header, *rows = csv.reader(file)
    played = [(s, d, "play" if "script01" in d else d) for s, d, _ in rows]
    with (tmp_path / "mine.csv").open("w") as file:
        csv.writer(file).writerows([header, *played])
    groups = str(tmp_path / "mine.csv")
    assert _build(corpus, tmp_path / "release", "--script-groups", groups) == 0
    found = _load(tmp_path / "release", tmp_path / "cache")
    assert {name for name, label in found.items() if label == ("play", True)} == {
        f"Sess{session:02d}_script01" for session in range(1, SESSIONS + 1)
    }
    assert "(from the given file)" in capsys.readouterr().out
    report = read_reports(tmp_path / "release")["kemdy19"]
    assert report["options"]["script_groups"] == "mine.csv"
    assert report["scripts"]["verdict"] == "given"


def test_what_a_person_corrected_is_not_written_over(corpus, tmp_path, capsys):
    release = tmp_path / "release"
    assert _build(corpus, release) == 0
    path = release / "scripts" / "kemdy19.csv"
    corrected = path.read_text().replace("single001", "mine")
    path.write_text(corrected)
    for _ in range(2):  # edited; then given, and built again without
        assert _build(corpus, release) == 2
        assert "was corrected by hand and would be lost; give it" in capsys.readouterr().err
        assert path.read_text() == corrected
        assert _build(corpus, release, "--script-groups", str(path)) == 0
        assert path.read_text() == corrected
    path.unlink()
    assert _build(corpus, release) == 0
    assert "mine" not in path.read_text()


def test_a_look_over_the_corpus_tells_the_scripts_too(corpus):
    (result,) = check_corpora(corpus.root)
    (figure,) = [one for one in result["figures"] if one["name"] == "scripts that recur"]
    assert (figure["found"], figure["expected"], figure["differs"]) == (6, 6, False)
    assert "  scripts      6 recur in 48 dialogues, 8 dialogues play none" in format_check([result])


def test_groups_that_do_not_fit_the_corpus_build_nothing(corpus, tmp_path, capsys):
    (tmp_path / "mine.csv").write_text("session,dialogue,script\n1,Sess01_script01,x\n")
    groups = str(tmp_path / "mine.csv")
    assert _build(corpus, tmp_path / "release", "--script-groups", groups) == 2
    assert "`mine.csv` has 55 dialogue(s) left out" in capsys.readouterr().err
    assert not (tmp_path / "release").exists()
