"""The page holds the scores and the pictures and says what is synthetic; no global state."""

import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pandas as pd
import pytest

from kemer import report
from kemer.scoring import score
from tests.kemer.predictions import NEUTRAL, make_predictions

ROOT = Path(__file__).resolve().parents[2]


def write(tmp_path: Path, table: pd.DataFrame, *, synthetic: bool = False) -> str:
    path = report.write_report(table, tmp_path / "report", title="Run 7", synthetic=synthetic)
    assert path == tmp_path / "report" / "report.md"
    return path.read_text(encoding="utf-8")


def test_the_pictures_are_there_and_are_embedded(tmp_path):
    page = write(tmp_path, make_predictions())
    for name in ("confusion.png", "reliability.png", "valence_arousal.png"):
        assert f"]({name})" in page
        pixels = matplotlib.image.imread(tmp_path / "report" / name)
        height, width = pixels.shape[:2]
        assert width >= 1200 and height >= 700
        assert pixels[0, 0, :3].tolist() == [1.0, 1.0, 1.0]
        assert pixels.std() > 0.05  # something is drawn


def test_the_page_shows_the_scores(tmp_path):
    table = make_predictions()
    page, scores = write(tmp_path, table), score(table)
    assert page.startswith("# Run 7\n")
    lines = page.splitlines()
    for text, key in report.HEADLINES:
        assert f"| {text} | {scores[key]:.3f} |" in lines
    assert "| utterances | 5 |" in lines
    assert "| exact match of the majority answer | 0.400 |" in lines
    assert "(kemdy20: sad, happy)" in page
    assert "| sad | 4 | 3 | 3 | 0.857 | 0.750 |" in lines
    assert "| kemdy20, session 1 | 3 | 0.667 |" in lines
    assert "| kemdy20, session 2 | 2 | 0.500 |" in lines
    assert "No interval is given for one run" in page


def test_the_probabilities_are_told_beside_the_share(tmp_path):
    lines = write(tmp_path, make_predictions()).splitlines()
    # Sad is in 4 of 5 references; said with .9 in 3 of them, with 0 in one of them and the other.
    brier = (3 * 0.1**2 + 1) / 5
    ece = (3 * 0.1 + 1 * 1) / 5
    assert f"| sad | 0.800 | {brier:.3f} | {0.8 * 0.2:.3f} | 0.260 |" in lines
    assert ece == pytest.approx(0.26)
    assert "| fear | 0.000 | 0.000 | 0.000 | 0.000 |" in lines


def test_the_majority_answer_may_be_the_training_sessions(tmp_path):
    report.write_report(
        make_predictions(),
        tmp_path / "report",
        title="Run 7",
        synthetic=True,
        constant_chosen_on=[NEUTRAL, NEUTRAL, [0, 0, 0, 0, 1, 0, 0]],
    )
    page = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "| exact match of the majority answer | 0.200 |" in page
    assert "label set of the training sessions (kemdy20: neutral)" in page


def test_corpora_are_shown_apart_and_then_together(tmp_path):
    table = make_predictions()
    other = table.iloc[:2].assign(corpus="kemdy19", id=["kemdy19/a", "kemdy19/b"])
    lines = write(tmp_path, pd.concat([table, other], ignore_index=True)).splitlines()
    assert "| score | kemdy19 | kemdy20 | all |" in lines
    assert "| utterances | 2 | 5 | 7 |" in lines
    assert "| exact match | 0.500 | 0.600 | 0.571 |" in lines
    assert "| kemdy19, session 1 | 2 | 0.500 |" in lines


def test_synthetic_speech_is_named_on_the_page_and_on_every_figure(tmp_path, monkeypatch):
    titles = []
    save = report.save_figure
    monkeypatch.setattr(
        report, "save_figure", lambda f, path: (titles.append(f.get_suptitle()), save(f, path))
    )
    page = write(tmp_path, make_predictions(), synthetic=True)
    assert page.startswith("# Run 7 (synthetic speech)\n\n**Synthetic speech.**")
    real = write(tmp_path, make_predictions())
    assert "ynthetic" not in real
    assert titles == ["Run 7 (synthetic speech)"] * 3 + ["Run 7"] * 3


def test_undefined_scores_are_words(tmp_path):
    table = make_predictions().assign(arousal_predicted=3.0)
    lines = write(tmp_path, table).splitlines()
    assert "| Pearson's r, arousal | undefined |" in lines
    assert "| CCC, arousal | 0.000 |" in lines


def test_predictions_may_be_a_file(tmp_path):
    path = tmp_path / "predictions.parquet"
    make_predictions().to_parquet(path)
    report.write_report(path, tmp_path / "a", title="Run 7", synthetic=False)
    report.write_report(make_predictions(), tmp_path / "b", title="Run 7", synthetic=False)
    for name in ("report.md", "confusion.png", "reliability.png", "valence_arousal.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_refused_table_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="lacks the columns valence_reference"):
        write(tmp_path, make_predictions().drop(columns="valence_reference"))
    assert not (tmp_path / "report").exists()


def test_no_display_and_no_global_state_are_needed(tmp_path):
    make_predictions().to_parquet(tmp_path / "predictions.parquet")
    # The backend named in the environment does not exist: whatever asked pyplot for one would fail.
    script = (
        "import matplotlib;"
        "from kemer.report import write_report;"
        "before = dict(matplotlib.rcParams);"
        "write_report('predictions.parquet', 'out', title='Run 7', synthetic=True);"
        "assert dict(matplotlib.rcParams) == before;"
        "print('written')"
    )
    environment = {"PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment["MPLBACKEND"] = "module://no_such_backend"
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.stdout.strip() == "written", result.stderr
