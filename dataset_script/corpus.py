"""The two corpora, each with what sets it apart: how its annotation is read and what is mended."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from .annotations import Annotation, read_annotation_kemdy20
from .files import CorpusFiles
from .layout import ROLES
from .pairs import SegmentPair, pick_annotation, read_pairs, report_name_in_f
from .records import KemdyCorpus
from .repairs import find_misnamed_transcript, find_unused_wav
from .report import BuildReport


class Kemdy20Corpus(KemdyCorpus):
    """KEMDy20, or a sample corpus in its layout."""

    config = "kemdy20"

    def __init__(self, folder: CorpusFiles, report: BuildReport, **options: Any) -> None:
        super().__init__(folder, report, **options)
        self._report_shared_users()

    def _read_annotations(self, files: dict[int, list[str]]) -> list[Annotation]:
        rows: list[Annotation] = []
        for names in files.values():
            name = self._skip_copies(names)
            content = self._read_annotation_file(name)
            if content is not None:
                rows += read_annotation_kemdy20(name, content, self._report)
        return rows

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


class Kemdy19Corpus(KemdyCorpus):
    """KEMDy19, or a sample corpus in its layout."""

    config = "kemdy19"

    def _read_annotations(self, files: dict[int, list[str]]) -> list[Annotation]:
        rows: list[Annotation | None] = []
        for session, names in files.items():
            by_gender: dict[str, list[str]] = {}
            for name in names:
                match = self._layout.annotation_name.match(PurePosixPath(name).name)
                by_gender.setdefault(match["gender"].upper(), []).append(name)
            chosen = {gender: self._skip_copies(found) for gender, found in by_gender.items()}
            contents = {
                gender: (name, content)
                for gender, name in chosen.items()
                if (content := self._read_annotation_file(name)) is not None
            }
            if not contents:
                continue
            dropped = self._report.rows_dropped
            pairs = read_pairs(session, contents, self._report)
            if self._report.rows_dropped == dropped:  # else an unused wav may be a lost row's
                pairs = self._repair_names(pairs)
            for pair in pairs:
                report_name_in_f(pair, self._report)
                rows.append(pick_annotation(pair, role=self._role, report=self._report))
        found = [row for row in rows if row is not None]
        self._repair_transcripts(found)
        return found

    def _repair_names(self, pairs: list[SegmentPair]) -> list[SegmentPair]:
        """Give a row without a wav the only unused wav of its dialogue."""
        wavs, txts = _group_by_dialogue(self._wavs), _group_by_dialogue(self._txts)
        by_dialogue: dict[str, list[SegmentPair]] = {}
        for pair in pairs:
            by_dialogue.setdefault(pair.dialogue, []).append(pair)
        mended: dict[str, SegmentPair] = {}
        for dialogue, members in by_dialogue.items():
            repair = find_unused_wav(
                members, wavs.get(dialogue, ()), transcripts=txts.get(dialogue, ())
            )
            if repair is None:
                continue
            pair, wav = repair
            mended[pair.segment_id] = replace(pair, segment_id=wav, name_in_f=wav)
            line, file = pair.rows["M"][0], pair.files["M"]
            message = (
                f"{pair.segment_id!r} has no wav and was read as {wav!r}, the only unused wav of "
                "its dialogue; the row was kept"
            )
            self._report.add_problem(
                "repaired_segment", file, line=line, segment_id=wav, message=message
            )
        return [mended.get(pair.segment_id, pair) for pair in pairs]

    def _repair_transcripts(self, rows: list[Annotation]) -> None:
        """Give a segment without a transcript the misnamed one of its dialogue."""
        wavs = _group_by_dialogue(self._wavs)
        txts = _group_by_dialogue(self._txts)
        segments = _group_by_dialogue(row.segment_id for row in rows)
        for dialogue, members in segments.items():
            repair = find_misnamed_transcript(
                members, txts.get(dialogue, ()), wavs=wavs.get(dialogue, ())
            )
            if repair is None:
                continue
            segment_id, stem = repair
            file = self._txts[segment_id] = self._txts.pop(stem)
            message = f"it was read as the transcript of {segment_id!r}, the only one without"
            self._report.add_problem(
                "misnamed_transcript", file, segment_id=segment_id, message=message
            )


def _group_by_dialogue(stems: Iterable[str]) -> dict[str, list[str]]:
    """Group Segment IDs of KEMDy19 by the dialogue that each begins with."""
    groups: dict[str, list[str]] = {}
    for stem in stems:
        groups.setdefault(stem.rsplit("_", 1)[0], []).append(stem)
    return groups


def open_corpus(
    config: str,
    folder: CorpusFiles,
    report: BuildReport,
    *,
    role: str = ROLES[0],
    needs_recordings: bool = True,
) -> KemdyCorpus:
    """Open a corpus with its own reader.

    Args:
        config: `kemdy19` or `kemdy20`.
        folder: its files.
        report: takes every problem of the corpus.
        role: whose emotion the labels describe: `speaker` or `listener`.
        needs_recordings: whether to refuse a corpus without a single wav.

    Returns:
        The corpus; iterating it gives its records.

    Raises:
        CorpusError: if it cannot be used at all.
    """
    readers = {reader.config: reader for reader in (Kemdy19Corpus, Kemdy20Corpus)}
    return readers[config](folder, report, role=role, needs_recordings=needs_recordings)
