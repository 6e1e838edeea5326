import json
import string
from pathlib import Path

import pytest

from dataset_script.sample.lexicon import DEFAULT_LEXICON, EVENTS, MIXED_PAIRS, load_lexicon

ENCODER_LEXICON = Path(__file__).resolve().parents[3] / "demo_encoders" / "lexicon.json"


def _english(lexicon):
    lines = [line.en for line in lexicon.plain_lines()]
    for line in lexicon.ambiguous:
        lines += [line.literal, *line.senses.values()]
    return lines


def _korean(lexicon):
    return [line.ko for line in (*lexicon.plain_lines(), *lexicon.ambiguous)]


def _bare(lines):
    return {"".join(filter(str.isalnum, line)).lower() for line in lines}


def test_every_line_of_the_file_is_read():
    raw = json.loads(DEFAULT_LEXICON.read_text(encoding="utf-8"))
    lexicon = load_lexicon()
    assert len(_korean(lexicon)) == DEFAULT_LEXICON.read_text(encoding="utf-8").count('"ko"')
    assert tuple(lexicon.cues) == EVENTS and tuple(lexicon.mixed) == MIXED_PAIRS
    cue, ambiguous = raw["cues"]["loss"][1], raw["ambiguous"][2]
    assert (lexicon.cues["loss"][1].ko, lexicon.cues["loss"][1].en) == (cue["ko"], cue["en"])
    assert lexicon.ambiguous[2].senses == {event: ambiguous[event] for event in EVENTS}
    assert lexicon.ambiguous[2].literal == ambiguous["literal"]
    assert lexicon.mixed["fear", "sad"][0].ko == raw["mixed"]["fear;sad"][0]["ko"]


def test_the_shipped_encoders_learned_from_other_lines():
    ours, theirs = load_lexicon(), load_lexicon(ENCODER_LEXICON)
    assert not _bare(_korean(ours)) & _bare(_korean(theirs))
    assert not _bare(_english(ours)) & _bare(_english(theirs))


@pytest.mark.parametrize("path", [DEFAULT_LEXICON, ENCODER_LEXICON])
def test_every_character_can_be_written_and_tokenized(path):
    lexicon = load_lexicon(path)
    for line in _korean(lexicon):
        assert line.encode("cp949").decode("cp949") == line
    known = set(string.ascii_letters + string.digits + string.punctuation + " ")
    assert set("".join(_english(lexicon))) <= known


@pytest.mark.parametrize("path", [DEFAULT_LEXICON, ENCODER_LEXICON])
def test_the_english_of_an_ambiguous_line_tells_its_event(path):
    for line in load_lexicon(path).ambiguous:
        assert len({line.literal, *line.senses.values()}) == 1 + len(EVENTS)


def _repeat_a_line(raw):
    raw["filler"].append({"ko": raw["cues"]["good"][0]["ko"], "en": "Again."})


def _spoil_a_pair(raw):
    raw["mixed"]["happy;neutral"] = raw["mixed"].pop("neutral;happy")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_repeat_a_line, "occurs 2 times"),
        (lambda raw: raw.pop("filler"), "the file has ['ambiguous', 'cues', 'emotions', 'mixed']"),
        (lambda raw: raw["cues"].pop("loss"), "`cues` has ['good', 'nothing', 'offence']"),
        (lambda raw: raw["cues"].update(party=[]), "`cues` has ['good', 'loss', 'nothing'"),
        (lambda raw: raw["emotions"].update(sad=[]), "`emotions`, 'sad' is []"),
        (lambda raw: raw["emotions"].pop("fear"), "`emotions` has ['angry', 'disgust', 'happy'"),
        (_spoil_a_pair, "`mixed` has ['fear;sad', 'happy;neutral'"),
        (lambda raw: raw.update(mixed=[]), "`mixed` has []"),
        (lambda raw: raw["ambiguous"][0].pop("offence"), "a line of `ambiguous` has ['good', 'ko'"),
        (
            lambda raw: raw["filler"][0].update(note="x"),
            "a line of `filler` has ['en', 'ko', 'note",
        ),
        (lambda raw: raw["filler"].append("음."), "a line of `filler` has '음.'"),
        (lambda raw: raw["filler"][0].update(ko=" "), "'ko' in `filler` is ' '"),
        (lambda raw: raw["filler"][0].update(en=3), "'en' in `filler` is 3"),
        (lambda raw: raw["filler"][0].update(ko="가\n나"), "'ko' in `filler` is '가\\n나'"),
        (lambda raw: raw["filler"][0].update(ko="음 😀"), "'음 😀' does not fit the transcripts"),
    ],
)
def test_a_spoiled_lexicon_is_named(spoil, message, tmp_path):
    raw = json.loads(DEFAULT_LEXICON.read_text(encoding="utf-8"))
    spoil(raw)
    path = tmp_path / "lines.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ValueError, match="lines.json` is not a lexicon") as caught:
        load_lexicon(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe{}", b'"lines"'])
def test_a_file_of_something_else_is_named(content, tmp_path):
    path = tmp_path / "lines.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="lines.json` is not a lexicon"):
        load_lexicon(path)
    with pytest.raises(FileNotFoundError, match="`lexicon` '.*none.json' is not a file"):
        load_lexicon(tmp_path / "none.json")
