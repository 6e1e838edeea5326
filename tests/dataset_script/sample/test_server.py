import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import openai
import pytest

from dataset_script.sample.lexicon import DEFAULT_LEXICON, load_lexicon
from dataset_script.sample.server import ChatServer, Reply, SampleTranslator, complete
from dataset_script.sample.session import SampleOptions
from dataset_script.sample.writer import write_sample_corpus
from dataset_script.translation.cli import add_arguments, run

REPOSITORY = Path(__file__).resolve().parents[3]


def _body(content):
    message = {"role": "user", "content": json.dumps(content)}
    return {"model": "m", "messages": [message]}


def _ask(content):
    reply = SampleTranslator(load_lexicon(DEFAULT_LEXICON))(_body(content))
    if reply.status != 200:
        return reply
    return json.loads(reply.body["choices"][0]["message"]["content"])


def _translate(corpus, layout, output, *options):
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with ChatServer(SampleTranslator(load_lexicon(DEFAULT_LEXICON))) as server:
        arguments = [str(corpus), "--config", layout, "--output", str(output)]
        run(parser.parse_args([*arguments, "--base-url", server.base_url, *options]))
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    return {line["id"]: line["text_en"] for line in lines}


def _read(path):
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["id"]: row["text_en"] for row in rows}


@pytest.mark.parametrize("layout", ["kemdy20", "kemdy19"])
def test_its_english_is_that_of_the_sample_corpus_with_and_without_the_dialogue(
    layout, uncalibrated, tmp_path
):
    options = SampleOptions(sessions=2, turns=15, folds=2, layout=layout, recordings=False)
    write_sample_corpus(tmp_path / "c", options)
    contextual = _read(tmp_path / "c" / "translations_contextual.jsonl")
    literal = _read(tmp_path / "c" / "translations_literal.jsonl")
    assert contextual != literal
    assert _translate(tmp_path / "c", layout, tmp_path / "t.jsonl") == contextual
    causal = _translate(tmp_path / "c", layout, tmp_path / "c.jsonl", "--context-after", "0")
    assert causal == contextual  # what is stated comes before
    alone = ["--context-before", "0", "--context-after", "0"]
    assert _translate(tmp_path / "c", layout, tmp_path / "l.jsonl", *alone) == literal


def test_a_line_that_it_does_not_know_is_refused():
    turn = {"id": "a", "speaker": "F", "text_ko": "이 말은 없는 말이다."}
    reply = _ask({"context_before": [], "targets": [turn], "context_after": []})
    assert reply.status == 400 and "이 말은 없는 말이다." in reply.body["error"]["message"]
    assert _ask({"nothing": 1}).status == 400


def test_variants_differ_by_how_they_begin():
    target = {"id": "a", "text_ko": "x", "text_en": "Well done."}
    answer = _ask({"context_before": [], "targets": [target], "context_after": [], "variants": 3})
    (entry,) = answer["variants"]
    assert entry["id"] == "a" and len(set(entry["texts"])) == 3
    assert all(text.endswith("Well done.") and text != "Well done." for text in entry["texts"])


def _echo(body):
    return complete(body["messages"][-1]["content"].upper(), body)


def test_the_client_talks_to_it_one_by_one_and_in_batches():
    with (
        ChatServer(_echo) as server,
        openai.OpenAI(api_key="x", base_url=server.base_url) as client,
    ):
        assert [model.id for model in client.models.list()] == ["sample"]
        one = client.chat.completions.create(**_body("hello"))
        assert one.choices[0].message.content == '"HELLO"' and one.usage.total_tokens > 2
        lines = [{"custom_id": f"r{n}", "body": _body(f"line {n}")} for n in range(3)]
        text = "\n".join(json.dumps(line) for line in lines)
        file = client.files.create(file=("in.jsonl", text.encode()), purpose="batch")
        batches = [
            client.batches.create(
                input_file_id=file.id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={"name": f"n{number}"},
            )
            for number in range(5)
        ]
        assert batches[0].status == "validating"
        done = client.batches.retrieve(batches[0].id)
        assert done.status == "completed" and done.error_file_id is None
        rows = client.files.content(done.output_file_id).text.splitlines()
        contents = [
            json.loads(row)["response"]["body"]["choices"][0]["message"]["content"] for row in rows
        ]
        assert contents == ['"LINE 0"', '"LINE 1"', '"LINE 2"']
        listed = list(client.batches.list(limit=2))
        assert [batch.metadata["name"] for batch in listed] == ["n4", "n3", "n2", "n1", "n0"]
        assert client.batches.cancel(batches[4].id).status == "cancelled"
        with pytest.raises(openai.NotFoundError):
            client.batches.retrieve("batch_none")


def test_a_hundred_clients_are_answered_at_once():
    import asyncio

    async def main(url):
        async with openai.AsyncOpenAI(api_key="x", base_url=url, max_retries=0) as client:
            asked = [client.chat.completions.create(**_body(f"{n}")) for n in range(100)]
            return await asyncio.gather(*asked)

    with ChatServer(_echo, delay=0.2) as server:
        answers = asyncio.run(main(server.base_url))
        assert len(answers) == 100 and server.most_at_once >= 64


def test_headers_raw_bytes_and_a_cut_connection_are_as_they_were_asked_for():
    replies = [Reply(b"<p>", 418, {"X-Name": "v", "Content-Type": "text/html"}), Reply(0, cut=True)]
    with ChatServer(lambda body: replies.pop(0)) as server:
        data = json.dumps(_body("x")).encode()
        request = urllib.request.Request(f"{server.base_url}/chat/completions", data=data)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert (caught.value.code, caught.value.read()) == (418, b"<p>")
        assert caught.value.headers["X-Name"] == "v"
        with pytest.raises(ConnectionError):
            urllib.request.urlopen(request)


def test_the_command_serves_until_it_is_interrupted():
    process = subprocess.Popen(
        [sys.executable, "-m", "dataset_script", "sample", "--serve", "0"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        said = process.stdout.readline()
        assert said.startswith("SYNTHETIC translations of the sample corpora at http://127.0.0.1:")
        url = said.split(" at ")[1].split()[0]
        assert "dataset_script translate DIR" in process.stdout.readline()
        with urllib.request.urlopen(f"{url}/models") as answer:
            assert b"sample" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
