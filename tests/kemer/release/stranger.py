"""What somebody does who knows the names of the repositories, and nothing else of this project.

    python stranger.py MODEL DATASET METRIC RECORDING REVISION

Prints what came out as one line of JSON; `test_releasing` sets it beside the local objects.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import torch
from datasets import Audio, load_dataset
from transformers import AutoConfig, AutoModel, AutoProcessor, pipeline

RATE = 16_000
PREDICTIONS = [[0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0]]
REFERENCES = [[0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0, 1]]
POINTS = [[2.0, 3.0], [4.0, 2.5], [3.5, 1.0]]
OTHER_POINTS = [[2.5, 3.0], [4.5, 2.0], [3.0, 1.5]]


def waveform() -> np.ndarray:
    """Return (3000,) float32: a tone that fades."""
    times = np.arange(3000, dtype=np.float32)
    return np.sin(times / 9) * np.exp(-times / 2000) / 2


@torch.no_grad()
def use_model(model: Any, processor: Any) -> dict[str, list[list[float]]]:
    """Return the logits of an utterance that is heard, read, or both."""
    given = {"audio": waveform(), "text": "well done", "sampling_rate": RATE}
    cases = {
        "both": given,
        "speech": {name: given[name] for name in ("audio", "sampling_rate")},
        "text": {"text": given["text"]},
    }
    return {name: model(**processor(**case)).logits.tolist() for name, case in cases.items()}


def use_pipeline(listen: Any, recording: str) -> dict[str, Any]:
    """Return what the pipeline makes of an utterance in each form that it may have."""
    array, text = {"array": waveform(), "sampling_rate": RATE}, "well done"
    forms = {
        "path": {"audio": recording, "text": text},
        "bytes": {"audio": Path(recording).read_bytes(), "text": text},
        "array": {"audio": array, "text": text},
        "flat": {"audio": array["array"], "sampling_rate": RATE, "text": text},
        "speech": {"audio": recording},
        "text": {"text": text},
    }
    found: dict[str, Any] = {name: listen(form) for name, form in forms.items()}
    found["list"] = listen(list(forms.values()), batch_size=4)
    korean = {"audio": recording, "text": "잘했다"}
    found["translated"] = listen(korean, translator=lambda _: text)
    try:
        listen(korean)
    except ValueError as error:
        found["refused"] = str(error)
    return found


def digest(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return a checksum of every row, its recording included."""
    return [hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest() for row in rows]


def use_dataset(name: str, *, streaming: bool) -> dict[str, list[str]]:
    """Return the checksums of the rows of each split."""
    splits = load_dataset(name, "kemdy20", streaming=streaming)
    return {
        split: digest(rows.cast_column("audio", Audio(decode=False)))
        for split, rows in splits.items()
    }


def use_metric(name: str) -> list[dict[str, float]]:
    """Return the scores of both configs."""
    options = {"module_type": "metric"}
    return [
        evaluate.load(name, "labels", **options).compute(
            predictions=PREDICTIONS, references=REFERENCES
        ),
        evaluate.load(name, "valence_arousal", **options).compute(
            predictions=POINTS, references=OTHER_POINTS
        ),
    ]


def main() -> None:
    """Use everything."""
    model_id, dataset_id, metric_id, recording, revision = sys.argv[1:]
    options = {"trust_remote_code": True, "revision": revision}
    model = AutoModel.from_pretrained(model_id, **options).eval()
    processor = AutoProcessor.from_pretrained(model_id, **options)
    found = {
        "type": AutoConfig.from_pretrained(model_id, **options).model_type,
        "logits": use_model(model, processor),
        "pipeline": use_pipeline(pipeline(model=model_id, **options), recording),
        "rows": use_dataset(dataset_id, streaming=False),
        "streamed": use_dataset(dataset_id, streaming=True),
        "scores": use_metric(metric_id),
    }
    print(json.dumps(found, allow_nan=False))


if __name__ == "__main__":
    main()
