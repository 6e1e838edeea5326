"""The paper's Table 1 with sessions held out, intervals, base rates and leaks made visible.

    python -m kemer.table DATASET --config configs/table1.yaml --output outputs/table1

Every row is trained on every fold and seed; run the same command again after an interruption, and
it goes on. Written to the output folder: `table.md` with a figure for each corpus and protocol,
`table.json` (one entry for each row, fold, seed and decoding), `summary.json` (intervals and
comparisons) and, below `cells/`, the run of each training with its `predictions.parquet`.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from kemer.mistakes import told_in_a_sentence
from kemer.protocols import PROTOCOL_FILES
from kemer.table.build import PAGE, build_table
from kemer.table.designs import TableOptions
from kemer.table.plan import CONTROLS, TablePlan, check_plan, choose_rows, read_plan

LOCK_FILE = ".lock"


def main(argv: list[str] | None = None) -> None:
    """Make the table.

    Raises:
        SystemExit: 2 with one sentence for what is wrong with settings or data, 1 if trainings
            failed.
    """
    told = make_parser().parse_args(argv)
    with told_in_a_sentence("kemer.table"):
        plan, options = read_options(told)
        options.output.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(options.output / LOCK_FILE, timeout=0):
                page = build_table(plan, options)
        except Timeout:
            sys.exit(
                f"kemer.table: `--output` {options.output} is in use by another table; wait for "
                "it, or name another folder."
            )
        except RuntimeError as error:
            if sys.flags.dev_mode:
                raise
            sys.exit(f"kemer.table: {error}")
    print(page)
    print(f"page: {options.output / PAGE}")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m kemer.table",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("dataset", metavar="DATASET", help="release folder or repository of the Hub")
    add("--config", type=Path, required=True, metavar="FILE.yaml", help="the plan of the table")
    add("--output", type=Path, required=True, metavar="DIR", help="folder of the table")
    add("--corpora", nargs="+", default=[], help="configurations of the dataset (default: all)")
    add("--protocols", nargs="+", choices=list(PROTOCOL_FILES), help="in place of the plan's")
    add("--folds", type=int, nargs="+", default=[], help="numbers of folds (default: all)")
    add("--seeds", type=int, nargs="+", help="in place of the plan's")
    add("--rows", nargs="+", help="some of the plan's rows, and those that they start from")
    add("--controls", nargs="+", choices=CONTROLS, help="in place of the plan's")
    add("--jobs", type=int, default=1, help="trainings at the same time (default: %(default)s)")
    add(
        "--launch",
        default="",
        metavar="WORDS",
        help='how each training is started, such as "-m accelerate.commands.launch '
        '--num_processes 4" (default: as one process)',
    )
    return parser


def read_options(told: argparse.Namespace) -> tuple[TablePlan, TableOptions]:
    """Return plan and options of a command line.

    Raises:
        ValueError: if a value is not allowed.
    """
    if told.jobs < 1:
        raise ValueError(f"`--jobs` is {told.jobs}; allowed is a whole number from 1 up.")
    plan = read_plan(told.config)
    for name in ("protocols", "seeds", "controls"):
        if getattr(told, name) is not None:
            plan = replace(plan, **{name: tuple(getattr(told, name))})
    if told.rows is not None:
        plan = choose_rows(plan, told.rows)
    check_plan(plan, told.config)
    dataset = Path(told.dataset)
    return plan, TableOptions(
        dataset=str(dataset.resolve()) if dataset.is_dir() else told.dataset,
        output=told.output.resolve(),
        corpora=tuple(told.corpora),
        folds=tuple(told.folds),
        jobs=told.jobs,
        launch=tuple(shlex.split(told.launch)),
    )


if __name__ == "__main__":
    main()
