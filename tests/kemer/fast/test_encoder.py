import pytest
import torch
from torch import nn

from encoders_kemer import KemerSpeechT5SpeechEncoder, KemerWav2Vec2Encoder
from kemer.fast.encoder import FastSpeechEncoder
from tests import tiny

LENGTHS = (30, 61, 400, 901, 4000)  # samples; 20 a frame


@pytest.fixture(scope="module")
def encoder() -> KemerSpeechT5SpeechEncoder:
    torch.manual_seed(0)
    model = KemerSpeechT5SpeechEncoder(tiny.library_config(tiny.SPEECHT5))
    return tiny.spread_weights(model, seed=1).eval()


@pytest.fixture(scope="module")
def waveforms() -> list[torch.Tensor]:
    return [tiny.waveform(length, seed=length) for length in LENGTHS]


@torch.no_grad()
def alone(encoder: nn.Module, samples: torch.Tensor) -> torch.Tensor:
    return encoder(samples[None])[0][0]


def test_each_utterance_is_as_the_reference_has_it_alone(
    encoder: KemerSpeechT5SpeechEncoder, waveforms: list[torch.Tensor]
) -> None:
    found = FastSpeechEncoder(encoder, dtype=torch.float32)(waveforms)
    for samples, states in zip(waveforms, found, strict=True):
        expected = alone(encoder, samples)
        assert states.shape == expected.shape
        assert (states - expected).norm() < 1e-5 * expected.norm()


def test_bfloat16_stays_within_two_percent(
    encoder: KemerSpeechT5SpeechEncoder, waveforms: list[torch.Tensor]
) -> None:
    found = FastSpeechEncoder(encoder)(waveforms)
    for samples, states in zip(waveforms, found, strict=True):
        expected = alone(encoder, samples)
        assert states.dtype == torch.bfloat16
        assert (states.float() - expected).norm() < 0.02 * expected.norm()


def test_neighbours_and_their_order_change_nothing(
    encoder: KemerSpeechT5SpeechEncoder, waveforms: list[torch.Tensor]
) -> None:
    fast = FastSpeechEncoder(encoder, dtype=torch.float32)
    together = fast(waveforms)
    for states, again in zip(together, reversed(fast(waveforms[::-1])), strict=True):
        torch.testing.assert_close(states, again, rtol=1e-5, atol=1e-5)


def test_another_encoder_is_refused(encoder: KemerSpeechT5SpeechEncoder) -> None:
    other = KemerWav2Vec2Encoder(tiny.library_config(tiny.SPEECH["wav2vec2"])).eval()
    with pytest.raises(ValueError, match="`encoder` is a KemerWav2Vec2Encoder; allowed is"):
        FastSpeechEncoder(other)
    with pytest.raises(ValueError, match="in training; allowed is"):
        FastSpeechEncoder(KemerSpeechT5SpeechEncoder(encoder.config).train())
