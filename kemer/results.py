"""What a run leaves behind: the checkpoint that is released, its scores, predictions and report.

Last step of `train.py`.
"""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import subprocess
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from configuration_kemer import EMOTIONS
from decoding_kemer import DECODINGS, LabelSetDecoder, decode_by
from kemer.answers import RunAnswers
from kemer.arguments import RunArguments, RunPaths
from kemer.batches import multi_hot
from kemer.data import Split
from kemer.data_arguments import DataArguments
from kemer.decoder_fitting import answer_logits
from kemer.decoding import answer_shares
from kemer.estimates import estimate, estimate_to_dict
from kemer.figures import label_table
from kemer.protocols import DEFAULT_PROTOCOL, LEAKS, name_protocol
from kemer.report import write_report
from kemer.scoring import constant_answer, score
from kemer.session_sums import prediction_sums
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor

LIBRARIES = ("torch", "transformers", "datasets", "accelerate", "evaluate", "numpy")


def save_model(model: KemerModel, processor: KemerProcessor, directory: Path) -> None:
    """Save what is released: safetensors, code and processor, and nothing of the Trainer's.

    Args:
        model: the trained model.
        processor: its processor.
        directory: written to a temporary folder beside it first, then renamed.
    """
    fresh, old = (directory.with_name(f".{directory.name}.{kind}") for kind in ("new", "old"))
    for leftover in (fresh, old):
        if leftover.exists():
            shutil.rmtree(leftover)
    model.save_pretrained(fresh)
    processor.save_pretrained(fresh)
    if directory.exists():
        directory.rename(old)
    fresh.rename(directory)
    if old.exists():
        shutil.rmtree(old)


def write_results(
    answers: RunAnswers, *, arguments: RunArguments, split: Split, best_step: int | None
) -> dict[str, Any]:
    """Write the predictions, the report and, last, `metrics.json`.

    Args:
        answers: of the run; the report shows those to the test utterances.
        arguments: what the run was told.
        split: what it was measured on.
        best_step: optimiser step whose weights were kept, None if none was chosen.

    Returns:
        the content of `metrics.json`.
    """
    paths = arguments.paths
    train_labels = _label_sets(split)
    results = {
        role: {
            **_score_all(frame, answers.decoder),
            "constant_exact_match": constant_answer(
                list(frame["labels_reference"]), chosen_on=train_labels
            ).exact_match,
            "utterances": len(frame),
            "sessions": split.sessions[role],
            "base_rates": base_rates(frame),
            "over_sessions": {
                name: estimate_to_dict(estimate(sums))
                for name, sums in prediction_sums(frame).items()
            },
        }
        for role, frame in answers.held_out.items()
    }
    for modality, frame in answers.single_modality.items():
        results[f"test_{modality}_only"] = _score_all(frame, answers.decoder)
    results["train"] = {
        "utterances": len(split.rows["train"]),
        "sessions": split.sessions["train"],
    }
    results["run"] = {
        **_describe_run(arguments, split, best_step=best_step),
        "label_set_decoder": answers.decoder.to_dict(),
    }
    results = _without_nan(results)
    _write_predictions(answers, arguments)
    write_report(
        answers.held_out["test"],
        paths.report,
        title=f"{paths.root.name}, {_describe_test(arguments.data)}",
        synthetic=split.synthetic,
        constant_chosen_on=train_labels,
    )
    text = json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(paths.metrics, text + "\n")  # last: whoever finds it knows that the run is finished
    return results


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there as a whole or not at all."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def _write_predictions(answers: RunAnswers, arguments: RunArguments) -> None:
    """Write a file for the validation and the test utterances, and for each modality alone."""
    paths = arguments.paths
    paths.root.mkdir(parents=True, exist_ok=True)
    frames = {
        paths.validation_predictions: answers.held_out["validation"],
        paths.predictions: answers.held_out["test"],
        **{paths.predictions_given(name): one for name, one in answers.single_modality.items()},
    }
    protocol = name_protocol(arguments.data.protocol)
    for path, frame in frames.items():
        frame.assign(protocol=protocol).to_parquet(path, index=False)


def _score_all(predictions: pd.DataFrame, decoder: LabelSetDecoder) -> dict[str, Any]:
    return {**score(predictions), "decodings": score_decodings(predictions, decoder)}


def base_rates(predictions: pd.DataFrame) -> dict[str, float]:
    """Return the share of utterances in which each emotion is present, in [0, 1].

    Args:
        predictions: columns of `predictions.parquet`.
    """
    shares = label_table(predictions["labels_reference"]).mean(axis=0)
    return dict(zip(EMOTIONS, shares.tolist(), strict=True))


def score_decodings(predictions: pd.DataFrame, decoder: LabelSetDecoder) -> dict[str, Any]:
    """Return what each way to decide on the emotions gives, in exact match and sizes of answers.

    Args:
        predictions: columns of `predictions.parquet`.
        decoder: label sets, fitted on the validation utterances.

    Returns:
        by `threshold` (the paper's, 0.5, which may answer no emotion), `argmax` and `label_sets`:
        `exact_match` and the shares of answers that are `empty`, `single`, `pairs` and `larger`.
    """
    logits = answer_logits(predictions)
    references = label_table(predictions["labels_reference"])
    answers = {name: decode_by(name, logits, decoder=decoder) for name in DECODINGS}
    return {
        name: {
            "exact_match": float((decided == references).all(axis=1).mean()),
            **asdict(answer_shares(decided)),
        }
        for name, decided in answers.items()
    }


def _describe_test(data: DataArguments) -> str:
    """Say what was tested, and that it leaks where it does."""
    if data.protocol == DEFAULT_PROTOCOL:
        return f"test sessions of fold {data.fold}"
    return f"fold {data.fold} of protocol {name_protocol(data.protocol)}"


def _label_sets(split: Split) -> list[tuple[int, ...]]:
    """Return the multi-hot label set of every training row."""
    emotions = split.rows["train"]["emotions"]
    return [tuple(multi_hot(row).astype(int).tolist()) for row in emotions]


def _describe_run(
    arguments: RunArguments, split: Split, *, best_step: int | None
) -> dict[str, Any]:
    """Return what somebody needs to repeat the run, and to know what its scores mean."""
    training = arguments.training
    return {
        "synthetic": split.synthetic,
        **_without_machine_paths(asdict(arguments.data)),
        "leak": LEAKS.get(arguments.data.protocol),
        "folds_sha256": split.folds_sha256,
        "model": _without_machine_paths(asdict(arguments.model)),
        "seed": training.seed,
        "epochs": training.num_train_epochs,
        "best_step": best_step,
        "chosen_by": None if best_step is None else training.metric_for_best_model,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": str(training.lr_scheduler_type.value),
        "warmup_steps": training.warmup_steps,
        "weight_decay": training.weight_decay,
        "batch_size": training.train_batch_size,
        "gradient_accumulation_steps": training.gradient_accumulation_steps,
        "sampler": training.sampler,
        "group_by_length": training.group_by_length,
        "decision_threshold": training.decision_threshold,
        "processes": training.world_size,
        "precision": "bf16" if training.bf16 else "fp16" if training.fp16 else "fp32",
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def _without_machine_paths(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with absolute paths cut to their last two parts."""
    return {
        name: str(Path(*Path(value).parts[-2:]))
        if isinstance(value, str) and Path(value).is_absolute()
        else value
        for name, value in settings.items()
    }


def git_commit() -> str | None:
    """Return the commit of this code, with `-dirty` after it if files differ; None without git."""
    root = Path(__file__).resolve().parent.parent
    if shutil.which("git") is None or not (root / ".git").exists():
        return None
    command = [
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _without_nan(value: Any) -> Any:
    """Return the value with null for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def summarise(results: dict[str, Any], paths: RunPaths) -> str:
    """Return what `train.py` prints at the end."""
    test, run = results["test"], results["run"]
    data = "synthetic speech" if run["synthetic"] else run["dataset_config"]
    if run["protocol"] != DEFAULT_PROTOCOL:
        data += f", protocol {name_protocol(run['protocol'])}"
    return "\n".join(
        [
            f"test sessions {test['sessions']} ({test['utterances']} utterances, {data}):",
            *([f"  this is {run['leak']}"] if run["leak"] else []),
            f"  exact match  {test['exact_match']:.3f}  "
            f"(the majority answer: {test['constant_exact_match']:.3f})",
            f"  macro F1     {test['f1_macro']:.3f}",
            f"  distance     {test['distance']:.3f}  (mean squared error, scale 1 to 5)",
            f"model:  {paths.model}",
            f"scores: {paths.metrics}, report: {paths.report}",
        ]
    )
