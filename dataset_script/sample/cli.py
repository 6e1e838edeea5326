"""`python -m dataset_script sample`: writes a sample corpus, or says what it can be scored at."""

from __future__ import annotations

import argparse
from pathlib import Path

from .lexicon import DEFAULT_LEXICON, load_lexicon
from .oracle import bayes_exact_match, format_oracle
from .parameters import NEUTRAL_RANGE, Parameters
from .server import ChatServer, SampleTranslator
from .session import LAYOUTS, SampleOptions
from .speech import VOICES
from .writer import CONTEXTUAL_FILE, write_sample_corpus


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sample`; the defaults are those of the data classes."""
    options, model = SampleOptions(), Parameters()
    add = parser.add_argument
    add("directory", nargs="?", type=Path, help="where to write the corpus")
    add("--layout", choices=LAYOUTS, default=options.layout, help="whose form the corpus has")
    add("--anomalies", action="store_true", help="plant the known faults, listed beside the corpus")
    add("--bio", action="store_true", help="write bio-signals too; --anomalies does in any case")
    add(
        "--without-wav",
        action="store_true",
        help="write no recordings, like the version of KEMDy20 that came without; fast",
    )
    add("--sessions", type=int, default=options.sessions, help="sessions of two speakers")
    add("--turns", type=int, default=options.turns, help="turns of each dialogue of a session")
    add("--seed", type=int, default=options.seed, help="of everything random")
    add(
        "--folds",
        type=int,
        default=options.folds,
        help="folds that the corpus is for: sessions of different folds share no voice",
    )
    add(
        "--speech-signal",
        type=float,
        default=model.speech_signal,
        help="0 to 1; 0: prosody tells nothing",
    )
    add(
        "--text-signal",
        type=float,
        default=model.text_signal,
        help="0 to 1; 0: wording tells nothing",
    )
    add(
        "--context-signal",
        type=float,
        default=model.context_signal,
        help="0 to 1; 0: the dialogue around a line tells nothing",
    )
    low, high = NEUTRAL_RANGE
    add(
        "--neutral",
        type=float,
        default=model.neutral,
        help=f"share of turns whose consensus is neutral, {low} to {high}",
    )
    add("--lexicon", type=Path, default=DEFAULT_LEXICON, help="JSON file with other lines")
    add("--voices", nargs="+", default=list(VOICES), help="espeak-ng voices: m1, f:Annie, …")
    add(
        "--serve",
        type=int,
        metavar="PORT",
        help="answer the translation command by the lexicon, as an OpenAI-compatible server on "
        "this machine, until interrupted (0: any free port)",
    )
    add("--oracle", action="store_true", help="print the Bayes exact match of each modality")


def run(args: argparse.Namespace) -> int:
    """Run `sample`.

    Raises:
        ValueError: for an option outside its range, a folder or lexicon that cannot be used, or if
            there is nothing to do.
        FileNotFoundError: if there is no such lexicon.
        OSError: if the port of `--serve` is taken.
        RuntimeError: if espeak-ng is not installed or fails.
    """
    parameters = Parameters(
        speech_signal=args.speech_signal,
        text_signal=args.text_signal,
        context_signal=args.context_signal,
        neutral=args.neutral,
    )
    if args.directory is None and not args.oracle and args.serve is None:
        raise ValueError(
            "`directory` is missing; name a folder to write to, or give `--oracle` or `--serve`."
        )
    if args.directory is not None:
        options = SampleOptions(
            sessions=args.sessions,
            seed=args.seed,
            turns=args.turns,
            folds=args.folds,
            voices=tuple(args.voices),
            lexicon=args.lexicon,
            parameters=parameters,
            layout=args.layout,
            anomalies=args.anomalies,
            bio=args.bio,
            recordings=not args.without_wav,
        )
        count = write_sample_corpus(args.directory, options)
        print(
            f"{count} synthetic utterances in {args.sessions} sessions: {args.directory}\n"
            f"translations beside them: {args.directory / CONTEXTUAL_FILE}"
        )
    if args.oracle:
        print(format_oracle(bayes_exact_match(parameters), parameters))
    if args.serve is not None:
        _serve(args)
    return 0


def _serve(args: argparse.Namespace) -> None:
    """Answer until interrupted."""
    server = ChatServer(SampleTranslator(load_lexicon(args.lexicon)), port=args.serve)
    print(
        f"SYNTHETIC translations of the sample corpora at {server.base_url} (Ctrl-C ends it)\n"
        f"Use it: python -m dataset_script translate {args.directory or 'DIR'} "
        f"--config {args.layout} --output t.jsonl --base-url {server.base_url}",
        flush=True,
    )
    try:
        server.serve()
    except KeyboardInterrupt:
        print("ended")
    finally:
        server.close()
