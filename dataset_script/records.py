"""A corpus as a sequence of records: annotation, wav and transcript of each segment, in order.

This is where the parts of the readers meet: files are found by stem (`files.py`), annotations
checked (`annotations.py`, `pairs.py`), names repaired (`repairs.py`), transcripts decoded
(`transcripts.py`) and wavs inspected (`audio.py`); `corpus.py` has what sets the corpora apart.
Opening a corpus reads annotations and transcripts, a few MB; the recordings are read one at a time
while the records are iterated, so memory stays flat.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from .annotations import Annotation
from .audio import BadWavError, WavFacts, inspect_wav
from .discovery import find_annotation_files, read_synthetic_marker
from .files import CorpusFiles, UnreadableFileError, index_by_stem
from .layout import LAYOUTS, ROLES
from .report import BuildReport, CorpusError
from .transcripts import clean_transcript, decide_encoding, decode_transcript

LONG_WAV = 60.0  # seconds; the longest of KEMDy19 has 77.6, of KEMDy20 35.2


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


class KemdyCorpus:
    """What the readers of both corpora share; `corpus.py` has the two.

    Args:
        folder: its files.
        report: takes every problem of the corpus; `rows_in` and `synthetic` are set here.
        role: whose emotion the labels describe: `speaker` or `listener`.
        needs_recordings: whether to refuse a corpus without a single wav.

    Attributes:
        config: name of the builder config, such as `kemdy20`.
        annotations: usable annotation rows by session, each session in the order of its file.

    Raises:
        CorpusError: if there is no annotation file, no usable annotation row or no wav, or
            if the corpus has no labels of this role.
    """

    config: str

    def __init__(
        self,
        folder: CorpusFiles,
        report: BuildReport,
        *,
        role: str = ROLES[0],
        needs_recordings: bool = True,
    ) -> None:
        check_role(self.config, role)
        self._layout = LAYOUTS[self.config]
        self._folder = folder
        self._report = report
        self._role = role
        report.synthetic = read_synthetic_marker(folder)
        files = find_annotation_files(folder, self.config)
        self._wavs = self._index_segments(".wav")
        self._txts = self._index_segments(".txt")
        self.annotations = self._drop_repeated(self._read_annotations(files))
        if not self.annotations:
            first = next((f"{p.place}: {p.message}" for p in report.problems), "no data row")
            raise CorpusError(
                f"None of the {sum(map(len, files.values()))} annotation file(s) in "
                f"{str(folder.root)!r} has a usable row; the first problem is {first}."
            )
        if needs_recordings and not self.has_recordings:
            raise CorpusError(
                f"{str(folder.root)!r} has annotations of {self._layout.title} and no wav named "
                "after a segment; unpack the version that comes with the recordings."
            )
        self._unreadable: dict[str, str] = {}  # why a transcript cannot be read
        self._transcripts = self._load_transcripts()
        self._encoding = decide_encoding(
            self._transcripts.values(), default=self._layout.transcript_encoding
        )
        self._report_unknown_wavs()
        self._report_unknown_transcripts()

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
            except (BadWavError, UnreadableFileError) as error:
                kind = error.kind if isinstance(error, BadWavError) else "unreadable_wav"
                message = f"the wav {error}"
                self._report_row(annotation, kind, message=message, dropped=True, file=name)
                continue
            record = Record(annotation, wav, facts, self._decode_transcript(annotation))
            self._note_oddities(record)
            yield record

    def read_transcripts(self) -> Iterator[tuple[Annotation, str]]:
        """Read what is said in every row, without its recording and without a word in the report.

        Yields:
            Each annotation and its raw transcript; "" where there is none that can be read.
        """
        for annotation in self.annotations:
            yield annotation, self._decode(annotation.segment_id)[0] or ""

    def join_dialogues(self) -> dict[tuple[int, str], str]:
        """Join what is said in each dialogue.

        Returns:
            By session number and name of the dialogue, the cleaned transcripts of all its rows in
            turn order, whether their recordings can be used or not; "" if there is none.
        """
        spoken: dict[tuple[int, str], list[str]] = {}
        for annotation, text in self.read_transcripts():
            turns = spoken.setdefault((annotation.session, annotation.dialogue), [])
            turns.append(clean_transcript(text))
        return {dialogue: " ".join(filter(None, turns)) for dialogue, turns in spoken.items()}

    @property
    def has_recordings(self) -> bool:
        """Whether there is any wav that is named after a segment."""
        return bool(self._wavs)

    def _note_oddities(self, record: Record) -> None:
        """Note a wav that is silent or far longer than others, and a text of nothing but marks."""
        segment_id, facts = record.annotation.segment_id, record.facts
        found = []
        if facts.is_silent:
            found.append(("silent_wav", self._wavs, "every sample is zero; it was flagged"))
        if facts.duration > LONG_WAV:
            found.append(("long_wav", self._wavs, f"it lasts {facts.duration:.1f} s, all was kept"))
        if not record.transcript and self._transcripts.get(segment_id) is not None:
            found.append(("empty_transcript", self._txts, "it holds no word and no mark"))
        if record.transcript and not clean_transcript(record.transcript):
            found.append(("marks_only", self._txts, "nothing but marks; without them it is empty"))
        for kind, files, message in found:
            self._report.add_note(kind, files[segment_id], segment_id=segment_id, message=message)

    def _read_annotations(self, files: dict[int, list[str]]) -> list[Annotation]:
        """The usable rows of the annotation files, which are given by session."""
        raise NotImplementedError

    def _skip_copies(self, names: list[str]) -> str:
        """The first of several files of one name; the others are named."""
        for copy in names[1:]:
            message = f"this copy was ignored, {names[0]} was read"
            self._report.add_problem("duplicate_file", copy, message=message)
        return names[0]

    def _read_annotation_file(self, name: str) -> bytes | None:
        """The bytes of an annotation file; None, and its name in the report, if there are none."""
        try:
            return self._folder.read(name)
        except UnreadableFileError as error:
            message = f"the file {error}; how many rows it holds is unknown"
            self._report.add_problem("annotation_file", name, message=message)
            return None

    def _load_transcripts(self) -> dict[str, bytes]:
        """The bytes of all transcripts; those that cannot be read are noted in `_unreadable`."""
        contents = {}
        for segment_id, name in self._txts.items():
            try:
                contents[segment_id] = self._folder.read(name)
            except UnreadableFileError as error:
                self._unreadable[segment_id] = str(error)
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
            if not self._layout.segment_id.match(stem):
                continue
            index[stem] = names[0]
            for name in names[1:]:
                message = f"this copy was ignored, {names[0]} was read"
                self._report.add_problem("duplicate_file", name, segment_id=stem, message=message)
        return index

    def _decode(self, segment_id: str) -> tuple[str | None, str | None]:
        """Text and encoding of a transcript; two None where there is none that can be read."""
        content = self._transcripts.get(segment_id)
        if content is None:
            return None, None
        return decode_transcript(content, encoding=self._encoding)

    def _decode_transcript(self, annotation: Annotation) -> str:
        """The raw transcript; "" with a problem where there is none that can be read."""
        segment_id = annotation.segment_id
        if segment_id not in self._txts:
            self._report.missing_transcripts += 1
            expected = str(PurePosixPath(self._wavs[segment_id]).with_suffix(".txt"))
            message = "there is no such transcript"
            self._report_row(annotation, "missing_transcript", message=message, file=expected)
            return ""
        file = self._txts[segment_id]
        text, encoding = self._decode(segment_id)
        if text is None:
            self._report.missing_transcripts += 1
            fault = self._unreadable.get(segment_id, "is neither UTF-8 nor CP949")
            message = f"the transcript {fault}"
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
        known |= {
            problem.segment_id
            for problem in self._report.problems
            if problem.segment_id and problem.kind != "duplicate_file"
        }
        by_session: dict[int, list[str]] = {}
        for segment_id in self._wavs.keys() - known:
            session = int(self._layout.segment_id.match(segment_id)["session"])
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

    def _report_unknown_transcripts(self) -> None:
        """Name transcripts that belong to no row and to no wav."""
        known = {annotation.segment_id for annotation in self.annotations} | self._wavs.keys()
        known |= {problem.segment_id for problem in self._report.problems if problem.segment_id}
        for segment_id in sorted(self._txts.keys() - known):
            message = "there is neither a row nor a wav of this name; it was not used"
            self._report.add_problem("unknown_transcript", self._txts[segment_id], message=message)


def check_role(config: str, role: str) -> None:
    """Refuse labels that a corpus does not have.

    Args:
        config: which corpus it is.
        role: whose emotion the labels shall describe.

    Raises:
        CorpusError: if the corpus has no labels of this role.
    """
    allowed = ROLES if config == "kemdy19" else ROLES[:1]
    if role not in allowed:
        raise CorpusError(
            f"`role` is {role!r} for {config}; allowed are {', '.join(allowed)}: only the ten "
            "raters of KEMDy19 judged the listener too."
        )
