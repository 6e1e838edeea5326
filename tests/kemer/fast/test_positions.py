import pytest
import torch
from transformers.models.speecht5.modeling_speecht5 import SpeechT5PositionalConvEmbedding

from kemer.fast.positions import FastPositions
from tests import tiny


@pytest.mark.parametrize("kernel", [16, 5, 128])
@pytest.mark.parametrize("lengths", [[1], [4], [1, 2, 3, 4, 5], [200, 7, 63, 64, 65]])
@torch.no_grad()
def test_each_utterance_is_convolved_alone(kernel: int, lengths: list[int]) -> None:
    torch.manual_seed(0)
    fields = {**tiny.SPEECHT5, "num_conv_pos_embeddings": kernel}
    embedding = SpeechT5PositionalConvEmbedding(tiny.library_config(fields)).eval()
    embedding.conv.bias.normal_()
    hidden = torch.randn(sum(lengths), 24)
    expected = torch.cat([embedding(one[None])[0] for one in hidden.split(lengths)])
    found = FastPositions(embedding, dtype=torch.float32)(hidden, lengths)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
