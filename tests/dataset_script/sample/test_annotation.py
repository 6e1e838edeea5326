import csv
from itertools import pairwise

import numpy as np
import pytest

from dataset_script.layout import EMOTIONS
from dataset_script.sample.acted import draw_acted_session
from dataset_script.sample.annotation import answer_cells, write_annotation
from dataset_script.sample.lexicon import load_lexicon
from dataset_script.sample.scripts import draw_scripts
from dataset_script.sample.session import SampleOptions, draw_session

LEXICON = load_lexicon()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two sessions, the lengths of their wavs, and the cells of their four files."""
    options = SampleOptions(sessions=2, layout="kemdy19", seed=1)
    scripts = draw_scripts(options, LEXICON, neutral_bias=2.0)
    folder, sessions = tmp_path_factory.mktemp("corpus"), []
    for number in (1, 2):
        session = draw_acted_session(number, options, LEXICON, scripts, neutral_bias=2.0)
        durations = np.random.default_rng(number).uniform(0.5, 5, len(session.turns))
        write_annotation(folder, session, durations)
        sessions.append((session, durations))
    names = sorted(path.name for path in (folder / "annotation").iterdir())
    assert names == [f"Session0{number}_{gender}_res.csv" for number in (1, 2) for gender in "FM"]
    files = {}
    for name in names:
        content = (folder / "annotation" / name).read_bytes().decode("ascii")
        assert content.endswith("\n") and "\r" not in content
        files[name] = list(csv.reader(content.splitlines()))
    return sessions, files


def test_the_header_is_that_of_kemdy19(written):
    raters = ["01F", "02M", "03F", "04F", "05M", "06M", "07M", "08F", "09M", "10F"]
    for rows in written[1].values():
        assert ",".join(rows[0]) == (
            "Numb,Wav,,ECG,,E4-EDA,,E4-TEMP,,Segment ID,Total Evaluation,,"
            + "".join(f",Eval{rater},," for rater in raters)
        )
        assert ",".join(rows[1]) == ",start,end,start,end,start,end,start,end," + 11 * (
            ",Emotion,Valence,Arousal"
        )
        assert {len(row) for row in rows} == {43}


def test_both_files_list_the_same_segments_at_the_same_times(written):
    sessions, files = written
    for session, _ in sessions:
        woman, man = (files[f"Session0{session.number}_{gender}_res.csv"][2:] for gender in "FM")
        assert [row[9] for row in woman] == [row[9] for row in man] == session.segment_ids
        assert [row[:3] for row in woman] == [row[:3] for row in man]
        assert [row[0] for row in woman] == [str(n + 1) for n in range(len(woman))]


def test_the_file_of_a_person_says_what_that_person_feels(written):
    sessions, files = written
    for session, _ in sessions:
        for gender in "FM":
            rows = files[f"Session0{session.number}_{gender}_res.csv"][2:]
            for turn, row in enumerate(rows):
                speaks = session.speakers[turn].gender == gender
                votes = (session.votes if speaks else session.listener_votes)[turn]
                ratings = (session.ratings if speaks else session.listener_ratings)[turn]
                assert row[13::3] == [EMOTIONS[vote] for vote in votes]
                assert row[14::3] == [str(value) for value in ratings[:, 0]]
                assert row[15::3] == [str(value) for value in ratings[:, 1]]
                counts = {name: row[13::3].count(name) for name in EMOTIONS}
                most = max(counts.values())
                assert row[10].split(";") == [name for name in EMOTIONS if counts[name] == most]
                assert float(row[11]) == pytest.approx(ratings[:, 0].mean())


def test_times_rise_without_overlap_and_half_are_not_the_lengths_of_the_wavs(written):
    sessions, files = written
    excess = []
    for session, durations in sessions:
        rows = files[f"Session0{session.number}_F_res.csv"][2:]
        for row in rows:
            assert all(len(time.split(".")[1]) == 3 for time in row[1:3])
        times = [(float(row[1]), float(row[2])) for row in rows]
        for before, after in pairwise(range(len(rows))):
            if session.dialogues[before] == session.dialogues[after]:
                assert times[after][0] > times[before][1]
            else:
                assert times[after][0] == 0
        excess += [end - start - long for (start, end), long in zip(times, durations, strict=True)]
    excess = np.array(excess)
    assert 0.4 < (np.abs(excess) > 0.09).mean() < 0.6
    assert excess.min() > -0.01 and 1 < excess.max() < 2.01


def test_signals_lie_in_their_ranges(written):
    for rows in written[1].values():
        for row in rows[2:]:
            for first, low, high in ((3, -2, 3), (5, 0, 39), (7, 26, 35)):
                assert all(low <= float(cell) <= high for cell in row[first : first + 2])


def test_ties_are_joined():
    votes = np.array([0, 0, 0, 0, 0, 6, 6, 6, 6, 6])
    ratings = np.array([[1, 5]] * 5 + [[2, 4]] * 5)
    cells = answer_cells(votes, ratings)
    assert cells[:3] == ["surprise;happy", "1.5", "4.5"] and len(cells) == 33
    assert cells[3:6] == ["surprise", 1, 5] and cells[-3:] == ["happy", 2, 4]


def test_a_session_of_kemdy20_has_one_file(tmp_path):
    session = draw_session(3, SampleOptions(turns=2), LEXICON, neutral_bias=2.0)
    write_annotation(tmp_path, session, np.ones(12))
    assert [path.name for path in (tmp_path / "annotation").iterdir()] == ["Sess03_eval.csv"]


def test_the_times_that_were_written_are_returned(tmp_path):
    options = SampleOptions(sessions=1, turns=3)
    scripts = draw_scripts(options, LEXICON, neutral_bias=2.0)
    sessions = (
        (draw_session(1, options, LEXICON, neutral_bias=2.0), "Sess01_eval.csv", 1e-6),
        (
            draw_acted_session(1, options, LEXICON, scripts, neutral_bias=2.0),
            "Session01_F_res.csv",
            1e-3,
        ),
    )
    for session, name, precision in sessions:
        times = write_annotation(tmp_path, session, np.full(len(session.turns), 1.5))
        rows = (tmp_path / "annotation" / name).read_text().splitlines()[2:]
        written = [[float(cell) for cell in row.split(",")[1:3]] for row in rows]
        assert times == pytest.approx(np.array(written), abs=precision)
