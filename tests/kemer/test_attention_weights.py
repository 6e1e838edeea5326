import numpy as np
import pytest
import torch
from transformers import BertTokenizer

from kemer.attention_weights import attend, group_words
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor
from tests import tiny

RATE = 16_000


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> KemerProcessor:
    return tiny.make_processor(tmp_path_factory.mktemp("processor"))


@pytest.fixture(scope="module")
def model() -> KemerModel:
    return tiny.make_model()


def test_the_weights_are_those_of_the_model(model: KemerModel, processor: KemerProcessor) -> None:
    samples = tiny.waveform(901, seed=1).numpy()
    found = attend(model, processor, samples, "well done", sampling_rate=RATE)
    inputs = processor(audio=samples, text="well done", sampling_rate=RATE)
    with torch.no_grad():
        weights = model(**inputs, output_attentions=True).attentions[0].mean(dim=0).numpy()
    frames = len(weights) - 11  # letters, spaces before words, and the end
    assert found.words == ["well", "done", "</s>"] and found.tokens.tolist() == [5, 5, 1]
    received = weights.mean(axis=0)
    np.testing.assert_allclose(found.frame_weights, received[:frames], rtol=1e-5)
    words = [slice(frames, frames + 5), slice(frames + 5, frames + 10), slice(frames + 10, None)]
    np.testing.assert_allclose(
        found.word_weights, [received[part].sum() for part in words], rtol=1e-5
    )
    assert found.frame_weights.sum() + found.word_weights.sum() == pytest.approx(1, abs=1e-5)
    assert found.speech_share == pytest.approx(received[:frames].sum())
    assert found.speech_positions == frames / (frames + 11)
    for word, part in enumerate(words):
        looks = weights[part, :frames].mean(axis=0)
        np.testing.assert_allclose(found.text_to_speech[word], looks, rtol=1e-5)
        seen = weights[:frames, part].sum(axis=1)
        np.testing.assert_allclose(found.speech_to_text[:, word], seen, rtol=1e-5)


def test_speech_alone_has_no_words(model: KemerModel, processor: KemerProcessor) -> None:
    samples = tiny.waveform(901, seed=1).numpy()
    found = attend(model, processor, samples, None, sampling_rate=RATE)
    with torch.no_grad():
        output = model(**processor(audio=samples, sampling_rate=RATE), output_attentions=True)
    np.testing.assert_allclose(
        found.frame_weights, output.attentions[0].mean(dim=0).mean(dim=0).numpy(), rtol=1e-5
    )
    assert found.words == [] and found.speech_share == pytest.approx(1, abs=1e-5)
    frames = len(found.seconds)
    assert found.text_to_speech.shape == (0, frames) and found.speech_to_text.shape == (frames, 0)


def test_a_frame_stands_in_the_middle_of_what_it_hears(
    model: KemerModel, processor: KemerProcessor
) -> None:
    samples = tiny.waveform(901, seed=1).numpy()
    found = attend(model, processor, samples, "no", sampling_rate=RATE)
    # Kernels 10, 3, 2 and strides 5, 2, 2: 30 samples are heard, 20 apart.
    assert found.seconds[:2].tolist() == pytest.approx([15 / RATE, 35 / RATE])
    assert found.seconds[-1] + 15 / RATE <= 901 / RATE
    slower = attend(model, processor, np.repeat(samples, 2), "no", sampling_rate=2 * RATE)
    assert len(slower.seconds) == len(found.seconds)
    assert (slower.seconds == found.seconds).all()


class Pieces:
    """A tokenizer of given pieces."""

    def __init__(self, pieces: list[str], special: dict[int, str]) -> None:
        self.pieces = {**dict(enumerate(pieces, start=10)), **special}
        self.all_special_ids, self.unk_token_id = list(special), 3

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [self.pieces[number] for number in ids]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["▁we", "ll", "▁", "d", "one"], ["well", "done"]),
        (["we", "ll", "Ġdone"], ["well", "done"]),
        (["well", "done"], ["well", "done"]),
        (["we", "##ll", "done", "##!"], ["well", "done!"]),
    ],
    ids=["sentencepiece", "byte-level", "whole words", "wordpiece"],
)
def test_tokens_become_words(pieces: list[str], expected: list[str]) -> None:
    ids = [0, *range(10, 10 + len(pieces)), 2]
    words, groups = group_words(Pieces(pieces, {0: "<s>", 2: "</s>", 3: "<unk>"}), ids)
    assert words == ["<s>", *expected, "</s>"]
    assert [place for group in groups for place in group] == list(range(len(ids)))
    assert groups[0] == [0] and groups[-1] == [len(ids) - 1]


def test_an_unknown_letter_belongs_to_its_word() -> None:
    tokenizer = Pieces(["▁a", "b"], {3: "<unk>", 2: "</s>"})
    assert group_words(tokenizer, [10, 3, 11, 2])[0] == ["a<unk>b", "</s>"]


def test_a_real_wordpiece_tokenizer() -> None:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "well", "do", "##ne"]
    tokenizer = BertTokenizer({word: number for number, word in enumerate(vocabulary)})
    words, groups = group_words(tokenizer, tokenizer("well done")["input_ids"])
    assert words == ["[CLS]", "well", "done", "[SEP]"] and groups[2] == [2, 3]


def test_what_cannot_be_shown_is_refused(model: KemerModel, processor: KemerProcessor) -> None:
    samples = tiny.waveform(901, seed=1).numpy()
    with pytest.raises(ValueError, match="`text` is ' '; give what was said"):
        attend(model, processor, samples, " ", sampling_rate=RATE)
    for other in (tiny.make_model(text=None), tiny.make_model(fusion="late")):
        with pytest.raises(ValueError, match="no meta-attention"):
            attend(other, processor, samples, "no", sampling_rate=RATE)
