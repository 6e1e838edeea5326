import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import openai
import pytest

from dataset_script.__main__ import main
from dataset_script.sample.batch_jobs import ENDPOINT
from dataset_script.sample.lexicon import DEFAULT_LEXICON, load_lexicon
from dataset_script.sample.server import ChatServer, Reply, SampleTranslator, complete
from dataset_script.sample.session import SampleOptions
from dataset_script.sample.writer import TRANSCRIPT_ENCODINGS, write_sample_corpus
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


def _messages(rows, *, targets, before=3, after=3):
    """Cut a dialogue into messages, as the translation command does; rows are dicts."""
    for start in range(0, len(rows), targets):
        end = start + targets
        yield {
            "context_before": rows[max(0, start - before) : start],
            "targets": rows[start:end],
            "context_after": rows[end : end + after],
        }


@pytest.mark.parametrize("layout", ["kemdy20", "kemdy19"])
def test_it_is_a_function_of_the_message(layout, uncalibrated, tmp_path):
    options = SampleOptions(sessions=2, turns=25, folds=2, layout=layout, recordings=False)
    write_sample_corpus(tmp_path, options)
    contextual = _read(tmp_path / "translations_contextual.jsonl")
    literal = _read(tmp_path / "translations_literal.jsonl")
    encoding = TRANSCRIPT_ENCODINGS[layout]
    dialogues = {}
    for name in contextual:
        (path,) = (tmp_path / "wav").rglob(f"{name.split('/')[1]}.txt")
        row = {"id": name, "speaker": "F", "text_ko": path.read_text(encoding).rstrip("\n")}
        dialogues.setdefault(re.split(r"_(?:User|[FM]\d)", name)[0], []).append(row)
    assert len(dialogues) == {"kemdy20": 12, "kemdy19": 20}[layout] and contextual != literal

    def translate(**window):
        messages = [one for rows in dialogues.values() for one in _messages(rows, **window)]
        entries = [entry for message in messages for entry in _ask(message)["translations"]]
        assert len(entries) == len(contextual)
        return {entry["id"]: entry["text_en"] for entry in entries}

    assert translate(targets=99) == translate(targets=8) == translate(targets=1) == contextual
    assert translate(targets=1, before=0) == translate(targets=1, before=0, after=0) == literal
    assert literal != translate(targets=1, before=1) != contextual


def test_a_draft_does_not_change_the_answer():
    lexicon = load_lexicon(DEFAULT_LEXICON)
    cue, line = lexicon.cues["loss"][0], lexicon.ambiguous[0]
    turns = [{"id": "a", "text_ko": cue.ko}, {"id": "b", "text_ko": line.ko}]
    for turn in turns:
        turn["draft"] = "Something else."
    answer = _ask({"context_before": turns[:1], "targets": turns[1:], "context_after": []})
    assert answer == {"translations": [{"id": "b", "text_en": line.senses["loss"]}]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([{"id": "a", "text_ko": "이 말은 없는 말이다."}], "이 말은 없는 말이다."),
        ([{"id": "a", "text_ko": "집에서 갔는데, 그래."}], "begins with a word that is not known"),
        ([{"id": "a"}], "the message has no 'text_ko'"),
        ("text", "the message has no"),
    ],
)
def test_what_it_does_not_know_is_refused(content, why):
    reply = _ask({"context_before": [], "targets": content, "context_after": []})
    assert reply.status == 400 and why in reply.body["error"]["message"]
    assert "not a dialogue of the sample corpus" in reply.body["error"]["message"]


def test_a_message_that_is_no_dialogue_is_refused():
    assert "no 'context_before'" in _ask({"nothing": 1}).body["error"]["message"]
    translate = SampleTranslator(load_lexicon(DEFAULT_LEXICON))
    for messages in ([], [{"content": "Hello?"}], [{"content": None}]):
        assert translate({"model": "m", "messages": messages}).status == 400


@pytest.mark.parametrize("count", [1, 3, 50])
def test_variants_differ_by_how_they_begin(count):
    target = {"id": "a", "text_ko": "x", "text_en": "Well {done}."}
    content = {"context_before": [], "targets": [target], "context_after": [], "variants": count}
    (entry,) = _ask(content)["variants"]
    assert entry["id"] == "a" and len(set(entry["texts"])) == len(entry["texts"]) == count
    assert all(text.endswith(", Well {done}.") for text in entry["texts"])
    for wrong in (0, -1, "2", True):
        assert _ask({**content, "variants": wrong}).status == 400


def _echo(body):
    return complete(body["messages"][-1]["content"].upper(), body)


def test_the_client_talks_to_it_one_by_one_and_in_batches():
    with (
        ChatServer(_echo, delay=5.0) as server,
        openai.OpenAI(api_key="x", base_url=server.base_url, timeout=4.0) as client,
    ):
        assert [model.id for model in client.models.list()] == ["sample"]
        lines = [
            {"custom_id": f"r{n}", "method": "POST", "url": ENDPOINT, "body": _body(f"line {n}")}
            for n in range(3)
        ]
        text = "\n".join(json.dumps(line) for line in lines)
        file = client.files.create(file=("in.jsonl", text.encode()), purpose="batch")
        assert client.files.content(file.id).text == text
        batches = [
            client.batches.create(
                input_file_id=file.id,
                endpoint=ENDPOINT,
                completion_window="24h",
                metadata={"name": f"n{number}"},
            )
            for number in range(5)
        ]
        assert batches[0].status == "validating"
        done = client.batches.retrieve(batches[0].id)  # the delay is none of a batch
        assert done.status == "completed" and done.error_file_id is None
        rows = client.files.content(done.output_file_id).text.splitlines()
        contents = [
            json.loads(row)["response"]["body"]["choices"][0]["message"]["content"] for row in rows
        ]
        assert contents == ['"LINE 0"', '"LINE 1"', '"LINE 2"']
        listed = list(client.batches.list(limit=2))
        assert [batch.metadata["name"] for batch in listed] == ["n4", "n3", "n2", "n1", "n0"]
        assert client.batches.cancel(batches[4].id).status == "cancelling"
        assert client.batches.retrieve(batches[4].id).status == "cancelled"
        server.delay = 0.0
        one = client.chat.completions.create(**_body("hello"))
        assert one.choices[0].message.content == '"HELLO"' and one.usage.total_tokens > 2
        assert len(server.requests) == len(server.times) == 4
        assert server.times == sorted(server.times) and server.most_at_once == 1


def test_what_cannot_be_done_is_an_error_that_says_why():
    with (
        ChatServer(_echo) as server,
        openai.OpenAI(api_key="x", base_url=server.base_url, max_retries=0) as client,
    ):
        with pytest.raises(openai.NotFoundError):
            client.batches.retrieve("batch_none")
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="m", input="x")
        refused = {
            "`stream` is true": lambda: client.chat.completions.create(**_body("x"), stream=True),
            "`messages` is": lambda: client.chat.completions.create(model="m", messages="x"),
            "`model` is": lambda: client.chat.completions.create(model=None, messages=[]),
            "`after` is 'x'": lambda: client.batches.list(after="x"),
            "`purpose` 'batch'": lambda: client.files.create(file=("f", b"{}"), purpose="evals"),
            "no file of this": lambda: client.batches.create(
                input_file_id="x", endpoint=ENDPOINT, completion_window="24h"
            ),
        }
        for why, call in refused.items():
            with pytest.raises(openai.BadRequestError) as caught:
                call()
            assert why in caught.value.body["message"]
        assert server.requests == []


def test_a_fault_of_the_answering_function_is_shown(capfd):
    with ChatServer(lambda body: 1 / 0) as server:
        client = openai.OpenAI(api_key="x", base_url=server.base_url, max_retries=0)
        with client, pytest.raises(openai.APIConnectionError):
            client.chat.completions.create(**_body("x"))
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_the_end_of_a_server_is_one_for_clients_that_are_connected():
    with ChatServer(_echo) as server:
        client = openai.OpenAI(api_key="x", base_url=server.base_url, max_retries=0)
        client.models.list()
    with client, pytest.raises(openai.APIConnectionError):
        client.models.list()


def test_a_port_that_is_none_or_taken_is_said(capsys):
    assert main(["sample", "--serve", "99999"]) == 2
    assert "error: `port` is 99999; it must be between 0" in capsys.readouterr().err
    with ChatServer(_echo) as server:
        taken = server.base_url.split(":")[2].split("/")[0]
        assert main(["sample", "--serve", taken]) == 2
        assert "in use" in capsys.readouterr().err


def test_a_hundred_clients_are_answered_at_once():
    async def ask_all(url):
        async with openai.AsyncOpenAI(
            api_key="x", base_url=url, max_retries=0, timeout=15.0
        ) as client:
            asked = [client.chat.completions.create(**_body(f"{n}")) for n in range(100)]
            return await asyncio.gather(*asked)

    with ChatServer(_echo, delay=0.2) as server:
        answers = asyncio.run(ask_all(server.base_url))
        assert len(answers) == 100 and 64 <= server.most_at_once <= 100


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
