import pytest

from dataset_script.corpus import open_corpus
from dataset_script.files import CorpusFolder
from dataset_script.report import BuildReport
from dataset_script.signal_files import (
    FILE_NAMES,
    SIGNALS,
    find_signal_files,
    format_signal_path,
    report_missing_files,
)

from .corpus_files import make_segments, make_segments19, write_corpus, write_corpus19

WRITERS = {"kemdy19": (write_corpus19, make_segments19), "kemdy20": (write_corpus, make_segments)}


def _expected_paths(config, corpus):
    """Path of every file that the annotation asks for."""
    rows = open_corpus(config, CorpusFolder(corpus), BuildReport(config)).annotations
    return sorted(
        {
            format_signal_path(signal, speaker=row.speaker, dialogue=other.dialogue)
            for signal in SIGNALS[config]
            for row in rows
            for other in rows
            if row.session == other.session
        }
    )


@pytest.fixture(params=["kemdy19", "kemdy20"])
def corpus(request, tmp_path):
    """A small corpus with an empty file wherever one belongs."""
    write, make = WRITERS[request.param]
    write(tmp_path / "corpus", make(2))
    for name in _expected_paths(request.param, tmp_path / "corpus"):
        path = tmp_path / "corpus" / "deep" / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return request.param, tmp_path / "corpus"


def _list_missing(config, root):
    report = BuildReport(config)
    folder = CorpusFolder(root)
    annotations = open_corpus(config, folder, BuildReport(config)).annotations
    report_missing_files(config, find_signal_files(config, folder, report), annotations, report)
    assert report.problems == []
    return [(note.kind, note.file) for note in report.notes]


def test_each_file_is_found_with_its_signal_and_wearer(corpus):
    config, root = corpus
    found = find_signal_files(config, CorpusFolder(root), BuildReport(config))
    assert len(found) == {"kemdy19": 3 * 4, "kemdy20": 3 * 4 * 2}[config]
    assert {file.signal for file in found} == set(SIGNALS[config])
    assert {file.session for file in found} == {1, 2}
    people = ("F", "M") if config == "kemdy19" else ("User001F", "User002M")
    assert {file.wearer for file in found if file.session == 1} == {f"Sess01_{p}" for p in people}


def test_a_path_is_one_that_is_found():
    for config, speaker in (("kemdy19", "Sess03_M"), ("kemdy20", "Sess03_User005M")):
        path = format_signal_path("EDA", speaker=speaker, dialogue="Sess03_script02")
        match = FILE_NAMES[config].match(path.rsplit("/", 1)[1].removesuffix(".csv"))
        assert match["session"] == "03" and f"Sess03_{match['wearer']}" == speaker


def test_nothing_is_missing_where_all_is_there(corpus):
    assert _list_missing(*corpus) == []


def test_a_file_that_is_not_there_is_noted_where_it_would_be(corpus):
    config, root = corpus
    for path in (root / "deep" / "root" / "EDA" / "Session02").rglob("*.csv"):
        path.unlink()
    gone = [name for name in _expected_paths(config, root) if name.startswith("EDA/Session02/")]
    assert len(gone) == (2 if config == "kemdy19" else 4)
    assert _list_missing(config, root) == [("missing_signal", f"deep/root/{name}") for name in gone]


def test_a_signal_without_any_file_is_noted_once(corpus):
    config, root = corpus
    for path in (root / "deep" / "root" / "TEMP").rglob("*.csv"):
        path.unlink()
    assert _list_missing(config, root) == [("missing_signal", "TEMP")]


def test_the_original_is_chosen_and_the_nearest_folder_names_the_signal(tmp_path):
    for folder in ("Filtered", "Original"):
        path = tmp_path / f"TEMP/x/EDA/Session01/{folder}/Sess01F.csv"
        path.parent.mkdir(parents=True)
        path.touch()
    report = BuildReport("kemdy19")
    (found,) = find_signal_files("kemdy19", CorpusFolder(tmp_path), report)
    assert found.signal == "EDA" and "/Original/" in found.name
    (problem,) = report.problems
    assert problem.kind == "duplicate_file" and "/Filtered/" in problem.file
