"""A translation run that is killed again and again: nothing is lost and nothing is paid twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from dataset_script.translation.store import Store

from ..dataset_script.corpus_files import make_segments, write_corpus
from ..dataset_script.translation.invented import content_of
from ..dataset_script.translation.server import FaultyServer, first, spoil

REPOSITORY = Path(__file__).resolve().parents[2]
UTTERANCES, KILLS, CONCURRENCY = 2000, 10, 8
DELAY = 0.1  # seconds for an answer


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    segments = make_segments(20, turns=25)
    assert len(segments) == UTTERANCES
    for place, segment in enumerate(segments):
        segment.samples, segment.text = None, f"바다에 가자고 했잖아 정말 {place}"
    return write_corpus(tmp_path_factory.mktemp("corpus"), segments)


def _start(corpus, output, server):
    command = [sys.executable, "-m", "dataset_script", "translate", str(corpus.root)]
    command += ["--config", "kemdy20", "--output", str(output), "--base-url", server.base_url]
    return subprocess.Popen(
        [*command, "--concurrency", str(CONCURRENCY)],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )


def _kill_at_a_random_moment(corpus, output, server, moments):
    """Start a run and kill it within half of the time that the whole would take."""
    before = len(server.requests)
    process = _start(corpus, output, server)
    while len(server.requests) == before and process.poll() is None:
        time.sleep(0.001)
    time.sleep(moments.uniform(0, 0.3))
    process.send_signal(signal.SIGKILL)
    return process.wait(timeout=20)


def _contents(output):
    with Store(f"{output}.store") as store:
        return sorted((r.key, r.id, r.texts, r.fault) for r in store.results())


def _lines(output):
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    return [{**line, "date": ""} for line in lines]  # a run may cross midnight


def _lose_an_id(body):
    return spoil(lambda entries: entries[1:])(body)


def test_ten_kills_change_nothing_and_repeat_no_more_than_was_in_flight(corpus, tmp_path):
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    with FaultyServer(first(3, _lose_an_id)) as server:
        assert _start(corpus, whole, server).wait(timeout=120) == 0
    moments = random.Random(4)
    with FaultyServer(first(3, _lose_an_id), delay=DELAY) as server:
        codes = [_kill_at_a_random_moment(corpus, killed, server, moments) for _ in range(KILLS)]
        assert codes == [-signal.SIGKILL] * KILLS
        assert not killed.exists()  # the file is written whole, at the end, or not at all
        assert _start(corpus, killed, server).wait(timeout=120) == 0
        asked = Counter(
            json.dumps([target["id"] for target in content_of(body)["targets"]])
            for body in server.requests
        )
    assert _contents(killed) == _contents(whole)
    assert _lines(killed) == _lines(whole) and len(_lines(killed)) == UTTERANCES
    repeated = sum(count - 1 for count in asked.values())
    # Beside the three windows whose answer could not be used, and which is not kept.
    assert repeated <= KILLS * CONCURRENCY + 3
    print(f"{sum(asked.values())} requests, {repeated} of them repeated after {KILLS} kills")
