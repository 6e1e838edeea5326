"""Which dialogues play the same script: found in the transcripts, never in file numbers.

Actors replay a few written scripts in every session, and the numbers in the file names need not
agree between sessions. A fold that is to test unseen scripts has to know which dialogues belong
together, and transcripts are licensed: so the clusters are computed where the corpus is, always the
same ones for the same texts, and a hash names them.

A dialogue is the text of all its turns without spaces and punctuation. Dialogues are compared by
the cosine of TF-IDF over character 3- to 5-grams; n-grams of a single dialogue say nothing, and one
in more dialogues than there are sessions is everyday speech, because a session plays a script once
at most. Two dialogues of one session are never alike. Average linkage merges the nearest clusters;
the tree is cut in the middle of the widest gap between successive merge heights, and the width of
that gap says how sure the cut is.
"""

import csv
import hashlib
import io
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

COLUMNS = ("session", "dialogue", "script")
NGRAM_LENGTHS = (3, 5)  # characters, from and to
SMALLEST_GAP = 0.05  # of merge heights in [0, 1]; below it nothing is claimed of scripts

# Free dialogues of an invented corpus reach .11; its scripts, 45 % of the words replaced, .25.
LEAST_SIMILARITY = 0.15  # cosine; if no two dialogues reach it, no script recurs

# Actors replay a script in every session; a session may have lost a dialogue. A cluster that more
# sessions lack is a chance likeness or half a script: of invented corpora some were cut so at a gap
# of .10 and more.
LEAST_SHARE = 0.9  # of the sessions

Dialogue = tuple[int, str]  # session number and name of the dialogue


@dataclass(frozen=True)
class ScriptClusters:
    """Which script each dialogue plays.

    Attributes:
        script: name of the script by dialogue, sorted by session and name.
        gap: widest gap between merge heights, in [0, 1]; None where a file gave the scripts.
        warnings: what a user must know, one sentence each.
        verdict: `found` if some dialogues play one script, `none` if no script recurs, `refused` if
            `script` is a guess that nothing may be built on, `given` if a file says it.
    """

    script: dict[Dialogue, str]
    gap: float | None
    warnings: tuple[str, ...]
    verdict: str

    @property
    def is_separated(self) -> bool:
        """Whether folds may claim that they test scripts which nothing else plays."""
        return self.verdict in ("found", "given")

    @cached_property
    def is_scripted(self) -> dict[Dialogue, bool]:
        """Whether another dialogue plays the same script, by dialogue."""
        sizes = Counter(self.script.values())
        return {dialogue: sizes[script] > 1 for dialogue, script in self.script.items()}

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of what `write_script_groups` writes, in hexadecimal digits."""
        return hashlib.sha256(_format_groups(self.script).encode()).hexdigest()

    def label(self, dialogue: Dialogue) -> tuple[str | None, bool | None]:
        """Return what a data set may say of a dialogue.

        Args:
            dialogue: session number and name.

        Returns:
            The name of its script and whether another dialogue plays it; two None if the scripts
            are a guess.
        """
        if self.verdict == "refused":
            return None, None
        return self.script[dialogue], self.is_scripted[dialogue]

    def to_dict(self) -> dict[str, Any]:
        """Return what a report says: plain values, no dialogue by name.

        Returns:
            `verdict`, `gap`, `sha256` and `warnings`; how many scripts recur (`recurring`), how
            many dialogues play one (`scripted`), and how many play none (`single`).
        """
        scripted = sum(self.is_scripted.values())
        single = len(self.script) - scripted
        return {
            "verdict": self.verdict,
            "gap": self.gap,
            "sha256": self.sha256,
            "recurring": len(set(self.script.values())) - single,
            "scripted": scripted,
            "single": single,
            "warnings": list(self.warnings),
        }


def find_scripts(
    texts: Mapping[Dialogue, str], *, groups: str | Path | None = None
) -> ScriptClusters:
    """Say which script each dialogue plays: as a file has it, or as the transcripts tell.

    Args:
        texts: cleaned text of each dialogue, its turns joined.
        groups: file for `read_script_groups`; None compares the texts.

    Returns:
        The clusters.
    """
    return cluster_scripts(texts) if groups is None else read_script_groups(groups, dialogues=texts)


def cluster_scripts(texts: Mapping[Dialogue, str]) -> ScriptClusters:
    """Find the dialogues that play the same script.

    Args:
        texts: cleaned text of each dialogue, its turns joined; the order does not matter.

    Returns:
        The clusters: those of several dialogues are `script01`, `script02` … and those of a single
        one `single001` …, each numbered by its first dialogue.

    Example:
        >>> play, talk, other = "내일 아침 바다로 떠나자.", "버스가 십 분마다 온대.", "글쎄."
        >>> texts = {(1, "a"): play, (1, "b"): talk, (2, "a"): other, (2, "b"): play}
        >>> found = cluster_scripts(texts)
        >>> [dialogue for dialogue, scripted in found.is_scripted.items() if scripted]
        [(1, 'a'), (2, 'b')]
        >>> found.gap
        1.0
    """
    dialogues = sorted(texts)
    spoken = [_bare(texts[dialogue]) for dialogue in dialogues]
    similarity = _compare(dialogues, spoken)
    labels, gap = _cut_tree(similarity)
    recurs = bool((similarity >= LEAST_SIMILARITY).any())
    if not recurs:
        labels = np.arange(len(dialogues))
    script = _name_clusters(dict(zip(dialogues, labels.tolist(), strict=True)))
    doubts = (_doubt_gap(gap) or _doubt_sizes(script)) if recurs else []
    doubts += [f"{clash}: the clusters are wrong." for clash in find_clashes(script)]
    warnings = doubts or _warn_of_sizes(script)
    empty = [dialogue for dialogue, text in zip(dialogues, spoken, strict=True) if not text]
    if empty:
        warnings.append(f"{len(empty)} dialogue(s) without any text, the first is {empty[0]}.")
    verdict = "refused" if doubts else "found" if recurs else "none"
    return ScriptClusters(script, gap, tuple(warnings), verdict)


def find_clashes(script: Mapping[Dialogue, str]) -> list[str]:
    """Find scripts that a session would play twice, which cannot be.

    Args:
        script: name of the script by dialogue.

    Returns:
        One clause for each session and script that clash.
    """
    played: dict[tuple[int, str], list[str]] = {}
    for (session, dialogue), name in sorted(script.items()):
        played.setdefault((session, name), []).append(dialogue)
    return [
        f"`{name}` is played {len(dialogues)} times in session {session} ({', '.join(dialogues)})"
        for (session, name), dialogues in played.items()
        if len(dialogues) > 1
    ]


def write_script_groups(clusters: ScriptClusters, path: str | Path) -> str:
    """Write the clusters as CSV; `read_script_groups` reads it.

    Args:
        clusters: which script each dialogue plays.
        path: the file; its folder must exist.

    Returns:
        The SHA-256 of the file, which is `clusters.sha256`.
    """
    Path(path).write_bytes(_format_groups(clusters.script).encode())
    return clusters.sha256


def read_script_groups(path: str | Path, *, dialogues: Collection[Dialogue]) -> ScriptClusters:
    """Read which script each dialogue plays from a file that a person has checked.

    Args:
        path: CSV with the columns `session`, `dialogue` and `script`; dialogues with one script
            name belong together, and one that plays no script has a name of its own.
        dialogues: all dialogues of the corpus; each must occur once.

    Returns:
        The clusters as the file names them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the columns are others, a session is no number, a name is empty, a dialogue
            is unknown, missing or given twice, or a session plays a script twice.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"`script_groups` {str(path)!r} is not a file; check its name.")
    script = _parse_groups(file)
    unknown = sorted(script.keys() - set(dialogues))
    missing = sorted(set(dialogues) - script.keys())
    for found, complaint in ((unknown, "which the corpus has not"), (missing, "left out")):
        if found:
            raise ValueError(
                f"`{file.name}` has {len(found)} dialogue(s) {complaint}, the first is {found[0]}; "
                "give each dialogue of the corpus once."
            )
    clashes = find_clashes(script)
    if clashes:
        raise ValueError(f"`{file.name}`: {clashes[0]}; a session plays a script once at most.")
    recurs = len(set(script.values())) < len(script)
    return ScriptClusters(
        dict(sorted(script.items())),
        gap=None,
        warnings=tuple(_warn_of_sizes(script)),
        verdict="given" if recurs else "none",
    )


def _bare(text: str) -> str:
    """Reduce a text to its letters and digits."""
    return "".join(
        character for character in unicodedata.normalize("NFC", text) if character.isalnum()
    )


def _compare(dialogues: list[Dialogue], spoken: list[str]) -> np.ndarray:
    """Return the cosine of every two dialogues, `(dialogues, dialogues)`; 0 within a session."""
    sessions = np.array([session for session, _ in dialogues])
    none = np.zeros((len(dialogues), len(dialogues)))
    if not any(len(text) >= NGRAM_LENGTHS[0] for text in spoken):
        return none
    # Counted whole and pruned here, as scikit-learn refuses a corpus of which nothing is left.
    counts = CountVectorizer(analyzer="char", ngram_range=NGRAM_LENGTHS).fit_transform(spoken)
    occurrences = np.asarray((counts > 0).sum(0)).ravel()
    telling = (occurrences >= 2) & (occurrences <= len(set(sessions.tolist())))
    if not telling.any():
        return none
    weights = TfidfTransformer(sublinear_tf=True).fit_transform(counts[:, telling])
    cosine = (weights @ weights.T).toarray()
    return np.where(sessions[:, None] == sessions[None, :], 0.0, np.clip(cosine, 0.0, 1.0))


def _cut_tree(similarity: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the cluster of each dialogue, `(dialogues,)`, and the width of the gap it is cut at.

    Fewer than three dialogues have no two merges to stand between: each is alone, the gap is 0.
    """
    if len(similarity) < 3:
        return np.arange(len(similarity)), 0.0
    distance = 1 - similarity
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), method="average")
    heights = tree[:, 2]
    gaps = np.diff(heights)
    widest = int(gaps.argmax())
    middle = (heights[widest] + heights[widest + 1]) / 2
    return fcluster(tree, middle, criterion="distance"), float(gaps[widest])


def _name_clusters(labels: dict[Dialogue, int]) -> dict[Dialogue, str]:
    """Name clusters by whether they recur and by the order of their first dialogues."""
    sizes = Counter(labels.values())
    names: dict[int, str] = {}
    recurring = single = 0
    for label in labels.values():  # dialogues are sorted: the first of a cluster comes first
        if label in names:
            continue
        if sizes[label] > 1:
            recurring += 1
            names[label] = f"script{recurring:02d}"
        else:
            single += 1
            names[label] = f"single{single:03d}"
    return {dialogue: names[label] for dialogue, label in labels.items()}


def _doubt_gap(gap: float) -> list[str]:
    if gap >= SMALLEST_GAP:
        return []
    return [
        f"The widest gap between merge heights is {gap:.3f}, less than {SMALLEST_GAP}: the scripts "
        "are a guess, and no fold may claim to test unseen ones; give them in a file."
    ]


def _doubt_sizes(script: Mapping[Dialogue, str]) -> list[str]:
    """Doubt scripts that too many sessions lack."""
    sessions = {session for session, _ in script}
    rare = {
        name: size
        for name, size in sorted(Counter(script.values()).items())
        if 1 < size < LEAST_SHARE * len(sessions)
    }
    if not rare:
        return []
    first = min(rare)
    return [
        f"{len(rare)} script(s) recur in some sessions only, such as `{first}` in {rare[first]} of "
        f"{len(sessions)}: a chance likeness or a part of a script, so nothing is claimed of any; "
        "give the scripts in a file."
    ]


def _warn_of_sizes(script: Mapping[Dialogue, str]) -> list[str]:
    """Name recurring scripts that some session lacks: a corpus of scripts plays all in each."""
    sessions = {session for session, _ in script}
    sizes = Counter(script.values())
    partial = [name for name, size in sizes.items() if 1 < size < len(sessions)]
    if not partial:
        return []
    first = min(partial)
    return [
        f"{len(partial)} recurring script(s) are not in every session: `{first}` is in "
        f"{sizes[first]} of {len(sessions)}."
    ]


def _format_groups(script: Mapping[Dialogue, str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((*dialogue, name) for dialogue, name in sorted(script.items()))
    return text.getvalue()


def _parse_groups(file: Path) -> dict[Dialogue, str]:
    script: dict[Dialogue, str] = {}
    with file.open(encoding="utf-8-sig", newline="") as content:
        reader = csv.reader(content)
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            raise ValueError(
                f"`{file.name}` has the columns {header}; it must have {list(COLUMNS)}."
            )
        for cells in reader:
            if not any(cells):
                continue
            cells = [cell.strip() for cell in cells]
            if len(cells) != len(COLUMNS) or not cells[0].isdecimal() or not all(cells):
                raise ValueError(
                    f"`{file.name}`, line {reader.line_num}: {cells} is not a session number, a "
                    "dialogue and a script."
                )
            dialogue = int(cells[0]), cells[1]
            if dialogue in script:
                raise ValueError(
                    f"`{file.name}`, line {reader.line_num}: {dialogue} occurs twice; keep one."
                )
            script[dialogue] = cells[2]
    return script
