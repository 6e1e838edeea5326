"""A whole table of tiny models, killed in the middle and resumed, as a user would see it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from kemer.scoring import read_predictions, score
from kemer.table.__main__ import main
from kemer.table.cells import SETTINGS_FILE
from kemer.table.runner import PROCESS_FILE
from tests.kemer.bench import LOGS_VARIABLE
from tests.kemer.table.reports import make_report

ROOT = Path(__file__).resolve().parents[3]
ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # sums over other numbers of threads round otherwise
SHORT = {
    "num_train_epochs": 1,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-3,
    "use_cpu": True,
}


@pytest.fixture(scope="module")
def folder(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plan: speech, text and their joint model, each of one epoch."""
    folder = tmp_path_factory.mktemp("table")
    stage_one = {**SHORT, "save_steps": 1, "save_strategy": "steps", "eval_strategy": "steps"}
    stage_one |= {"eval_steps": 1}
    joint = {**SHORT, "meta_attention_heads": 3}
    joint |= {"freeze_speech_encoder": True, "freeze_text_encoder": True}
    for name, values in (("single", stage_one), ("joint", joint)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
    rows = {
        "voice": {
            "title": "Speech only",
            "config": "single.yaml",
            "fields": {"speech_encoder": str(bench / "speech")},
        },
        "words": {
            "title": "Text only",
            "config": "single.yaml",
            "fields": {"text_encoder": str(bench / "text")},
        },
        "joint": {
            "title": "Both",
            "config": "joint.yaml",
            "speech_encoder": "voice",
            "text_encoder": "words",
        },
    }
    plan = {"primary": "joint", "seeds": [0], "rows": rows, "ngram_text_column": "text_en"}
    plan |= {"controls": ["mean_probabilities"], "published": {"joint": [89.58, 0.068]}}
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    return folder


def words(bench: Path, folder: Path, output: Path, *more: str) -> list[str]:
    flags = [str(bench / "release"), "--config", str(folder / "plan.yaml")]
    return [*flags, "--output", str(output), "--folds", "0", "1", *more]


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def table(bench: Path, folder: Path) -> Path:
    """The table's folder: killed within its second training, resumed by the same command."""
    output = folder / "killed"
    command = [sys.executable, "-m", "kemer.table", *words(bench, folder, output)]
    environment = {name: text for name, text in os.environ.items() if name != LOGS_VARIABLE}
    environment |= ONE_THREAD
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **silent)
    cells = output / "cells/kemdy20/session"
    wait_for(lambda: any((cells / "words/fold0-seed0/checkpoints").glob("checkpoint-*")))
    os.killpg(process.pid, signal.SIGKILL)  # the training with its table, as in a power cut
    process.wait()
    assert (cells / "voice/fold0-seed0/metrics.json").is_file()
    assert not (output / "table.md").exists()
    first = (cells / "voice/fold0-seed0/metrics.json").stat().st_mtime_ns
    done = subprocess.run(
        [*command, "--jobs", "2"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 6 trainings are there already" in done.stdout
    assert (cells / "voice/fold0-seed0/metrics.json").stat().st_mtime_ns == first
    return output


def read_cells(table: Path) -> pd.DataFrame:
    return pd.DataFrame(json.loads((table / "table.json").read_text()))


def test_the_table_has_every_row_fold_and_decoding(table: Path) -> None:
    cells = read_cells(table)
    trained = ("voice", "words", "joint", "mean_probabilities")
    expected = {**dict.fromkeys(trained, 6), "ngram": 2, "constant": 2}
    assert cells.groupby("row").size().to_dict() == expected
    assert set(cells["protocol"]) == {"session"} and set(cells["fold"]) == {0, 1}
    page = (table / "table.md").read_text()
    for title in ("Speech only", "Text only", "Both", "text-only n-grams", "constant answer"):
        assert f"| {title} |" in page
    assert "0.8958" in page and "Too few sessions for an interval" in page
    assert (table / "table-kemdy20-session.png").read_bytes().startswith(b"\x89PNG")
    summary = json.loads((table / "summary.json").read_text())
    assert len(summary["designs"]) == 1 and not summary["synthetic"]
    left = {path.name for path in table.iterdir()} - {".lock"}
    assert left == {"cells", "table.md", "table.json", "summary.json", "table-kemdy20-session.png"}


def test_every_number_can_be_computed_again(table: Path) -> None:
    cells = read_cells(table)
    for entry in cells[cells["row"].isin(["constant", "ngram"])].itertuples():
        place = table / f"cells/kemdy20/session/{entry.row}/fold{entry.fold}"
        again = score(read_predictions(place / "predictions.parquet"))
        assert again["exact_match"] == entry.exact_match
        assert again["distance"] == pytest.approx(entry.distance)
    for entry in cells[(cells["row"] == "joint") & (cells["decoding"] == "argmax")].itertuples():
        place = table / f"cells/kemdy20/session/joint/fold{entry.fold}-seed0"
        frame = read_predictions(place / "predictions.parquet")
        best = np.array(frame["probabilities"].tolist()).argmax(axis=1)
        truth = np.array(frame["labels_reference"].tolist())
        right = (truth.sum(axis=1) == 1) & (truth[np.arange(len(truth)), best] == 1)
        assert right.mean() == entry.exact_match


def test_the_joint_row_starts_from_the_encoders_of_its_fold(table: Path) -> None:
    cells = table / "cells/kemdy20/session"
    for fold in (0, 1):
        joint, voice, text = (
            load_file(cells / row / f"fold{fold}-seed0/model/model.safetensors")
            for row in ("joint", "voice", "words")
        )
        for weights, part in ((voice, "speech_encoder."), (text, "text_encoder.")):
            names = [name for name in weights if name.startswith(part)]
            assert names and all((joint[name] == weights[name]).all() for name in names)
    other = load_file(cells / "voice/fold1-seed0/model/model.safetensors")
    first = load_file(cells / "voice/fold0-seed0/model/model.safetensors")
    assert any((other[name] != first[name]).any() for name in first)
    log = (cells / "joint/fold0-seed0/log.txt").read_text()
    assert "feature cache, speech encoder: 20 utterances" in log


def test_a_resumed_training_ends_as_an_uninterrupted_one(
    table: Path, bench: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LOGS_VARIABLE, raising=False)
    settings = json.loads(
        (table / "cells/kemdy20/session/words/fold0-seed0" / SETTINGS_FILE).read_text()
    )
    output = folder / "uninterrupted"
    flags = [word.replace("TABLE", str(output)) for word in settings["flags"]]
    flags[flags.index("--config") + 1] = str(folder / "single.yaml")
    flags[flags.index("--dataset") + 1] = str(bench / "release")
    command = [sys.executable, str(ROOT / "train.py"), *flags, "--disable_tqdm", "true"]
    environment = {**os.environ, **ONE_THREAD}
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    paths = [root / "cells/kemdy20/session/words/fold0-seed0" for root in (table, output)]
    found, expected = (json.loads((path / "metrics.json").read_text()) for path in paths)
    assert found["test"] == expected["test"]
    assert found["validation"] == expected["validation"]


def test_a_finished_table_is_made_again_from_its_cells(
    table: Path, bench: Path, folder: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (table / "table.md").read_text()
    (table / "table.md").unlink()
    main(words(bench, folder, table))
    assert (table / "table.md").read_text() == before
    assert "6 of 6 trainings are there already" in capsys.readouterr().out


def test_another_setting_is_refused_and_nothing_is_lost(
    table: Path, bench: Path, folder: Path, tmp_path: Path, capsys
) -> None:
    for name in ("single.yaml", "joint.yaml", "plan.yaml"):
        shutil.copy(folder / name, tmp_path / name)
    with (tmp_path / "joint.yaml").open("a") as lines:
        lines.write("weight_decay: 0.5\n")
    with pytest.raises(SystemExit) as stopped:
        main(words(bench, tmp_path, table))
    assert stopped.value.code == 2
    assert "was trained under other settings" in capsys.readouterr().err
    assert (table / "table.md").is_file()
    assert not list(table.rglob(PROCESS_FILE))


def test_the_primary_row_is_compared_with_two_families() -> None:
    report = make_report()
    named = report.comparisons["argmax", "exact_match"]
    assert list(named) == ["voice", "words", "joint_speech", "ngram", "constant"]
    # Two named rows: the smaller p value counts twice, whatever else is beside them.
    raw = {row: one.test.p_value for row, one in named.items()}
    smallest = min(("voice", "words"), key=raw.get)
    assert named[smallest].p_holm == pytest.approx(min(1.0, 2 * raw[smallest]))
    assert list(report.comparisons) == [
        *(("threshold", "exact_match"), ("argmax", "exact_match"), ("label_sets", "exact_match")),
        ("threshold", "distance"),
    ]
    assert report.titles["joint_speech"] == "Both, speech alone"
