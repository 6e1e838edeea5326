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
        checkpoint: folder or repo id of a KEMER model; of one modality, the other is not used.
        wav: one channel of sound, of any sampling rate.
        text: its English transcript.

    Raises:
        OSError: if the checkpoint or the recording cannot be read.
        ValueError: if the recording is nothing that the model can hear.
    """
    model = AutoModel.from_pretrained(checkpoint, trust_remote_code=True).eval()
    processor = AutoProcessor.from_pretrained(checkpoint, trust_remote_code=True)
    inputs = {}
    if model.config.speech_config is not None:
        samples, rate = soundfile.read(wav, dtype="float32")
        inputs = {"audio": samples, "sampling_rate": rate, "resample": True}
    if model.config.text_config is not None:
        inputs["text"] = text
    with torch.no_grad():
        answer = processor.post_process(model(**processor(**inputs)))[0]
    chances = answer["probabilities"]
    for name in sorted(chances, key=chances.get, reverse=True):
        mark = "*" if name in answer["emotions"] else " "
        print(f"  {mark} {name:<9} {chances[name]:.2f}")
    print(f"  valence {answer['valence']:.1f}, arousal {answer['arousal']:.1f} (1 to 5)")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError, soundfile.LibsndfileError) as error:
        sys.exit(
            f"predict.py: {' '.join(str(error).split())} Give a wav file, and a checkpoint saved "
            "with its code: the folder `model` of a training run."
        )
