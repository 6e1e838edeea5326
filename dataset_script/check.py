"""Looks a corpus over before anything is built: what is there, what was expected, what is odd.

Every recording and bio-signal is read once and nothing is written. A figure that is not the
expected one is marked, a fault is listed with its file and line, and neither is an error: a newer
version of a corpus may well differ.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .annotations import Annotation
from .archive import open_files
from .clusters import cluster_scripts
from .corpus import open_corpus
from .discovery import find_corpora
from .expectations import EXPECTATIONS, Expectation
from .files import CorpusFiles
from .layout import EMOTIONS, LAYOUTS, ROLES
from .records import KemdyCorpus
from .report import BuildReport, Problem, describe_scripts
from .signal_files import SIGNALS, find_signal_files, report_missing_files
from .signals import list_segments

HOURS_TOLERANCE = 0.05  # the expected figure has one decimal


@dataclass(frozen=True)
class Figure:
    """One count beside what was expected of it.

    Attributes:
        name: what was counted.
        found: the count, or hours.
        expected: the same of the corpus as it is known; None where nothing is known.
        tolerance: by how much the two may differ.
    """

    name: str
    found: float
    expected: float | None
    tolerance: float = 0

    @property
    def differs(self) -> bool:
        """Whether the count is not the expected one."""
        return self.expected is not None and abs(self.found - self.expected) > self.tolerance


def check_corpora(path: str | Path) -> list[dict[str, Any]]:
    """Look over every corpus that a folder or zip holds.

    Args:
        path: the folder or the zip.

    Returns:
        By corpus: `config`, `synthetic`, `figures` (each with `name`, `found`, `expected` and
        `differs`), `scripts` (as in a build's report), `rows_in`, `rows_out`, `rows_dropped`,
        `problems` and `notes`.

    Raises:
        CorpusError: if there is no corpus or none of its rows can be read.
    """
    files = open_files(path)
    return [_check_corpus(config, files) for config in find_corpora(files)]


def format_check(results: Iterable[dict[str, Any]]) -> str:
    """Write what `check_corpora` found for a person to read.

    Args:
        results: what it returned.

    Returns:
        Lines for a terminal: the figures, then every problem and note with its place.
    """
    return "\n".join(line for result in results for line in _format_corpus(result))


def _check_corpus(config: str, files: CorpusFiles) -> dict[str, Any]:
    report = BuildReport(config)
    corpus = open_corpus(config, files, report, needs_recordings=False)
    report.scripts = cluster_scripts(corpus.join_dialogues()).to_dict()
    if corpus.has_recordings:
        _count_records(corpus, report)
    else:
        _count_annotations(corpus, report)
    if config == "kemdy19":
        _add_problems_of_listeners(files, report)
    signals = _count_signals(corpus, files, report)
    expected = EXPECTATIONS[config] if report.synthetic is None else None
    return {
        "config": config,
        "synthetic": report.synthetic,
        "rows_in": report.rows_in,
        "rows_out": report.rows_out,
        "rows_dropped": report.rows_dropped,
        "figures": [
            {
                "name": figure.name,
                "found": figure.found,
                "expected": figure.expected,
                "differs": figure.differs,
            }
            for figure in _compare(report, expected, signals)
        ],
        "scripts": report.scripts,
        "problems": [asdict(problem) for problem in report.problems],
        "notes": [asdict(note) for note in report.notes],
    }


def _count_records(corpus: KemdyCorpus, report: BuildReport) -> None:
    from tqdm import tqdm

    total = len(corpus.annotations)
    # On a terminal only: a log file is no place for a progress bar.
    for record in tqdm(corpus, total=total, unit="wav", disable=not sys.stderr.isatty()):
        row = {"duration": record.facts.duration, "is_silent": record.facts.is_silent}
        _count(record.annotation, row, report)


def _count_annotations(corpus: KemdyCorpus, report: BuildReport) -> None:
    """Count what can be counted of a version without recordings."""
    for annotation in corpus.annotations:
        _count(annotation, {"duration": 0.0, "is_silent": False}, report)
    message = "there is no wav named after a segment; a build needs the version with recordings"
    report.add_problem("no_recordings", "wav", message=message)


def _count(annotation: Annotation, row: dict[str, Any], report: BuildReport) -> None:
    names = {
        "session": annotation.session,
        "dialogue": annotation.dialogue,
        "speaker": annotation.speaker,
    }
    report.count_row({**row, **names}, annotation.ratings.emotions)


def _add_problems_of_listeners(files: CorpusFiles, report: BuildReport) -> None:
    """List what is wrong with the labels of KEMDy19 that only `--role listener` reads."""
    listeners = BuildReport(report.config)
    open_corpus(report.config, files, listeners, role=ROLES[1], needs_recordings=False)
    for known, found in ((report.problems, listeners.problems), (report.notes, listeners.notes)):
        places = {(problem.kind, problem.place) for problem in known}
        for problem in found:
            if (problem.kind, problem.place) not in places:
                message = f"(as listener) {problem.message}"
                fields = {**asdict(problem), "message": message, "rows_dropped": 0}
                known.append(Problem(**fields))


def _count_signals(corpus: KemdyCorpus, folder: CorpusFiles, report: BuildReport) -> dict[str, int]:
    """Count pairs of wearer and segment with values by signal; {} if there are no bio-signals."""
    from tqdm import tqdm

    config = corpus.config
    files = find_signal_files(config, folder, report)
    if not files:
        return {}
    report_missing_files(config, files, corpus.annotations, report)
    known = {annotation.segment_id for annotation in corpus.annotations}
    counts = dict.fromkeys(SIGNALS[config], 0)
    for file in tqdm(files, unit="signal file", disable=not sys.stderr.isatty()):
        counts[file.signal] += len(list_segments(config, file, folder, report, known=known))
    return counts


def _compare(
    report: BuildReport, expected: Expectation | None, signals: dict[str, int]
) -> list[Figure]:
    labels = report.single_label_emotions

    def expect(name: str) -> Any:
        return None if expected is None else getattr(expected, name)

    tolerance = expect("label_tolerance") or 0
    figures = [
        Figure("rows", report.rows_out, expect("rows")),
        Figure("sessions", len(report.sessions), expected and len(expected.rows_by_session)),
        Figure("dialogues", len(report.dialogues), expect("dialogues")),
        Figure("speakers", len(report.speakers), expect("speakers")),
        Figure("hours", round(report.seconds / 3600, 2), expect("hours"), HOURS_TOLERANCE),
        Figure("silent wavs", report.silent_rows, expect("silent_wavs")),
        Figure("scripts that recur", _count_scripts(report), expect("scripts")),
    ]
    single = expect("single_label") or {}
    for emotion in EMOTIONS:
        name = f"rows with {emotion} alone"
        figures.append(Figure(name, labels[emotion], single.get(emotion), tolerance))
    several = Figure(
        "rows with several", report.multi_label_rows, expect("several_labels"), tolerance
    )
    segments = expect("signal_segments") or {}
    measured = [
        Figure(f"segments with {signal}", found, segments.get(signal))
        for signal, found in signals.items()
    ]
    return [*figures, several, *measured, *_compare_sessions(report, expected)]


def _count_scripts(report: BuildReport) -> int:
    return 0 if report.scripts["verdict"] == "refused" else report.scripts["recurring"]


def _compare_sessions(report: BuildReport, expected: Expectation | None) -> Iterator[Figure]:
    """The sessions whose rows are not as many as expected."""
    counts = {} if expected is None else dict(enumerate(expected.rows_by_session, 1))
    for session in sorted(counts.keys() | report.sessions):
        name = f"rows of session {session}"
        figure = Figure(name, report.rows_by_session[session], counts.get(session, 0))
        if figure.differs and expected is not None:
            yield figure


def _format_corpus(result: dict[str, Any]) -> Iterator[str]:
    title = LAYOUTS[result["config"]].title
    if result["synthetic"] is not None:
        yield f"{title}, SYNTHETIC: nothing is expected of its counts"
    else:
        yield title
    yield f"  {'':<28}{'found':>10}{'expected':>12}"
    for figure in result["figures"]:
        expected = "-" if figure["expected"] is None else f"{figure['expected']:,}"
        mark = "  differs" if figure["differs"] else ""
        yield f"  {figure['name']:<28}{figure['found']:>10,}{expected:>12}{mark}"
    for line in describe_scripts(result["scripts"]):
        yield f"  {line}"
    for kind, heading in (("problems", "Problems"), ("notes", "Odd and harmless")):
        yield f"{heading}: {len(result[kind])}"
        for problem in sorted(result[kind], key=lambda found: found["kind"]):
            place = Problem(**problem).place
            yield f"  {problem['kind']}  {place}  {problem['message']}"
    differing = sum(figure["differs"] for figure in result["figures"])
    yield (
        f"{title}: {result['rows_in']:,} rows in = {result['rows_out']:,} rows out + "
        f"{result['rows_dropped']:,} dropped; {differing} figure(s) differ from the version that "
        "is known."
    )
