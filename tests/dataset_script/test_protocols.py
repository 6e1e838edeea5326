import csv
import itertools
import re
from collections import Counter

import pytest

from dataset_script import protocols
from dataset_script.clusters import ScriptClusters, cluster_scripts
from dataset_script.folds import FoldRow, assign_folds, hash_folds, read_folds, validate_folds
from dataset_script.protocols import (
    LEAK,
    Utterance,
    assign_crossed_folds,
    assign_matched_folds,
    assign_random_folds,
    pair_scripts,
    write_protocols,
)
from dataset_script.release import build_release, read_reports

from .dialogues import make_dialogues
from .test_release_scripts import _write as write_played

GROUPS = (("s1", "s4"), ("s2", "s3"), ("s5", "s6"))
RECURRING = {script for group in GROUPS for script in group}


def make_scripts(sessions, *, impros=4):
    """Six scripts in every session, under numbers that turn with the session, and impros."""
    scripts = {}
    for session in range(1, sessions + 1):
        for number in range(6):
            scripts[session, f"script{number}"] = f"s{1 + (number + session) % 6}"
        for number in range(impros):
            scripts[session, f"impro{number}"] = f"single{session:02d}{number}"
    return scripts


SESSION_FOLDS = assign_folds(range(1, 21))
SCRIPTS = make_scripts(20)


@pytest.fixture(scope="module")
def crossed():
    return assign_crossed_folds(SESSION_FOLDS, SCRIPTS, groups=GROUPS)


@pytest.fixture(scope="module")
def matched():
    return assign_matched_folds(SESSION_FOLDS, SCRIPTS, groups=GROUPS)


def role_counts(rows, fold, *, scripted):
    return Counter(
        row.role
        for row in rows
        if row.fold == fold and (SCRIPTS[row.session, row.dialogue] in RECURRING) == scripted
    )


def sessions_of(fold, role):
    return {row.session for row in SESSION_FOLDS if row.fold == fold and row.role == role}


def test_crossed_fits_have_the_sizes_of_the_design(crossed):
    assert {row.fold for row in crossed} == set(range(15))
    for fit in range(15):
        counts = role_counts(crossed, fit, scripted=True)
        assert counts == {"test": 4 * 2, "validation": 3 * 1, "train": 13 * 3, "dropped": 70}
        impros = role_counts(crossed, fit, scripted=False)
        assert (impros["train"], impros["validation"]) == (13 * 4, 3 * 4)
        assert impros["test"] + impros["dropped"] == 4 * 4 and impros["test"] in (5, 6)


def test_crossed_fits_test_each_dialogue_exactly_once(crossed):
    tested = Counter((row.session, row.dialogue) for row in crossed if row.role == "test")
    assert tested == dict.fromkeys(SCRIPTS, 1)


def test_crossed_fits_hold_out_sessions_and_scripts(crossed):
    validate_folds(crossed, sessions=range(1, 21), scripts=SCRIPTS)
    for fit in range(15):
        of_role = {
            role: {
                SCRIPTS[row.session, row.dialogue]
                for row in crossed
                if (row.fold, row.role) == (fit, role)
            }
            & RECURRING
            for role in ("test", "validation", "train")
        }
        fold, group = divmod(fit, 3)
        assert of_role["test"] == set(GROUPS[group])
        assert of_role["validation"] < set(GROUPS[(group + 1) % 3])
        assert of_role["train"] == RECURRING - of_role["test"] - of_role["validation"]
        for role in of_role:
            used = {row.session for row in crossed if (row.fold, row.role) == (fit, role)}
            assert used == sessions_of(fold, role)


def test_each_script_is_validated_on_in_some_fit(crossed):
    validated = {SCRIPTS[row.session, row.dialogue] for row in crossed if row.role == "validation"}
    assert validated >= RECURRING


def test_a_planted_session_leak_is_found(crossed):
    place = next(
        number
        for number, row in enumerate(crossed)
        if row.role == "dropped" and row.session in sessions_of(0, "test") and row.fold == 0
    )
    row = crossed[place]
    leak = [*crossed[:place], FoldRow(0, row.session, row.dialogue, "train"), *crossed[place + 1 :]]
    with pytest.raises(ValueError, match=f"Session {row.session} has several roles in fold 0"):
        validate_folds(leak, scripts=SCRIPTS)


@pytest.mark.parametrize("group", [0, 1])  # of which one script is tested, or validated on
def test_a_planted_script_leak_is_found(crossed, group):
    held_out = {
        SCRIPTS[row.session, row.dialogue]
        for row in crossed
        if row.fold == 0 and row.role in ("test", "validation")
    }
    place = next(
        number
        for number, row in enumerate(crossed)
        if row.fold == 0
        and row.session in sessions_of(0, "train")
        and SCRIPTS[row.session, row.dialogue] in held_out & set(GROUPS[group])
    )
    row = crossed[place]
    leak = [*crossed[:place], FoldRow(0, row.session, row.dialogue, "train"), *crossed[place + 1 :]]
    validate_folds(leak)  # as folds of sessions there is nothing wrong
    with pytest.raises(ValueError, match="a script may have one role"):
        validate_folds(leak, scripts=SCRIPTS)


def test_the_control_has_the_sizes_of_the_crossed_fits(crossed, matched):
    validate_folds(matched, sessions=range(1, 21))
    tested = Counter((row.session, row.dialogue) for row in matched if row.role == "test")
    assert tested == dict.fromkeys(SCRIPTS, 1)
    for fold in range(5):
        for scripted, role in itertools.product((True, False), ("train", "validation")):
            assert (
                role_counts(matched, fold, scripted=scripted)[role]
                == role_counts(crossed, 3 * fold, scripted=scripted)[role]
            )


def test_the_control_trains_on_three_scripts_a_session_and_on_all(matched):
    for fold in range(5):
        kept = {}
        for row in matched:
            script = SCRIPTS[row.session, row.dialogue]
            if (row.fold, row.role) == (fold, "train") and script in RECURRING:
                kept.setdefault(row.session, set()).add(script)
        assert {len(scripts) for scripts in kept.values()} == {3} and len(kept) == 13
        times = Counter(script for scripts in kept.values() for script in scripts)
        assert set(times) == RECURRING and max(times.values()) - min(times.values()) <= 1
        assert len({frozenset(scripts) for scripts in kept.values()}) > 2  # drawn by session


def test_what_is_drawn_is_always_the_same_and_follows_names_only(crossed, matched):
    turned = dict(reversed(SCRIPTS.items()))
    assert assign_crossed_folds(SESSION_FOLDS[::-1], turned, groups=GROUPS) == crossed
    assert assign_matched_folds(SESSION_FOLDS[::-1], turned, groups=GROUPS) == matched


def test_scripts_are_paired_so_that_labels_differ_least():
    # Scripts 1 and 4 balance each other, as do 2 and 3, and 5 and 6.
    shares = {"s1": 9, "s2": 7, "s3": 3, "s4": 1, "s5": 6, "s6": 4}
    utterances = [
        (script, ["sad"] if number < share else ["happy"])
        for script, share in shares.items()
        for number in range(10)
    ]
    assert pair_scripts(utterances) == (GROUPS, 0.0)


def test_the_divergence_is_that_of_the_two_groups_farthest_apart():
    utterances = [(f"s{number}", ["sad"] if number < 3 else ["happy"]) for number in range(1, 7)]
    # Two sad scripts: apart, two groups of one each (.5, .5) and one of (0, 1).
    groups, divergence = pair_scripts(utterances)
    assert not any(set(group) == {"s1", "s2"} for group in groups)
    # H(.25, .75) - (H(.5, .5) + H(0, 1)) / 2 = .8113 - .5, in bits
    assert divergence == pytest.approx(0.311278, abs=1e-6)


def test_an_utterance_with_two_labels_counts_as_much_as_one_with_one():
    plain = [["a"], ["b"], ["c"]]
    double = [["a"], ["b", "c"], ["b", "c"]]  # a third of each label too
    utterances = [(f"s{number}", labels) for number in range(1, 6) for labels in plain]
    assert pair_scripts([*utterances, *(("s0", labels) for labels in double)])[1] == 0.0


def test_other_numbers_of_scripts_are_refused():
    with pytest.raises(ValueError, match="play 5 scripts; the design is for 6"):
        pair_scripts([(f"s{number}", ["sad"]) for number in range(5)])


def test_random_folds_test_each_utterance_once_and_share_sessions():
    ids = [f"k/Sess{session:02d}_{turn:03d}" for session in range(10) for turn in range(20)]
    rows = assign_random_folds(ids, n_folds=5)
    assert {row.id for row in rows if (row.fold, row.role) == (0, "test")} != set(ids[::5])
    assert Counter(row.id for row in rows if row.role == "test") == dict.fromkeys(ids, 1)
    for fold in range(5):
        roles = Counter(row.role for row in rows if row.fold == fold)
        assert roles == {"test": 40, "validation": 25, "train": 135}
        shared = [
            {row.id[:8] for row in rows if (row.fold, row.role) == (fold, role)}
            for role in ("test", "train")
        ]
        assert len(shared[0] & shared[1]) == 10
    assert rows == assign_random_folds(ids[::-1], n_folds=5)


def make_utterances(scripts):
    return [
        Utterance(f"k/{session}/{name}/{turn}", session, name, ((session + turn) % 7,))
        for session, name in scripts
        for turn in range(2)
    ]


def write(tmp_path, clusters, *, sessions=20, n_folds=5):
    return write_protocols(
        tmp_path,
        make_utterances(clusters.script),
        corpus="k",
        session_folds=assign_folds(range(1, sessions + 1), n_folds=n_folds),
        scripts=clusters,
    )


def test_every_protocol_is_a_file_with_its_hash(tmp_path):
    written = write(tmp_path, ScriptClusters(SCRIPTS, 0.5, (), "found"))
    assert {name: (facts["file"], facts["fits"]) for name, facts in written.items()} == {
        "session": ("k.csv", 5),
        "session+script": ("k.session-script.csv", 15),
        "session-matched": ("k.session-matched.csv", 5),
        "random": ("k.random-leak.csv", 5),
    }
    assert {path.name for path in tmp_path.iterdir()} == {f["file"] for f in written.values()}
    for facts in written.values():
        assert facts["sha256"] == hash_folds(tmp_path / facts["file"])
    validate_folds(read_folds(tmp_path / "k.session-script.csv"), scripts=SCRIPTS)
    assert written["random"]["leak"] == LEAK
    with (tmp_path / "k.random-leak.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == ["fold", "id", "role"] and len(rows) == 5 * 2 * len(SCRIPTS)


@pytest.mark.parametrize(
    ("clusters", "reason"),
    [
        (ScriptClusters(SCRIPTS, 0.01, (), "refused"), "is not known"),
        (
            ScriptClusters({place: str(place) for place in SCRIPTS}, 0.0, (), "none"),
            "no script recurs.*session.script equals it",
        ),
        (
            ScriptClusters({p: s.replace("s6", "s5") for p, s in SCRIPTS.items()}, 1, (), "given"),
            "5 script.s. recur",
        ),
    ],
)
def test_scripts_that_cannot_be_held_out_have_no_file(tmp_path, clusters, reason):
    written = write(tmp_path, clusters)
    for name in ("session+script", "session-matched"):
        assert set(written[name]) == {"reason"}
        assert re.search(reason, written[name]["reason"])
    assert {path.name for path in tmp_path.iterdir()} == {"k.csv", "k.random-leak.csv"}


def test_folds_with_a_leak_are_not_written(tmp_path, monkeypatch):
    leak = assign_matched_folds(SESSION_FOLDS, SCRIPTS, groups=GROUPS)
    monkeypatch.setattr(protocols, "assign_crossed_folds", lambda *args, **options: leak)
    with pytest.raises(ValueError, match="a script may have one role"):
        write(tmp_path, ScriptClusters(SCRIPTS, 0.5, (), "found"))


def test_a_single_training_session_cannot_be_halved(tmp_path):
    clusters = ScriptClusters(make_scripts(3), 0.5, (), "found")
    written = write(tmp_path, clusters, sessions=3, n_folds=3)
    assert "trains on one session only" in written["session+script"]["reason"]


def test_scripts_found_in_transcripts_give_folds_without_a_leak(tmp_path):
    texts, truth = make_dialogues(replaced=0.1)
    clusters = cluster_scripts(texts)
    written = write(tmp_path, clusters)
    rows = read_folds(tmp_path / written["session+script"]["file"])
    validate_folds(rows, scripts={place: str(script) for place, script in truth.items()})


def test_a_build_writes_them_and_an_older_one_does_not_survive(tmp_path):
    corpus, _ = write_played(tmp_path / "corpus", replaced=0.1)
    release = tmp_path / "release"
    report = build_release(corpus.root, release, config="kemdy19", n_folds=3)
    assert report["protocols"]["session+script"]["fits"] == 9
    assert report["protocols"]["session"]["sha256"] == report["options"]["folds_sha256"]
    for facts in report["protocols"].values():
        assert facts["sha256"] == hash_folds(release / "folds" / facts["file"])
    card = (release / "README.md").read_text()
    assert "`folds/kemdy19.session-script.csv` holds out scripts as well" in card
    assert f"deals utterances, which is {LEAK}" in card
    groups = tmp_path / "mine.csv"
    lines = (release / "scripts" / "kemdy19.csv").read_text().splitlines()
    alone = [lines[0], *(f"{line.rsplit(',', 1)[0]},{n}" for n, line in enumerate(lines[1:]))]
    groups.write_text("\n".join(alone) + "\n")
    build_release(corpus.root, release, config="kemdy19", n_folds=3, script_groups=groups)
    assert "reason" in read_reports(release)["kemdy19"]["protocols"]["session+script"]
    assert not (release / "folds" / "kemdy19.session-script.csv").exists()
    assert "session-script" not in (release / "README.md").read_text()
