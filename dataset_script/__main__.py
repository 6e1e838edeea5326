"""Command line: `python -m dataset_script build …`, `check …`, `sample …` and `translate …`.

What goes wrong is said in one sentence on standard error, with exit status 2.
"""

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from .folds import DEFAULT_FOLDS
from .layout import LAYOUTS, ROLES

CONFIGS = tuple(LAYOUTS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: command line without the program's name; None takes that of the process.

    Returns:
        Exit status: 0, 2 if the input cannot be used, 130 if interrupted.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may have letters that a terminal has not
            stream.reconfigure(errors="backslashreplace")
    args = make_parser(given[0] if given else None).parse_args(given)
    try:
        return args.run(args)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: what was there before is unchanged", file=sys.stderr)
        return 130


def make_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Describe the commands and their options.

    Args:
        command: the one that is run: `sample` and `translate` get their options only then, as they
            need libraries that `build` does not.

    Returns:
        The parser; its result has the command as `run`.
    """
    parser = argparse.ArgumentParser(prog="python -m dataset_script", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="turn a corpus on disk into a dataset folder")
    _add_build_arguments(build)
    build.set_defaults(run=_run_build)
    check = commands.add_parser("check", help="look a corpus over; nothing is written")
    check.add_argument("path", metavar="PATH", help="the unpacked corpus, or its zip")
    check.add_argument("--json", action="store_true", help="print one JSON object for a machine")
    check.set_defaults(run=_run_check)
    sample = commands.add_parser("sample", help="write a synthetic corpus")
    if command == "sample":
        from .sample.cli import add_arguments

        add_arguments(sample)
    sample.set_defaults(run=_run_sample)
    translate = commands.add_parser("translate", help="translate the transcripts into English")
    if command == "translate":
        from .translation.cli import add_arguments

        add_arguments(translate)
    translate.set_defaults(run=_run_translate)
    return parser


def _add_build_arguments(build: argparse.ArgumentParser) -> None:
    add = build.add_argument
    add("corpus_dir", metavar="CORPUS_DIR", help="the unpacked corpus, or its zip")
    add("--config", required=True, choices=CONFIGS, help="which corpus it is")
    add("--output", required=True, metavar="DIR", help="dataset folder; its config is replaced")
    add("--translations", metavar="FILE.jsonl", help='lines of {"id": …, "text_en": …}')
    add(
        "--require-translations",
        action="store_true",
        help="stop at once, and leave DIR as it is, if a row with Korean text has no English; this "
        "is found out before the recordings are read, so a row counts even if its wav is unusable",
    )
    add(
        "--folds",
        type=int,
        metavar="N",
        help=f"number of folds over the sessions (default: {DEFAULT_FOLDS}, or what a synthetic "
        "corpus was spoken for)",
    )
    add(
        "--keep-markers",
        action="store_true",
        help="leave transcribers' marks such as l/ (laughter) and overlaps in text_ko; laughter "
        "leaks the label",
    )
    add(
        "--role",
        choices=ROLES,
        default=ROLES[0],
        help="whose emotion the labels describe; listener for kemdy19 only (default: %(default)s)",
    )
    add(
        "--script-groups",
        metavar="FILE.csv",
        help="which dialogues play the same script, where the transcripts do not tell: edit "
        "DIR/scripts/CONFIG.csv and give it back",
    )
    add("--bio", action="store_true", help="write the bio-signals too, as bio/CONFIG.parquet")


def _run_build(args: argparse.Namespace) -> int:
    # Imported here: `datasets` takes seconds, and `--help` should not.
    from .release import build_release
    from .report import format_summary

    report = build_release(
        args.corpus_dir,
        args.output,
        config=args.config,
        translations=args.translations,
        require_translations=args.require_translations,
        n_folds=args.folds,
        keep_markers=args.keep_markers,
        role=args.role,
        script_groups=args.script_groups,
        bio=args.bio,
    )
    print(format_summary(report))
    print(f"All problems: {Path(args.output, 'reports', f'{args.config}.json')}")
    print(f'Use it: load_dataset("{args.output}", "{args.config}", split="train")')
    return 0


def _run_check(args: argparse.Namespace) -> int:
    from .check import check_corpora, format_check

    results = check_corpora(args.path)
    if args.json:
        print(json.dumps({"corpora": results}, ensure_ascii=False, indent=1))
    else:
        print(format_check(results))
    return 0


def _run_sample(args: argparse.Namespace) -> int:
    from .sample.cli import run

    return run(args)


def _run_translate(args: argparse.Namespace) -> int:
    from .translation.cli import run

    return run(args)


if __name__ == "__main__":
    sys.exit(main())
