"""What a build found: every problem by name, and the counts that account for every row.

`corpus.py` and its readers add problems while they read, `builder.py` counts the rows, `release.py`
writes the result as `reports/<config>.json` and `card.py` prints it. Nothing in the corpora stops a
build half way: a bad row or a broken wav becomes a `Problem`, the row is dropped or mended, and the
report says which.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

FILES_NAMED_PER_KIND = 3  # in the printed summary; the full list is in the report's file


class CorpusError(ValueError):
    """A corpus, translation file or release that cannot be used at all, in one sentence."""


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it should be.

    Attributes:
        kind: short name by which problems are counted, such as `truncated_wav`.
        file: path inside the corpus folder, `/` between its parts.
        message: one sentence: what is wrong and what was done about it.
        line: line of `file`, from 1; None where the whole file is meant.
        segment_id: the segment concerned; None where it is unknown or there are several.
        rows_dropped: rows of the corpus that do not reach the dataset because of it.
    """

    kind: str
    file: str
    message: str
    line: int | None = None
    segment_id: str | None = None
    rows_dropped: int = 0

    @property
    def place(self) -> str:
        """File and line in the form that editors open, such as `annotation/Sess01_eval.csv:7`."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass
class BuildReport:
    """Counts and problems of one build; the builder fills it row by row.

    Attributes:
        config: name of the builder config, such as `kemdy20`.
        options: options that change the rows, such as `keep_markers`.
        synthetic: contents of the corpus's marker file; None for a real corpus.
        rows_digest: hash of the written rows, a part of their files' names; "" before.
        rows_in: annotation rows found, whether readable or not.
        rows_out: rows of the dataset.
        seconds: length of all audio in the dataset, in seconds.
        sessions: session numbers in the dataset, ascending.
        dialogues: names of the dialogues in the dataset.
        speakers: names of the speakers in the dataset.
        emotions: rows by emotion; a row with two emotions counts for both.
        single_label_emotions: rows with one emotion alone, by emotion.
        rows_by_session: rows of the dataset by session number.
        multi_label_rows: rows with more than one emotion.
        silent_rows: rows whose wav holds nothing but zeros.
        missing_transcripts: rows without a readable transcript.
        missing_translations: rows with Korean text, marks apart, and without English text.
        translation: what `TranslationFile.describe` returns; None without such a file.
        scripts: what `ScriptClusters.to_dict` returns; None before.
        protocols: what `write_protocols` returns; None before.
        problems: everything found, in the order in which it was found.
        notes: what is known of the corpora, costs nothing and is handled: spellings, silence, long
            recordings; listed in the report and by `check`, not in the summary of a build.
    """

    config: str
    options: dict[str, Any] = field(default_factory=dict)
    synthetic: dict[str, Any] | None = None
    rows_digest: str = ""
    rows_in: int = 0
    rows_out: int = 0
    seconds: float = 0.0
    sessions: set[int] = field(default_factory=set)
    dialogues: set[str] = field(default_factory=set)
    speakers: set[str] = field(default_factory=set)
    emotions: Counter[str] = field(default_factory=Counter)
    single_label_emotions: Counter[str] = field(default_factory=Counter)
    rows_by_session: Counter[int] = field(default_factory=Counter)
    multi_label_rows: int = 0
    silent_rows: int = 0
    missing_transcripts: int = 0
    missing_translations: int = 0
    translation: dict[str, Any] | None = None
    scripts: dict[str, Any] | None = None
    protocols: dict[str, dict[str, Any]] | None = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def add_problem(self, kind: str, file: str, **details: Any) -> None:
        """Note one problem; the arguments are those of `Problem`."""
        self.problems.append(Problem(kind, file, **details))

    def add_note(self, kind: str, file: str, **details: Any) -> None:
        """Note one thing that is odd and harmless; the arguments are those of `Problem`."""
        self.notes.append(Problem(kind, file, **details))

    def count_row(self, row: dict[str, Any], emotions: Iterable[str]) -> None:
        """Count one row of the dataset.

        Args:
            row: the row as the builder yields it.
            emotions: names of the row's emotions.
        """
        names = list(emotions)
        self.rows_out += 1
        self.seconds += row["duration"]
        self.sessions.add(row["session"])
        self.dialogues.add(row["dialogue"])
        self.speakers.add(row["speaker"])
        self.emotions.update(names)
        self.single_label_emotions.update(names if len(names) == 1 else ())
        self.rows_by_session[row["session"]] += 1
        self.multi_label_rows += len(names) > 1
        self.silent_rows += row["is_silent"]

    @property
    def rows_dropped(self) -> int:
        """Rows of the corpus that did not reach the dataset."""
        return sum(problem.rows_dropped for problem in self.problems)

    def count_problems(self) -> dict[str, int]:
        """Count the problems of each kind, the commonest first."""
        return dict(Counter(problem.kind for problem in self.problems).most_common())

    def to_dict(self) -> dict[str, Any]:
        """Return what `reports/<config>.json` holds: plain values, no path of this machine.

        Returns:
            The counts, the number of problems of each kind, and last the full lists.
        """
        return {
            "config": self.config,
            "synthetic": self.synthetic,
            "rows_digest": self.rows_digest,
            "options": self.options,
            "rows_in": self.rows_in,
            "rows_out": self.rows_out,
            "rows_dropped": self.rows_dropped,
            "sessions": sorted(self.sessions),
            "dialogues": len(self.dialogues),
            "speakers": len(self.speakers),
            "hours": round(self.seconds / 3600, 4),
            "emotions": dict(self.emotions.most_common()),
            "multi_label_rows": self.multi_label_rows,
            "silent_rows": self.silent_rows,
            "missing_transcripts": self.missing_transcripts,
            "missing_translations": self.missing_translations,
            "translation": self.translation,
            "scripts": self.scripts,
            "protocols": self.protocols,
            "problem_counts": self.count_problems(),
            "problems": [asdict(problem) for problem in self.problems],
            "notes": [asdict(note) for note in self.notes],
        }


def format_summary(report: dict[str, Any]) -> str:
    """Say in a few lines what a build found.

    Args:
        report: what `BuildReport.to_dict` returns.

    Returns:
        Lines for a terminal; the first says so if the corpus is synthetic.
    """
    lines = []
    if report["synthetic"] is not None:
        lines.append("SYNTHETIC corpus: no figure of it says anything about people.")
    emotions = ", ".join(f"{name} {count:,}" for name, count in report["emotions"].items())
    lines += [
        f"{report['config']}: {report['rows_in']:,} rows in = {report['rows_out']:,} rows out "
        f"+ {report['rows_dropped']:,} dropped",
        f"  sessions     {len(report['sessions'])}, dialogues {report['dialogues']}, "
        f"speakers {report['speakers']}, hours {report['hours']:.2f}",
        f"  emotions     {emotions} (rows with several: {report['multi_label_rows']:,})",
        f"  silent       {report['silent_rows']:,}",
        f"  transcripts  {report['missing_transcripts']:,} missing",
        f"  translations {_describe_translations(report)}",
        *(f"  {line}" for line in describe_scripts(report["scripts"])),
        *(f"  {line}" for line in describe_protocols(report["protocols"])),
    ]
    return "\n".join(lines + _list_problems(report["problems"]))


def describe_scripts(scripts: dict[str, Any] | None) -> list[str]:
    """Say which dialogues play the same script, and how sure that is.

    Args:
        scripts: what `ScriptClusters.to_dict` returns; None where nothing was compared.

    Returns:
        One line, and one for each warning.
    """
    if scripts is None:
        return []
    verdict = scripts["verdict"]
    gap = "from the given file" if scripts["gap"] is None else f"merge gap {scripts['gap']:.3f}"
    if verdict == "refused":
        line = f"not known ({gap}): `script` and `is_scripted` are empty"
    elif verdict == "none":
        line = f"none recurs: each of the {scripts['single']} dialogues stands alone ({gap})"
    else:
        line = (
            f"{scripts['recurring']} recur in {scripts['scripted']} dialogues, "
            f"{scripts['single']} dialogues play none ({gap})"
        )
    return [f"scripts      {line}", *(f"  {warning}" for warning in scripts["warnings"])]


def describe_protocols(protocols: dict[str, dict[str, Any]] | None) -> list[str]:
    """Say how a model may be tested, what is a leak, and why a protocol is not there.

    Args:
        protocols: what `write_protocols` returns; None where no folds were written.

    Returns:
        One line for each protocol, and one for each reason.
    """
    if protocols is None:
        return []
    lines = [
        f"{name}: {facts['fits']} fits" + (f", {facts['leak']}" if "leak" in facts else "")
        for name, facts in protocols.items()
        if "reason" not in facts
    ]
    missing: dict[str, list[str]] = {}
    for name, facts in protocols.items():
        if "reason" in facts:
            missing.setdefault(facts["reason"], []).append(name)
    lines += [f"without {' and '.join(names)}: {reason}" for reason, names in missing.items()]
    return [f"protocols    {lines[0]}", *(f"             {line}" for line in lines[1:])]


def _describe_translations(report: dict[str, Any]) -> str:
    facts = report["translation"]
    if facts is None:
        return "none given: `text_en` is empty in every row"
    return f"{report['missing_translations']:,} missing, {facts['flagged']:,} flagged"


def _list_problems(problems: list[dict[str, Any]]) -> list[str]:
    """Two lines a kind: how many, rows lost, the first places; and what the first one is."""
    by_kind: dict[str, list[Problem]] = {}
    for problem in problems:
        by_kind.setdefault(problem["kind"], []).append(Problem(**problem))
    lines = []
    for kind, found in sorted(by_kind.items(), key=lambda item: -len(item[1])):
        dropped = sum(problem.rows_dropped for problem in found)
        places = ", ".join(problem.place for problem in found[:FILES_NAMED_PER_KIND])
        more = ", …" if len(found) > FILES_NAMED_PER_KIND else ""
        lines.append(f"  ! {kind}: {len(found):,}, rows dropped {dropped:,}: {places}{more}")
        lines.append(f"      {found[0].message}")
    return lines
