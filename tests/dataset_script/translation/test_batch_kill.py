"""The command is killed at the worst moments of a batch; the next run must not pay twice."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dataset_script.__main__ import main
from dataset_script.translation.store import Store

from ..corpus_files import make_segments, write_corpus
from .batch_server import FaultyBatchServer

REPOSITORY = Path(__file__).resolve().parents[3]

# Runs the command; the process kills itself when it is about to keep an event of a batch.
KILLED = """
import os, signal, sys
from dataset_script.__main__ import main
from dataset_script.translation.store import Store

keep, state, is_after = Store._insert, sys.argv[1], sys.argv[2] == "after"

def insert(store, table, kind, rows):
    is_now = table == "batches" and rows[0][2] == state
    if is_now and not is_after:
        os.kill(os.getpid(), signal.SIGKILL)
    keep(store, table, kind, rows)
    if is_now:
        store._database.execute("COMMIT")
        os.kill(os.getpid(), signal.SIGKILL)

Store._insert = insert
main(sys.argv[3:])
"""


@pytest.fixture
def corpus(tmp_path):
    segments = make_segments(3, turns=8)
    for place, segment in enumerate(segments):
        segment.samples = None
        segment.text = f"l/ 바다에 가자고 했잖아 정말 {place}"
    return write_corpus(tmp_path / "KEMDy20", segments)


def _arguments(corpus, output, server, *options):
    return [
        *("translate", str(corpus.root), "--config", "kemdy20", "--output", str(output)),
        *("--base-url", server.base_url, "--batch", "--poll", "0.05", *options),
    ]


@pytest.mark.parametrize(
    ("state", "moment", "batches"),
    [
        ("submitting", "before", 0),
        ("submitting", "after", 0),  # it says that a batch may exist, and none does
        ("submitted", "before", 1),  # the batch exists, and the store does not know its id
        ("submitted", "after", 1),
        ("collected", "before", 1),  # results and costs are written, and nothing is committed
        ("collected", "after", 1),
    ],
)
def test_killed_at_any_moment_nothing_is_paid_or_counted_twice(
    corpus, tmp_path, capsys, state, moment, batches
):
    output = tmp_path / "t.jsonl"
    with FaultyBatchServer(polls=2) as server:
        arguments = _arguments(corpus, output, server)
        process = subprocess.run(
            [sys.executable, "-c", KILLED, state, moment, *arguments],
            cwd=REPOSITORY,
            env=os.environ,
            capture_output=True,
        )
        assert process.returncode == -signal.SIGKILL, process.stderr.decode()
        assert len(server.batches) == batches
        assert main(arguments) == 0
        assert len(server.batches) == 1 and len(server.paid) == len(set(server.paid)) == 12
    said = capsys.readouterr().out
    is_open = (state, moment) not in (("submitting", "before"), ("collected", "after"))
    assert ("1 batch(es) at the server, which are collected first" in said) == is_open
    assert "96 translated" in said and "  note " not in said
    with Store(f"{output}.store") as store:
        assert len(list(store.answers())) == 12 and len(list(store.results())) == 96
        assert store.open_batches() == []
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert Counter(line["status"] for line in lines) == {"ok": 96}


def test_an_interrupt_says_that_the_batch_goes_on(corpus, tmp_path, capsys):
    output = tmp_path / "t.jsonl"
    with FaultyBatchServer(polls=10**9) as server:
        arguments = _arguments(corpus, output, server)
        process = subprocess.Popen(
            [sys.executable, "-m", "dataset_script", *arguments[:-1], "30"],
            cwd=REPOSITORY,
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        seen = ""
        while "requests answered in 1 batches" not in seen:
            seen += process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
        assert process.returncode == 3 and "Traceback" not in said
        assert "stopped: Interrupted:" in said and "1 of our batches go on; run the" in said
        server.polls = 1
        without = [argument for argument in arguments if argument != "--batch"]
        assert main(without) == 2
        assert "`store` has batches that are open at the server (1," in capsys.readouterr().err
        assert main(arguments) == 0 and len(server.batches) == 1
