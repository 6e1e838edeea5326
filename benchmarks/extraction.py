"""Feature extraction: seconds of audio a second, against padded batches and against the floor.

    python -m benchmarks.extraction

runs transformers' encoder in float32 over one random batch of 32, padded (the published recipe's
evaluation), and the encoder of `kemer.fast` over the same 32 utterances, each in a process of its
own for its peak of memory, and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import SpeechT5Config
from transformers.models.speecht5.modeling_speecht5 import SpeechT5EncoderWithSpeechPrenet

from benchmarks.speed_inputs import (
    RATE,
    encoder_flops,
    make_encoder,
    make_waveforms,
    matrix_rate,
    run_python,
    shortest,
)
from kemer.fast.encoder import DTYPES, FastSpeechEncoder

UTTERANCES = 32


def main() -> None:
    """Measure, or with `--way` be what is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--way", choices=["padded", "fast fp32", "fast bf16"])
    told = parser.parse_args()
    if told.way is not None:
        print(json.dumps(measure(told.way)))
        return
    found = {
        way: json.loads(run_python("-m", "benchmarks.extraction", "--way", way).splitlines()[-1])
        for way in ("padded", "fast fp32", "fast bf16")
    }
    padded, fast = found["padded"], found["fast bf16"]
    print(
        json.dumps(
            {
                **found,
                "times as fast": padded["seconds"] / fast["seconds"],
                "times as fast, fp32": padded["seconds"] / found["fast fp32"]["seconds"],
                "share of the floor": fast["floor"] / fast["seconds"],
                "share of memory": fast["peak MiB"] / padded["peak MiB"],
            }
        )
    )


@torch.inference_mode()
def measure(way: str) -> dict[str, float]:
    """Return seconds, the floor of the arithmetic before and after, and the peak of memory."""
    waveforms = make_waveforms(UTTERANCES)
    audio = sum(map(len, waveforms)) / RATE
    flops = sum(encoder_flops(len(one)) for one in waveforms)
    floor = None
    if way == "padded":
        torch.manual_seed(0)
        encoder = SpeechT5EncoderWithSpeechPrenet(SpeechT5Config()).eval()
        values = pad_sequence(waveforms, batch_first=True)
        mask = pad_sequence([torch.ones(len(one), dtype=torch.long) for one in waveforms], True)
        began = time.perf_counter()
        encoder(values, attention_mask=mask)
        seconds = time.perf_counter() - began
    else:
        dtype = DTYPES[way.split()[1]]
        fast = FastSpeechEncoder(make_encoder(), dtype=dtype)
        ordered = sorted(waveforms, key=len, reverse=True)
        before = matrix_rate(dtype)
        seconds = shortest(lambda: fast(ordered))
        floor = flops / max(before, matrix_rate(dtype))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "audio": audio,
        "GFLOP": flops / 1e9,
        "seconds": seconds,
        "audio a second": audio / seconds,
        "floor": floor,
        "peak MiB": peak,
    }


if __name__ == "__main__":
    main()
