"""Time and memory of translation against a server that answers after a fixed time.

    python -m benchmarks.translate_dialogues time      # 2,000 utterances, 300 ms, 64 in flight
    python -m benchmarks.translate_dialogues memory    # 2,000 and 200,000 utterances

The server is a real one on this machine (`dataset_script.sample.server`) in a process of its own,
its answers are made up. `time` holds the run, from the first request to the written file, against
what the answers alone take: requests over requests in flight, rounded up, times the time of one.
`memory` prints the peak of the process that translates.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dataset_script.sample.server import ChatServer, Reply, complete
from dataset_script.translation.dialogues import Dialogue, Utterance
from dataset_script.translation.options import ContextOptions, TranslationOptions
from dataset_script.translation.prices import Price
from dataset_script.translation.run import Server, translate
from dataset_script.translation.store import Store

TURNS = 50  # of a dialogue
PRICE = Price(2.0, 0.5, 8.0)


def main() -> None:
    """Print what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("time", "memory"))
    parser.add_argument("--utterances", type=int, nargs="+")
    parser.add_argument("--delay", type=float, default=0.3, help="seconds for an answer")
    parser.add_argument("--concurrency", type=int, default=64)
    args = parser.parse_args()
    if args.what == "time":
        for targets in (1, 10):
            for count in args.utterances or [2000]:
                _print_time(count, targets, args.delay, args.concurrency)
    else:
        for count in args.utterances or [2000, 200_000]:
            seconds, peak = _run(count, 10, delay=0.0, concurrency=args.concurrency)
            print(f"{count:>8,} utterances: peak {peak:,.0f} MiB, {seconds:.1f} s", flush=True)


def _print_time(count: int, targets: int, delay: float, concurrency: int) -> None:
    seconds, _ = _run(count, targets, delay=delay, concurrency=concurrency)
    requests = math.ceil(count / TURNS) * math.ceil(TURNS / targets)
    ideal = math.ceil(requests / concurrency) * delay
    print(
        f"{count:,} utterances, {targets} a request, {requests:,} requests of {delay:g} s, "
        f"{concurrency} in flight: {seconds:.2f} s, ideal {ideal:.2f} s, "
        f"ratio {seconds / ideal:.2f}",
        flush=True,
    )


def _run(count: int, targets: int, *, delay: float, concurrency: int) -> tuple[float, float]:
    """Translate in a fresh process; seconds and peak memory in MiB."""
    context = multiprocessing.get_context("spawn")
    ready, result = context.Queue(), context.Queue()
    server = context.Process(target=_serve, args=(delay, ready), daemon=True)
    server.start()
    options = TranslationOptions(context=ContextOptions(targets=targets), concurrency=concurrency)
    worker = context.Process(target=_work, args=(count, options, ready.get(), result))
    worker.start()
    answer = result.get()
    worker.join()
    server.terminate()
    return answer


def _serve(delay: float, ready: multiprocessing.Queue) -> None:
    server = ChatServer(_answer, delay=delay, keeps_requests=False)
    ready.put(server.base_url)
    server.serve()


def _answer(body: dict) -> Reply:
    targets = json.loads(body["messages"][-1]["content"])["targets"]
    entries = [{"id": t["id"], "text_en": f"A line of English, {t['id'][-8:]}."} for t in targets]
    return complete(json.dumps({"translations": entries}), body)


def _work(count: int, options: TranslationOptions, url: str, result: multiprocessing.Queue) -> None:
    from dataset_script.translation import client  # noqa: F401 (what the command loads once)

    with tempfile.TemporaryDirectory() as folder, Store(Path(folder, "store")) as store:
        began = time.perf_counter()
        outcome = translate(
            lambda: _make_dialogues(count),
            store,
            Path(folder, "t.jsonl"),
            options,
            server=Server(url),
            price=PRICE,
            jobs=count,
        )
        seconds = time.perf_counter() - began
    if outcome.counts != {"ok": count}:
        raise RuntimeError(f"{outcome} in place of {count} translations")
    result.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _make_dialogues(count: int) -> Iterator[Dialogue]:
    for number in range(math.ceil(count / TURNS)):
        turns = range(number * TURNS, min(count, (number + 1) * TURNS))
        name = f"kemdy20/Sess{number:05d}_script01"
        yield Dialogue(
            name,
            tuple(
                Utterance(f"{name}_{turn:06d}", f"User{turn % 2}", f"바다에 가자고 했잖아 {turn}")
                for turn in turns
            ),
        )


if __name__ == "__main__":
    main()
