import json
import shutil
from pathlib import Path

import pytest

from kemer.paper_compat_run import FinishedRun


def test_the_honest_score_is_what_the_run_told(bench: Path, finished_run: Path) -> None:
    run = FinishedRun(finished_run, str(bench / "release"))
    told = json.loads((finished_run / "metrics.json").read_text())["test"]
    honest = run.score(())
    assert honest.exact_match == run.exact_match == told["exact_match"]
    assert honest.distance == pytest.approx(told["distance"], abs=1e-5)
    assert run.split.sessions["test"] == told["sessions"] == [2]  # of the run's fold, not of fold 0


def test_the_switches_change_what_they_say(bench: Path, finished_run: Path) -> None:
    run = FinishedRun(finished_run, str(bench / "release"))
    honest = run.score(())
    for name in ("additive_mask", "dropout_on"):
        assert abs(run.score((name,)).distance - honest.distance) > 1e-5, name
    assert run.score(("label_hits",)).exact_match > honest.exact_match
    assert run.score(()) == honest
    assert list(run.answers) == [(), ("additive_mask",), ("dropout_on",)]  # none was given twice


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("decision_threshold", 0.4, "decides at 0.4; the script decided at 0.5"),
        ("folds_sha256", "0", "may have seen the test utterances"),
    ],
)
def test_a_run_that_cannot_be_compared_is_refused(
    bench: Path, finished_run: Path, tmp_path: Path, part: str, value: object, message: str
) -> None:
    folder = shutil.copytree(finished_run, tmp_path / "run")
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["run"][part] = value
    (folder / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(ValueError, match=message):
        FinishedRun(folder, str(bench / "release"))


def test_what_is_no_finished_run_is_refused(bench: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`--run` is .* which lacks `metrics.json`"):
        FinishedRun(tmp_path, str(bench / "release"))
