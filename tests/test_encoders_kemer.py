import pytest
import torch
from transformers import AutoModel
from transformers.models.speecht5.modeling_speecht5 import (
    SpeechT5EncoderWithSpeechPrenet,
    SpeechT5EncoderWithTextPrenet,
)

from configuration_kemer import SPEECH_MODEL_TYPES, receptive_field
from encoders_kemer import (
    encode_text,
    frame_lengths,
    speech_encoder_class,
    text_encoder_arguments,
    text_encoder_class,
    text_positions,
)
from tests import tiny


def relative_difference(result: torch.Tensor, expected: torch.Tensor) -> float:
    return float((result - expected).norm() / expected.norm())


def make_speech_encoder(fields: dict) -> torch.nn.Module:
    config = tiny.library_config(fields)
    torch.manual_seed(1)
    encoder = tiny.spread_weights(speech_encoder_class(config)(config), seed=2)
    if fields.get("conv_pos_batch_norm"):
        encoder.encoder.pos_conv_embed.batch_norm.running_mean.uniform_(-1, 1)
    return encoder.eval()


def library_speech_encoder(encoder: torch.nn.Module) -> torch.nn.Module:
    """Return the library's encoder with the same weights, loaded by name."""
    config = encoder.config
    if config.model_type == "speecht5":
        twin = SpeechT5EncoderWithSpeechPrenet(config)
    else:
        twin = AutoModel.from_config(config)
    twin.load_state_dict(encoder.state_dict(), strict=True)
    return twin.eval()


def make_text_encoder(fields: dict) -> torch.nn.Module:
    config = tiny.library_config(fields)
    torch.manual_seed(1)
    encoder = text_encoder_class(config)(config, **text_encoder_arguments(config))
    return tiny.spread_weights(encoder, seed=2).eval()


@pytest.mark.parametrize("variant", tiny.SPEECH)
@torch.no_grad()
def test_unpadded_speech_equals_the_library(variant: str) -> None:
    encoder = make_speech_encoder(tiny.SPEECH[variant])
    twin = library_speech_encoder(encoder)
    waveforms = torch.stack([tiny.waveform(2345, seed=3), tiny.waveform(2345, seed=4)])

    hidden_states, mask = encoder(waveforms)

    expected = twin(waveforms).last_hidden_state
    assert mask.all() and hidden_states.shape == expected.shape
    torch.testing.assert_close(hidden_states, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("variant", tiny.SPEECH)
@pytest.mark.parametrize("padding", [0.0, 7.0])
@torch.no_grad()
def test_padding_does_not_change_speech(variant: str, padding: float) -> None:
    encoder = make_speech_encoder(tiny.SPEECH[variant])
    # One frame, one sample more than a frame, one below the next frame, and the longest.
    waveforms = [tiny.waveform(samples, seed=samples) for samples in (45, 46, 1239, 2345)]
    batch = tiny.pad(waveforms, value=padding, width=2500)

    hidden_states, mask = encoder(batch["values"], batch["mask"])

    for row, one in enumerate(waveforms):
        alone, _ = encoder(one[None])
        frames = alone.shape[1]
        assert mask[row].sum() == frames and mask[row, :frames].all()
        assert relative_difference(hidden_states[row, :frames], alone[0]) < 1e-5


@torch.no_grad()
def test_the_library_itself_does_change_under_padding() -> None:
    """The reason for these encoders; if it ever fails they have become superfluous."""
    encoder = make_speech_encoder(tiny.SPEECHT5)
    twin = library_speech_encoder(encoder)
    batch = tiny.pad([tiny.waveform(1239, seed=3), tiny.waveform(2345, seed=4)], value=0.0)

    alone = twin(batch["values"][:1, :1239]).last_hidden_state[0]
    padded = twin(batch["values"], attention_mask=batch["mask"]).last_hidden_state[0]

    assert relative_difference(padded[: len(alone)], alone) > 0.01


@pytest.mark.parametrize("family", SPEECH_MODEL_TYPES)
@torch.no_grad()
def test_padding_does_not_change_speech_at_full_size(family: str) -> None:
    config = tiny.library_config({"model_type": family})
    assert (config.num_hidden_layers, config.hidden_size) == (12, 768)
    torch.manual_seed(0)
    encoder = speech_encoder_class(config)(config).eval()
    library_class = next(
        c for c in type(encoder).__mro__ if c.__module__.startswith("transformers")
    )
    short, long = tiny.waveform(9_600, seed=1), tiny.waveform(17_600, seed=2)  # 0.6 s and 1.1 s
    batch = tiny.pad([short, long], value=0.0)

    hidden_states, _ = encoder(batch["values"], batch["mask"])

    for row, one in enumerate((short, long)):
        alone = encoder(one[None])[0][0]
        expected = library_class.forward(encoder, one[None]).last_hidden_state[0]
        torch.testing.assert_close(alone, expected, rtol=0, atol=1e-5)
        assert relative_difference(hidden_states[row, : len(alone)], alone) < 1e-4


@torch.no_grad()
def test_padding_does_not_change_text_at_full_size() -> None:
    config = tiny.library_config({"model_type": "speecht5"})
    torch.manual_seed(0)
    encoder = text_encoder_class(config)(config).eval()
    texts = [tiny.token_ids(31, seed=1), tiny.token_ids(97, seed=2)]
    batch = tiny.pad(texts, value=1)

    hidden_states, _ = encode_text(encoder, batch["values"], batch["mask"])

    for row, one in enumerate(texts):
        expected = SpeechT5EncoderWithTextPrenet.forward(encoder, one[None]).last_hidden_state[0]
        assert relative_difference(hidden_states[row, : len(one)], expected) < 1e-4


@pytest.mark.parametrize("variant", ["speecht5", "wav2vec2", "wavlm"])
@torch.no_grad()
def test_missing_speech_is_zero_and_leaves_the_others_alone(variant: str) -> None:
    encoder = make_speech_encoder(tiny.SPEECH[variant])
    batch = tiny.pad([torch.zeros(0), tiny.waveform(800, seed=3), torch.zeros(0)], value=0.0)

    hidden_states, mask = encoder(batch["values"], batch["mask"])

    alone, _ = encoder(batch["values"][1:2])
    assert mask.tolist() == [[False] * alone.shape[1], [True] * alone.shape[1]] + [
        [False] * alone.shape[1]
    ]
    assert (hidden_states[[0, 2]] == 0).all()
    torch.testing.assert_close(hidden_states[1], alone[0])


@torch.no_grad()
def test_speech_missing_in_every_row_has_no_frames() -> None:
    encoder = make_speech_encoder(tiny.SPEECHT5)
    hidden_states, mask = encoder(torch.zeros(2, 7), torch.zeros(2, 7, dtype=torch.long))
    assert hidden_states.shape == (2, 0, 24) and mask.shape == (2, 0)


def test_the_number_of_frames_is_that_of_the_convolutions() -> None:
    config = tiny.library_config({"model_type": "speecht5"})
    assert receptive_field(config) == 400
    # 16 kHz: 25 ms for the first frame and 20 ms for each further one
    lengths = frame_lengths(config, torch.tensor([0, 399, 400, 719, 720, 16_000]))
    assert lengths.tolist() == [0, 0, 1, 1, 2, 49]


def test_an_utterance_shorter_than_a_frame_is_refused() -> None:
    encoder = make_speech_encoder(tiny.SPEECHT5)
    minimum = receptive_field(encoder.config)
    batch = tiny.pad([tiny.waveform(900, seed=1), tiny.waveform(minimum - 1, seed=2)], value=0.0)
    with pytest.raises(ValueError, match=f"holds {minimum - 1} samples in row 1.* {minimum} at"):
        encoder(batch["values"], batch["mask"])
    hidden_states, _ = encoder(tiny.waveform(minimum, seed=1)[None])
    assert hidden_states.shape == (1, 1, 24)


@pytest.mark.parametrize("variant", tiny.SPEECH)
def test_gradients_reach_every_weight_that_is_used(variant: str) -> None:
    encoder = make_speech_encoder(tiny.without_chance(tiny.SPEECH[variant]))
    encoder.train()
    batch = tiny.pad([tiny.waveform(1239, seed=1), tiny.waveform(2345, seed=2)], value=0.0)

    hidden_states, mask = encoder(batch["values"], batch["mask"])
    torch.manual_seed(0)
    (hidden_states * torch.randn(hidden_states.shape) * mask[:, :, None]).sum().backward()

    without = [
        name
        for name, parameter in encoder.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all()
    ]
    assert without == []


def test_specaugment_is_left_out_where_the_batch_is_shorter_than_a_span() -> None:
    encoder = make_speech_encoder(tiny.SPEECHT5).train()
    hidden_states, _ = encoder(tiny.waveform(100, seed=1)[None])
    assert hidden_states.shape[1] < encoder.config.mask_time_length
    assert hidden_states.isfinite().all()


@pytest.mark.parametrize("family", tiny.TEXT)
@torch.no_grad()
def test_unpadded_text_equals_the_library(family: str) -> None:
    encoder = make_text_encoder(tiny.TEXT[family])
    tokens = torch.stack([tiny.token_ids(11, seed=1), tiny.token_ids(11, seed=2)])

    hidden_states, mask = encode_text(encoder, tokens, None)

    if family == "speecht5":
        twin = SpeechT5EncoderWithTextPrenet(encoder.config)
        twin.load_state_dict(encoder.state_dict(), strict=True)
        expected = twin.eval()(tokens).last_hidden_state
    else:
        expected = encoder(tokens).last_hidden_state
    assert mask.all() and hidden_states.shape == expected.shape
    torch.testing.assert_close(hidden_states, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", tiny.TEXT)
@pytest.mark.parametrize("padding", [1, 5])
@torch.no_grad()
def test_padding_does_not_change_text(family: str, padding: int) -> None:
    encoder = make_text_encoder(tiny.TEXT[family])
    texts = [tiny.token_ids(tokens, seed=tokens) for tokens in (1, 2, 7, 11)]
    batch = tiny.pad(texts, value=padding, width=17)

    hidden_states, mask = encode_text(encoder, batch["values"], batch["mask"])

    assert hidden_states.shape[1] == 11
    for row, one in enumerate(texts):
        alone, _ = encode_text(encoder, one[None], None)
        assert mask[row].sum() == len(one)
        assert relative_difference(hidden_states[row, : len(one)], alone[0]) < 1e-5


@pytest.mark.parametrize("family", tiny.TEXT)
@torch.no_grad()
def test_missing_text_is_zero_and_leaves_the_others_alone(family: str) -> None:
    encoder = make_text_encoder(tiny.TEXT[family])
    text = tiny.token_ids(6, seed=1)
    batch = tiny.pad([text[:0], text], value=1)

    hidden_states, mask = encode_text(encoder, batch["values"], batch["mask"])

    assert mask.tolist() == [[False] * 6, [True] * 6]
    assert (hidden_states[0] == 0).all()
    torch.testing.assert_close(hidden_states[1], encode_text(encoder, text[None], None)[0][0])
    nothing, _ = encode_text(encoder, batch["values"][:1], batch["mask"][:1])
    assert nothing.shape == (1, 0, encoder.config.hidden_size)


@pytest.mark.parametrize("family", tiny.TEXT)
@torch.no_grad()
def test_a_text_may_fill_the_table_of_positions_and_no_more(family: str) -> None:
    encoder = make_text_encoder(tiny.TEXT[family])
    limit = text_positions(encoder.config)
    hidden_states, _ = encode_text(encoder, tiny.token_ids(limit, seed=1)[None], None)
    assert hidden_states.shape[1] == limit
    with pytest.raises(ValueError, match=f"{limit + 1} tokens.* positions for {limit}"):
        encode_text(encoder, tiny.token_ids(limit + 1, seed=1)[None], None)
