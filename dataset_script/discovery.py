"""What a folder holds: which corpus, its annotation files, and whether it was generated."""

import json
from pathlib import PurePosixPath
from typing import Any

from .files import CorpusFiles
from .layout import LAYOUTS, SYNTHETIC_MARKER
from .report import CorpusError


def find_annotation_files(folder: CorpusFiles, config: str) -> dict[int, list[str]]:
    """Find the annotation files of one corpus below a folder.

    Args:
        folder: the files.
        config: which corpus to look for.

    Returns:
        By session number, ascending: its files, and copies of them if there are any.

    Raises:
        CorpusError: if there is none, the message then names the corpus that is there in its
            place; or if there are two whole sets of them, so two versions of the corpus.
    """
    found = {name: _match_annotation_names(folder, name) for name in LAYOUTS}
    if not found[config]:
        layout = LAYOUTS[config]
        others = ", ".join(name for name, files in found.items() if files)
        advice = f"it holds {others}" if others else "give the folder or zip of the corpus"
        raise CorpusError(
            f"{str(folder.root)!r} holds no annotation file of {layout.title} "
            f"({layout.annotation_example} …); {advice}."
        )
    _refuse_two_versions(found[config], folder, config)
    return found[config]


def _refuse_two_versions(files: dict[int, list[str]], folder: CorpusFiles, config: str) -> None:
    """Refuse a folder that several versions were unpacked into: nothing says which one is meant.

    A few copies that lie about are another matter: the readers name them and pass them over.
    """
    places: dict[str, list[str]] = {}
    for name in (name for names in files.values() for name in names):
        path = PurePosixPath(name)
        places.setdefault(path.name.lower(), []).append(str(path.parent))
    doubled = [found for found in places.values() if len(found) > 1]
    if len(places) > 1 and 2 * len(doubled) > len(places):
        first, second, *_ = doubled[0]
        raise CorpusError(
            f"{str(folder.root)!r} holds {len(doubled)} of {len(places)} annotation files of "
            f"{LAYOUTS[config].title} more than once, in {first!r} and {second!r}; give the "
            "folder of one version."
        )


def find_corpora(folder: CorpusFiles) -> list[str]:
    """Find out which corpora there are below a folder.

    Args:
        folder: the files.

    Returns:
        Names of their configs; at least one.

    Raises:
        CorpusError: if there is none.
    """
    found = [config for config in LAYOUTS if _match_annotation_names(folder, config)]
    if not found:
        names = " or ".join(
            f"{layout.title} ({layout.annotation_example} …)" for layout in LAYOUTS.values()
        )
        raise CorpusError(
            f"{str(folder.root)!r} holds no annotation file of {names}; "
            "give the folder or zip of a corpus."
        )
    return found


def _match_annotation_names(folder: CorpusFiles, config: str) -> dict[int, list[str]]:
    files: dict[int, list[str]] = {}
    for name in folder.names:
        match = LAYOUTS[config].annotation_name.match(PurePosixPath(name).name)
        if match:
            files.setdefault(int(match["session"]), []).append(name)
    return dict(sorted(files.items()))


def read_synthetic_marker(folder: CorpusFiles) -> dict[str, Any] | None:
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
