import json
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from decoding_kemer import LabelSetDecoder, decode_argmax, decode_threshold
from kemer import results
from kemer.arguments import RunArguments
from kemer.batches import multi_hot
from kemer.data import Split
from kemer.decoder_fitting import answer_logits
from kemer.results import RunAnswers, git_commit, save_model, summarise, write_results
from kemer.scoring import PREDICTION_COLUMNS, score
from tests import tiny
from tests.kemer.bench import prepare, run_train

ROOT = Path(__file__).resolve().parents[2]
PICKLES = {".bin", ".pt", ".pth", ".pkl"}


@pytest.fixture(scope="module")
def run(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunArguments, Split]:
    """A finished run of the joint model: what it was told, and its fold."""
    settings = {"num_train_epochs": 2, "seed": 5, "metric_for_best_model": "joint_loss"}
    prepared = prepare(bench, tmp_path_factory.mktemp("run") / "run", **settings)
    run_train(prepared[0])
    return prepared


def answered(frame: pd.DataFrame) -> RunAnswers:
    """Answers of a run whose validation and test utterances are the same."""
    sets = tuple(sorted({tuple(map(int, row)) for row in frame["labels_reference"]}))
    return RunAnswers(
        {"validation": frame, "test": frame}, LabelSetDecoder((1.0,) * 7, (0.0,) * 7, sets)
    )


@pytest.fixture(scope="module")
def metrics(run: tuple[RunArguments, Split]) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(run[0].paths.metrics.read_text(), parse_constant=refuse)


def test_scores_come_with_base_rates_and_what_sessions_say(
    run: tuple[RunArguments, Split],
) -> None:
    arguments, _ = run
    test = json.loads(arguments.paths.metrics.read_text())["test"]
    frame = pd.read_parquet(arguments.paths.predictions)
    labels = np.array([list(row) for row in frame["labels_reference"]])
    assert list(test["base_rates"].values()) == pytest.approx(labels.mean(axis=0).tolist())
    assert list(test["base_rates"])[3] == "neutral"
    over = test["over_sessions"]
    assert set(over) == {"exact_match", "distance", "f1_macro", "ccc_valence", "ccc_arousal"}
    assert over["exact_match"]["value"] == pytest.approx(test["exact_match"])
    assert set(over["exact_match"]["session_values"]) == {str(one) for one in test["sessions"]}


def test_a_run_leaves_what_it_promises(run: tuple[RunArguments, Split]) -> None:
    paths = run[0].paths
    assert {path.name for path in paths.root.iterdir()} == {
        *("model", "metrics.json", "predictions.parquet", "predictions.validation.parquet"),
        *("report", "checkpoints", "logs"),
    }
    assert {path.name for path in paths.report.iterdir()} == {
        *("report.md", "confusion.png", "reliability.png", "valence_arousal.png")
    }
    for path in paths.report.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert any(path.name.startswith("events.out.tfevents") for path in paths.logs.rglob("*"))


def test_what_is_released_holds_weights_code_and_processor(run: tuple[RunArguments, Split]) -> None:
    paths = run[0].paths
    names = {path.name for path in paths.model.iterdir()}
    assert {
        "model.safetensors",
        "config.json",
        "modeling_kemer.py",
        "processor_config.json",
    } <= names
    assert {"processing_kemer.py", "spm_char.model"} <= names
    pickles = [path for path in paths.root.rglob("*") if path.suffix in PICKLES]
    assert pickles and all(paths.checkpoints in path.parents for path in pickles)
    assert not any(path.name.startswith(".model") for path in paths.root.iterdir())


def test_the_best_epochs_weights_are_released(
    run: tuple[RunArguments, Split], metrics: dict[str, Any]
) -> None:
    paths = run[0].paths
    best = paths.checkpoints / f"checkpoint-{metrics['run']['best_step']}"
    found, expected = (load_file(folder / "model.safetensors") for folder in (paths.model, best))
    assert found.keys() == expected.keys()
    assert all((found[name] == expected[name]).all() for name in expected)


def test_metrics_say_what_was_measured(
    run: tuple[RunArguments, Split], metrics: dict[str, Any]
) -> None:
    split = run[1]
    assert [metrics[role]["sessions"] for role in ("train", "validation", "test")] == [
        *([3, 4, 5], [2], [1])
    ]
    assert [metrics[role]["utterances"] for role in ("train", "validation", "test")] == [12, 4, 4]
    told = metrics["run"]
    assert told["seed"] == 5 and told["fold"] == 0 and told["processes"] == 1
    assert told["chosen_by"] == "joint_loss" and told["best_step"] in (3, 6)
    assert told["synthetic"] is False
    assert told["folds_sha256"] == split.folds_sha256
    assert told["versions"]["transformers"] == version("transformers")
    assert told["git_commit"] == git_commit()
    assert told["batch_size"] == 4 and told["learning_rate"] == 1e-3
    assert told["text_column"] == "text_en" and told["sampler"] == "inverse_frequency"


def test_metrics_hold_no_machine_path(run: tuple[RunArguments, Split], bench: Path) -> None:
    text = run[0].paths.metrics.read_text()
    assert str(bench) not in text and str(run[0].paths.root) not in text
    assert '"speech_encoder": "' in text and f'{bench.name}/speech"' in text


def test_scores_can_be_computed_again_from_the_predictions(
    run: tuple[RunArguments, Split], metrics: dict[str, Any]
) -> None:
    frame = pd.read_parquet(run[0].paths.predictions)
    assert tuple(frame.columns) == (*PREDICTION_COLUMNS, "protocol")
    assert set(frame["protocol"]) == {"session"}
    assert frame["id"].tolist() == list(run[1].rows["test"]["id"])
    again = score(frame)
    assert len(again) > 20
    for name, value in again.items():
        found = metrics["test"][name]
        assert found == pytest.approx(value) if found is not None else np.isnan(value), name
    for name in ("probabilities", "labels_predicted", "labels_reference"):
        assert frame[name].map(len).eq(7).all()


def test_every_decoding_can_be_computed_again_from_the_predictions(
    run: tuple[RunArguments, Split], metrics: dict[str, Any]
) -> None:
    paths = run[0].paths
    decoder = LabelSetDecoder.from_dict(metrics["run"]["label_set_decoder"])
    seen = {tuple(row) for row in decoder.label_sets}
    assert seen == {tuple(multi_hot(row).astype(int)) for row in run[1].rows["train"]["emotions"]}
    for role, path in (("test", paths.predictions), ("validation", paths.validation_predictions)):
        frame = pd.read_parquet(path)
        logits = answer_logits(frame)
        truth = np.array(frame["labels_reference"].tolist())
        answers = {
            "threshold": decode_threshold(logits),
            "argmax": decode_argmax(logits),
            "label_sets": decoder(logits),
        }
        for name, decided in answers.items():
            told = metrics[role]["decodings"][name]
            assert told["exact_match"] == (decided == truth).all(axis=1).mean()
            assert told["empty"] == (decided.sum(axis=1) == 0).mean()
            assert told["pairs"] == (decided.sum(axis=1) == 2).mean()
    assert pd.read_parquet(paths.validation_predictions)["id"].tolist() == list(
        run[1].rows["validation"]["id"]
    )


def test_the_majority_answer_is_chosen_on_training_rows(
    run: tuple[RunArguments, Split], metrics: dict[str, Any], bench: Path, tmp_path: Path
) -> None:
    sets = [tuple(sorted(row)) for row in run[1].rows["train"]["emotions"]]
    majority = max(sets, key=sets.count)
    for role in ("validation", "test"):
        truth = [tuple(sorted(row)) for row in run[1].rows[role]["emotions"]]
        assert metrics[role]["constant_exact_match"] == truth.count(majority) / len(truth)

    frame = pd.read_parquet(run[0].paths.predictions)
    frame["labels_reference"] = [[0, 0, 1, 0, 0, 0, 0]] * len(frame)  # fear, which never occurs
    arguments, split = prepare(bench, tmp_path)
    written = write_results(answered(frame), arguments=arguments, split=split, best_step=None)
    assert written["test"]["constant_exact_match"] == 0.0


def test_the_summary_names_sessions_scores_and_files(
    run: tuple[RunArguments, Split], metrics: dict[str, Any]
) -> None:
    shown = summarise(metrics, run[0].paths)
    assert "test sessions [1] (4 utterances, kemdy20)" in shown
    assert f"{metrics['test']['exact_match']:.3f}" in shown
    assert str(run[0].paths.model) in shown
    synthetic = {**metrics, "run": {**metrics["run"], "synthetic": True}}
    assert "synthetic speech" in summarise(synthetic, run[0].paths)


def test_a_synthetic_dataset_is_told_in_metrics_and_report(
    run: tuple[RunArguments, Split], bench: Path, tmp_path: Path
) -> None:
    frame = pd.read_parquet(run[0].paths.predictions)
    arguments, split = prepare(bench, tmp_path)
    synthetic = Split(split.rows, split.sessions, split.folds_sha256, synthetic=True)
    written = write_results(answered(frame), arguments=arguments, split=synthetic, best_step=None)
    assert written["run"]["synthetic"] is True and written["run"]["best_step"] is None
    assert "ynthetic" in (tmp_path / "report/report.md").read_text()
    assert "ynthetic" not in (run[0].paths.report / "report.md").read_text()


@pytest.mark.parametrize("protocol", ["session", "session-matched", "random"])
def test_the_protocol_is_named_and_a_leak_called_one(
    run: tuple[RunArguments, Split], bench: Path, tmp_path: Path, protocol: str
) -> None:
    frame = pd.read_parquet(run[0].paths.predictions)
    arguments, split = prepare(bench, tmp_path)  # the split itself is another test's
    arguments.data.protocol = protocol
    written = write_results(answered(frame), arguments=arguments, split=split, best_step=None)
    told = json.loads(arguments.paths.metrics.read_text())["run"]
    assert told["protocol"] == protocol
    shown = {
        "printed": summarise(written, arguments.paths),
        "metrics": str(told["leak"] or ""),
        "report": (tmp_path / "report/report.md").read_text(),
        "predictions": " ".join(set(pd.read_parquet(arguments.paths.predictions)["protocol"])),
    }
    for place, text in shown.items():
        assert ("leak" in text) == (protocol == "random"), place
    if protocol != "session":
        assert f"protocol {protocol}" in shown["printed"] and protocol in shown["report"]
        assert protocol in shown["predictions"]


def test_saving_replaces_a_model_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processor = tiny.make_processor(tmp_path)
    target = tmp_path / "model"
    target.mkdir()
    (target / "of_an_older_run").touch()
    (tmp_path / ".model.new").mkdir()
    (tmp_path / ".model.new/half").touch()
    save_model(tiny.make_model(), processor, target)
    names = {path.name for path in target.iterdir()}
    assert "model.safetensors" in names and not {"of_an_older_run", "half"} & names
    before = (target / "model.safetensors").read_bytes()

    # What fails on the way leaves the old model as it was.
    def fail(folder: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(processor, "save_pretrained", fail)
    with pytest.raises(OSError, match="No space left"):
        save_model(tiny.make_model(seed=1), processor, target)
    assert {path.name for path in target.iterdir()} == names
    assert (target / "model.safetensors").read_bytes() == before


def test_the_commit_is_that_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["tag", "v1"]]
    (tmp_path / "kemer").mkdir()
    source = tmp_path / "kemer/results.py"
    source.write_text("")
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    monkeypatch.setattr(results, "__file__", str(source))
    assert git_commit() is None
    for command in commands:
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.strip()
    assert git_commit() == head
    source.write_text("changed")
    assert git_commit() == f"{head}-dirty"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() is None
