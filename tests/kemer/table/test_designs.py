from dataclasses import replace
from pathlib import Path

import pytest

from kemer.scoring import read_predictions
from kemer.table.designs import Design, TableOptions, make_designs, read_design
from kemer.table.plan import TablePlan, TableRow


@pytest.fixture
def plan(tmp_path: Path) -> TablePlan:
    config = tmp_path / "row.yaml"
    config.write_text("use_cpu: true\n")
    row = TableRow("text", "Text", config, {"text_encoder": "words"}, {})
    return TablePlan(rows=(row,), primary="text", seeds=(0,), ngram_text_column="text_en")


@pytest.fixture
def options(bench: Path, tmp_path: Path) -> TableOptions:
    return TableOptions(dataset=str(bench / "release"), output=tmp_path / "table")


def test_every_fold_of_every_corpus_is_there(plan: TablePlan, options: TableOptions) -> None:
    (design,) = make_designs(plan, options)
    assert (design.corpus, design.protocol, design.folds) == ("kemdy20", "session", (0, 1, 2, 3, 4))
    assert len(design.cells) == 5
    (some,) = make_designs(plan, replace(options, folds=(3, 1)))
    assert some.folds == (1, 3)


def test_a_protocol_without_folds_is_left_out_and_said(
    plan: TablePlan, options: TableOptions, capsys
) -> None:
    plan = replace(plan, protocols=("session", "session+script", "random"))
    designs = make_designs(plan, options)
    assert [design.protocol for design in designs] == ["session", "random"]
    assert "kemdy20 is left out under session+script: " in capsys.readouterr().out
    with pytest.raises(ValueError, match="no corpus has folds for session\\+script; see above"):
        make_designs(replace(plan, protocols=("session+script",)), options)


def test_what_the_dataset_has_not_is_refused(plan: TablePlan, options: TableOptions) -> None:
    with pytest.raises(ValueError, match="`--corpora` has 'kemdy21'; allowed are kemdy20"):
        make_designs(plan, replace(options, corpora=("kemdy21",)))
    with pytest.raises(ValueError, match=r"`--folds` has 7; kemdy20 has \[0, 1, 2, 3, 4\] under"):
        make_designs(plan, replace(options, folds=(0, 7)))


def test_the_baselines_answer_every_test_utterance(plan: TablePlan, options: TableOptions) -> None:
    design = Design("kemdy20", "session", (0, 1), ())
    found = read_design(design, plan, options, key="key")
    assert not found.synthetic and len(found.folds_sha256) == 64
    assert sorted(set(found.facts["session"])) == [1, 2] and len(found.facts) == 8
    assert [(one.row, one.fold) for one in found.answers] == [
        *(("constant", 0), ("ngram", 0), ("constant", 1), ("ngram", 1))
    ]
    for one in found.answers:
        expected = [row for row in found.facts["id"] if row in set(one.test["id"])]
        assert one.test["id"].tolist() == expected and len(expected) == 4
        folder = options.output / f"cells/kemdy20/session/{one.row}/fold{one.fold}"
        kept = read_predictions(folder / "predictions.parquet")
        assert kept["id"].tolist() == expected
