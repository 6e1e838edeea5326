"""A corpus as a sequence of records: annotation, wav and transcript of each segment, in order.

This is where the parts of the reader meet: files are found by stem (`files.py`), annotations
checked (`annotations.py`), transcripts decoded (`transcripts.py`) and wavs inspected (`audio.py`).
Opening a corpus reads annotations and transcripts, a few MB; the recordings are read one at a time
while the records are iterated, so memory stays flat.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from .annotations import Annotation, read_annotation_kemdy20
from .audio import BadWavError, WavFacts, inspect_wav
from .files import CorpusFolder, index_by_stem
from .layout import (
    ANNOTATION_NAME_KEMDY20,
    SEGMENT_ID_KEMDY20,
    SYNTHETIC_MARKER,
    TRANSCRIPT_ENCODING_KEMDY20,
)
from .report import BuildReport, CorpusError
from .transcripts import decide_encoding, decode_transcript


@dataclass(frozen=True)
class Record:
    """One segment with all that the corpus holds of it.

    Attributes:
        annotation: names and labels.
        wav: bytes of the whole wav file.
        facts: duration and silence of the wav.
        transcript: the raw line; "" where there is none.
    """

    annotation: Annotation
    wav: bytes = field(repr=False)
    facts: WavFacts
    transcript: str


class Kemdy20Corpus:
    """An unpacked KEMDy20, or a sample corpus in its layout.

    Args:
        folder: its files.
        report: takes every problem of the corpus; `rows_in` and `synthetic` are set here.

    Attributes:
        annotations: usable annotation rows by session, each session in the order of its file.

    Raises:
        CorpusError: if there is no annotation file, no usable annotation row or no wav at all.
    """

    def __init__(self, folder: CorpusFolder, report: BuildReport) -> None:
        self._folder = folder
        self._report = report
        report.synthetic = read_synthetic_marker(folder)
        self.annotations = self._read_annotations()
        self._wavs = self._index_segments(".wav")
        if not self._wavs:
            raise CorpusError(
                f"{str(folder.root)!r} has annotations of KEMDy20 and no wav named after a "
                "segment; unpack the version that comes with the recordings."
            )
        self._txts = self._index_segments(".txt")
        self._transcripts = self._read_transcripts()
        self._encoding = decide_encoding(
            self._transcripts.values(), default=TRANSCRIPT_ENCODING_KEMDY20
        )
        self._report_unknown_wavs()
        self._report_shared_users()

    def __iter__(self) -> Iterator[Record]:
        """Read the records; one whose wav is missing or broken is reported and left out."""
        for annotation in self.annotations:
            name = self._wavs.get(annotation.segment_id)
            if name is None:
                self._report_row(annotation, "missing_wav", message="it has no wav", dropped=True)
                continue
            try:
                wav = self._folder.read(name)
                facts = inspect_wav(wav)
            except (BadWavError, OSError) as error:
                broken = isinstance(error, BadWavError)
                self._report_row(
                    annotation,
                    error.kind if broken else "unreadable_wav",
                    message=f"the wav {error if broken else _cannot_be_read(error)}",
                    dropped=True,
                    file=name,
                )
                continue
            yield Record(annotation, wav, facts, self._decode_transcript(annotation))

    def _read_annotations(self) -> list[Annotation]:
        rows: list[Annotation] = []
        files = find_annotation_files(self._folder)
        for names in files.values():
            for copy in names[1:]:
                message = f"this copy was ignored, {names[0]} was read"
                self._report.add_problem("duplicate_file", copy, message=message)
            try:
                content = self._folder.read(names[0])
            except OSError as error:
                self._report.add_problem(
                    "annotation_file", names[0], message=f"the file {_cannot_be_read(error)}"
                )
                continue
            rows += read_annotation_kemdy20(names[0], content, self._report)
        rows = self._drop_repeated(rows)
        if not rows:
            first = next((f"{p.place}: {p.message}" for p in self._report.problems), "no data row")
            raise CorpusError(
                f"None of the {len(files)} annotation file(s) in {str(self._folder.root)!r} has a "
                f"usable row; the first problem is {first}."
            )
        return rows

    def _read_transcripts(self) -> dict[str, bytes]:
        """The bytes of every transcript that the system can read; the others are named."""
        contents = {}
        for segment_id, name in self._txts.items():
            try:
                contents[segment_id] = self._folder.read(name)
            except OSError as error:
                message = f"the transcript {_cannot_be_read(error)}; its row was kept"
                self._report.add_problem(
                    "unreadable_transcript", name, segment_id=segment_id, message=message
                )
        return contents

    def _drop_repeated(self, rows: list[Annotation]) -> list[Annotation]:
        first: dict[str, Annotation] = {}
        for row in rows:
            kept = first.setdefault(row.segment_id, row)
            if kept is not row:
                message = f"line {kept.line} has the same Segment ID"
                self._report_row(row, "repeated_segment", message=message, dropped=True)
        return list(first.values())

    def _index_segments(self, extension: str) -> dict[str, str]:
        """The file of each segment; the first of several in the order of their paths."""
        index = {}
        for stem, names in index_by_stem(self._folder.names, extension=extension).items():
            if not SEGMENT_ID_KEMDY20.match(stem):
                continue
            index[stem] = names[0]
            for name in names[1:]:
                message = f"this copy was ignored, {names[0]} was read"
                self._report.add_problem("duplicate_file", name, segment_id=stem, message=message)
        return index

    def _decode_transcript(self, annotation: Annotation) -> str:
        """The raw transcript; "" with a problem where there is none that can be read."""
        segment_id = annotation.segment_id
        if segment_id not in self._transcripts:
            self._report.missing_transcripts += 1
            if segment_id in self._txts:
                return ""  # named when it could not be read
            expected = str(PurePosixPath(self._wavs[segment_id]).with_suffix(".txt"))
            message = "there is no such transcript"
            self._report_row(annotation, "missing_transcript", message=message, file=expected)
            return ""
        file = self._txts[segment_id]
        text, encoding = decode_transcript(self._transcripts[segment_id], encoding=self._encoding)
        if text is None:
            self._report.missing_transcripts += 1
            message = "the transcript is neither UTF-8 nor CP949"
            self._report_row(annotation, "unreadable_transcript", message=message, file=file)
            return ""
        if encoding != self._encoding:
            message = f"the transcript is {encoding} in a corpus of {self._encoding}"
            self._report_row(annotation, "transcript_encoding", message=message, file=file)
        return text

    def _report_row(
        self,
        annotation: Annotation,
        kind: str,
        *,
        message: str,
        dropped: bool = False,
        file: str | None = None,
    ) -> None:
        """Add a problem of one row, at its line of the annotation unless another file is named."""
        self._report.add_problem(
            kind,
            file or annotation.file,
            line=None if file else annotation.line,
            segment_id=annotation.segment_id,
            message=f"{message}; the row was {'dropped' if dropped else 'kept'}",
            rows_dropped=int(dropped),
        )

    def _report_unknown_wavs(self) -> None:
        """Name recordings that no row speaks of; a session without any row is named once."""
        known = {annotation.segment_id for annotation in self.annotations}
        known |= {problem.segment_id for problem in self._report.problems if problem.segment_id}
        by_session: dict[int, list[str]] = {}
        for segment_id in self._wavs.keys() - known:
            session = int(SEGMENT_ID_KEMDY20.match(segment_id)["session"])
            by_session.setdefault(session, []).append(self._wavs[segment_id])
        annotated = {annotation.session for annotation in self.annotations}
        for session, names in sorted(by_session.items()):
            names.sort()
            if session in annotated:
                for name in names:
                    message = "no row names this wav; it was not used"
                    self._report.add_problem("unknown_wav", name, message=message)
            else:
                message = f"{len(names)} wavs of session {session} have no readable annotation"
                self._report.add_problem(
                    "unannotated_session", str(PurePosixPath(names[0]).parent), message=message
                )

    def _report_shared_users(self) -> None:
        """Name users of two sessions: folds by session would put one person on both sides."""
        first: dict[str, Annotation] = {}
        for annotation in self.annotations:
            user = annotation.speaker.split("_", 1)[1]
            seen = first.setdefault(user, annotation)
            if seen.session != annotation.session:
                first[user] = annotation
                message = f"{user} also speaks in session {seen.session}; the row was kept"
                self._report.add_problem(
                    "shared_user", annotation.file, line=annotation.line, message=message
                )


def _cannot_be_read(error: OSError) -> str:
    return f"cannot be read by this system ({error.strerror}): mend or replace it"


def find_annotation_files(folder: CorpusFolder) -> dict[int, list[str]]:
    """Find the annotation files of KEMDy20 below a folder.

    Args:
        folder: the corpus.

    Returns:
        By session number, ascending: its file, and copies of it if there are any.

    Raises:
        CorpusError: if there is none.
    """
    files: dict[int, list[str]] = {}
    for name in folder.names:
        match = ANNOTATION_NAME_KEMDY20.match(PurePosixPath(name).name)
        if match:
            files.setdefault(int(match["session"]), []).append(name)
    if not files:
        raise CorpusError(
            f"{str(folder.root)!r} holds no annotation file of KEMDy20 (Sess01_eval.csv …); "
            "give the folder of the unpacked corpus."
        )
    return dict(sorted(files.items()))


def read_synthetic_marker(folder: CorpusFolder) -> dict[str, Any] | None:
    """Read what a generated corpus says about itself.

    Args:
        folder: the corpus.

    Returns:
        The object in its marker file, wherever below the root that is; None if there is no such
        file, so the corpus counts as real.

    Raises:
        CorpusError: if the file is not a JSON object.
    """
    name = next((n for n in folder.names if PurePosixPath(n).name == SYNTHETIC_MARKER), None)
    if name is None:
        return None
    try:
        marker = json.loads(folder.read(name))
    except ValueError as error:
        raise CorpusError(f"`{name}` of the corpus is not JSON ({error}).") from error
    if not isinstance(marker, dict):
        raise CorpusError(f"`{name}` of the corpus is no JSON object; got {marker!r}.")
    return marker
