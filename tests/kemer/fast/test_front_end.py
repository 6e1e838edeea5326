import pytest
import torch
from transformers import SpeechT5Config

from encoders_kemer import KemerSpeechT5SpeechEncoder
from kemer.fast.front_end import FRAMES_AT_ONCE, FastFrontEnd
from tests import tiny


@pytest.fixture(scope="module")
def encoder() -> KemerSpeechT5SpeechEncoder:
    """The real front end, ten channels wide, above a small Transformer."""
    fields = {**tiny.SPEECHT5, "conv_dim": [10] * 7}
    fields |= {"conv_kernel": SpeechT5Config().conv_kernel}
    fields |= {"conv_stride": SpeechT5Config().conv_stride}
    torch.manual_seed(0)
    model = KemerSpeechT5SpeechEncoder(tiny.library_config(fields))
    return tiny.spread_weights(model, seed=1).eval()


@torch.no_grad()
def reference(encoder: KemerSpeechT5SpeechEncoder, samples: torch.Tensor) -> torch.Tensor:
    return encoder._extract_features(samples[None], torch.tensor([len(samples)]))[0]


@pytest.mark.parametrize("frames", [1, 2, FRAMES_AT_ONCE, FRAMES_AT_ONCE + 1, 151])
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_features_are_the_librarys(
    encoder: KemerSpeechT5SpeechEncoder, frames: int, offset: float
) -> None:
    samples = 0.1 * torch.randn(400 + 320 * (frames - 1) + 77) + offset
    found = FastFrontEnd(encoder.convolutions, dtype=torch.float32)(samples)
    expected = reference(encoder, samples)
    assert found.shape == expected.shape == (frames, 10)
    assert (found - expected).norm() < 2e-5 * expected.norm()


def test_bfloat16_is_as_near_as_its_digits(encoder: KemerSpeechT5SpeechEncoder) -> None:
    samples = 0.1 * torch.randn(16_000)
    found = FastFrontEnd(encoder.convolutions, dtype=torch.bfloat16)(samples)
    expected = reference(encoder, samples)
    assert found.dtype == torch.bfloat16
    assert (found.float() - expected).norm() < 0.03 * expected.norm()
