"""Releases a model, a data set, the metric or the demo to the Hub, private unless told.

    python -m kemer.release model outputs/run --repo-id OWNER/NAME --tag v1
    python -m kemer.release dataset data/kemdy --repo-id OWNER/NAME
    python -m kemer.release metric evaluate_metric --repo-id OWNER/NAME --public
    python -m kemer.release space space --repo-id OWNER/NAME --model OWNER/MODEL
    python -m kemer.release all outputs/run --dataset data/kemdy --repo-id OWNER/NAME

`all` pushes the four together, as NAME, NAME-data, NAME-metric and NAME-demo. A second push of the
same makes no commit; one that was interrupted is gone on with by the same command. A data set of
the corpora is never made public: `--text-free` releases its ids, folds and checksums alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kemer.mistakes import told_in_a_sentence
from kemer.release.releasing import KINDS, Release, all_releases, push_releases
from kemer.release.upload import Target

ALL = "all"


def main(argv: list[str] | None = None) -> None:
    """Release.

    Raises:
        SystemExit: 2 with one sentence for what is wrong, or what the Hub refused.
    """
    told = make_parser().parse_args(argv)
    with told_in_a_sentence("kemer.release"):
        for pushed in push_releases(read_releases(told)):
            what = "released" if pushed.is_new else "nothing has changed:"
            tag = f", {told.tag}" if told.tag else ""
            print(f"{what} {pushed.url} at {pushed.commit[:12]}{tag}")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m kemer.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("what", choices=[*KINDS, ALL])
    add("source", type=Path, metavar="SOURCE", help="folder of the run, data set, metric or demo")
    add("--repo-id", required=True, metavar="OWNER/NAME")
    seen = parser.add_mutually_exclusive_group()
    seen.add_argument("--private", dest="public", action="store_false", help="the default")
    seen.add_argument("--public", dest="public", action="store_true", help="for everybody to see")
    parser.set_defaults(public=False)
    add("--tag", help="name of this release; `revision=` loads it")
    add("--text-free", action="store_true", help="of a data set: ids, folds and checksums alone")
    add("--model", metavar="OWNER/NAME", help="of the demo: the model that it loads")
    add("--dataset", type=Path, metavar="FOLDER", help="of `all`: the data set")
    return parser


def read_releases(told: argparse.Namespace) -> list[Release]:
    """Return what the command line asks for.

    Raises:
        ValueError: if options do not go together.
    """
    if (told.dataset is not None) != (told.what == ALL):
        raise ValueError(
            f"`--dataset` is {told.dataset and str(told.dataset)!r}, and `{told.what}` is to be "
            f"released; `{ALL}` has to be told the data set's folder, and nothing else may."
        )
    if told.what == ALL:
        if told.model is not None:
            raise ValueError("`--model` is of `space`; the demo of `all` loads the model of `all`.")
        return all_releases(
            told.source,
            told.dataset,
            repo_id=told.repo_id,
            public=told.public,
            tag=told.tag,
            text_free=told.text_free,
        )
    target = Target(told.repo_id, KINDS[told.what], public=told.public, tag=told.tag)
    return [Release(told.what, told.source, target, text_free=told.text_free, model_id=told.model)]


if __name__ == "__main__":
    main()
