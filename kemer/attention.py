"""Shows what the meta-attention of a checkpoint looks at in one utterance.

    python -m kemer.attention CHECKPOINT FILE.wav "What was said, in English" --output FILE.png

Writes the figure, and its values beside it as JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import soundfile

from kemer.attention_figure import draw_attention
from kemer.attention_weights import attend
from kemer.figures import save_figure
from kemer.mistakes import told_in_a_sentence
from kemer.trained import load_trained


def main(argv: list[str] | None = None) -> None:
    """Write figure and values.

    Raises:
        SystemExit: 2 with one sentence for what is wrong with the arguments or files.
    """
    parser = argparse.ArgumentParser(
        prog="python -m kemer.attention",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("checkpoint", help="folder or repository of a KEMER model")
    parser.add_argument("wav", type=Path, help="one channel of sound, of any sampling rate")
    parser.add_argument("text", help="its transcript, in the language that the model reads")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.png")
    told = parser.parse_args(argv)
    with told_in_a_sentence("kemer.attention", soundfile.LibsndfileError):
        print(show_attention(told.checkpoint, told.wav, told.text, output=told.output))


def show_attention(checkpoint: str, wav: Path, text: str, *, output: Path) -> str:
    """Write the figure of one utterance and its values; return what is told.

    Args:
        checkpoint: folder or repository of a model with a meta-attention.
        wav: one channel of sound.
        text: its transcript.
        output: where the figure is written, a PNG; the values stand beside it as JSON.

    Raises:
        ValueError: if the output is no PNG, or the model, the sound or the text will not do.
        OSError: if a file cannot be read or written.
    """
    if output.suffix != ".png":
        raise ValueError(f"`--output` is {str(output)!r}; name a file that ends in `.png`.")
    model, processor = load_trained(checkpoint, option="checkpoint")
    samples, rate = soundfile.read(wav, dtype="float32")
    weights = attend(model, processor, samples, text, sampling_rate=rate)
    output.parent.mkdir(parents=True, exist_ok=True)
    figure = draw_attention(weights, samples, sampling_rate=rate, title=f"“{text.strip()}”")
    save_figure(figure, output)
    values = output.with_suffix(".json")
    text_of_values = json.dumps(weights.to_dict(), ensure_ascii=False)
    values.write_text(text_of_values + "\n", encoding="utf-8")
    return (
        f"speech is given {weights.speech_share:.0%} of the attention "
        f"({weights.speech_positions:.0%} of the positions)\nfigure: {output}\nvalues: {values}"
    )


if __name__ == "__main__":
    main()
