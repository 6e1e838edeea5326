"""Loads a checkpoint, listens, reads and answers in words.

python examples/predict.py CHECKPOINT FILE.wav "What was said, in English"
"""

from __future__ import annotations

import sys

import soundfile
import torch
from transformers import AutoModel, AutoProcessor


def main(checkpoint: str, wav: str, text: str) -> None:
    """Print the emotions, valence and arousal of one utterance.

    Args:
        checkpoint: folder or repo id of a KEMER model.
        wav: one channel of sound, of any sampling rate.
        text: its English transcript.
    """
    model = AutoModel.from_pretrained(checkpoint, trust_remote_code=True).eval()
    processor = AutoProcessor.from_pretrained(checkpoint, trust_remote_code=True)
    samples, rate = soundfile.read(wav, dtype="float32")
    inputs = processor(audio=samples, text=text, sampling_rate=rate, resample=True)
    with torch.no_grad():
        answer = processor.post_process(model(**inputs))[0]
    chances = answer["probabilities"]
    for name in sorted(chances, key=chances.get, reverse=True):
        mark = "*" if name in answer["emotions"] else " "
        print(f"  {mark} {name:<9} {chances[name]:.2f}")
    print(f"  valence {answer['valence']:.1f}, arousal {answer['arousal']:.1f} (1 to 5)")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
