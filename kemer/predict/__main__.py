"""Answers recordings: one line an utterance, with times, emotions, valence and arousal.

    python -m kemer.predict FILES... --model CHECKPOINT [--text "..."] [--format json|csv|table]

Files of any format that ffmpeg reads, and folders of them. Long recordings are cut where nobody
speaks. What is wrong with a file is told on standard error, a line each, and the others go on; the
exit code is then 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from kemer.mistakes import told_in_a_sentence
from kemer.predict.formats import FORMATS, AnswerWriter
from kemer.predict.reading import CutSettings, cut_utterances, find_files, read_recording
from kemer.trained import load_trained


class Answerer:
    """A checkpoint that answers recordings.

    Args:
        checkpoint: folder or repository of a KEMER model.
        settings: how recordings are cut.
        batch_size: utterances that are answered together; changes no answer.

    Raises:
        ValueError: if the checkpoint cannot be loaded.
    """

    def __init__(self, checkpoint: str, *, settings: CutSettings, batch_size: int) -> None:
        self.model, self.processor = load_trained(checkpoint, option="--model")
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.settings, self.batch_size = settings, batch_size

    def answer(self, path: Path, *, text: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the answer to each utterance of a recording, in their order.

        Args:
            path: the recording.
            text: what was said in it; the recording is then one utterance.

        Raises:
            ValueError: if the recording cannot be read, or nobody speaks in it.
        """
        rate = self.processor.sampling_rate
        recording = read_recording(path, rate=rate, settings=self.settings)
        if text is not None:
            spans = [(0.0, len(recording.samples) / rate)]
        else:
            spans = cut_utterances(recording, rate=rate, settings=self.settings)
        if not spans:
            raise ValueError("nobody speaks in it; see `--silence-db`")
        for first in range(0, len(spans), self.batch_size):
            some = spans[first : first + self.batch_size]
            audio = [self._part(recording.samples, *span, rate=rate) for span in some]
            for span, answer in zip(some, self._answer_batch(audio, text), strict=True):
                times = {"start": round(span[0], 3), "end": round(span[1], 3)}
                yield {"file": str(path), **times, **answer}

    def _part(self, samples: np.ndarray, start: float, end: float, *, rate: int) -> np.ndarray:
        """Return a part of a recording, followed by silence where it is too short to be heard."""
        part = samples[int(start * rate) : int(end * rate)]
        missing = self.processor.minimum_samples - len(part)
        return np.pad(part, (0, missing)) if missing > 0 else part

    @torch.no_grad()
    def _answer_batch(self, audio: list[np.ndarray], text: str | None) -> list[dict[str, Any]]:
        arguments: dict[str, Any] = {}
        if self.model.config.speech_config is not None:
            arguments |= {"audio": audio, "sampling_rate": self.processor.sampling_rate}
        if self.model.config.text_config is not None and text is not None:
            arguments["text"] = [text] * len(audio)
        if not arguments:
            raise ValueError("the model reads only; give `--text`")
        inputs = self.processor(**arguments)
        inputs = {name: value.to(self.model.device) for name, value in inputs.items()}
        return self.processor.post_process(self.model(**inputs))


def main(argv: list[str] | None = None) -> None:
    """Answer.

    Raises:
        SystemExit: 1 if a file failed, 2 with one sentence for what is wrong with the arguments.
    """
    told = make_parser().parse_args(argv)
    settings = CutSettings(
        silence_db=told.silence_db, silence_seconds=told.silence_seconds, longest=told.longest
    )
    files = list(find_files(told.files))
    with told_in_a_sentence("kemer.predict"):
        if told.text is not None and len(files) != 1:
            raise ValueError(f"`--text` is of one recording, and here are {len(files)}; name one.")
        if told.batch_size < 1 or told.silence_seconds <= 0 or told.longest < 1:
            raise ValueError(
                f"`--batch-size` is {told.batch_size}, `--silence-seconds` {told.silence_seconds} "
                f"and `--longest` {told.longest}; allowed are 1 up, more than 0, and 1 up."
            )
        answerer = Answerer(told.model, settings=settings, batch_size=told.batch_size)
    writer = AnswerWriter(sys.stdout, told.format, answerer.processor.emotions)
    failed = 0
    for path in tqdm(files, unit="file", disable=None if sys.stderr.isatty() else True):
        try:
            for answer in answerer.answer(path, text=told.text):
                writer.write(answer)
        except (ValueError, OSError) as error:
            failed += 1
            print(f"{path}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    sys.exit(1 if failed else 0)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m kemer.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add, cut = parser.add_argument, CutSettings()
    add("files", nargs="+", type=Path, metavar="FILES", help="recordings, and folders of them")
    add("--model", required=True, metavar="CHECKPOINT", help="folder or repository of the Hub")
    add("--text", help="what was said in the one recording, which is then not cut")
    add("--format", choices=FORMATS, default="json", help="default: %(default)s")
    add("--batch-size", type=int, default=8, help="utterances at once (default: %(default)s)")
    add("--silence-db", type=float, default=cut.silence_db, help="default: %(default)s")
    add("--silence-seconds", type=float, default=cut.silence_seconds, help="default: %(default)s")
    add("--longest", type=float, default=cut.longest, help="seconds (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
