import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from dataset_script.release import build_release
from kemer.command_line import parse_arguments
from tests.kemer.bench import make_release, prepare, run_flags, run_train
from tests.kemer.feature_cache import FROZEN, build, report

TEXTS = 6  # different ones of the release, the missing one among them


# Runs of training with and without it.


def curve(bench: Path, run: Path, **settings: object) -> list[float]:
    """Train; return the losses of every step and of every evaluation."""
    settings = {**FROZEN, "num_train_epochs": 2, "logging_steps": 1, **settings}
    run_train(parse_arguments(run_flags(bench, run, **settings)))
    checkpoints = (run / "checkpoints").glob("checkpoint-*")
    last = max(checkpoints, key=lambda path: int(path.name.split("-")[-1]))
    log = json.loads((last / "trainer_state.json").read_text())["log_history"]
    return [entry[name] for name in ("loss", "eval_joint_loss") for entry in log if name in entry]


def assert_same_run(found: Path, expected: Path, *, tolerance: float) -> None:
    """Same weights to the last bit where they were frozen, same answers within a tolerance."""
    weights, others = (load_file(run / "model/model.safetensors") for run in (found, expected))
    assert weights.keys() == others.keys()
    # AdamW turns the rounding of a gradient that ought to be 0 into a whole step: what is trained
    # is compared by its answers.
    encoders = [name for name in weights if name.startswith(("speech_encoder.", "text_encoder."))]
    assert encoders and all(torch.equal(weights[name], others[name]) for name in encoders)
    names = sorted(path.name for path in (expected / "model").iterdir())
    assert sorted(path.name for path in (found / "model").iterdir()) == names
    configs = [json.loads((run / "model/config.json").read_text()) for run in (found, expected)]
    decoders = [config.pop("label_set_decoder") for config in configs]  # fitted on the answers
    assert configs[0] == configs[1]
    assert decoders[0].pop("label_sets") == decoders[1].pop("label_sets")
    for name, values in decoders[0].items():
        assert values == pytest.approx(decoders[1][name], abs=100 * tolerance)
    one, two = (pd.read_parquet(run / "predictions.parquet") for run in (found, expected))
    assert one["id"].tolist() == two["id"].tolist()
    for name in ("probabilities", "valence_predicted", "arousal_predicted"):
        a, b = (torch.tensor(np.stack(frame[name])) for frame in (one, two))
        torch.testing.assert_close(a, b, rtol=0, atol=10 * tolerance)


@pytest.fixture(scope="module")
def live(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """A run of a joint model without a cache, with dropout above its frozen encoders."""
    run = tmp_path_factory.mktemp("live") / "run"
    return run, curve(bench, run)


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("fp32", 1e-5), ("fp16", 1e-3), ("bf16", 1e-3)]
)
def test_training_from_the_cache_is_live_training(
    bench: Path,
    tmp_path: Path,
    live: tuple[Path, list[float]],
    capsys: pytest.CaptureFixture[str],
    precision: str,
    tolerance: float,
) -> None:
    expected_run, expected = live
    settings = {"feature_cache": tmp_path / "cache", "feature_cache_precision": precision}
    for run, kept in (("first", 0), ("second", 20)):
        found = curve(bench, tmp_path / run, **settings)
        shown = capsys.readouterr().out
        assert f"speech encoder: 20 utterances, {kept} kept before, {20 - kept} computed" in shown
        assert len(found) == 8 and found == pytest.approx(expected, rel=0, abs=tolerance)
        assert_same_run(tmp_path / run, expected_run, tolerance=tolerance)
    assert max(expected) - min(expected) > 0.1  # a curve, not a line
    metrics = json.loads((tmp_path / "first/metrics.json").read_text())
    assert metrics["run"]["feature_cache_precision"] == precision


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"freeze_text_encoder": False}, ["speech"]),
        ({"freeze_speech_encoder": False}, ["text"]),
        ({"text_encoder": "none", "freeze_text_encoder": False}, ["speech"]),
        ({"speech_encoder": "none", "freeze_speech_encoder": False}, ["text"]),
        ({"max_train_seconds": 0.15, "dataloader_num_workers": 2}, ["speech", "text"]),
        ({"bf16": True, "feature_cache_precision": "bf16"}, ["speech", "text"]),
        (
            {"bf16": True, "feature_cache_precision": "bf16", "fast_encoder": False},
            ["speech", "text"],
        ),
    ],
    ids=[
        *("speech of two", "text of two", "speech", "text", "cut, two workers"),
        *("bf16, which the fast encoder rounds elsewhere", "bf16, as autocast rounds"),
    ],
)
def test_other_runs_from_the_cache_are_live_ones_too(
    bench: Path, tmp_path: Path, settings: dict[str, Any], kept: list[str]
) -> None:
    settings = {"feature_cache_precision": "fp32", **settings}
    tolerance = 1e-5
    if "bf16" in settings:
        tolerance = 2e-2 if settings.get("fast_encoder", True) else 1e-3
    expected = curve(bench, tmp_path / "live", **settings)
    found = curve(bench, tmp_path / "run", feature_cache=tmp_path / "cache", **settings)
    assert found == pytest.approx(expected, rel=0, abs=tolerance)
    folders = sorted(path.name.split("-")[0] for path in (tmp_path / "cache").iterdir())
    assert folders == kept


def test_a_frozen_encoder_is_never_run_again(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"feature_cache": tmp_path / "cache"}
    curve(bench, tmp_path / "first", **settings)

    def run(self: object, *inputs: object, **others: object) -> None:
        raise AssertionError("an encoder ran")

    monkeypatch.setattr("encoders_kemer.KemerSpeechT5SpeechEncoder.forward", run)
    monkeypatch.setattr("encoders_kemer.KemerSpeechT5TextEncoder.forward", run)
    curve(bench, tmp_path / "second", **settings)


# What is never served.


@pytest.fixture
def changing(tmp_path: Path, bench: Path) -> Path:
    """A copy of the release and its encoders, with a cache of all of it."""
    for name in ("release", "speech", "text"):
        shutil.copytree(bench / name, tmp_path / name)
    build(tmp_path, tmp_path / "cache")
    return tmp_path


def change_weight(folder: Path, modality: str) -> None:
    path = folder / modality / "model.safetensors"
    weights = {name: value.clone() for name, value in load_file(path).items()}
    (name,) = [n for n in weights if n.endswith("encoder.layers.1.feed_forward.output_dense.bias")]
    weights[name][0] += 1e-3
    save_file(weights, path, metadata={"format": "pt"})


def change_field(path: Path, **fields: object) -> None:
    values = json.loads(path.read_text())
    assert any(values.get(name) != value for name, value in fields.items())
    path.write_text(json.dumps({**values, **fields}))


@pytest.mark.parametrize(
    ("change", "modality"),
    [
        (lambda f: change_weight(f, "speech"), "speech"),
        (lambda f: change_weight(f, "text"), "text"),
        (lambda f: change_field(f / "speech/config.json", layer_norm_eps=1e-3), "speech"),
        (lambda f: change_field(f / "text/config.json", layer_norm_eps=1e-3), "text"),
        (
            lambda f: change_field(f / "speech/preprocessor_config.json", do_normalize=True),
            "speech",
        ),
    ],
    ids=["speech weight", "text weight", "speech config", "text config", "feature extractor"],
)
def test_a_change_of_one_encoder_computes_all_of_it_anew_and_nothing_else(
    changing: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Path], None],
    modality: str,
) -> None:
    change(changing)
    capsys.readouterr()
    found = build(changing, changing / "cache")
    shown = capsys.readouterr()
    expected = {"speech": (20, 0, 0), "text": (20, 0, 0)}
    expected[modality] = {"speech": (0, 20, 0), "text": (0, TEXTS, 20 - TEXTS)}[modality]
    for name, counts in expected.items():
        capsys.readouterr()
        print(shown.out)
        assert report(capsys, name) == counts, name
    fresh = build(changing, changing / "fresh")
    for role, rows in fresh.items():
        for name, states in rows.items():
            assert all(torch.equal(a, b) for a, b in zip(found[role][name], states, strict=True))


@pytest.mark.parametrize(
    ("settings", "speech", "text"),
    [
        ({}, (20, 0, 0), (20, 0, 0)),
        ({"fold": 1, "seed": 9}, (20, 0, 0), (20, 0, 0)),
        ({"feature_cache_precision": "bf16"}, (0, 20, 0), (0, TEXTS, 20 - TEXTS)),
        ({"bf16": True}, (0, 20, 0), (0, TEXTS, 20 - TEXTS)),
        ({"text_column": "text_ko"}, (20, 0, 0), None),
    ],
    ids=["nothing", "fold and seed", "stored", "computed", "text column"],
)
def test_a_setting_computes_what_it_changes(
    changing: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, Any],
    speech: tuple[int, ...],
    text: tuple[int, ...] | None,
) -> None:
    capsys.readouterr()
    build(changing, changing / "cache", **settings)
    shown = capsys.readouterr().out
    for modality, expected in (("speech", speech), ("text", text)):
        print(shown)
        found = report(capsys, modality)
        assert found == expected if expected else found[1] > 0


def test_a_cut_computes_only_what_it_cuts(
    changing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, split = prepare(changing, changing / "run", **FROZEN)
    longer = sum(round(seconds * 16_000) > 3200 for seconds in split.rows["train"]["duration"])
    assert 0 < longer < 12
    capsys.readouterr()
    found = build(changing, changing / "cache", max_train_seconds=0.2)
    assert report(capsys, "speech") == (20 - longer, longer, 0)
    frames = [len(states) for states in found["train"]["speech"]]
    whole = [len(states) for states in build(changing, changing / "cache")["train"]["speech"]]
    assert sum(a < b for a, b in zip(frames, whole, strict=True)) == longer
    assert [len(s) for s in found["test"]["speech"]] == [
        len(s) for s in build(changing, changing / "cache")["test"]["speech"]
    ]


def test_a_tokenizer_of_other_length_computes_what_it_cuts(
    changing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # "well done" and "why would he" end before the 12th token, the three others do not.
    change_field(changing / "text/tokenizer_config.json", model_max_length=13)
    capsys.readouterr()
    found = build(changing, changing / "cache")
    kept, computed, repeated = report(capsys, "text")
    assert computed > 0 and kept > 0 and kept + computed + repeated == 20
    assert max(len(states) for states in found["train"]["text"]) == 13


def test_a_changed_sample_or_letter_computes_its_row(
    tmp_path: Path, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("speech", "text"):
        shutil.copytree(bench / name, tmp_path / name)
    make_release(tmp_path)
    build(tmp_path, tmp_path / "cache")
    wav = sorted((tmp_path / "corpus/wav").rglob("*.wav"))[3]
    samples, rate = soundfile.read(wav, dtype="int16")
    samples[-1] += 1
    soundfile.write(wav, samples, rate)
    shutil.rmtree(tmp_path / "release")
    translations = tmp_path / "translations.jsonl"
    lines = translations.read_text().splitlines()
    lines[7] = json.dumps({**json.loads(lines[7]), "text_en": "well dome"})
    translations.write_text("\n".join(lines) + "\n")
    release = tmp_path / "release"
    build_release(tmp_path / "corpus", release, config="kemdy20", translations=translations)
    capsys.readouterr()
    build(tmp_path, tmp_path / "cache")
    shown = capsys.readouterr().out
    for modality in ("speech", "text"):
        print(shown)
        assert report(capsys, modality) == (19, 1, 0), modality
