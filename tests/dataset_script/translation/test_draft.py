import asyncio
import re

import pytest
from transformers import BertConfig

from dataset_script.translation import draft as draft_module
from dataset_script.translation.chain import Chain
from dataset_script.translation.dialogues import Dialogue, Utterance
from dataset_script.translation.draft import CheckpointTranslator, Draft, write_drafts
from dataset_script.translation.live import LiveRun
from dataset_script.translation.options import ContextOptions, TranslationOptions
from dataset_script.translation.output import make_lines
from dataset_script.translation.prices import Budget
from dataset_script.translation.store import Store

from .checkpoints import TAUGHT, write_m2m100, write_marian
from .invented import content_of, english_of, good_answer, make_dialogue

LINES = [line for line, english in TAUGHT.items() if english]
UNHEARD = [
    "왜 울어 괜찮아 네 네 네",
    "친구가 바다에 가자고 했는데 왜 어머니를 구했는데",
    "방을",
    "가" * 40,
]


@pytest.fixture(scope="module")
def marian(tmp_path_factory):
    return str(write_marian(tmp_path_factory.mktemp("checkpoints") / "marian"))


@pytest.fixture(scope="module")
def m2m100(tmp_path_factory):
    return str(write_m2m100(tmp_path_factory.mktemp("checkpoints") / "m2m100"))


@pytest.fixture
def store():
    with Store(":memory:") as opened:
        yield opened


class CountedTranslator:
    """In place of a checkpoint: counts what it is asked."""

    def __init__(self, *, fails_after=None):
        self.asked = []
        self._fails_after = fails_after

    def __call__(self, name, *, languages):
        return self

    def translate(self, lines):
        if self._fails_after is not None and len(self.asked) >= self._fails_after:
            raise KeyboardInterrupt
        self.asked += lines
        return [Draft(f"draft of {line}") for line in lines]


def say(*lines, name="Sess01_script01"):
    return Dialogue(
        f"kemdy20/{name}",
        tuple(
            Utterance(f"kemdy20/{name}_User001F_{n:03d}", "User001F", line)
            for n, line in enumerate(lines)
        ),
    )


def options_of(checkpoint, **changes):
    return TranslationOptions(draft=checkpoint, **changes)


def test_a_checkpoint_of_one_pair_translates(marian):
    drafts = CheckpointTranslator(marian, languages=None).translate(LINES)
    assert drafts == [Draft(TAUGHT[line]) for line in LINES]


def test_a_checkpoint_of_many_languages_is_told_which(m2m100):
    drafts = CheckpointTranslator(m2m100, languages=("ko", "en")).translate(LINES)
    assert drafts == [Draft(TAUGHT[line]) for line in LINES]


def test_languages_are_those_of_the_options_and_no_piece_of_a_word(m2m100):
    translator = CheckpointTranslator(m2m100, languages=("ko", "en"))
    tokenizer = translator._tokenizer
    assert tokenizer("네").input_ids[0] == tokenizer.get_lang_id("ko")
    assert translator._options["forced_bos_token_id"] == tokenizer.get_lang_id("en")
    assert tokenizer.get_lang_id("en") != tokenizer.convert_tokens_to_ids("en")


@pytest.mark.parametrize("kind", ["marian", "m2m100"])
def test_a_line_has_the_same_draft_alone_and_beside_longer_ones(kind, request):
    languages = ("ko", "en") if kind == "m2m100" else None
    translator = CheckpointTranslator(request.getfixturevalue(kind), languages=languages)
    lines = [*LINES, *UNHEARD]
    together = translator.translate(lines)
    assert together == [translator.translate([line])[0] for line in lines]
    assert together[::-1] == translator.translate(lines[::-1])


def test_nothing_is_warned_of(marian, caplog, recwarn):
    translator = CheckpointTranslator(marian, languages=None)
    with caplog.at_level("WARNING"):
        translator.translate(LINES)
    assert caplog.text == ""
    assert not [one for one in recwarn if "sacremoses" not in str(one.message)]


@pytest.mark.parametrize(("kind", "languages"), [("marian", None), ("m2m100", ("ko", "en"))])
def test_a_line_of_which_nothing_is_written_is_marked(kind, languages, request):
    translator = CheckpointTranslator(request.getfixturevalue(kind), languages=languages)
    assert translator.translate(["음", "네"]) == [
        Draft("", "empty: the checkpoint wrote nothing"),
        Draft("Yes."),
    ]


def test_a_draft_that_does_not_end_is_marked(marian, monkeypatch):
    monkeypatch.setattr(draft_module, "LONGEST", 6)
    translator = CheckpointTranslator(marian, languages=None)
    drafts = translator.translate(["네", LINES[2]])
    assert drafts[1] == Draft("", "length: the checkpoint did not end within 6 tokens")


def test_a_line_that_a_checkpoint_cannot_read_whole_is_marked_and_the_others_are_not(marian):
    translator = CheckpointTranslator(marian, languages=None)
    drafts = translator.translate(["네", "왜 울어 " * 200, "괜찮아"])
    assert [draft.text for draft in drafts] == ["Yes.", "", "It is fine."]
    assert re.fullmatch(r"long: \d+ tokens; the checkpoint reads 300", drafts[1].fault)
    assert translator.translate(["왜 울어 " * 200])[0].fault == drafts[1].fault


@pytest.mark.parametrize(
    ("kind", "languages", "message"),
    [
        ("m2m100", None, "is a checkpoint of many languages (m2m_100); say which with"),
        ("m2m100", ("kor_Hang", "en"), "names 'kor_Hang', which"),
        ("m2m100", ("ko", "eng"), "does not know; its codes are like en."),
        ("marian", ("ko", "en"), "is a checkpoint of one pair (marian); leave"),
    ],
)
def test_languages_that_are_missing_unknown_or_of_no_use_are_refused(
    kind, languages, message, request
):
    with pytest.raises(ValueError, match=re.escape(message)):
        CheckpointTranslator(request.getfixturevalue(kind), languages=languages)


def test_what_does_not_translate_is_refused(tmp_path):
    BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="of the kind 'bert', which cannot be used to draft"):
        CheckpointTranslator(str(tmp_path), languages=None)
    with pytest.raises(OSError, match="missing"):
        CheckpointTranslator(str(tmp_path / "missing"), languages=None)


def test_a_line_is_drafted_once_however_often_it_is_said(store):
    dialogues = [say("네", "왜 울어", "네"), say("네", "", "괜찮아", name="Sess02_script01")]
    translator = CountedTranslator()
    options = options_of("some/checkpoint")
    assert write_drafts(dialogues, store, options, run="r1", load=translator) == 3
    assert sorted(translator.asked) == sorted(["네", "왜 울어", "괜찮아"])
    assert write_drafts(dialogues, store, options, run="r2", load=translator) == 0
    assert len(list(store.results())) == len(translator.asked) == 3
    other = options_of("other/checkpoint")
    assert write_drafts(dialogues, store, other, run="r3", load=translator) == 3


def test_an_interrupted_run_goes_on_where_it_was(store):
    dialogues = [make_dialogue(f"Sess{n:02d}_script01", turns=50) for n in range(1, 3)]
    dialogues.append(say(*(f"다른 말 {n}" for n in range(50)), name="Sess03_script01"))
    options = options_of("some/checkpoint")
    broken = CountedTranslator(fails_after=50)
    with pytest.raises(KeyboardInterrupt):
        write_drafts(dialogues, store, options, run="r1", load=broken)
    assert 0 < len(broken.asked) < 100
    rest = CountedTranslator()
    write_drafts(dialogues, store, options, run="r2", load=rest)
    assert not set(broken.asked) & set(rest.asked)
    assert len({*broken.asked, *rest.asked}) == len(broken.asked) + len(rest.asked) == 100


def test_lines_of_like_length_stand_in_one_batch_and_no_batch_is_too_large(store):
    sizes = []

    class Translator(CountedTranslator):
        def translate(self, lines):
            sizes.append((len(lines), len(lines[0]), len(lines[-1])))
            return super().translate(lines)

    dialogue = say(*("가" * n for n in range(70, 0, -1)))
    write_drafts([dialogue], store, options_of("c"), run="r", load=Translator())
    assert sizes == [(32, 1, 32), (32, 33, 64), (6, 65, 70)]


def test_lines_are_not_collected_beyond_the_pool(store, monkeypatch):
    monkeypatch.setattr(draft_module, "POOL", 3)
    dialogues = [say(f"가 {n}", f"나 {n}", name=f"Sess{n:02d}_script01") for n in range(5)]
    translator = CountedTranslator()
    assert write_drafts(dialogues, store, options_of("c"), run="r", load=translator) == 10
    assert len(translator.asked) == 10 and set(translator.asked[:4]) == {
        line.text_ko for dialogue in dialogues[:2] for line in dialogue.utterances
    }


def test_the_refinement_sees_the_drafts_of_its_target_and_of_the_turns_around_it(marian, store):
    dialogue = say(*LINES)
    options = options_of(marian, context=ContextOptions(before=1, after=2, targets=1))
    write_drafts([dialogue], store, options, run="r")
    chain = Chain(options, store, run="r")
    standing = chain.look_up(dialogue)
    request = chain.requests(standing, chain.pending(standing, "refine"))[1]
    seen = {
        part: [(turn["text_ko"], turn["draft"]) for turn in request.content[part]]
        for part in ("context_before", "targets", "context_after")
    }
    pairs = [(line, TAUGHT[line]) for line in LINES]
    assert seen == {
        "context_before": pairs[0:1],
        "targets": pairs[1:2],
        "context_after": pairs[2:4],
    }


def test_an_utterance_without_a_draft_is_translated_all_the_same_and_flagged(marian, store):
    dialogue = say("네", "음", "괜찮아")
    options = options_of(marian)
    write_drafts([dialogue], store, options, run="r")
    assert sorted(result.texts for result in store.results()) == [(), ("It is fine.",), ("Yes.",)]
    bodies = asked_by_a_run(dialogue, store, options)
    (body,) = bodies
    assert ["draft" in target for target in content_of(body)["targets"]] == [True, False, True]
    lines = list(make_lines(Chain(options, store, run="r").look_up(dialogue), options))
    assert [line["status"] for line in lines] == ["ok"] * 3
    assert (lines[1]["flags"], lines[1]["text_en"]) == (["no_draft"], english_of("음"))
    assert lines[0]["draft"] == "Yes." and lines[0]["text_en"] == english_of("네Yes.")


def asked_by_a_run(dialogue, store, options):
    """Run all steps against an invented model; the bodies of its requests, in order."""
    bodies = []

    async def ask(body):
        bodies.append(body)
        return good_answer(body)

    chain = Chain(options, store, run="r")
    budget = Budget(options, None, spent=0.0)
    live = LiveRun(options, store, chain, budget=budget, run="r", backoff=0.0)
    asyncio.run(live.translate(lambda: [dialogue], ask=ask))
    assert live.stopped is None
    return bodies


def test_a_model_that_drafts_does_so_first_and_then_sees_its_drafts(store):
    dialogue = make_dialogue(turns=5)
    options = options_of("llm", context=ContextOptions(before=2, after=1, targets=2))
    bodies = asked_by_a_run(dialogue, store, options)
    drafting, refining = bodies[:3], bodies[3:]
    assert len(refining) == 3
    for body in drafting:
        content = content_of(body)
        assert not [turn for part in content.values() for turn in part if "draft" in turn]
    for body in refining:
        turns = [turn for part in content_of(body).values() for turn in part]
        assert [turn["draft"] for turn in turns] == [english_of(t["text_ko"]) for t in turns]
    assert [len(part) for part in content_of(refining[1]).values()] == [2, 2, 1]
    lines = list(make_lines(Chain(options, store, run="r").look_up(dialogue), options))
    for line, turn in zip(lines, dialogue.utterances, strict=True):
        assert line["draft"] == english_of(turn.text_ko)
        assert line["text_en"] == english_of(turn.text_ko + line["draft"])
