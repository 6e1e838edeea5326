from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from transformers import (
    BertTokenizer,
    SpeechT5FeatureExtractor,
    Wav2Vec2FeatureExtractor,
)

from modeling_kemer import KemerOutput
from processing_kemer import KemerProcessor
from tests import tiny

RATE = 16_000


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> KemerProcessor:
    return tiny.make_processor(tmp_path_factory.mktemp("tokenizer"))


def sound(samples: int, *, seed: int = 0) -> np.ndarray:
    return tiny.waveform(samples, seed=seed).numpy()


def test_one_utterance(processor: KemerProcessor) -> None:
    audio = sound(500)
    batch = processor(audio=audio, text="well done", sampling_rate=RATE)
    assert batch["input_values"].dtype == torch.float32
    np.testing.assert_array_equal(batch["input_values"], audio[None])
    assert batch["attention_mask"].dtype == torch.int64
    assert batch["attention_mask"].tolist() == [[1] * 500]
    expected = processor.tokenizer("well done")["input_ids"]
    assert len(expected) == 11 and expected[-1] == processor.tokenizer.eos_token_id
    assert batch["input_ids"].tolist() == [expected] and batch["input_ids"].dtype == torch.int64
    assert batch["text_attention_mask"].tolist() == [[1] * 11]


def test_many_utterances_are_padded_on_the_right(processor: KemerProcessor) -> None:
    audio = [sound(300, seed=1), torch.from_numpy(sound(500, seed=2)).double()]
    batch = processor(audio, ["well done", "no"], sampling_rate=RATE)
    assert batch["input_values"].shape == (2, 500) and batch["input_ids"].shape == (2, 11)
    np.testing.assert_array_equal(batch["input_values"][0, :300], audio[0])
    assert (batch["input_values"][0, 300:] == 0).all()
    assert batch["attention_mask"].sum(1).tolist() == [300, 500]
    assert batch["text_attention_mask"].sum(1).tolist() == [11, 4]
    assert (batch["input_ids"][1, 4:] == processor.tokenizer.pad_token_id).all()


@pytest.mark.parametrize("name", ["audio", "text"])
def test_only_what_is_given_is_returned(processor: KemerProcessor, name: str) -> None:
    given = {"audio": [sound(300)], "text": ["no"]}[name]
    batch = processor(**{name: given}, sampling_rate=RATE)
    names = {
        "audio": ["input_values", "attention_mask"],
        "text": ["input_ids", "text_attention_mask"],
    }
    assert sorted(batch) == sorted(names[name])


def test_a_missing_modality_is_a_masked_row(processor: KemerProcessor) -> None:
    batch = processor(
        audio=[None, sound(300), None],
        text=["no", None, " "],
        sampling_rate=RATE,
    )
    assert batch["attention_mask"].sum(1).tolist() == [0, 300, 0]
    assert (batch["input_values"][[0, 2]] == 0).all()
    assert batch["text_attention_mask"].sum(1).tolist() == [4, 0, 0]
    assert (batch["input_ids"][1:] == processor.tokenizer.pad_token_id).all()
    nothing = processor(audio=[None], text=[""])
    assert nothing["attention_mask"].tolist() == nothing["text_attention_mask"].tolist() == [[0]]


@pytest.mark.parametrize("return_attention_mask", [False, True])
def test_each_utterance_is_normalised_alone(tmp_path: Path, return_attention_mask: bool) -> None:
    extractor = Wav2Vec2FeatureExtractor(
        do_normalize=True, return_attention_mask=return_attention_mask
    )
    processor = KemerProcessor(extractor, tiny.make_tokenizer(tmp_path), 25)
    audio = [sound(300, seed=1), sound(500, seed=2), sound(40, seed=3)]

    batch = processor(audio=audio, sampling_rate=RATE)

    for row, one in enumerate(audio):
        values = batch["input_values"][row, : len(one)]
        expected = (one - one.mean()) / np.sqrt(one.var() + 1e-7)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5)
        alone = processor(audio=one, sampling_rate=RATE)["input_values"][0]
        assert torch.equal(values, alone)
        assert (batch["input_values"][row, len(one) :] == 0).all()


def test_text_is_cut_at_the_tokenizers_limit(tmp_path: Path) -> None:
    processor = KemerProcessor(
        SpeechT5FeatureExtractor(), tiny.make_tokenizer(tmp_path, model_max_length=9)
    )
    batch = processor(text=["well done, you have done it again!", "no"])
    assert batch["text_attention_mask"].sum(1).tolist() == [9, 4]
    assert batch["input_ids"][0, -1] == processor.tokenizer.eos_token_id


def test_resampling_keeps_pitch_and_duration(processor: KemerProcessor) -> None:
    seconds = np.arange(8_000) / 8_000
    tone = np.sin(2 * np.pi * 440 * seconds).astype(np.float32)
    batch = processor(audio=tone, sampling_rate=8_000, resample=True)
    assert batch["input_values"].shape == (1, RATE)
    spectrum = torch.fft.rfft(batch["input_values"][0]).abs()  # bins of 1 Hz
    assert spectrum.argmax() == 440
    same = processor(audio=tone, sampling_rate=RATE, resample=True)
    np.testing.assert_array_equal(same["input_values"][0], tone)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`audio` and `text` are both None"),
        ({"audio": sound(300)}, "`sampling_rate` was not given"),
        ({"audio": sound(300), "sampling_rate": 8_000}, "8000 Hz, but the model reads 16000 Hz"),
        ({"audio": sound(300), "sampling_rate": -1, "resample": True}, "`sampling_rate` is -1"),
        ({"audio": sound(300), "sampling_rate": 8e3, "resample": True}, "is 8000.0; allowed"),
        (
            {"audio": sound(300), "sampling_rate": True, "resample": True},
            "is True; allowed",
        ),
        ({"audio": torch.zeros(300).int()}, "type torch.int32 in row 0"),
        ({"audio": np.full(300, 1e300)}, "NaN or infinity in row 0, as float32"),
        ({"audio": torch.full((300,), 1e300, dtype=torch.float64)}, "NaN or infinity in row 0"),
        ({"text": "no", "return_tensors": "np"}, "`return_tensors` is 'np'; allowed are \"pt\""),
        ({"text": {"no": "yes"}}, "`text` is of type dict"),
        ({"text": b"no"}, "`text` is of type bytes"),
        ({"text": np.array("no")}, "`text` is of type ndarray"),
        ({"text": np.array([["no"]])}, "`text` is of type ndarray"),
        ({"audio": []}, "`audio` is an empty list"),
        ({"text": []}, "`text` is an empty list"),
        ({"audio": "a.wav"}, "`audio` is of type str"),
        ({"audio": [sound(300), [0.1, 0.2]]}, "holds a list in row 1"),
        ({"audio": [0.1, 0.2]}, "holds a float in row 0"),
        ({"audio": [sound(300), sound(0)]}, "`audio` is empty in row 1"),
        ({"audio": np.zeros((2, 300), np.float32)}, r"shape \(2, 300\) in row 0.*average"),
        ({"audio": np.zeros(300, np.int16)}, "type int16 in row 0.*divide 16-bit .* 32768"),
        ({"audio": [sound(300), np.full(300, np.nan)]}, "NaN or infinity in row 1"),
        ({"audio": np.full(300, np.inf)}, "NaN or infinity in row 0"),
        ({"audio": [sound(300), sound(29)]}, "29 samples at 16000 Hz in row 1.* 30 at least"),
        ({"text": ["no", 3]}, "`text` holds 3 of type int in row 1"),
        ({"text": 3}, "`text` is of type int"),
        ({"audio": [sound(300)], "text": ["no", "yes"]}, "`audio` holds 1 utterances and `text` 2"),
    ],
)
def test_bad_input_is_refused(processor: KemerProcessor, arguments: dict, message: str) -> None:
    if "audio" in arguments and "was not given" not in message:
        arguments = {"sampling_rate": RATE, **arguments}
    with pytest.raises(ValueError, match=message):
        processor(**arguments)


@pytest.mark.filterwarnings("error")
def test_any_layout_of_a_waveform_is_read(processor: KemerProcessor) -> None:
    audio = sound(500)
    read_only = audio.copy()
    read_only.flags.writeable = False
    others = [
        read_only,
        audio[::-1].copy()[::-1],
        np.repeat(audio, 2)[::2],
        audio.astype(">f4"),
        audio.astype("<f8"),
        audio.astype(np.longdouble),
    ]
    batch = processor(audio=others, sampling_rate=RATE)
    for row in batch["input_values"]:
        np.testing.assert_array_equal(row, audio)


@pytest.mark.parametrize(
    "text",
    [
        ("well done", "no"),
        np.array(["well done", "no"]),
        np.array(["well done", "no"], dtype=object),
        Dataset.from_dict({"text": ["well done", "no"]})["text"],
        pd.Series(["well done", "no"], index=[7, 3]),
    ],
    ids=["tuple", "array", "objects", "datasets", "pandas"],
)
def test_any_list_of_transcripts_is_read(processor: KemerProcessor, text: Any) -> None:
    expected = processor(text=["well done", "no"])
    found = processor(text=text, return_tensors="pt")
    assert sorted(found) == sorted(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    one = processor(text=np.array(["no"])[0])
    assert one["input_ids"].shape == (1, 4)


def test_earlier_turns_are_read_before_a_transcript_which_is_never_cut(
    processor: KemerProcessor,
) -> None:
    tokenizer, end = processor.tokenizer, processor.tokenizer.eos_token_id

    def words(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    def read(text: str, context: list[str]) -> list[int]:
        batch = processor(text=[text, "a longer one"], context=[context, []])
        return batch["input_ids"][0, batch["text_attention_mask"][0].bool()].tolist()

    alone = read("well done", [])
    assert alone == [*words("well done"), end] == tokenizer("well done")["input_ids"]
    both = [*words("no"), end, *words("i did"), end]
    assert read("well done", ["no", "  ", "i did"]) == [*both, *alone]
    # Of 31 tokens, 11 are the transcript's: the last 20 of what was said before stay.
    said = ["you have done it", "no, not again"]
    before = [token for turn in said for token in (*words(turn), end)]
    assert len(before) > 20 and read("well done", said) == [*before[-20:], *alone]
    long = "you have done it again, and again, and again!"
    assert len(read(long, [])) == 31 and read(long, said) == read(long, [])
    assert read(" ", said) == []  # what is missing stays missing


def test_earlier_turns_stand_between_the_first_token_and_the_transcript(tmp_path: Path) -> None:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "well", "done", "no"]
    tokenizer = BertTokenizer({word: number for number, word in enumerate(vocabulary)})
    tokenizer.model_max_length = 6
    processor = KemerProcessor(SpeechT5FeatureExtractor(), tokenizer)
    read = processor(text=["well done"], context=[["done", "no"]])["input_ids"]
    assert read.tolist() == [[2, 7, 3, 5, 6, 3]]  # [CLS] no [SEP] well done [SEP]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"context": [["no"]]}, "`context` was given without `text`"),
        ({"text": ["no", "no"], "context": [["no"]]}, "one list of texts for each of the 2"),
        ({"text": ["no"], "context": ["no"]}, r"`context` is \['no'\]; allowed is one list"),
        ({"text": "no", "context": "n"}, "`context` is 'n'; allowed is one list"),
        ({"text": ["no"], "context": [[None]]}, r"`context` is \[\[None\]\]"),
    ],
)
def test_context_is_checked(
    processor: KemerProcessor, arguments: dict[str, Any], message: str
) -> None:
    arguments = {"audio": [sound(300)] * 2, "sampling_rate": RATE, **arguments}
    with pytest.raises(ValueError, match=message):
        processor(**arguments)


def test_saved_and_loaded_it_does_the_same(processor: KemerProcessor, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path)
    loaded = KemerProcessor.from_pretrained(tmp_path)
    arguments = {"audio": [sound(300), None], "text": ["no", "yes"], "sampling_rate": RATE}
    expected, found = processor(**arguments), loaded(**arguments)
    assert sorted(expected) == sorted(found) == sorted(processor.model_input_names)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert loaded.minimum_samples == 30
    assert loaded.tokenizer.model_max_length == processor.tokenizer.model_max_length


def test_a_processor_is_checked_at_construction(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`minimum_samples` is 0"):
        tiny.make_processor(tmp_path, minimum_samples=0)
    for emotions in ([], "happy", [1, 2], ["happy", ""], None):
        with pytest.raises(ValueError, match="`emotions` is .*; allowed is a list of names"):
            tiny.make_processor(tmp_path, emotions=emotions)
    with pytest.raises(ValueError, match="`emotions` names one twice"):
        tiny.make_processor(tmp_path, emotions=["happy", "sad", "happy"])
    tokenizer = tiny.make_tokenizer(tmp_path)
    tokenizer.pad_token = None
    with pytest.raises(ValueError, match="no padding token"):
        KemerProcessor(SpeechT5FeatureExtractor(), tokenizer)


def test_outputs_in_words(processor: KemerProcessor) -> None:
    logits = torch.tensor([[-9.0, 0.0, 2.0, -1, -1, -1, 1], [-3.0, -2, -1, -2, -3, -4, -5]])
    outputs = KemerOutput(logits=logits, valence_arousal=torch.tensor([[1.5, 4.5], [3.0, 2.0]]))
    first, second = processor.post_process(outputs)
    assert first["emotions"] == ["fear", "happy"] and second["emotions"] == ["fear"]
    assert first["probabilities"]["angry"] == 0.5 and len(first["probabilities"]) == 7
    assert (first["valence"], first["arousal"], second["arousal"]) == (1.5, 4.5, 2.0)
    assert processor.post_process(outputs, threshold=0.4)[0]["emotions"] == [
        "angry",
        "fear",
        "happy",
    ]
    with pytest.raises(ValueError, match=r"shape \(2, 6\)"):
        processor.post_process(KemerOutput(logits=logits[:, :6], valence_arousal=logits[:, :2]))


def test_outputs_in_words_under_other_decodings(processor: KemerProcessor) -> None:
    logits = torch.tensor([[-9.0, 0.0, 2.0, -1, -1, -1, 1]])
    outputs = KemerOutput(logits=logits, valence_arousal=torch.tensor([[1.5, 4.5]]))
    assert processor.post_process(outputs, decoding="argmax")[0]["emotions"] == ["fear"]
    sets = [[0, 0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 1]]
    fitted = {"slopes": [1.0] * 7, "biases": [0.0, 3.0] + [0.0] * 5, "label_sets": sets}
    for biases, expected in ((fitted["biases"], ["angry", "happy"]), ([0.0] * 7, ["fear"])):
        decoder = {**fitted, "biases": biases}
        found = processor.post_process(outputs, decoding="label_sets", label_set_decoder=decoder)
        assert found[0]["emotions"] == expected
        assert found[0]["probabilities"]["angry"] == 0.5  # of the model, uncorrected
    with pytest.raises(ValueError, match="`label_set_decoder` is None; give `model.config"):
        processor.post_process(outputs, decoding="label_sets")
    with pytest.raises(ValueError, match="`decoding` is 'best'; allowed is one of threshold, arg"):
        processor.post_process(outputs, decoding="best")
