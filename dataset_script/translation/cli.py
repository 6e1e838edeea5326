"""`python -m dataset_script translate`: the command and what it prints."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from ..archive import open_files
from ..corpus import open_corpus
from ..layout import LAYOUTS
from ..report import BuildReport
from .audit import without_context
from .dialogues import Dialogue, read_dialogues
from .estimate import Estimate
from .options import RESPONSE_FORMATS, ContextOptions, ReportOptions, TranslationOptions
from .prices import Price, load_price, price_date
from .prompts import prompt_version
from .quality import write_report
from .run import Outcome, Server, audit, estimate, estimate_audit, translate
from .store import Store

STOPPED = 3  # exit status of a run that ended before its end
MARKED = 1  # of a run that left something untranslated


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `translate`; the defaults are those of the data classes."""
    add = parser.add_argument
    add("corpus_dir", metavar="CORPUS_DIR", help="the unpacked corpus, or its zip")
    add("--config", required=True, choices=tuple(LAYOUTS), help="which corpus it is")
    add("--output", required=True, type=Path, metavar="FILE.jsonl", help="the translations")
    add("--store", type=Path, help="what was answered, kept for ever (default: FILE.jsonl.store)")
    add("--dry-run", action="store_true", help="count requests, tokens and cost; send nothing")
    _add_server(parser)
    _add_translation(parser)
    _add_report(parser)


def _add_server(parser: argparse.ArgumentParser) -> None:
    options = TranslationOptions()
    add = parser.add_argument_group("who is asked, and for how much").add_argument
    add("--model", default=options.model, help="as the server calls it (default: %(default)s)")
    add("--base-url", metavar="URL", help="an OpenAI-compatible server (default: OpenAI's)")
    add("--batch", action="store_true", help="through the Batch API: half the price, within a day")
    add(
        "--poll",
        type=float,
        default=Server().poll,
        metavar="SECONDS",
        help="between two looks at a batch (default: %(default)s)",
    )
    add("--concurrency", type=int, default=options.concurrency, help="requests at a time, at most")
    add("--timeout", type=float, default=options.timeout, help="seconds for an answer")
    add("--max-cost", type=float, metavar="DOLLARS", help="stop before all runs together cost more")
    add("--prices", type=Path, metavar="FILE.json", help="dollars for a million tokens")


def _add_translation(parser: argparse.ArgumentParser) -> None:
    options, context = TranslationOptions(), ContextOptions()
    add = parser.add_argument_group("what is asked").add_argument
    add(
        "--draft",
        default=options.draft,
        metavar="none|llm|MODEL",
        help="who drafts: nobody, the same model, or a translation checkpoint (default: "
        "%(default)s)",
    )
    add(
        "--draft-languages",
        nargs=2,
        metavar=("SOURCE", "TARGET"),
        help="for a checkpoint of many languages, such as kor_Hang eng_Latn",
    )
    add("--context-before", type=int, default=context.before, help="utterances (%(default)s)")
    add(
        "--context-after",
        type=int,
        default=context.after,
        help="utterances (%(default)s); 0 is the causal form",
    )
    add(
        "--targets",
        type=int,
        help=f"utterances that one request translates, at most ({context.targets}; 1 in the causal "
        "form)",
    )
    add("--variants", type=int, default=options.variants, help="further wordings of each")
    add(
        "--temperature",
        type=lambda given: None if given == "default" else float(given),
        default=options.temperature,
        help="0 to 2, or `default` to leave it to the server (%(default)s)",
    )
    add("--response-format", choices=RESPONSE_FORMATS, default=options.response_format)


def _add_report(parser: argparse.ArgumentParser) -> None:
    report = ReportOptions()
    add = parser.add_argument_group("the report on it").add_argument
    add(
        "--audit",
        type=int,
        default=report.audit,
        metavar="N",
        help="translate N utterances again without context and tell what changes (%(default)s)",
    )
    add(
        "--report-lines",
        type=int,
        default=report.lines,
        metavar="N",
        help="of whole dialogues in the report, to be read (%(default)s)",
    )
    add("--report-seed", type=int, default=report.seed, help="of what is drawn (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Run `translate`.

    Returns:
        Exit status: 0 if everything is translated, 1 if some lines are marked, 3 if the run stopped
        before its end.

    Raises:
        ValueError: for what cannot be used.
        OSError: for what cannot be read or written.
    """
    options = _read_options(args)
    report = ReportOptions(args.audit, args.report_lines, args.report_seed)
    if report.audit:
        without_context(options)  # refused before anything is read
    server = Server(_read_base_url(args), batch=args.batch, poll=args.poll)
    price = _read_price(args, server)
    live_price = _read_price(args, replace(server, batch=False))  # what an audit pays
    if not args.dry_run:
        server.read_key()  # before anything is read or written
    dialogues, is_synthetic = _open_dialogues(args)
    path = _choose_store(args)
    if args.dry_run and not path.is_file():
        path = Path(":memory:")
    with Store(path) as store:
        expected = estimate(lambda: dialogues, store, options, price)
        print(_describe_estimate(expected, options, args, is_priced=price is not None))
        jobs = expected.jobs
        if report.audit:
            again = estimate_audit(lambda: dialogues, store, options, report, live_price)
            jobs += again.jobs
            print(_describe_audit(again, expected, is_priced=live_price is not None))
        if opened := len(store.open_batches()):
            print(f"  open         {opened:,} batch(es) at the server, which are collected first")
        if args.dry_run:
            return 0
        print(_describe_privacy(jobs, server), flush=True)
        outcome = translate(
            lambda: dialogues,
            store,
            args.output,
            options,
            server=server,
            price=price,
            jobs=expected.jobs,
        )
        audited = None
        if report.audit:
            outcome, audited = audit(
                lambda: dialogues, store, options, report, outcome, server=server, price=live_price
            )
        pages = write_report(
            args.output,
            lambda: dialogues,
            store,
            options,
            report,
            title=LAYOUTS[args.config].title,
            synthetic=is_synthetic,
            audit=audited,
        )
    print(_describe_outcome(outcome, args))
    print(f"Read what to distrust: {pages[0]}")
    if outcome.stopped is not None:
        print(f"stopped: {outcome.stopped}", file=sys.stderr)
        return STOPPED
    return MARKED if outcome.counts["failed"] or outcome.counts["pending"] else 0


def _read_options(args: argparse.Namespace) -> TranslationOptions:
    targets = args.targets
    if targets is None:
        targets = 1 if args.context_after == 0 else ContextOptions().targets
    return TranslationOptions(
        model=args.model,
        draft=args.draft,
        draft_languages=None if args.draft_languages is None else tuple(args.draft_languages),
        context=ContextOptions(args.context_before, args.context_after, targets),
        variants=args.variants,
        temperature=args.temperature,
        response_format=args.response_format,
        concurrency=args.concurrency,
        timeout=args.timeout,
        max_cost=args.max_cost,
    )


def _read_base_url(args: argparse.Namespace) -> str | None:
    """The server that is named, by the flag or by the variable that the client reads too."""
    return args.base_url or os.environ.get("OPENAI_BASE_URL") or None


def _choose_store(args: argparse.Namespace) -> Path:
    """Where answers are kept; never a file that the run writes over."""
    path = args.store or args.output.with_name(args.output.name + ".store")
    written = [
        args.output,
        *(args.output.with_suffix(f".report.{end}") for end in ("html", "json")),
    ]
    if path.resolve() in [file.resolve() for file in written]:
        raise ValueError(
            f"`store` {str(path)!r} is a file that the run writes over; give another one."
        )
    if args.output.is_dir():
        raise ValueError(f"`output` {str(args.output)!r} is a folder; give a file.")
    return path


def _read_price(args: argparse.Namespace, server: Server) -> Price | None:
    """The price of the model: OpenAI's at OpenAI, nothing on this machine, else what is given."""
    if args.prices is None and server.base_url is not None:
        return Price(0.0, 0.0, 0.0) if server.is_here else None
    return load_price(args.model, path=args.prices, batch=server.batch)


def _open_dialogues(args: argparse.Namespace) -> tuple[list[Dialogue], bool]:
    """The dialogues, and whether nobody said them."""
    report = BuildReport(args.config)
    files = open_files(args.corpus_dir)
    corpus = open_corpus(args.config, files, report, needs_recordings=False)
    if report.synthetic is not None:
        print("SYNTHETIC corpus: nothing in it was said by anyone.")
    return list(read_dialogues(corpus)), report.synthetic is not None


def _describe_estimate(
    expected: Estimate, options: TranslationOptions, args: argparse.Namespace, *, is_priced: bool
) -> str:
    context = options.context
    sight = "the causal form" if context.after == 0 else "which sees what is said later"
    cost = f"about {expected.cost:.2f} dollars (prices of {price_date(args.prices)})"
    if args.prices is None and Server(_read_base_url(args)).is_here:
        cost = "free, on this machine"
    lines = [
        f"{args.config}: {expected.utterances:,} utterances, and {expected.empty:,} without words",
        f"  model        {options.model}, prompt {prompt_version(options.steps)}, draft "
        f"{options.draft}",
        f"  context      {context.before} before and {context.after} after ({sight}), "
        f"{context.targets} utterance(s) a request",
        f"  left to do   {expected.jobs:,} ({expected.done:,} are in the store) in "
        f"{expected.requests:,} requests{' through the Batch API' * args.batch}",
        f"  estimate     {expected.prompt_tokens:,} tokens read, {expected.completion_tokens:,} "
        f"written, {cost if is_priced else 'cost not known: no price for this model'}",
    ]
    return "\n".join(lines)


def _describe_audit(again: Estimate, run: Estimate, *, is_priced: bool) -> str:
    cost = f", about {again.cost:.2f} dollars more, {run.cost + again.cost:.2f} together"
    return (
        f"  audit        {again.utterances:,} of them again without context: {again.requests:,} "
        f"more requests, {again.prompt_tokens:,} tokens read, {again.completion_tokens:,} written"
        f"{cost if is_priced else ''}"
    )


def _describe_privacy(jobs: int, server: Server) -> str:
    if jobs == 0:
        return "Nothing is left to ask."
    if server.is_here:
        return f"The transcripts go to {server.base_url} and stay on this machine."
    return (
        f"The transcripts leave this machine and go to {server.host}: the licence of the corpus "
        "has to allow it. A server of your own is the alternative: --base-url http://127.0.0.1:…"
    )


def _describe_outcome(outcome: Outcome, args: argparse.Namespace) -> str:
    counts = outcome.counts
    lines = [
        f"{counts.total():,} utterances: {counts['ok']:,} translated, {counts['failed']:,} marked "
        f"with a reason, {counts['pending']:,} not asked yet, {counts['empty']:,} without words",
        f"  cost         {outcome.cost_of_run:.4f} dollars in this run, {outcome.cost:.4f} in all",
    ]
    if outcome.lost:
        lines.append(f"  unanswered   {outcome.lost:,} requests, which may have been paid for")
    lines += [f"  note         {note}" for note in outcome.notes]
    lines.append(f"Translations: {args.output}")
    lines.append(
        f"Use them: python -m dataset_script build {args.corpus_dir} --config {args.config} "
        f"--output … --translations {args.output}"
    )
    return "\n".join(lines)
