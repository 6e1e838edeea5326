"""Runs through a server's batches, for the tests."""

import asyncio
from collections import Counter

import openai

from dataset_script.translation.batch import BatchRun
from dataset_script.translation.batch_server import BatchServer
from dataset_script.translation.chain import Chain
from dataset_script.translation.options import TranslationOptions
from dataset_script.translation.output import make_lines
from dataset_script.translation.prices import Budget, Price

from .invented import content_of
from .server import always, spoil

PRICE = Price(2.0, 0.5, 8.0)
OPTIONS = TranslationOptions()


def run(store, server, dialogues, options=OPTIONS, *, name="r1", before=None, **arguments):
    """Run once; `before` gets the run before it begins."""
    settled = []
    batches = BatchRun(
        options,
        store,
        Chain(options, store, run=name),
        budget=Budget(options, PRICE, spent=store.total_cost()),
        run=name,
        on_settled=lambda good, bad: settled.append((good, bad)),
        poll=0.001,
        **arguments,
    )

    async def translate():
        async with openai.AsyncOpenAI(
            api_key="k", base_url=server.base_url, max_retries=0, timeout=10
        ) as client:
            batch_server = BatchServer(client, backoff=0.001)
            await batches.translate(lambda: dialogues, server=batch_server)

    if before is not None:
        before(batches)
    asyncio.run(translate())
    batches.settled = (sum(good for good, _ in settled), sum(bad for _, bad in settled))
    return batches


def lines_of(store, dialogues, options=OPTIONS):
    chain = Chain(options, store, run="look")
    return [
        {**line, "date": ""} for d in dialogues for line in make_lines(chain.look_up(d), options)
    ]


def asked(server):
    return Counter(t["id"] for body in server.requests for t in content_of(body)["targets"])


def leave_korean(row_id):
    return always(
        spoil(
            lambda entries: [{**e, "text_en": "바다"} if e["id"] == row_id else e for e in entries]
        )
    )


def interrupt(store, server, dialogues, options=OPTIONS, *, rounds=1, **arguments):
    """A run that ends when it waits for the batches of a round."""
    left = [rounds]

    def wait(batches, reason):
        left[0] -= 1
        if left[0] == 0:
            batches.stop("Interrupted.")

    return run(
        store,
        server,
        dialogues,
        options,
        before=lambda b: setattr(b, "_on_waiting", lambda reason: wait(b, reason)),
        **arguments,
    )
