"""Which session is for training, validation or test: folds as data, `folds/<corpus>.csv`.

The rule, for sessions ranked by number from 0: fold f tests the sessions whose rank leaves f when
divided by the number of folds; it validates on the first five eighths (rounded, at least one) of
the sessions that the next fold tests; it trains on the rest. With five folds that is 4, 3 and 13
sessions of KEMDy19 and 8, 5 and 27 of KEMDy20. Nothing is drawn at random: there is no seed.

A speaker belongs to one session, so folds by session are folds by speaker too. The file has a
column for a dialogue as well: an empty cell means the whole session, and a dialogue's own row goes
before its session's. The protocols that drop dialogues (`protocols.py`) use it.
"""

import csv
import hashlib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

ROLES = ("train", "validation", "test", "dropped")
COLUMNS = ("fold", "session", "dialogue", "role")
DEFAULT_FOLDS = 5
SMALLEST_FOLDS = 3  # with two, the only other fold would be both validation and training
VALIDATION_SHARE = 0.625  # 3 of 4 sessions of KEMDy19, 5 of 8 of KEMDy20


@dataclass(frozen=True)
class FoldRow:
    """What one fold does with a session, or with one of its dialogues.

    Attributes:
        fold: number of the fold, from 0.
        session: session number of the corpus.
        dialogue: name of a dialogue; "" for the whole session.
        role: one of `ROLES`.
    """

    fold: int
    session: int
    dialogue: str
    role: str


def assign_folds(sessions: Collection[int], *, n_folds: int = DEFAULT_FOLDS) -> list[FoldRow]:
    """Give every session a role in every fold.

    Args:
        sessions: session numbers of the corpus, in any order.
        n_folds: number of folds, from 3 to the number of sessions.

    Returns:
        One row for each fold and session, by fold, then by session.

    Raises:
        ValueError: if `n_folds` is below 3 or above the number of sessions.

    Example:
        >>> [row.role for row in assign_folds([1, 2, 3], n_folds=3) if row.fold == 0]
        ['test', 'validation', 'train']
    """
    ranked = sorted(set(sessions))
    if not SMALLEST_FOLDS <= n_folds <= len(ranked):
        raise ValueError(
            f"`n_folds` is {n_folds} for {len(ranked)} session(s); it must be at least "
            f"{SMALLEST_FOLDS} and at most the number of sessions: choose another number or build "
            f"from at least {SMALLEST_FOLDS} sessions."
        )
    rows = []
    for fold in range(n_folds):
        tested = set(ranked[fold::n_folds])
        following = ranked[(fold + 1) % n_folds :: n_folds]
        share = max(1, math.floor(VALIDATION_SHARE * len(following) + 0.5))
        validated = set(following[:share])
        for session in ranked:
            role = "test" if session in tested else "train"
            rows.append(FoldRow(fold, session, "", "validation" if session in validated else role))
    return rows


def validate_folds(
    rows: Collection[FoldRow],
    *,
    sessions: Collection[int] | None = None,
    scripts: Mapping[tuple[int, str], str] | None = None,
) -> None:
    """Check that the folds are whole and leak nothing.

    Args:
        rows: the folds.
        sessions: session numbers that must occur, and no others; None takes those in `rows`.
        scripts: name of the script by session and dialogue, for folds that claim to test unseen
            scripts; None where sessions alone are held out.

    Raises:
        ValueError: if a role is unknown, a fold number is missing, a session is missing in a fold,
            an entry occurs twice, a session has two roles in a fold (`dropped` apart), or with
            `scripts` a script has two, or a dialogue no script.
    """
    expected = set(sessions) if sessions is not None else {row.session for row in rows}
    folds = {row.fold for row in rows}
    if folds != set(range(len(folds))) or not folds:
        raise ValueError(f"The folds are numbered {sorted(folds)}; they must be 0, 1, 2 and so on.")
    roles: dict[tuple[int, int], dict[str, str]] = {}  # fold, session: role by dialogue
    for row in rows:
        if row.role not in ROLES:
            raise ValueError(f"{row} has an unknown role; allowed are {', '.join(ROLES)}.")
        by_dialogue = roles.setdefault((row.fold, row.session), {})
        if row.dialogue in by_dialogue:
            raise ValueError(f"{row} occurs twice; keep one of the two.")
        by_dialogue[row.dialogue] = row.role
    for (fold, session), by_dialogue in roles.items():
        if len(set(by_dialogue.values()) - {"dropped"}) > 1:
            raise ValueError(
                f"Session {session} has several roles in fold {fold}: {by_dialogue}; a session may "
                "have one, and `dropped` for some of its dialogues."
            )
    for fold in sorted(folds):
        present = {session for other, session in roles if other == fold}
        if present != expected:
            raise ValueError(
                f"Fold {fold} has sessions {sorted(present)} in place of {sorted(expected)}."
            )
    if scripts is not None:
        _refuse_shared_scripts(roles, scripts)


def _refuse_shared_scripts(
    roles: Mapping[tuple[int, int], Mapping[str, str]], scripts: Mapping[tuple[int, str], str]
) -> None:
    """Raise ValueError if a fold uses a script in two roles.

    Args:
        roles: role by dialogue ("" for the whole session), by fold and session.
        scripts: name of the script by session and dialogue.
    """
    played: dict[int, set[str]] = {}
    for session, dialogue in scripts:
        played.setdefault(session, set()).add(dialogue)
    first: dict[tuple[int, str], tuple[str, int, str]] = {}  # fold, script: where it has which role
    for (fold, session), by_dialogue in roles.items():
        for dialogue in sorted((played.get(session, set()) | set(by_dialogue)) - {""}):
            if (session, dialogue) not in scripts:
                raise ValueError(f"Dialogue {dialogue} of session {session} has no script.")
            role = by_dialogue.get(dialogue, by_dialogue.get("", "dropped"))
            if role == "dropped":
                continue
            script = scripts[session, dialogue]
            other = first.setdefault((fold, script), (role, session, dialogue))
            if other[0] != role:
                raise ValueError(
                    f"Fold {fold} has `{script}` for {other[0]} (session {other[1]}, {other[2]}) "
                    f"and for {role} (session {session}, {dialogue}); a script may have one role, "
                    "and `dropped` for some of its dialogues."
                )


def write_folds(rows: Iterable[FoldRow], path: str | Path) -> str:
    """Write the folds as CSV.

    Args:
        rows: the folds.
        path: the file; its folder must exist.

    Returns:
        The SHA-256 of the file, in hexadecimal digits, by which a result names its folds.
    """
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(row) for row in rows)
    return hash_folds(path)


def read_folds(path: str | Path) -> list[FoldRow]:
    """Read and check the folds of a CSV file.

    Args:
        path: the file.

    Returns:
        Its rows in the order of the file.

    Raises:
        ValueError: if the columns are not `COLUMNS`, a number is none, or the folds are not valid.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(
                f"`{path}` has the columns {reader.fieldnames}; it must have {list(COLUMNS)}."
            )
        try:
            rows = [
                FoldRow(int(row["fold"]), int(row["session"]), row["dialogue"], row["role"])
                for row in reader
            ]
        except (TypeError, ValueError) as error:
            raise ValueError(f"`{path}`, line {reader.line_num}: {error}.") from error
    try:
        validate_folds(rows)
    except ValueError as error:
        raise ValueError(f"`{path}`: {error}") from error
    return rows


def hash_folds(path: str | Path) -> str:
    """Return the SHA-256 of a fold file, in hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
