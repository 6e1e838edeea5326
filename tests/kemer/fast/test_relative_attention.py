import pytest
import torch

from kemer.fast.relative_attention import QUERIES_AT_ONCE, relative_attention

HEADS, WIDTH = 3, 8


@pytest.mark.parametrize("reach", [4, 160])
@pytest.mark.parametrize("frames", [1, 2, 4, 5, 23, 160, 161, QUERIES_AT_ONCE + 60, 700])
def test_it_is_the_table_of_positions(frames: int, reach: int) -> None:
    torch.manual_seed(frames)
    queries, keys, values = torch.randn(3, frames, HEADS, WIDTH).unbind(0)
    # As the library numbers them: query minus key, cut to the reach.
    table = torch.randn(2 * reach, WIDTH)
    places = torch.arange(frames)
    distance = (places[:, None] - places[None, :]).clamp(-reach, reach - 1) + reach
    scores = torch.einsum("qhd,khd->hqk", queries, keys)
    scores += torch.einsum("qhd,qkd->hqk", queries, table[distance])
    expected = torch.einsum("hqk,khd->qhd", scores.softmax(dim=2), values).flatten(1)

    offsets = queries @ table.flip(0).T  # (frames, heads, 2 * reach)
    found = relative_attention(queries, keys, values, offsets)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_utterances_that_lie_in_one_tensor_do_not_read_each_other() -> None:
    torch.manual_seed(0)
    both = torch.randn(3, 50, HEADS, WIDTH)
    offsets = torch.randn(50, HEADS, 8)
    for rows in (slice(0, 3), slice(3, 20), slice(20, 50)):
        parts = both[:, rows]
        alone = relative_attention(*parts.clone().unbind(0), offsets[rows].clone())
        beside = relative_attention(*parts.unbind(0), offsets[rows])
        torch.testing.assert_close(beside, alone)
