import tracemalloc

import datasets
import pyarrow.parquet as pq
import pytest

from dataset_script.__main__ import main
from dataset_script.files import CorpusFolder
from dataset_script.release import read_reports
from dataset_script.report import BuildReport
from dataset_script.signal_files import find_signal_files
from dataset_script.signals import list_segments, read_signals, write_signals

from .corpus_files import make_segments, make_segments19, write_corpus, write_corpus19

A20, B20 = "Sess01_script01_User001F_001", "Sess01_script01_User002M_001"
A19, B19 = "Sess01_script01_F001", "Sess01_script01_M001"
TIME = "2020-0821-1128-57-250"
FILES = {
    "kemdy19": {
        "ECG/Session01/Original/Sess01F.csv": f"9.0,-0.5,{TIME},{A19}\n9.1,0.25,x,{A19}\n9,1,y\n",
        "EDA/Session01/Original/Sess01F.csv": f"1.5,0.25,{TIME}\n2.5,0.25,{TIME},{B19}\n",
        "TEMP/Session01/Original/Sess01M.csv": f"30.5,0.25,{TIME},{A19}\n",
    },
    "kemdy20": {
        "EDA/Session01/Sess01_script01_User001F.csv": (
            f"{TIME}\n4\n0.5,{TIME}\n1.5,{TIME},{A20}\n2.5,t,{A20}\n3.5,t,{B20}\n"
        ),
        "IBI/Session01/Sess01_script01_User001F.csv": (
            f"{TIME}\n1.25,0.75,{TIME}\n2.0,0.875,{TIME},{A20}\n"
        ),
        "IBI/Session01/Sess01_script01_User002M.csv": "",
        "TEMP/Session01/Sess01_script01_User002M.csv": f"{TIME}\n4.0\n30.25,{TIME},{A20}\n",
    },
}
EXPECTED = {
    "kemdy19": [
        (A19, "Sess01_F", "ECG", [-0.5, 0.25]),
        (B19, "Sess01_F", "EDA", [2.5]),
        (A19, "Sess01_M", "TEMP", [30.5]),
    ],
    "kemdy20": [
        (A20, "Sess01_User001F", "EDA", [1.5, 2.5]),
        (B20, "Sess01_User001F", "EDA", [3.5]),
        (A20, "Sess01_User001F", "IBI", [0.875]),
        (A20, "Sess01_User002M", "TEMP", [30.25]),
    ],
}


def _write(root, files, *, newline="\n"):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.replace("\n", newline).encode())


def _read(root, config, known=(A19, B19, A20, B20)):
    report = BuildReport(config)
    return list(read_signals(config, CorpusFolder(root), report, known=known)), report


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("config", FILES)
def test_values_are_found_by_segment_wearer_and_signal(tmp_path, config, newline):
    _write(tmp_path / "any" / "root", FILES[config], newline=newline)
    found, report = _read(tmp_path, config)
    assert [(s.segment_id, s.wearer, s.signal, s.values) for s in found] == EXPECTED[config]
    assert found[0].times[0] == TIME and report.problems == report.notes == []


def test_a_foreign_session_prefix_is_that_of_the_file_and_noted_once(tmp_path):
    foreign = [name.replace("Sess01", "Sess42") for name in (A20, B20)]
    text = f"{TIME}\n4\n1,t\n" + "".join(f"1.5,{TIME},{name}\n" for name in foreign)
    name = "EDA/Session01/Sess01_script01_User001F.csv"
    _write(tmp_path, {name: text})
    found, report = _read(tmp_path, "kemdy20")
    assert [signal.segment_id for signal in found] == [A20, B20]
    (note,) = report.notes
    assert (note.kind, note.place) == ("signal_prefix", f"{name}:4") and report.problems == []
    assert note.message.startswith(f"{foreign[0]!r} names another session than the file")


def test_a_segment_in_several_runs_is_one_segment(tmp_path):
    lines = [f"{number},0.25,t,{name}" for number, name in enumerate((A19, B19, A19, A19))]
    lines.insert(3, "9,0.25,t")
    _write(tmp_path, {"EDA/Session01/Original/Sess01F.csv": "\n".join(lines)})
    found, _ = _read(tmp_path, "kemdy19")
    assert [(s.segment_id, s.values) for s in found] == [(A19, [0, 2, 3]), (B19, [1])]


@pytest.mark.parametrize("config", FILES)
def test_segments_are_listed_as_they_are_read(tmp_path, config):
    _write(tmp_path, FILES[config])
    folder, known = CorpusFolder(tmp_path), {A19, A20}
    read, listed = BuildReport(config), BuildReport(config)
    values = list(read_signals(config, folder, read, known=known))
    found = [
        (segment, file.wearer, file.signal)
        for file in find_signal_files(config, folder, listed)
        for segment in list_segments(config, file, folder, listed, known=known)
    ]
    assert found == [(s.segment_id, s.wearer, s.signal) for s in values]
    assert listed.notes == read.notes and len(read.notes) == 1


def test_listing_segments_holds_no_more_than_one_of_them(tmp_path):
    name = "ECG/Session01/Original/Sess01F.csv"
    lines = [f"{n}.25,{n}.5,t{n},Sess01_script01_F{n // 100 + 1:03d}\n" for n in range(50_000)]
    _write(tmp_path, {name: "".join(lines)})
    folder, report = CorpusFolder(tmp_path), BuildReport("kemdy19")
    (file,) = find_signal_files("kemdy19", folder, report)
    known = {f"Sess01_script01_F{n + 1:03d}" for n in range(500)}
    tracemalloc.start()
    assert list_segments("kemdy19", file, folder, report, known=known) == known
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / name).stat().st_size > 1_900_000 and most < 300_000


def test_lines_that_are_no_values_are_named_once_a_file(tmp_path):
    lines = ["1.5,t,x,y,z", f"high,0.25,t,{A19}", f"nan,0.25,t,{A19}", "1.5,0.25,t,Sess01"]
    name = "EDA/Session01/Original/Sess01F.csv"
    _write(tmp_path, {name: "\n".join([f"2.5,0.25,t,{A19}", *lines, "2.5,0.25,t,"]) + "\n"})
    found, report = _read(tmp_path, "kemdy19")
    assert [signal.values for signal in found] == [[2.5]]
    (problem,) = report.problems
    assert (problem.kind, problem.place) == ("signal_lines", f"{name}:2")
    assert problem.message.startswith("4 lines")


def test_segments_beyond_the_data_set_are_noted_and_passed_over(tmp_path):
    _write(tmp_path, FILES["kemdy20"])
    found, report = _read(tmp_path, "kemdy20", known=[B20])
    assert [(signal.segment_id, signal.signal) for signal in found] == [(B20, "EDA")]
    assert [note.kind for note in report.notes] == ["signal_segments"] * 3


@pytest.mark.parametrize("content", [b"\xff\xfe", f"9.0,-0.5,t,{A19}\n".encode() * 2 + b"\xff"])
def test_an_unreadable_file_is_named_and_the_rest_stands(tmp_path, content):
    _write(tmp_path, FILES["kemdy19"])
    name = "ECG/Session01/Original/Sess01F.csv"
    (tmp_path / name).write_bytes(content)
    found, report = _read(tmp_path, "kemdy19")
    (problem,) = report.problems
    assert len(found) == 2 and (problem.kind, problem.file) == ("signal_file", name)
    assert problem.message.startswith("the file is not UTF-8 (")
    folder, listed = CorpusFolder(tmp_path), BuildReport("kemdy19")
    file = next(f for f in find_signal_files("kemdy19", folder, listed) if f.name == name)
    assert list_segments("kemdy19", file, folder, listed, known={A19}) == set()
    assert listed.problems == report.problems


def test_a_table_gives_back_what_was_written(tmp_path):
    _write(tmp_path, FILES["kemdy20"])
    found, _ = _read(tmp_path, "kemdy20")
    counts = write_signals(iter(found * 400), tmp_path / "bio.parquet", config="kemdy20")
    assert counts == {"EDA": 800, "IBI": 400, "TEMP": 400}
    rows = pq.read_table(tmp_path / "bio.parquet").to_pylist()
    assert len(rows) == 1600
    assert rows[0] == {
        "id": f"kemdy20/{A20}",
        "wearer": "kemdy20/Sess01_User001F",
        "signal": "EDA",
        "values": [1.5, 2.5],
        "times": [TIME, "t"],
    }


@pytest.mark.parametrize("config", FILES)
def test_a_release_has_them_when_asked_for(tmp_path, config):
    root = tmp_path / "corpus"
    if config == "kemdy19":
        write_corpus19(root, make_segments19(3))
    else:
        write_corpus(root, make_segments(3))
    _write(root, FILES[config])
    release = tmp_path / "release"
    command = ["build", str(root), "--output", str(release), "--config", config, "--folds", "3"]
    assert main([*command, "--bio"]) == 0
    report = read_reports(release)[config]
    rows = pq.read_table(release / "bio" / f"{config}.parquet").to_pylist()
    assert len(rows) == len(EXPECTED[config]) == sum(report["options"]["bio"].values())
    loaded = datasets.load_dataset(
        str(release), config, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == 24  # the table beside the rows is none of them
    assert main(command) == 0
    assert not (release / "bio" / f"{config}.parquet").exists()  # none that is out of date


def test_a_build_that_finds_no_signals_says_so(tmp_path):
    corpus = write_corpus(tmp_path / "c", make_segments(3))
    release = tmp_path / "r"
    arguments = ["build", str(corpus.root), "--config", "kemdy20", "--output", str(release)]
    assert main([*arguments, "--folds", "3", "--bio"]) == 0
    assert read_reports(release)["kemdy20"]["problem_counts"] == {"no_signals": 1}
