import codecs
import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dataset_script.corpus import Kemdy20Corpus
from dataset_script.files import CorpusFolder
from dataset_script.report import BuildReport
from dataset_script.sample import writer
from dataset_script.sample.anomalies import Anomaly, plant_anomalies
from dataset_script.sample.session import SampleOptions
from dataset_script.sample.writer import write_sample_corpus

from .written import read_tree

COMMON = {
    "silent_wav": True,
    "long_wav": True,
    "upper_case_extension": False,
    "missing_transcript": True,
    "marks_only": True,
    "transcript_encoding": True,
    "transcript_line_end": False,
    "two_way_tie": False,
    "five_way_tie": False,
    "total_emotion": True,
    "total_valence": True,
    "byte_order_mark": False,
    "windows_line_ends": False,
    "other_blank_cells": False,
    "system_file": False,
    "renamed_root": False,
    "signal_prefix": True,
    "signal_lines": True,
    "missing_signal": True,
    "signal_outside": False,
}
OF_KEMDY20 = {
    "foreign_users": False,
    "same_gender_pair": False,
    "label_spelling": True,
    "session_prefix": True,
    "overlapping_turn": False,
    "empty_signal_file": False,
}
OF_KEMDY19 = {
    "segment_id": True,
    "repaired_segment": True,
    "misnamed_transcript": True,
    "overlap": False,
    "overlap_and_own_words": False,
    "empty_signals": True,
}


class Spoilt:
    """A spoilt corpus, the same corpus before, and what was planted by kind."""

    def __init__(self, folder, clean, layout):
        self.folder, self.clean, self.layout = folder, clean, layout
        rows = json.loads((folder / "anomalies.json").read_text(encoding="utf-8"))
        self.planted = [Anomaly(**row) for row in rows]
        self.column = 3 if layout == "kemdy20" else 9

    def places(self, kind):
        return [found for found in self.planted if found.kind == kind]

    def path(self, kind):
        return self.folder / self.places(kind)[0].file

    def cells(self, kind, gender=None):
        """The row that is spoilt, or that of the same line in the file of another gender."""
        (found,) = self.places(kind)
        path = self.folder / found.file
        if gender is not None:
            path = path.with_name(f"Session01_{gender}_res.csv")
        lines = path.read_bytes().decode("utf-8-sig").split("\r\n")
        return next(csv.reader([lines[found.line - 1]]))

    def stems(self, extension):
        return {path.stem for path in self.folder.rglob(f"*{extension}")}


@pytest.fixture(scope="module", params=["kemdy20", "kemdy19"])
def spoilt(request, tmp_path_factory):
    parent = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "tabulate_consensus", lambda parameters: None)
        patch.setattr(writer, "calibrate_neutral", lambda parameters, table: 2.0)
        patch.setattr(writer, "refuse_unknown_voices", lambda voices: None)
        patch.setattr(writer, "speak", lambda text, delivery: np.full(160, 7, np.int16))
        for name, anomalies in (("clean", False), ("spoilt", True)):
            options = SampleOptions(
                sessions=2, turns=12, layout=request.param, anomalies=anomalies, bio=True
            )
            write_sample_corpus(parent / name, options)
    return Spoilt(parent / "spoilt", parent / "clean", request.param)


def test_each_fault_of_the_corpus_is_planted_and_listed(spoilt):
    own = OF_KEMDY20 if spoilt.layout == "kemdy20" else OF_KEMDY19
    assert {found.kind: found.is_named for found in spoilt.planted} == {**COMMON, **own}
    named = [found.kind for found in spoilt.planted if found.is_named]
    assert len(named) == len(set(named))
    for found in spoilt.planted:
        assert (spoilt.folder / found.file).exists() != found.kind.startswith("missing")
    lines = [(found.file, found.line) for found in spoilt.planted if found.line]
    assert len(lines) == len(set(lines))


def test_the_corpus_lies_in_folders_of_other_names(spoilt):
    root = spoilt.folder / "renamed" / "unpacked"
    assert spoilt.path("renamed_root") == root
    signals = {"EDA", "TEMP", "IBI" if spoilt.layout == "kemdy20" else "ECG"}
    assert {path.name for path in root.iterdir()} == {"annotation", "wav", *signals}
    assert not (spoilt.folder / "wav").exists()
    assert json.loads((spoilt.folder / "synthetic.json").read_text())["anomalies"] is True
    assert "anomalies" not in json.loads((spoilt.clean / "synthetic.json").read_text())


def test_recordings_are_silent_long_and_in_capitals(spoilt):
    silent, rate = soundfile.read(spoilt.path("silent_wav"), dtype="int16")
    assert len(silent) == 160 and not silent.any() and rate == 16_000
    long = soundfile.info(spoilt.path("long_wav"))
    assert (long.duration, long.subtype, long.channels) == (77, "PCM_16", 1)
    loud = spoilt.path("upper_case_extension")
    assert loud.suffix == ".WAV" and loud.with_suffix(".txt").exists()
    assert not loud.with_suffix(".wav").exists()


def test_transcripts_are_missing_marked_or_encoded_otherwise(spoilt):
    own, foreign = ("cp949", "utf-8") if spoilt.layout == "kemdy20" else ("utf-8", "cp949")
    assert spoilt.path("missing_transcript").with_suffix(".wav").exists()
    assert spoilt.path("marks_only").read_bytes() == b"l/ b/\n"
    content = spoilt.path("transcript_encoding").read_bytes()
    assert content.decode(foreign)
    with pytest.raises(UnicodeDecodeError):
        content.decode(own)
    content = spoilt.path("transcript_line_end").read_bytes()
    assert content.startswith(b" ") and content.endswith(b"\r\n") and content.decode(own)


def test_votes_and_totals_disagree_where_they_are_to(spoilt):
    first = spoilt.column + 4
    for kind, votes in (("two_way_tie", 2), ("five_way_tie", 5)):
        cells = spoilt.cells(kind)
        emotions = cells[first::3]
        assert len(set(emotions)) == votes and len(emotions) == 10
        assert {emotions.count(name) for name in emotions} == {10 // votes}
        assert set(cells[spoilt.column + 1].split(";")) == set(emotions)
    cells = spoilt.cells("total_emotion")
    assert cells[spoilt.column + 1] == "happy" and set(cells[first::3]) == {"sad"}
    cells = spoilt.cells("total_valence")
    mean = np.mean([int(cell) for cell in cells[first + 1 :: 3]])
    assert abs(float(cells[spoilt.column + 2]) - mean) == pytest.approx(1)
    assert 1 <= float(cells[spoilt.column + 2]) <= 5


def test_the_file_has_a_mark_windows_lines_and_other_blanks(spoilt):
    places = spoilt.places("byte_order_mark")
    assert len(places) == (1 if spoilt.layout == "kemdy20" else 2)
    for found in places:
        content = (spoilt.folder / found.file).read_bytes()
        assert content.startswith(codecs.BOM_UTF8)
        assert content.count(b"\n") == content.count(b"\r\n") > 60
        first, second = content.decode("utf-8-sig").split("\r\n")[:2]
        blank = "" if spoilt.layout == "kemdy20" else " "
        assert first.split(",")[-1] == second.split(",")[0] == blank
        rest = found.file.rsplit("/", 1)[1].replace("01", "02", 1)
        plain = (spoilt.folder / "renamed/unpacked/annotation" / rest).read_bytes()
        assert b"\r" not in plain and plain.isascii()


def test_what_systems_leave_lies_beside_the_files(spoilt):
    one, other = (Path(found.file) for found in spoilt.places("system_file"))
    assert one.parent.name == "__MACOSX"
    assert one.name == other.name and one.name.startswith("._Sess")


def test_all_else_is_as_it_was(spoilt):
    before, after = read_tree(spoilt.clean), read_tree(spoilt.folder / "renamed" / "unpacked")
    spoilt_names = {found.file.removeprefix("renamed/unpacked/") for found in spoilt.planted}
    last = "Session02" if spoilt.layout == "kemdy20" else "nowhere"  # other users
    for name, content in before.items():
        if not name.startswith("annotation/") and name in after and name not in spoilt_names:
            assert after[name] == content or last in name
    assert sum(name.endswith(".wav") for name in before) - 1 == sum(
        name.endswith(".wav") for name in after
    )


def test_the_same_corpus_is_spoilt_the_same_way(mute, tmp_path):
    for name in ("one", "same"):
        write_sample_corpus(tmp_path / name, SampleOptions(sessions=1, turns=12, anomalies=True))
    assert read_tree(tmp_path / "one") == read_tree(tmp_path / "same")


def test_a_spoilt_corpus_is_replaced_by_a_clean_one(mute, tmp_path):
    write_sample_corpus(tmp_path / "c", SampleOptions(sessions=1, turns=12, anomalies=True))
    write_sample_corpus(tmp_path / "c", SampleOptions(sessions=1, turns=1))
    assert not (tmp_path / "c" / "renamed").exists()
    assert not (tmp_path / "c" / "anomalies.json").exists()


def test_what_was_planted_is_returned(mute, tmp_path):
    write_sample_corpus(tmp_path / "c", SampleOptions(sessions=1, turns=12))
    planted = plant_anomalies(tmp_path / "c", "kemdy20")
    assert not [found for found in planted if "signal" in found.kind]  # there are none to spoil
    listed = json.loads((tmp_path / "c" / "anomalies.json").read_text())
    assert [asdict(found) for found in planted] == listed


def test_a_text_that_would_pass_for_its_own_encoding_is_not_the_foreign_one(mute, tmp_path):
    passing, telling = "갇갇", "가나다"
    assert passing.encode().decode("cp949") != passing
    write_sample_corpus(tmp_path / "c", SampleOptions(sessions=2, turns=12))
    texts = sorted((tmp_path / "c").rglob("*.txt"))
    for path in texts:
        path.write_bytes((telling if path == texts[40] else passing).encode("cp949") + b"\n")
    planted = plant_anomalies(tmp_path / "c", "kemdy20")
    (found,) = (found for found in planted if found.kind == "transcript_encoding")
    assert found.file.endswith(texts[40].name)


@pytest.mark.parametrize("layout", ["kemdy20", "kemdy19"])
@pytest.mark.parametrize("seed", range(4))
def test_the_smallest_corpus_has_room_for_all(layout, seed, mute, tmp_path):
    options = SampleOptions(sessions=1, turns=12, seed=seed, layout=layout, anomalies=True)
    write_sample_corpus(tmp_path / "c", options)
    own = OF_KEMDY20 if layout == "kemdy20" else OF_KEMDY19
    listed = json.loads((tmp_path / "c" / "anomalies.json").read_text())
    assert {found["kind"] for found in listed} == {*COMMON, *own}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"turns": 11}, "`turns` is 11; with `anomalies` it must be 12 or more"),
        ({"sessions": 41}, "`sessions` is 41; with `anomalies` it must be 40 or less"),
    ],
)
def test_a_corpus_without_room_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        SampleOptions(**given, anomalies=True)


def test_bio_signals_are_spoilt_each_file_once(spoilt):
    files = [
        found.file for found in spoilt.planted if "signal" in found.kind and found.line is None
    ]
    files += [spoilt.places(kind)[0].file for kind in ("signal_prefix", "signal_lines")]
    own = {file for file in files if not file.endswith("_res.csv")}
    assert len(own) == (5 if spoilt.layout == "kemdy20" else 4)
    assert all("/Session01/" in file for file in own)


# Of one corpus


def _only(spoilt, layout):
    if spoilt.layout != layout:
        pytest.skip(f"is a fault of {layout}")


def test_the_last_session_of_kemdy20_is_of_two_women_with_foreign_numbers(spoilt):
    _only(spoilt, "kemdy20")
    names = {stem for stem in spoilt.stems(".wav") if stem.startswith("Sess02")}
    assert {name.split("_")[2] for name in names} == {"User081F", "User082F"}
    assert len(names) == 72 and names <= spoilt.stems(".txt")
    lines = spoilt.path("foreign_users").read_text().splitlines()[2:]
    assert {line.split(",")[3] for line in lines} == names
    files = list((spoilt.folder / "renamed" / "unpacked" / "EDA" / "Session02").iterdir())
    assert {path.stem.split("_")[2] for path in files} == {"User081F", "User082F"}
    lines = [line for path in files for line in path.read_text().splitlines()]
    assert {line.split(",")[2] for line in lines if line.count(",") == 2} <= names
    for file in ("translations_contextual.jsonl", "translations_literal.jsonl", "truth.csv"):
        content = (spoilt.folder / file).read_text(encoding="utf-8")
        assert all(f"kemdy20/{name}" in content for name in names)


def test_rows_of_kemdy20_are_misspelt_prefixed_and_overlap(spoilt):
    _only(spoilt, "kemdy20")
    cells = spoilt.cells("label_spelling")
    assert cells[4] == "disqust" and set(cells[7::3]) == {"disgust"}
    name = spoilt.cells("session_prefix")[3]
    assert name.startswith("Sess42_") and name.replace("Sess42", "Sess01") in spoilt.stems(".wav")
    (found,) = spoilt.places("overlapping_turn")
    rows = (spoilt.folder / found.file).read_text(encoding="utf-8-sig").splitlines()
    before, after = (rows[found.line - back].split(",") for back in (2, 1))
    assert before[3].split("_")[1] == after[3].split("_")[1]
    assert float(before[1]) < float(after[1]) < float(before[2])


def test_the_reader_of_kemdy20_names_each_problem_once(spoilt):
    _only(spoilt, "kemdy20")
    report = BuildReport("kemdy20")
    records = list(Kemdy20Corpus(CorpusFolder(spoilt.folder), report))
    assert len(records) == report.rows_in == 144
    harmless = {"silent_wav", "long_wav", "marks_only", "label_spelling"}  # odd, and no problem
    harmless |= {"signal_prefix", "signal_lines", "missing_signal"}  # of files that are not read
    planted = {
        (found.kind, found.file, found.line)
        for found in spoilt.planted
        if found.is_named and found.kind not in harmless
    }
    problems = [(problem.kind, problem.file, problem.line) for problem in report.problems]
    assert len(problems) == len(set(problems))
    assert {p for p in problems if p[0] not in harmless} == planted


def test_the_names_of_kemdy19_are_wrong_where_a_rule_mends_them(spoilt):
    _only(spoilt, "kemdy19")
    wavs, texts = spoilt.stems(".wav") | spoilt.stems(".WAV"), spoilt.stems(".txt")
    right = spoilt.cells("segment_id", "M")[9]
    assert right in wavs and right.endswith("_F001")
    assert spoilt.cells("segment_id")[9] == right.replace("_F001", "_M001")
    names = {gender: spoilt.cells("repaired_segment", gender)[9] for gender in "FM"}
    assert spoilt.places("repaired_segment")[0].file.endswith("_M_res.csv")
    assert not wavs & set(names.values()) and len(set(names.values())) == 2
    lines = spoilt.path("repaired_segment").read_text(encoding="utf-8-sig").splitlines()[2:]
    annotated = {line.split(",")[9] for line in lines}
    (unused,) = {wav for wav in wavs if wav.startswith("Sess01")} - annotated
    dialogue = unused.rsplit("_", 1)[0]
    assert {name.rsplit("_", 1)[0] for name in names.values()} == {dialogue}
    assert unused.rsplit("_", 1)[1][0] in {name.rsplit("_", 1)[1][0] for name in names.values()}
    stray = spoilt.path("misnamed_transcript").stem
    own = f"{stray[:-3]}{int(stray[-3:]) - 1:03d}"
    assert stray not in wavs and own in wavs and own not in texts
    assert len({place.rsplit("_", 1)[0] for place in (unused, stray)}) == 2


def test_brackets_and_empty_signals_of_kemdy19(spoilt):
    _only(spoilt, "kemdy19")
    assert spoilt.path("overlap").read_text(encoding="utf-8").startswith("(응) ")
    own = spoilt.path("overlap_and_own_words").read_text(encoding="utf-8")
    assert own.startswith("(응+글쎄) ")
    (found,) = spoilt.places("empty_signals")
    assert found.file.endswith("Session01_F_res.csv")
    lines = (spoilt.folder / found.file).read_text(encoding="utf-8-sig").splitlines()
    empty = [n for n, line in enumerate(lines, 1) if line.split(",")[5:9] == [""] * 4]
    assert empty[0] == found.line and len(empty) == 12
    assert all(lines[n - 1].split(",")[3] for n in empty)
