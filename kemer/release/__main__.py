"""Releases a model, a data set or the metric to the Hub, private unless you say otherwise.

    python -m kemer.release model outputs/run --repo-id OWNER/NAME --tag v1
    python -m kemer.release dataset data/kemdy --repo-id OWNER/NAME
    python -m kemer.release metric evaluate_metric --repo-id OWNER/NAME --public

A second push of the same makes no commit; one that was interrupted is gone on with by the same
command. A data set of the corpora is never made public: `--text-free` releases its ids, folds and
checksums alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from kemer.mistakes import told_in_a_sentence
from kemer.release.model_card import write_model_card
from kemer.release.staging import (
    is_synthetic,
    stage_dataset,
    stage_identifiers,
    stage_metric,
    stage_model,
)
from kemer.release.upload import Pushed, Target, push_folder

KINDS = {"model": "model", "dataset": "dataset", "metric": "space"}
"""What is released, and the kind of its repository."""


def main(argv: list[str] | None = None) -> None:
    """Release.

    Raises:
        SystemExit: 2 with one sentence for what is wrong, or what the Hub refused.
    """
    told = make_parser().parse_args(argv)
    target = Target(told.repo_id, KINDS[told.what], public=told.public, tag=told.tag)
    with told_in_a_sentence("kemer.release"):
        pushed = release(told.what, told.source, target, text_free=told.text_free)
    what = "released" if pushed.is_new else "nothing has changed:"
    print(f"{what} {pushed.url} at {pushed.commit[:12]}" + (f", {told.tag}" if told.tag else ""))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m kemer.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("what", choices=list(KINDS))
    add("source", type=Path, metavar="SOURCE", help="folder of the run, data set or metric")
    add("--repo-id", required=True, metavar="OWNER/NAME")
    seen = parser.add_mutually_exclusive_group()
    seen.add_argument("--private", dest="public", action="store_false", help="the default")
    seen.add_argument("--public", dest="public", action="store_true", help="for everybody to see")
    parser.set_defaults(public=False)
    add("--tag", help="name of this release; `revision=` loads it")
    add("--text-free", action="store_true", help="of a data set: ids, folds and checksums alone")
    return parser


def release(what: str, source: Path, target: Target, *, text_free: bool = False) -> Pushed:
    """Put a release together and push it.

    Args:
        what: `model`, `dataset` or `metric`.
        source: its folder.
        target: the repository.
        text_free: of a data set, release ids, folds and checksums alone.

    Raises:
        ValueError: if the source is not what it should be, or a licensed data set would be public.
        OSError: if the Hub refuses, or cannot be reached.
    """
    if text_free and what != "dataset":
        raise ValueError(f"`--text-free` is of a data set, and this is a {what}; leave it out.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if what == "model":
            stage_model(source, folder)
            metrics = json.loads((source / "metrics.json").read_text(encoding="utf-8"))
            card = write_model_card(metrics, repo_id=target.repo_id)
            (folder / "README.md").write_text(card, encoding="utf-8")
        elif what == "metric":
            stage_metric(source, folder, name=target.repo_id.split("/")[-1])
        elif text_free:
            stage_identifiers(source, folder)
        else:
            refuse_licensed(source, public=target.public)
            stage_dataset(source, folder)
        return push_folder(folder, target, message=f"Release {target.tag or f'of a {what}'}")


def refuse_licensed(source: Path, *, public: bool) -> None:
    """Raise ValueError if audio and transcripts of the corpora would become public."""
    if public and not is_synthetic(source):
        raise ValueError(
            f"`SOURCE` {source} holds audio and transcripts of KEMDy, whose licence forbids to "
            "hand them on; release it without `--public`, or with `--text-free`, which releases "
            "ids, folds and checksums alone."
        )


if __name__ == "__main__":
    main()
