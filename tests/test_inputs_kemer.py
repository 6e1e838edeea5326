import pytest
import torch

from inputs_kemer import checked_mask, concatenate, drop_modalities, masked_mean


def test_the_mean_leaves_masked_positions_out() -> None:
    hidden_states = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]], [[5.0, 6.0]] * 3])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert masked_mean(hidden_states, mask).tolist() == [[2.0, 3.0], [5.0, 6.0]]
    hidden_states[~mask] = float("nan")
    assert masked_mean(hidden_states, mask).tolist() == [[2.0, 3.0], [5.0, 6.0]]
    assert masked_mean(hidden_states, torch.zeros_like(mask)).tolist() == [[0.0, 0.0]] * 2
    assert masked_mean(hidden_states[:, :0], mask[:, :0]).tolist() == [[0.0, 0.0]] * 2


def test_a_row_loses_one_modality_and_never_both() -> None:
    torch.manual_seed(0)
    speech = torch.ones(9000, 3, dtype=torch.bool)
    text = torch.ones(9000, 2, dtype=torch.bool)
    speech[:, 2], speech[:1000], text[1000:2000] = False, False, False  # padding, missing
    kept_speech, kept_text = drop_modalities(speech, text, probability=0.4)
    assert torch.equal(kept_speech[:2000], speech[:2000])  # nothing is taken from what has one
    assert torch.equal(kept_text[:2000], text[:2000])
    heard, read = kept_speech[2000:].any(dim=1), kept_text[2000:].any(dim=1)
    assert (heard | read).all()
    assert (~heard).float().mean() == pytest.approx(0.2, abs=0.02)
    assert (~read).float().mean() == pytest.approx(0.2, abs=0.02)
    assert torch.equal(kept_speech[2000:][heard], speech[2000:][heard])  # a row's mask is whole


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_a_mask_of_any_type_becomes_booleans(dtype: torch.dtype) -> None:
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]], dtype=dtype)
    checked = checked_mask("attention_mask", mask, torch.zeros(2, 3, 4))
    assert checked.tolist() == [[True, True, False], [False, False, False]]


def test_without_a_mask_all_is_valid() -> None:
    assert checked_mask("attention_mask", None, torch.zeros(2, 3)).tolist() == [[True] * 3] * 2


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(2, 2), r"`a_mask` has the shape \(2, 2\), but what it masks has \(2, 3\)"),
        (torch.full((2, 3), 0.5), "`a_mask` holds values other than 0 and 1"),
        (torch.full((2, 3), 2), "`a_mask` holds values other than 0 and 1"),
        (torch.tensor([[0, 1, 1], [1, 1, 1]]), "`a_mask` has valid positions after padding"),
        (torch.tensor([[1, 0, 1], [1, 1, 1]]), "`a_mask` has valid positions after padding"),
    ],
)
def test_a_wrong_mask_is_refused(mask: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_mask("a_mask", mask, torch.zeros(2, 3))


def test_speech_comes_before_text() -> None:
    speech = torch.full((2, 2, 4), 1.0), torch.tensor([[True, False], [True, True]])
    text = torch.full((2, 1, 4), 2.0), torch.tensor([[True], [False]])
    hidden_states, mask = concatenate(speech, text)
    assert hidden_states[0, :, 0].tolist() == [1.0, 1.0, 2.0]
    assert mask.tolist() == [[True, False, True], [True, True, False]]
