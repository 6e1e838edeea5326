"""Answers recordings: one line an utterance, with times, emotions, valence and arousal.

    python -m kemer.predict FILES... --model CHECKPOINT [--text "..."] [--format json|csv|table]

Files of any format that ffmpeg reads, and folders of them. Long recordings are cut where nobody
speaks: where it is silent, or, with `--cut voice`, where a model of voices hears none. What is
wrong with a file is told on standard error, a line each, and the others go on; the exit code is
then 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from kemer.mistakes import told_in_a_sentence
from kemer.predict.formats import FORMATS, AnswerWriter
from kemer.predict.reading import find_files, read_ahead
from kemer.predict.settings import CUTS, PRECISIONS, CutSettings


def main(argv: list[str] | None = None) -> None:
    """Answer.

    Raises:
        SystemExit: 1 if a file failed, 2 with one sentence for what is wrong with the arguments.
    """
    told = make_parser().parse_args(argv)
    files = list(find_files(told.files))
    with told_in_a_sentence("kemer.predict"):
        if told.text is not None and len(files) != 1:
            raise ValueError(f"`--text` is of one recording, and here are {len(files)}; name one.")
        if not files:
            raise ValueError(f"`FILES` {', '.join(map(str, told.files))} holds no file; name one.")
        settings = CutSettings(
            by=told.cut,
            silence_db=told.silence_db,
            silence_seconds=told.silence_seconds,
            longest=told.longest,
        )
        from kemer.predict.answering import Answerer  # heavy: `--help` and mistakes need none of it

        answerer = Answerer(
            told.model,
            settings=settings,
            batch_size=told.batch_size,
            precision=told.precision,
            fast=not told.reference_encoder,
        )
    writer = AnswerWriter(sys.stdout, told.format, answerer.processor.emotions)
    failed = 0
    progress = tqdm(total=len(files), unit="file", disable=not sys.stderr.isatty())
    for path, reading in read_ahead(files, answerer.read):
        try:
            for answer in answerer.answer(reading.result(), text=told.text):
                writer.write({"file": str(path), **answer})
        except (ValueError, OSError) as error:
            failed += 1
            print(f"{path}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        progress.update()
    progress.close()
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
    add(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="that the speech encoder computes in (default: %(default)s)",
    )
    add(
        "--reference-encoder",
        action="store_true",
        help="run the model's own speech encoder in place of the one that pads nothing",
    )
    add("--cut", choices=CUTS, default=cut.by, help="what ends an utterance (default: %(default)s)")
    add("--silence-db", type=float, default=cut.silence_db, help="default: %(default)s")
    add("--silence-seconds", type=float, default=cut.silence_seconds, help="default: %(default)s")
    add("--longest", type=float, default=cut.longest, help="seconds (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
