"""`train.py` from end to end, as its user runs it: in processes of its own, offline."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from datasets import Audio, load_dataset
from safetensors.torch import load_file

import train
from configuration_kemer import EMOTIONS
from kemer.batches import UtteranceCollator, UtteranceDataset
from kemer.command_line import parse_arguments
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor
from tests.kemer.bench import (
    LOGS_VARIABLE,
    make_encoders,
    make_release,
    run_flags,
    run_train,
)

ROOT = Path(__file__).resolve().parent.parent
TEXT = "text_en"
LAUNCH = ["-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1"]
LAUNCH += ["--mixed_precision", "no", "--dynamo_backend", "no"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    make_release(folder)
    make_encoders(folder)
    return folder


def run_python(
    *words: str, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, on one thread."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**inherited, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )


def train_here(bench: Path, output: Path, **settings: object) -> dict[str, Any]:
    """Train in this process; return what `metrics.json` holds."""
    run_train(parse_arguments(run_flags(bench, output, **settings)))
    return json.loads((output / "metrics.json").read_text())


def fail_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *flags: str
) -> str:
    """Run `train.py` as a script in this process; return the one line that it ends with."""
    monkeypatch.setattr(sys, "argv", ["train.py", *flags])
    monkeypatch.setenv(LOGS_VARIABLE, "")  # put back when the test ends
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    return shown.strip().splitlines()[-1]


def test_the_joint_model_is_trained_saved_and_answers_elsewhere(
    bench: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    config = tmp_path / "run.yaml"
    config.write_text("num_train_epochs: 7\nlearning_rate: 1e-3\nsampler: inverse_frequency\n")
    flags = run_flags(bench, run, num_train_epochs=2)
    done = run_python(*LAUNCH, "train.py", "--config", str(config), *flags)
    assert done.returncode == 0, done.stderr
    assert "test sessions [1] (4 utterances, kemdy20)" in done.stdout
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["run"]["epochs"] == 2.0 and metrics["run"]["processes"] == 1

    wav = sorted((bench / "corpus/wav").rglob("*.wav"))[0]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    script = str(ROOT / "examples/predict.py")
    answer = run_python(
        *(script, str(run / "model"), str(wav), "well done"),
        cwd=elsewhere,
        HF_HOME=str(elsewhere / "empty"),
    )
    assert answer.returncode == 0, answer.stderr
    words = answer.stdout.split()
    assert set(EMOTIONS) <= set(words) and "*" in words and "valence" in words


def test_the_papers_two_stages(bench: Path, tmp_path: Path) -> None:
    """Each encoder is fine-tuned alone; then both are frozen and what joins them is trained."""
    speech = train_here(bench, tmp_path / "speech", text_encoder="none")
    text = train_here(bench, tmp_path / "text", speech_encoder="none", bf16=True)
    assert speech["run"]["precision"] == "fp32" and text["run"]["precision"] == "bf16"
    joint = train_here(
        bench,
        tmp_path / "joint",
        speech_encoder=tmp_path / "speech/model",
        text_encoder=tmp_path / "text/model",
        freeze_speech_encoder=True,
        freeze_text_encoder=True,
        max_train_seconds=0.15,
    )
    assert [run["test"]["utterances"] for run in (speech, text, joint)] == [4, 4, 4]
    models = {
        name: KemerModel.from_pretrained(tmp_path / name / "model")
        for name in ("speech", "text", "joint")
    }
    assert models["speech"].text_encoder is None and models["text"].speech_encoder is None
    for name in ("speech", "text"):
        alone = getattr(models[name], f"{name}_encoder").state_dict()
        together = getattr(models["joint"], f"{name}_encoder").state_dict()
        assert alone.keys() == together.keys()
        assert all(torch.equal(alone[key], together[key]) for key in alone)


def test_a_seed_repeats_its_run_and_another_does_not(bench: Path, tmp_path: Path) -> None:
    found = []
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        torch.manual_seed(len(name) + len(found))  # what happened before has no say
        train_here(bench, tmp_path / name, speech_encoder="none", seed=seed)
        found.append(load_file(tmp_path / name / "model/model.safetensors"))
    first, again, other = found
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["emotion_head.weight"], other["emotion_head.weight"])


def test_the_settings_of_the_data_reach_the_trainer(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ReachedError(Exception):
        pass

    def build(*parts: object, **settings: object) -> None:
        assert settings["data"].max_train_seconds == 0.15
        assert settings["data"].text_column == "text_ko"
        raise ReachedError

    monkeypatch.setattr(train, "build_trainer", build)
    with pytest.raises(ReachedError):
        train_here(bench, tmp_path / "run", max_train_seconds=0.15, text_column="text_ko")


def test_two_processes_answer_every_utterance_once(bench: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    # Of 3 sessions with 12 utterances, batches of 5 in two processes leave 2 for the last ones.
    folds = tmp_path / "folds.csv"
    roles = ["test", "test", "test", "validation", "train"]
    lines = [f"0,{session},,{role}" for session, role in enumerate(roles, start=1)]
    folds.write_text("\n".join(["fold,session,dialogue,role", *lines]) + "\n")
    flags = run_flags(
        bench, run, folds_file=folds, per_device_eval_batch_size=5, per_device_train_batch_size=2
    )
    done = run_python(*TORCHRUN, "train.py", *flags)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["run"]["processes"] == 2
    assert metrics["test"]["utterances"] == 12
    frame = pd.read_parquet(run / "predictions.parquet")
    rows = load_dataset(str(bench / "release"), "kemdy20", split="train")
    tested = [i for i, session in zip(rows["id"], rows["session"], strict=True) if session <= 3]
    assert frame["id"].tolist() == tested
    assert [path.name for path in tmp_path.iterdir()].count("run") == 1
    assert done.stdout.count("test sessions [1, 2, 3]") == 1

    # Each answer stands in its own utterance's row, whichever process gave it.
    model = KemerModel.from_pretrained(run / "model")
    processor = KemerProcessor.from_pretrained(run / "model")
    collator = UtteranceCollator(processor, speech=True, text=True)
    utterances = UtteranceDataset(rows.cast_column("audio", Audio(decode=False)), text_column=TEXT)
    for index, row_id in enumerate(rows["id"]):
        for found in frame[frame["id"] == row_id].itertuples():
            with torch.no_grad():
                logits = model(**collator([utterances[index]])).logits[0]
            expected = pytest.approx(torch.sigmoid(logits).tolist(), rel=1e-4, abs=1e-6)
            assert list(found.probabilities) == expected
            assert list(found.labels_reference) == utterances[index]["labels"].tolist()


def test_a_finished_run_is_not_mixed_with_another(
    bench: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    first = train_here(bench, run, text_encoder="none")
    written = (run / "metrics.json").read_bytes()
    flags = run_flags(bench, run, text_encoder="none")
    message = fail_here(monkeypatch, capsys, *flags)
    assert message.startswith(f"train.py: `output_dir` is `{run}`, which holds `metrics.json`")
    assert (run / "metrics.json").read_bytes() == written

    resumed = train_here(bench, run, text_encoder="none", resume_from_checkpoint="true")
    assert resumed["test"] == first["test"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "EMPTY"}, "`dataset` 'EMPTY' with `dataset_config` 'kemdy20' cannot be load"),
        ({"dataset": "EMPTY/nowhere"}, "`dataset` 'EMPTY/nowhere' with"),
        (
            {"speech_encoder": "EMPTY"},
            "`speech_encoder` is 'EMPTY', a folder without",
        ),
        (
            {"text_encoder": "EMPTY/nowhere"},
            "`text_encoder` is 'EMPTY/nowhere', which does not exist",
        ),
        ({"fold": 7}, "`fold` is 7; `"),
        ({"seed": "four"}, "argument --seed: invalid int value: 'four'"),
        ({"sampelr": "uniform"}, "`--sampelr` is not an argument; did you mean `sampler`?"),
        ({"meta_attention_heads": 5}, "meta_attention_heads"),
        ({"output_dir": "EMPTY/file/run"}, "EMPTY/file"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    bench: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, object],
    message: str,
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    if "output_dir" in settings:
        (empty / "file").touch()

    def fill(value: object) -> object:
        return value.replace("EMPTY", str(empty)) if isinstance(value, str) else value

    flags = run_flags(bench, tmp_path / "run", **{k: fill(v) for k, v in settings.items()})
    shown = fail_here(monkeypatch, capsys, *flags)
    assert shown.startswith("train.py: ") and str(fill(message)) in shown
    assert not (tmp_path / "run").exists()


def test_a_wrong_key_of_the_file_ends_the_process_with_a_sentence(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("datasset: somewhere\n")
    done = run_python("train.py", "--config", str(config))
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == (
        f"train.py: `{config}` has the unknown key `datasset`; did you mean `dataset`?"
    )
    assert "Traceback" not in done.stderr


def test_development_mode_shows_where_an_error_came_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--seed", "four"])
    monkeypatch.setattr(sys, "flags", SimpleNamespace(dev_mode=True))
    with pytest.raises(ValueError, match="invalid int value: 'four'"):
        runpy.run_path(str(ROOT / "train.py"), run_name="__main__")


def test_what_is_no_users_mistake_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--seed", "1"])
    monkeypatch.setattr("kemer.command_line.parse_arguments", lambda argv: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
