"""A report of invented rows, for what shows and summarises it."""

from pathlib import Path

from kemer.table.build import report_design
from kemer.table.designs import Design, DesignAnswers
from kemer.table.plan import TablePlan, TableRow
from kemer.table.sections import ProtocolReport
from tests.kemer.table.invented import make_answers, make_facts

ROWS = {"voice": ("Speech only", 1.0), "words": ("Text only", 1.5), "joint": ("Both", 3.0)}


def make_plan(**settings: object) -> TablePlan:
    """Return the plan of three rows and two seeds; nothing in it can be trained."""
    rows = tuple(
        TableRow(name, title, Path("row.yaml"), {}, {}) for name, (title, _) in ROWS.items()
    )
    return TablePlan(rows=rows, primary="joint", seeds=(0, 1), **settings)


def make_report(
    *, protocol: str = "session", corpus: str = "kemdy20", folds: tuple[int, ...] = (0, 1)
) -> ProtocolReport:
    """Return the scores of three invented rows and two baselines."""
    place = {"protocol": protocol, "corpus": corpus, "folds": folds}
    answers = [
        one for name, (_, skill) in ROWS.items() for one in make_answers(name, skill=skill, **place)
    ]
    answers += make_answers("joint_speech", skill=0.8, **place)
    for name, skill in (("ngram", 1.2), ("constant", 0.0)):
        answers += make_answers(name, skill=skill, seeds=(None,), **place)
    found = DesignAnswers(
        answers=tuple(answers),
        facts=make_facts(answers),
        folds_sha256="0123456789abcdef" * 4,
        synthetic=True,
    )
    return report_design(Design(cells=(), **place), make_plan(), found)
