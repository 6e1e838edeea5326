"""What is released, put together and pushed: a model, a data set, the metric, the demo, or all.

Between the command line and `staging`, `model_card` and `upload`. All of a release is put together
before any of it goes out, so that what is wrong with the last part stops the first.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kemer.dataset_files import is_synthetic
from kemer.release.model_card import write_model_card
from kemer.release.space_staging import stage_space
from kemer.release.staging import (
    stage_dataset,
    stage_identifiers,
    stage_metric,
    stage_model,
)
from kemer.release.upload import Pushed, Target, push_folder

KINDS = {"model": "model", "dataset": "dataset", "metric": "space", "space": "space"}
"""What is released, and the kind of its repository."""

ROOT = Path(__file__).resolve().parents[2]
OWN_SOURCES = {"metric": ROOT / "evaluate_metric", "space": ROOT / "space"}
"""Folders of this project that are released as they are."""

SUFFIXES = {"dataset": "-data", "metric": "-metric", "model": "", "space": "-demo"}
"""What `all` adds to the model's name, in the order of the pushes: the demo loads the model."""


@dataclass(frozen=True)
class Release:
    """A release.

    Attributes:
        what: a key of `KINDS`.
        source: its folder.
        target: the repository.
        text_free: of a data set, release ids, folds and checksums alone.
        model_id: of the demo, the model that it loads.

    Raises:
        ValueError: if an option is of another kind of release, or the demo has no model.
    """

    what: str
    source: Path
    target: Target
    text_free: bool = False
    model_id: str | None = None

    def __post_init__(self) -> None:
        if self.text_free and self.what != "dataset":
            raise ValueError(
                f"`--text-free` is of a data set, and this is a {self.what}; leave it out."
            )
        if (self.model_id is not None) != (self.what == "space"):
            raise ValueError(
                f"`--model` is {self.model_id!r}, and this is a {self.what}; the demo has to be "
                "told the model that it loads, and nothing else may."
            )

    def stage(self, folder: Path) -> None:
        """Put the release together in an empty folder.

        Raises:
            ValueError: if the source is not what it should be, or a licensed data set would be
                public.
        """
        if self.what == "model":
            stage_model(self.source, folder)
            text = (self.source / "metrics.json").read_text(encoding="utf-8")
            card = write_model_card(json.loads(text), repo_id=self.target.repo_id)
            (folder / "README.md").write_text(card, encoding="utf-8")
        elif self.what == "metric":
            stage_metric(self.source, folder, name=self.target.repo_id.split("/")[-1])
        elif self.what == "space":
            stage_space(self.source, folder, model_id=str(self.model_id))
        elif self.text_free:
            stage_identifiers(self.source, folder)
        else:
            _refuse_licensed(self.source, public=self.target.public)
            stage_dataset(self.source, folder)


def all_releases(
    run: Path,
    dataset: Path,
    *,
    repo_id: str,
    public: bool = False,
    tag: str | None = None,
    text_free: bool = False,
) -> list[Release]:
    """Return the releases of a run, its data set, the metric and a demo of the run's model.

    Args:
        run: folder of a run of `train.py`.
        dataset: folder that `python -m dataset_script build` wrote.
        repo_id: of the model; the others are named after it.
        public: whether everybody may see them.
        tag: of all four.
        text_free: of the data set, release ids, folds and checksums alone.
    """
    sources = {"model": run, "dataset": dataset, **OWN_SOURCES}
    return [
        Release(
            what,
            sources[what],
            Target(repo_id + suffix, KINDS[what], public=public, tag=tag),
            text_free=text_free and what == "dataset",
            model_id=repo_id if what == "space" else None,
        )
        for what, suffix in SUFFIXES.items()
    ]


def push_releases(releases: Sequence[Release]) -> list[Pushed]:
    """Put releases together, all of them, and push them one after another.

    Args:
        releases: in the order of the pushes.

    Raises:
        ValueError: if one of them cannot be put together; none is pushed then.
        OSError: if the Hub refuses, or cannot be reached; those before have gone out.
    """
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / release.what for release in releases]
        for release, folder in zip(releases, folders, strict=True):
            folder.mkdir()
            release.stage(folder)
        return [
            push_folder(
                folder,
                release.target,
                message=f"Release {release.target.tag or f'of a {release.what}'}",
            )
            for release, folder in zip(releases, folders, strict=True)
        ]


def _refuse_licensed(source: Path, *, public: bool) -> None:
    """Raise ValueError if audio and transcripts of the corpora would become public."""
    if public and not is_synthetic(source):
        raise ValueError(
            f"`SOURCE` {source} holds audio and transcripts of KEMDy, whose licence forbids to "
            "hand them on; release it without `--public`, or with `--text-free`, which releases "
            "ids, folds and checksums alone."
        )
