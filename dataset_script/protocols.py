"""How a model may be tested on a corpus: four protocols, each a file of folds.

    folds/<corpus>.csv                  `session`: sessions held out (`folds.py`)
    folds/<corpus>.session-script.csv   `session+script`: sessions and scripts held out
    folds/<corpus>.session-matched.csv  `session-matched`: as `session`, trained on as little
    folds/<corpus>.random-leak.csv      `random`: a leak, for comparison only

Actors replay the same scripts in every session (`clusters.py`). Dialogues that share a session or a
script are all linked, so they cannot be dealt into folds as groups; the design is crossed instead.
Six scripts are paired into three groups. For session fold f and group g, fit 3 f + g tests the two
scripts of g in the sessions that f tests, validates on one script of the next group in the sessions
that f validates on, and trains on the three scripts that are left in the other sessions. Dialogues
that play no script go with their session, those of test sessions to one of the three fits each: so
over the 15 fits of five folds each utterance is tested exactly once. The rest is `dropped`.

Such a fit has three scripts of six for training. `session-matched` tells what of a fall from
`session` to `session+script` is that lack of data: it tests what `session` tests and leaves three
scripts out of each training session and five out of each validation session, drawn session by
session, so that every script is trained on, in the same amount of speech.

`random` deals utterances, whatever their session: voices, dialogues and scripts of the test rows
are trained on. Its file has the column `id` and cannot be taken for another protocol's.

"At random" is the order of a hash: the same everywhere, and for each name whatever else is there.
"""

import csv
import hashlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.distance import jensenshannon

from .clusters import Dialogue, ScriptClusters
from .folds import FoldRow, assign_folds, hash_folds, validate_folds, write_folds

PROTOCOL_FILES = {
    "session": "{corpus}.csv",
    "session+script": "{corpus}.session-script.csv",
    "session-matched": "{corpus}.session-matched.csv",
    "random": "{corpus}.random-leak.csv",
}
LEAK = "a leak: voices, dialogues and scripts of the test utterances are trained on"
RANDOM_COLUMNS = ("fold", "id", "role")

GROUPS = 3
SCRIPTS = 2 * GROUPS  # two a group: one is validated on where the next group is tested
SEED = 0

ScriptGroups = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Utterance:
    """What a protocol knows of a row.

    Attributes:
        id: of the row.
        session: its session number.
        dialogue: name of its dialogue.
        emotions: its labels, of any hashable kind; one or more.
    """

    id: str
    session: int
    dialogue: str
    emotions: tuple[Any, ...]


@dataclass(frozen=True)
class UtteranceRow:
    """What one fold of `random` does with an utterance.

    Attributes:
        fold: number of the fold, from 0.
        id: of the row.
        role: `train`, `validation` or `test`.
    """

    fold: int
    id: str
    role: str


def pair_scripts(utterances: Iterable[tuple[str, Sequence[Any]]]) -> tuple[ScriptGroups, float]:
    """Pair six scripts into three groups whose labels are as alike as can be.

    Scripts are written for an emotion, so what is held out shifts the labels. Of the 15 pairings
    the one is taken whose largest Jensen-Shannon divergence between two groups is smallest; of
    equal ones the first by name.

    Args:
        utterances: script and labels of each utterance; one with n labels counts 1/n for each.

    Returns:
        The groups, sorted, and their largest divergence, in bits, [0, 1].

    Raises:
        ValueError: if there are not six scripts.

    Example:
        >>> labels = {"a": "sad", "b": "sad", "c": "sad", "d": "happy", "e": "happy", "f": "happy"}
        >>> pair_scripts((script, [label]) for script, label in labels.items())
        ((('a', 'd'), ('b', 'e'), ('c', 'f')), 0.0)
    """
    weights: dict[str, dict[Any, float]] = {}
    for script, labels in utterances:
        of_script = weights.setdefault(script, {})
        for label in labels:
            of_script[label] = of_script.get(label, 0.0) + 1 / len(labels)
    if len(weights) != SCRIPTS:
        raise ValueError(f"`utterances` play {len(weights)} scripts; the design is for {SCRIPTS}.")
    labels = sorted({label for of_script in weights.values() for label in of_script})
    counts = {
        script: np.array([of_script.get(label, 0.0) for label in labels])
        for script, of_script in sorted(weights.items())
    }

    def spread(groups: ScriptGroups) -> float:
        sums = [counts[one] + counts[other] for one, other in groups]
        pairs = itertools.combinations(sums, 2)
        # The square of scipy's distance is the divergence; rounding decides no tie.
        return round(max(float(jensenshannon(p, q, base=2)) ** 2 for p, q in pairs), 12)

    best = min(_pairings(list(counts)), key=spread)
    return best, spread(best)


def assign_crossed_folds(
    session_folds: Collection[FoldRow], scripts: Mapping[Dialogue, str], *, groups: ScriptGroups
) -> list[FoldRow]:
    """Hold out sessions and scripts at once.

    Args:
        session_folds: the folds of `session`, a row for each fold and session.
        scripts: name of the script by dialogue; one that is in no group plays no script.
        groups: names of the two scripts of each group.

    Returns:
        A row for each fit and dialogue, by fit, then by session and dialogue.
    """
    by_session = _group_dialogues(scripts)
    recurring = {script for group in groups for script in group}
    rows = []
    for fold, roles in _roles_by_fold(session_folds).items():
        tested = [session for session, role in roles.items() if role == "test"]
        single = [d for session in tested for d in by_session[session]]
        single = [dialogue for dialogue in single if scripts[dialogue] not in recurring]
        part = {dialogue: rank % GROUPS for rank, dialogue in enumerate(_shuffle(single, fold))}
        for number, group in enumerate(groups):
            validated = groups[(number + 1) % GROUPS][fold % 2]
            of_role = {"test": set(group), "validation": {validated}}
            of_role["train"] = recurring - set(group) - {validated}
            for session, role in sorted(roles.items()):
                for dialogue in by_session[session]:
                    if scripts[dialogue] in recurring:
                        kept = scripts[dialogue] in of_role[role]
                    else:
                        kept = part.get(dialogue, number) == number
                    row_role = role if kept else "dropped"
                    rows.append(FoldRow(fold * GROUPS + number, *dialogue, row_role))
    return sorted(rows, key=lambda row: (row.fold, row.session, row.dialogue))


def assign_matched_folds(
    session_folds: Collection[FoldRow], scripts: Mapping[Dialogue, str], *, groups: ScriptGroups
) -> list[FoldRow]:
    """Hold out sessions, and train on as many dialogues as `assign_crossed_folds` leaves.

    Training sessions are taken two by two: one keeps three scripts drawn at random and the next the
    other three, so each script is trained on.

    Args:
        session_folds: as in `assign_crossed_folds`.
        scripts: as in `assign_crossed_folds`.
        groups: as in `assign_crossed_folds`.

    Returns:
        A row for each fold and dialogue, by fold, then by session and dialogue.
    """
    by_session = _group_dialogues(scripts)
    recurring = sorted(script for group in groups for script in group)
    rows = []
    for fold, roles in _roles_by_fold(session_folds).items():
        kept = {session: set(recurring) for session, role in roles.items() if role == "test"}
        trained = sorted(session for session, role in roles.items() if role == "train")
        for place, session in enumerate(trained):
            if place % 2 == 0:
                kept[session] = set(_shuffle(recurring, fold, session)[:GROUPS])
            else:
                kept[session] = set(recurring) - kept[trained[place - 1]]
        order = _shuffle(recurring, fold)
        validated = sorted(session for session, role in roles.items() if role == "validation")
        for place, session in enumerate(validated):
            kept[session] = {order[place % SCRIPTS]}
        for session, role in sorted(roles.items()):
            for dialogue in by_session[session]:
                is_kept = scripts[dialogue] not in recurring or scripts[dialogue] in kept[session]
                rows.append(FoldRow(fold, *dialogue, role if is_kept else "dropped"))
    return sorted(rows, key=lambda row: (row.fold, row.session, row.dialogue))


def assign_random_folds(ids: Collection[str], *, n_folds: int) -> list[UtteranceRow]:
    """Deal utterances, as `folds.assign_folds` deals sessions: the leak to compare with.

    Args:
        ids: of all rows.
        n_folds: number of folds, from 3 to the number of rows.

    Returns:
        A row for each fold and utterance, by fold, then by id.

    Raises:
        ValueError: if `n_folds` does not suit the number of rows.
    """
    order = _shuffle(ids)
    dealt = assign_folds(range(len(order)), n_folds=n_folds)
    rows = [UtteranceRow(row.fold, order[row.session], row.role) for row in dealt]
    return sorted(rows, key=lambda row: (row.fold, row.id))


def write_protocols(
    folder: Path,
    utterances: Sequence[Utterance],
    *,
    corpus: str,
    session_folds: Sequence[FoldRow],
    scripts: ScriptClusters,
) -> dict[str, dict[str, Any]]:
    """Write the folds of every protocol that the corpus allows.

    Args:
        folder: where the files go; it must exist.
        utterances: all rows of the corpus.
        corpus: its name, with which the files' names begin.
        session_folds: the folds of `session`, a row for each fold and session.
        scripts: which script each dialogue plays, and how sure that is.

    Returns:
        By protocol `file`, its `sha256` and the number of `fits`; for `session+script` and its
        control the `groups` of scripts with their `divergence` as well, for `random` the `leak`.
        A protocol without a file has the `reason` instead.
    """
    names = {name: form.format(corpus=corpus) for name, form in PROTOCOL_FILES.items()}

    def describe(protocol: str, rows: Sequence[FoldRow]) -> dict[str, Any]:
        digest = write_folds(rows, folder / names[protocol])
        return {"file": names[protocol], "sha256": digest, "fits": len({row.fold for row in rows})}

    written = {"session": describe("session", session_folds)}
    spoken = {(row.session, row.dialogue) for row in utterances}
    played = {dialogue: scripts.script[dialogue] for dialogue in sorted(spoken)}
    recurring = {played[dialogue] for dialogue in played if scripts.is_scripted[dialogue]}
    reason = _refuse_scripts(scripts, recurring, session_folds)
    if reason is None:
        groups, divergence = pair_scripts(
            (played[row.session, row.dialogue], row.emotions)
            for row in utterances
            if played[row.session, row.dialogue] in recurring
        )
        facts = {"groups": [list(group) for group in groups], "divergence": divergence}
        crossed = assign_crossed_folds(session_folds, played, groups=groups)
        validate_folds(crossed, sessions={row.session for row in session_folds}, scripts=played)
        written["session+script"] = {**describe("session+script", crossed), **facts}
        matched = assign_matched_folds(session_folds, played, groups=groups)
        validate_folds(matched, sessions={row.session for row in session_folds})
        written["session-matched"] = {**describe("session-matched", matched), **facts}
    else:
        written |= {name: {"reason": reason} for name in ("session+script", "session-matched")}
    fits = written["session"]["fits"]
    random_rows = assign_random_folds([row.id for row in utterances], n_folds=fits)
    digest = _write_random_folds(random_rows, folder / names["random"])
    written["random"] = {"file": names["random"], "sha256": digest, "fits": fits, "leak": LEAK}
    return written


def _refuse_scripts(
    scripts: ScriptClusters, recurring: Collection[str], session_folds: Iterable[FoldRow]
) -> str | None:
    """Say why scripts are not held out; None if they can be."""
    if scripts.verdict == "refused":
        return "which dialogues play the same script is not known"
    if scripts.verdict == "none":
        return "no script recurs, so `session` holds out scripts already: session+script equals it"
    if len(recurring) != SCRIPTS:
        return f"{len(recurring)} script(s) recur, and the crossed design is for {SCRIPTS}"
    trained = min(
        list(roles.values()).count("train") for roles in _roles_by_fold(session_folds).values()
    )
    if trained < 2:
        return "a fold trains on one session only, which cannot keep half of the scripts and all"
    return None


def _pairings(names: list[str]) -> Iterator[ScriptGroups]:
    """Yield every way to make pairs of an even number of names."""
    if not names:
        yield ()
        return
    first, *rest = names
    for other in rest:
        for more in _pairings([name for name in rest if name != other]):
            yield ((first, other), *more)


def _shuffle(items: Iterable[Any], *salt: int) -> list[Any]:
    """Return items in the order of a hash of each, which the salt changes."""
    return sorted(
        items, key=lambda item: hashlib.sha256(repr((SEED, *salt, item)).encode()).hexdigest()
    )


def _group_dialogues(dialogues: Iterable[Dialogue]) -> dict[int, list[Dialogue]]:
    """Return the dialogues of each session, sorted."""
    by_session: dict[int, list[Dialogue]] = {}
    for dialogue in sorted(dialogues):
        by_session.setdefault(dialogue[0], []).append(dialogue)
    return by_session


def _roles_by_fold(session_folds: Iterable[FoldRow]) -> dict[int, dict[int, str]]:
    """Return the role of each session, by fold."""
    roles: dict[int, dict[int, str]] = {}
    for row in session_folds:
        roles.setdefault(row.fold, {})[row.session] = row.role
    return roles


def _write_random_folds(rows: Iterable[UtteranceRow], path: Path) -> str:
    """Write the folds of `random` as CSV and return the file's SHA-256."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(RANDOM_COLUMNS)
        writer.writerows(astuple(row) for row in rows)
    return hash_folds(path)
