"""What is trained for a table, and what was answered: each corpus under each protocol.

Between `plan` and `build`. A design is one corpus under one protocol with its folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import get_dataset_config_names

from kemer.data import list_folds, load_split
from kemer.data_arguments import DataArguments
from kemer.protocols import DEFAULT_PROTOCOL
from kemer.table.answers import INPUTS, FoldAnswers, average_cells, read_cell
from kemer.table.baselines import (
    TestFacts,
    constant_predictions,
    ngram_predictions,
    read_facts,
    write_predictions,
)
from kemer.table.cells import TableCell, cell_folder, list_cells
from kemer.table.plan import TablePlan


@dataclass(frozen=True)
class TableOptions:
    """What a table is told beside its plan.

    Attributes:
        dataset: release folder, or repository of the Hub.
        output: the table's folder.
        corpora: configurations of the dataset; none takes all.
        folds: numbers of folds; none takes all.
        jobs: trainings at the same time.
        launch: words before `train.py`.
    """

    dataset: str
    output: Path
    corpora: tuple[str, ...] = ()
    folds: tuple[int, ...] = ()
    jobs: int = 1
    launch: tuple[str, ...] = ()


@dataclass(frozen=True)
class Design:
    """The folds of one corpus under one protocol.

    Attributes:
        corpus: configuration of the dataset.
        protocol: what is held out.
        folds: their numbers.
        cells: the trainings.
    """

    corpus: str
    protocol: str
    folds: tuple[int, ...]
    cells: tuple[TableCell, ...]


def make_designs(plan: TablePlan, options: TableOptions) -> list[Design]:
    """List what is trained: every corpus under every protocol that it has folds for.

    Raises:
        ValueError: if a corpus or a fold is not in the dataset.
    """
    known = get_dataset_config_names(options.dataset)
    designs = []
    for corpus in options.corpora or tuple(known):
        if corpus not in known:
            raise ValueError(f"`--corpora` has {corpus!r}; allowed are {', '.join(known)}.")
        for protocol in plan.protocols:
            data = DataArguments(dataset=options.dataset, dataset_config=corpus, protocol=protocol)
            try:
                folds = list_folds(data)
            except ValueError as error:
                if protocol == DEFAULT_PROTOCOL:
                    raise
                print(f"{corpus} is left out under {protocol}: {error}")
                continue
            missing = sorted(set(options.folds) - set(folds))
            if missing:
                raise ValueError(
                    f"`--folds` has {missing[0]}; {corpus} has {folds} under {protocol}."
                )
            chosen = tuple(fold for fold in folds if not options.folds or fold in options.folds)
            place = {"corpus": corpus, "protocol": protocol, "folds": chosen}
            cells = list_cells(plan, options.output, **place)
            designs.append(Design(cells=tuple(cells), **place))
    if not designs:
        raise ValueError(f"no corpus has folds for {', '.join(plan.protocols)}; see above.")
    return designs


@dataclass(frozen=True)
class DesignAnswers:
    """What was answered in the folds of a design, and what is known of its utterances.

    Attributes:
        answers: of all rows.
        facts: `baselines.TestFacts.frame` of all folds.
        folds_sha256: checksum of the file of folds.
        synthetic: whether the dataset says so.
    """

    answers: tuple[FoldAnswers, ...]
    facts: pd.DataFrame
    folds_sha256: str
    synthetic: bool


def read_design(
    design: Design, plan: TablePlan, options: TableOptions, *, key: str
) -> DesignAnswers:
    """Read what the trainings answered, and let the baselines answer the same utterances.

    Args:
        design: corpus, protocol and trainings.
        plan: of the table.
        options: data and folders.
        key: of the dataset.
    """
    answers = [one for cell in design.cells for one in _read_answers(cell)]
    frames, split = [], None
    for fold in design.folds:
        place = {"corpus": design.corpus, "protocol": design.protocol, "fold": fold}
        split = load_split(
            DataArguments(
                dataset=options.dataset,
                dataset_config=design.corpus,
                protocol=design.protocol,
                fold=fold,
            ),
            reads_text=False,
        )
        facts = read_facts(split)
        frames.append(facts.frame)
        folder = cell_folder(options.output, "constant", seed=None, **place)
        constant = constant_predictions(split, facts)
        write_predictions(constant, folder)
        folder = cell_folder(options.output, "ngram", seed=None, **place)
        ngram = ngram_predictions(split, folder, text_column=plan.ngram_text_column, key=key)
        for row, test in (("constant", constant), ("ngram", ngram)):
            answers.append(FoldAnswers(row=row, seed=None, test=test, decoder=None, **place))
        if "mean_probabilities" in plan.controls:
            answers += _average(plan, options.output, facts, place)
    return DesignAnswers(
        answers=tuple(answers),
        facts=pd.concat(frames, ignore_index=True),
        folds_sha256=split.folds_sha256,
        synthetic=split.synthetic,
    )


def _read_answers(cell: TableCell) -> list[FoldAnswers]:
    """Return what a training answered, given all it can take and, where it was asked, less."""
    place = {
        "corpus": cell.corpus,
        "protocol": cell.protocol,
        "fold": cell.fold,
        "seed": cell.seed,
    }
    given = [name for name in INPUTS if cell.paths.predictions_given(name).is_file()]
    return [read_cell(cell.folder, cell.row.name, given=name, **place) for name in given]


def _average(
    plan: TablePlan, root: Path, facts: TestFacts, place: dict[str, Any]
) -> list[FoldAnswers]:
    """Return the mean of the single-modality rows, for each seed."""
    return [
        average_cells(
            [cell_folder(root, name, seed=seed, **place) for name in plan.mean_parts()],
            seed=seed,
            train_labels=facts.train_labels,
            **place,
        )
        for seed in plan.seeds
    ]
