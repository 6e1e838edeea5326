import csv
import hashlib
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from dataset_script.clusters import cluster_scripts, read_script_groups, write_script_groups

from .dialogues import SCRIPTS, SESSIONS, SINGLES, make_dialogues

REPOSITORY = Path(__file__).resolve().parents[2]


def _agreement(found, truth):
    dialogues = sorted(truth)
    return adjusted_rand_score(
        [truth[dialogue] for dialogue in dialogues],
        [found.script[dialogue] for dialogue in dialogues],
    )


@pytest.mark.parametrize(
    ("replaced", "gap"), [(0.05, (0.4, 0.6)), (0.15, (0.2, 0.4)), (0.30, (0.05, 0.2))]
)
def test_scripts_are_found_exactly_however_actors_deviate(replaced, gap):
    texts, truth = make_dialogues(replaced=replaced)
    found = cluster_scripts(texts)
    assert _agreement(found, truth) == 1
    assert gap[0] < found.gap < gap[1]
    assert found.is_separated and found.warnings == ()
    sizes = sorted(list(found.script.values()).count(name) for name in set(found.script.values()))
    assert sizes == [1] * SINGLES * SESSIONS + [SESSIONS] * SCRIPTS
    assert {d for d, scripted in found.is_scripted.items() if scripted} == {
        dialogue for dialogue, script in truth.items() if script < SCRIPTS
    }


def test_what_is_too_far_from_its_script_is_refused():
    found = cluster_scripts(make_dialogues(replaced=0.45)[0])
    assert found.gap < 0.05 and not found.is_separated
    assert "less than 0.05: the scripts are a guess" in found.warnings[0]


@pytest.mark.parametrize("seed", [0, 1])
def test_free_talk_holds_no_script(seed):
    texts, _ = make_dialogues(replaced=0, scripts=0, sessions=40, singles=6, seed=seed)
    found = cluster_scripts(texts)
    assert not any(found.is_scripted.values()) and not found.is_separated
    assert len(set(found.script.values())) == 240
    assert (found.verdict, found.warnings) == ("none", ())
    assert found.to_dict()["single"] == 240 and found.to_dict()["recurring"] == 0
    assert found.label((1, "impro01")) == ("single001", False)


def test_a_likeness_of_few_sessions_is_no_script():
    # Cut at the first of all merges, of two dialogues, though the gap above it is wide.
    found = cluster_scripts(make_dialogues(replaced=0.35, sessions=8)[0])
    assert found.gap > 0.1 and found.verdict == "refused"
    (warning,) = found.warnings
    assert "recur in some sessions only, such as `script01` in 2 of 8" in warning
    assert found.label((1, "script01")) == (None, None)


def test_counts_are_those_of_scripts_and_of_dialogues():
    found = cluster_scripts(make_dialogues(replaced=0.05, sessions=4)[0])
    assert found.to_dict() == {
        "verdict": "found",
        "gap": found.gap,
        "sha256": found.sha256,
        "recurring": SCRIPTS,
        "scripted": 4 * SCRIPTS,
        "single": 4 * SINGLES,
        "warnings": [],
    }


def test_names_are_canonical():
    texts, truth = make_dialogues(replaced=0.05, sessions=4, singles=2)
    found = cluster_scripts(texts).script
    assert list(found) == sorted(texts)
    impros = [name for (_, dialogue), name in found.items() if dialogue.startswith("impro")]
    assert impros == [f"single{number:03d}" for number in range(1, 9)]
    # Session 1 comes first, so that its dialogues number the scripts.
    named = {truth[1, f"script{number:02d}"]: f"script{number:02d}" for number in range(1, 7)}
    for dialogue, script in truth.items():
        assert found[dialogue] == named.get(script, found[dialogue])


def test_the_order_of_the_dialogues_changes_nothing():
    texts, _ = make_dialogues(replaced=0.3, sessions=5)
    shuffled = list(texts.items())
    np.random.default_rng(3).shuffle(shuffled)
    one, other = cluster_scripts(texts), cluster_scripts(dict(shuffled))
    assert list(one.script.items()) == list(other.script.items())
    assert (one.gap, one.sha256, one.warnings) == (other.gap, other.sha256, other.warnings)


def test_another_process_finds_the_same():
    program = (
        "from tests.dataset_script.test_clusters import *\n"
        "print(cluster_scripts(make_dialogues(replaced=.3, sessions=3)[0]).sha256)"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert hashes == {cluster_scripts(make_dialogues(replaced=0.3, sessions=3)[0]).sha256}


def test_spaces_punctuation_and_the_form_of_syllables_do_not_count():
    texts, truth = make_dialogues(replaced=0, sessions=3)
    expected = cluster_scripts(texts)
    texts[1, "script01"] = ".  ".join(texts[1, "script01"].split()) + "?!"
    texts[2, "script01"] = unicodedata.normalize("NFD", texts[2, "script01"])
    found = cluster_scripts(texts)
    assert (found.gap, found.sha256) == (expected.gap, expected.sha256)


def test_two_dialogues_of_one_session_are_not_compared():
    texts, _ = make_dialogues(replaced=0, sessions=4)
    texts[1, "impro01"] = texts[1, "impro02"]
    found = cluster_scripts(texts)
    assert not found.is_scripted[1, "impro01"] and not found.is_scripted[1, "impro02"]
    assert found.is_separated and sum(found.is_scripted.values()) == 4 * SCRIPTS


def test_a_cluster_that_a_session_is_in_twice_is_named_and_refused():
    texts, _ = make_dialogues(replaced=0, sessions=4)
    texts[1, "impro01"] = texts[1, "script01"]
    found = cluster_scripts(texts)
    assert not found.is_separated
    assert any(
        warning.startswith("`script01` is played 2 times in session 1 (impro01, script01)")
        for warning in found.warnings
    )


def test_what_everyone_says_is_no_script():
    texts, truth = make_dialogues(replaced=0.05, sessions=4)
    greeting = " 안녕하세요 만나서 반갑습니다 오늘 날씨가 참 좋네요" * 20
    found = cluster_scripts({dialogue: text + greeting for dialogue, text in texts.items()})
    assert _agreement(found, truth) == 1
    assert found.gap == pytest.approx(cluster_scripts(texts).gap, abs=0.05)


def test_a_script_that_a_session_lacks_is_warned_of():
    texts, _ = make_dialogues(replaced=0.05, sessions=11)
    del texts[4, "script02"]
    found = cluster_scripts(texts)
    assert found.is_separated
    assert re.fullmatch(
        r"1 recurring script\(s\) are not in every session: `script\d\d` is in 10 of 11\.",
        found.warnings[0],
    )
    for session in (5, 6):
        for number in range(1, SCRIPTS + 1):
            del texts[session, f"script{number:02d}"]
    assert not cluster_scripts(texts).is_separated


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {(1, "a"): "하나"},
        {(1, "a"): "", (2, "a"): "", (3, "a"): ""},
        {(1, "a"): "네", (2, "a"): "네", (3, "a"): "아"},
        {(1, "a"): "어제 바다에 갔다", (2, "a"): "회의가 세 시에 있다", (3, "a"): ""},
        {(1, name): "어제 바다에 갔다" for name in "abcd"},
        {(session, "a"): "어제 바다에 갔다" for session in (1, 2)},
    ],
)
def test_too_little_to_cluster_leaves_every_dialogue_alone(texts):
    found = cluster_scripts(texts)
    assert list(found.script) == sorted(texts)
    assert not any(found.is_scripted.values()) and not found.is_separated
    assert found.gap is not None
    empty = [dialogue for dialogue, text in texts.items() if not text]
    assert any("without any text" in warning for warning in found.warnings) == bool(empty)


def test_the_similarity_is_that_computed_by_hand():
    # Shared: 가나다 once and twice, 라마바 once each, of equal idf; so (1, 1) and (1 + ln 2, 1).
    texts = {(1, "a"): "가나다하라마바", (2, "a"): "가나다파가나다타라마바", (3, "a"): "자차카"}
    twice = 1 + np.log(2)
    cosine = (twice + 1) / np.sqrt(2 * (twice**2 + 1))
    assert cluster_scripts(texts).gap == pytest.approx(1 - (1 - cosine))


# The file


def test_what_is_written_is_read_again(tmp_path):
    found = cluster_scripts(make_dialogues(replaced=0.05, sessions=3)[0])
    path = tmp_path / "groups.csv"
    digest = write_script_groups(found, path)
    assert digest == found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    read = read_script_groups(path, dialogues=found.script.keys())
    assert list(read.script.items()) == list(found.script.items())
    assert (read.sha256, read.is_scripted) == (found.sha256, found.is_scripted)
    assert (read.gap, read.verdict, read.warnings) == (None, "given", ())


def test_a_file_of_a_person_may_have_a_bom_and_any_order(tmp_path):
    rows = [("2", "a", "market"), ("1", "b", "free"), ("1", "a", "market"), ()]
    with (tmp_path / "g.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([("session", "dialogue", "script"), *rows])
    read = read_script_groups(tmp_path / "g.csv", dialogues={(1, "a"), (2, "a"), (1, "b")})
    assert list(read.script.items()) == [
        ((1, "a"), "market"),
        ((1, "b"), "free"),
        ((2, "a"), "market"),
    ]
    assert read.is_scripted == {(1, "a"): True, (1, "b"): False, (2, "a"): True}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["session,script", "1,x"], "has the columns ['session', 'script']; it must have"),
        ([], "has the columns []"),
        (["session,dialogue,script", "one,a,x"], "line 2: ['one', 'a', 'x'] is not a session"),
        (["session,dialogue,script", "1,a,x", "2,a,"], "line 3: ['2', 'a', ''] is not a session"),
        (["session,dialogue,script", "1,a"], "line 2: ['1', 'a'] is not a session number"),
        (["session,dialogue,script", "1,a,x", "1,a,y"], "line 3: (1, 'a') occurs twice"),
        (["session,dialogue,script", "1,a,x"], "has 1 dialogue(s) left out, the first is (2, 'a')"),
        (
            ["session,dialogue,script", "1,a,x", "2,a,x", "2,c,y"],
            "has 1 dialogue(s) which the corpus has not, the first is (2, 'c')",
        ),
    ],
)
def test_a_file_that_does_not_say_it_all_is_refused(lines, message, tmp_path):
    (tmp_path / "g.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        read_script_groups(tmp_path / "g.csv", dialogues=[(1, "a"), (2, "a")])


def test_a_file_with_a_script_twice_in_a_session_is_refused(tmp_path):
    (tmp_path / "g.csv").write_text("session,dialogue,script\n1,a,x\n1,b,x\n")
    with pytest.raises(ValueError, match="`x` is played 2 times in session 1"):
        read_script_groups(tmp_path / "g.csv", dialogues=[(1, "a"), (1, "b")])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="`script_groups` .*none.csv' is not a file"):
        read_script_groups(tmp_path / "none.csv", dialogues=[])
