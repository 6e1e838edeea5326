import csv
from datetime import datetime, timedelta

import numpy as np
import pytest

from dataset_script.files import CorpusFolder
from dataset_script.report import BuildReport
from dataset_script.sample.acted import draw_acted_session
from dataset_script.sample.lexicon import load_lexicon
from dataset_script.sample.scripts import draw_scripts
from dataset_script.sample.session import SampleOptions, draw_session
from dataset_script.sample.signals import CLOCK_GAP, RATES, SPANS, write_bio_signals
from dataset_script.signals import read_signals

from .written import read_tree

LEXICON = load_lexicon()
LAYOUTS = ("kemdy20", "kemdy19")


def _draw(layout, number=1, *, turns=8):
    options = SampleOptions(sessions=3, turns=turns, layout=layout)
    if layout == "kemdy20":
        session = draw_session(number, options, LEXICON, neutral_bias=2.0)
    else:
        scripts = draw_scripts(options, LEXICON, neutral_bias=2.0)
        session = draw_acted_session(number, options, LEXICON, scripts, neutral_bias=2.0)
    rng = np.random.default_rng(number)
    times, names = np.zeros((len(session.turns), 2)), session.dialogues
    for turn in range(len(session.turns)):
        goes_on = turn and names[turn] == names[turn - 1]
        times[turn, 0] = times[turn - 1, 1] + rng.uniform(0.3, 0.8) if goes_on else 0
        times[turn, 1] = times[turn, 0] + rng.uniform(0.6, 4)
    return session, times


@pytest.fixture(scope="module", params=LAYOUTS)
def written(request, tmp_path_factory):
    """Folder of one session's bio-signals, the session, and its times."""
    session, times = _draw(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    write_bio_signals(folder, session, times, seed=7)
    return folder, session, times


def _read(path):
    return list(csv.reader(path.read_bytes().decode("ascii").split("\n")[:-1]))


def _moment(text):
    return datetime.strptime(text[:-4], "%Y-%m%d-%H%M-%S") + timedelta(milliseconds=int(text[-3:]))


def _header(signal, layout):
    return 0 if layout == "kemdy19" else 1 + (signal in RATES)


def test_each_wearer_has_a_file_of_each_signal(written):
    folder, session, _ = written
    found = {name for name in read_tree(folder)}
    if session.corpus == "kemdy19":
        expected = {
            f"{signal}/Session01/Original/Sess01{gender}.csv"
            for signal in ("ECG", "EDA", "TEMP")
            for gender in "FM"
        }
    else:
        people = {name.split("_")[2] for name in session.segment_ids}
        expected = {
            f"{signal}/Session01/{dialogue}_{person}.csv"
            for signal in ("EDA", "IBI", "TEMP")
            for dialogue in session.dialogues
            for person in people
        }
    assert len(expected) == (6 if session.corpus == "kemdy19" else 36) and found == expected


def test_lines_have_one_field_more_inside_an_utterance(written):
    folder, session, _ = written
    layout = session.corpus
    for path in folder.rglob("*.csv"):
        signal = path.relative_to(folder).parts[0]
        rows = _read(path)
        header, body = rows[: _header(signal, layout)], rows[_header(signal, layout) :]
        assert [len(row) for row in header] == [1] * len(header)
        if layout == "kemdy20":
            assert _moment(header[0][0]).year == 2000
            assert header[1:] == ([["4"]] if signal in RATES else [])
        outside = 2 if layout == "kemdy20" and signal in RATES else 3
        assert {len(row) for row in body} == {outside, outside + 1}
        if signal in RATES:  # a file begins before all talk and ends after it
            assert len(body[0]) == len(body[-1]) == outside
        column = 1 if signal in ("ECG", "IBI") else 0
        values = [float(row[column]) for row in body]
        assert min(values) >= SPANS[signal][0] and max(values) <= SPANS[signal][1]
        assert len(set(values)) > 10


def test_an_id_stands_on_the_lines_within_its_annotated_times(written):
    folder, session, times = written
    spans = dict(zip(session.segment_ids, times, strict=True))
    for path in (folder / "EDA").rglob("*.csv"):
        rows = _read(path)[_header("EDA", session.corpus) :]
        of_id = {}
        for number, row in enumerate(rows):
            if row[-1].startswith("Sess"):
                of_id.setdefault(row[-1], []).append(number)
        offsets = {}
        for name, lines in of_id.items():
            assert lines == list(range(lines[0], lines[-1] + 1))
            assert len(lines) / 4 == pytest.approx(spans[name][1] - spans[name][0], abs=0.26)
            dialogue = "_".join(name.split("_")[:2])
            offsets.setdefault(dialogue, []).append(lines[0] / 4 - spans[name][0])
        for found in offsets.values():  # one clock within a dialogue
            assert max(found) - min(found) < 0.26


def test_whose_utterances_a_file_names(written):
    folder, session, _ = written
    for path in (folder / "TEMP").rglob("*.csv"):
        named = {row[-1] for row in _read(path) if row[-1].startswith("Sess")}
        if session.corpus == "kemdy19":
            assert named == set(session.segment_ids)
        else:
            assert named == {name for name in session.segment_ids if name[:-4] == path.stem}


def test_the_clocks_of_two_wearers_are_minutes_apart(written):
    folder, session, _ = written
    starts = {}
    for path in (folder / "EDA").rglob("*.csv"):
        dialogue = path.stem.rpartition("_")[0]
        first = _read(path)[0]
        starts.setdefault(dialogue, []).append(_moment(first[-1]))
    for pair in starts.values():
        gap = abs((pair[0] - pair[1]).total_seconds())
        assert len(pair) == 2 and CLOCK_GAP[0] <= gap <= CLOCK_GAP[1]


def test_rates_are_even_and_beats_are_not(written):
    folder, session, _ = written
    for path in folder.rglob("*.csv"):
        signal = path.relative_to(folder).parts[0]
        rows = _read(path)[_header(signal, session.corpus) :]
        times = [_moment(row[-2] if row[-1].startswith("Sess") else row[-1]) for row in rows]
        steps = np.diff([time.timestamp() for time in times])
        if signal in RATES:
            assert steps == pytest.approx(1 / RATES[signal], abs=0.002)
        else:
            assert steps.std() > 0.1 and steps.min() > 0.3
            elapsed = [float(row[0]) for row in rows]
            assert np.diff(elapsed) == pytest.approx(steps, abs=0.003)


def test_the_reader_reads_it_without_a_word(written):
    folder, session, _ = written
    report = BuildReport(session.corpus)
    known = set(session.segment_ids)
    found = list(read_signals(session.corpus, CorpusFolder(folder), report, known=known))
    assert report.problems == report.notes == []
    people = 2 if session.corpus == "kemdy19" else 1
    assert len([one for one in found if one.signal == "EDA"]) == people * len(known)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_seed_and_session_alone_decide(layout, tmp_path):
    trees = {}
    for name, number, seed in (("a", 1, 0), ("b", 1, 0), ("c", 1, 1), ("d", 2, 0)):
        write_bio_signals(tmp_path / name, *_draw(layout, number), seed=seed)
        trees[name] = read_tree(tmp_path / name)
    assert trees["a"] == trees["b"]
    assert not set(trees["a"].values()) & {*trees["c"].values(), *trees["d"].values()}
