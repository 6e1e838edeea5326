"""Where the bio-signals of both corpora lie and what their files look like, as constants.

The files have no column names. A line that belongs to an utterance ends with its Segment ID, any
other line lacks that field.

    KEMDy20/EDA/Session01/Sess01_script01_User001F.csv    start, rate, then value,time[,segment]
    KEMDy20/IBI/…                                         start, then elapsed,value,time[,segment]
    KEMDy19/EDA/Session01/Original/Sess01F.csv            value,elapsed,time[,segment]; TEMP too
    KEMDy19/ECG/…                                         elapsed,value,time[,segment]
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from .annotations import Annotation
from .files import CorpusFiles
from .layout import GENDERS
from .report import BuildReport


@dataclass(frozen=True)
class SignalColumns:
    """Where the fields of a line stand, from 0.

    Attributes:
        value: the measured value: µS for EDA, °C for TEMP, seconds for IBI, mV or a like unit for
            ECG.
        time: the wearer's clock, as it is written.
        header_lines: lines before the first value.
    """

    value: int
    time: int
    header_lines: int

    @property
    def fields(self) -> int:
        """Number of fields outside of an utterance; inside there is one more."""
        return self.time + 1


SIGNALS = {
    "kemdy19": {
        "ECG": SignalColumns(value=1, time=2, header_lines=0),
        "EDA": SignalColumns(value=0, time=2, header_lines=0),
        "TEMP": SignalColumns(value=0, time=2, header_lines=0),
    },
    "kemdy20": {
        "EDA": SignalColumns(value=0, time=1, header_lines=2),
        "IBI": SignalColumns(value=1, time=2, header_lines=1),
        "TEMP": SignalColumns(value=0, time=1, header_lines=2),
    },
}

FILE_NAMES = {
    "kemdy19": re.compile(r"^Sess(?P<session>\d{2,})(?P<wearer>[FM])$"),
    "kemdy20": re.compile(r"^Sess(?P<session>\d{2,})_script0[1-6]_(?P<wearer>User\d{3,}[FM])$"),
}


@dataclass(frozen=True)
class SignalFile:
    """One file of bio-signals.

    Attributes:
        name: path inside the corpus.
        signal: `ECG`, `EDA`, `IBI` or `TEMP`.
        session: session number in its name, from 1.
        wearer: name of the person who wore the device, as in the annotation.
    """

    name: str
    signal: str
    session: int
    wearer: str


def format_signal_path(signal: str, *, speaker: str, dialogue: str) -> str:
    """Say where a corpus has a signal of one person.

    Args:
        signal: `ECG`, `EDA`, `IBI` or `TEMP`.
        speaker: the person, as in the annotation: of KEMDy20 a user, of KEMDy19 `F` or `M`.
        dialogue: name of the dialogue; KEMDy19 has one file for all of a session.

    Returns:
        The path inside the corpus.

    Example:
        >>> format_signal_path("IBI", speaker="Sess01_User001F", dialogue="Sess01_script01")
        'IBI/Session01/Sess01_script01_User001F.csv'
        >>> format_signal_path("ECG", speaker="Sess01_F", dialogue="Sess01_impro02")
        'ECG/Session01/Original/Sess01F.csv'
    """
    session, wearer = speaker.split("_")
    folder = f"{signal}/{session.replace('Sess', 'Session')}"
    if wearer in GENDERS:
        return f"{folder}/Original/{session}{wearer}.csv"
    return f"{folder}/{dialogue}_{wearer}.csv"


def find_signal_files(config: str, folder: CorpusFiles, report: BuildReport) -> list[SignalFile]:
    """Find the files of bio-signals, wherever they lie.

    Args:
        config: `kemdy19` or `kemdy20`.
        folder: the files of the corpus.
        report: takes a problem for each copy, which is passed over.

    Returns:
        One file for each signal, wearer and, in KEMDy20, dialogue; none if the corpus has no such
        folder.
    """
    chosen: dict[tuple[str, str], SignalFile] = {}
    # `Original` comes first: what folders beside it would hold is not known.
    for name in sorted(folder.names, key=lambda name: ("/Original/" not in f"/{name}", name)):
        path = PurePosixPath(name)
        folders = [part.upper() for part in reversed(path.parts[:-1])]
        signal = next((part for part in folders if part in SIGNALS[config]), None)
        match = FILE_NAMES[config].match(path.stem)
        if signal is None or match is None or path.suffix.lower() != ".csv":
            continue
        session = int(match["session"])
        found = SignalFile(name, signal, session, f"Sess{session:02d}_{match['wearer']}")
        kept = chosen.setdefault((signal, path.stem), found)
        if kept is not found:
            message = f"this copy was ignored, {kept.name} was read"
            report.add_problem("duplicate_file", name, message=message)
    return list(chosen.values())


def report_missing_files(
    config: str, files: Iterable[SignalFile], annotations: Iterable[Annotation], report: BuildReport
) -> None:
    """Note whose signal has no file, by the people and dialogues that the annotation names.

    Args:
        config: `kemdy19` or `kemdy20`.
        files: what `find_signal_files` found.
        annotations: rows of the whole corpus.
        report: takes one note for each file; a signal without any file is noted once.
    """
    speakers: dict[int, set[str]] = {}
    dialogues: dict[int, set[str]] = {}
    for row in annotations:
        speakers.setdefault(row.session, set()).add(row.speaker)
        dialogues.setdefault(row.session, set()).add(row.dialogue)
    stems: dict[str, set[str]] = {signal: set() for signal in SIGNALS[config]}
    roots: dict[str, str] = {}
    for file in files:
        stems[file.signal].add(PurePosixPath(file.name).stem)
        roots.setdefault(file.signal, _find_root(file))
    for signal, found in stems.items():
        if not found:
            message = "the corpus has other signals and no file of this one"
            report.add_note("missing_signal", signal, message=message)
            continue
        expected = {
            format_signal_path(signal, speaker=speaker, dialogue=dialogue): speaker
            for session, people in speakers.items()
            for speaker in people
            for dialogue in dialogues[session]
        }
        for path, speaker in sorted(expected.items()):
            if PurePosixPath(path).stem not in found:
                message = f"there is no such file: nothing was measured of {speaker}"
                report.add_note("missing_signal", roots[signal] + path, message=message)


def _find_root(file: SignalFile) -> str:
    """What precedes the folder of the signal in a path: "" or a path that ends with `/`."""
    parts = PurePosixPath(file.name).parts
    names = [part.upper() for part in parts[:-1]]
    depth = len(names) - 1 - names[::-1].index(file.signal)
    return "".join(f"{part}/" for part in parts[:depth])
