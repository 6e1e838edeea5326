import math
from pathlib import Path

import numpy as np
import pytest
import torch

from kemer.paper_compat_passes import (
    BATCH_SIZE,
    BatchAnswers,
    answer_batches,
    answer_switched,
    score_distance,
    score_exact_match,
    scoring_as_published,
)
from tests import tiny
from tests.kemer.bench import make_trainer


def make_batch(size: int, *, seed: int) -> BatchAnswers:
    random = np.random.default_rng(seed)
    labels = np.eye(7, dtype=int)[random.integers(7, size=size)]
    return BatchAnswers(
        probabilities=random.random((size, 7)) * 0.52 + 0.3 * labels,
        labels=labels,
        ratings=random.random((size, 2)),
        true_ratings=random.random((size, 2)),
    )


BATCHES = [make_batch(32, seed=0), make_batch(32, seed=1), make_batch(5, seed=2)]


def right(*, fallback: bool) -> list[bool]:
    """Say for each utterance, emotion by emotion, whether the answer is right."""
    found = []
    for batch in BATCHES:
        for chances, labels in zip(batch.probabilities, batch.labels, strict=True):
            answer = [int(chance > 0.5) for chance in chances]
            if fallback and not any(answer):
                answer[int(np.argmax(chances))] = 1
            found.append(answer == labels.tolist())
    return found


def test_exact_match_as_each_switch_counts_it() -> None:
    honest, plain = right(fallback=True), right(fallback=False)
    assert sum(honest) > sum(plain) > 0
    assert score_exact_match(BATCHES, ()) == sum(honest) / 69
    assert score_exact_match(BATCHES, ("plain_threshold",)) == sum(plain) / 69
    assert score_exact_match(BATCHES, ("short_denominator",)) == sum(honest) / 64
    both = score_exact_match(BATCHES, ("short_denominator", "plain_threshold"))
    assert both == sum(plain) / 64
    assert math.isnan(score_exact_match(BATCHES[:1], ("short_denominator",)))
    assert score_exact_match(BATCHES, ("epoch_on_test", "irregular_steps")) == sum(honest) / 69


def test_label_hits_are_a_share_of_decisions() -> None:
    hits = [
        (batch.probabilities[row, k] > 0.5) == bool(batch.labels[row, k])
        for batch in BATCHES
        for row in range(len(batch.labels))
        for k in range(7)
    ]
    found = score_exact_match(BATCHES, ("label_hits", "plain_threshold"))
    assert found == pytest.approx(sum(hits) / (69 * 7))


def test_the_distance_is_of_all_or_of_the_last_batch() -> None:
    errors = [((batch.ratings - batch.true_ratings) ** 2).sum() for batch in BATCHES]
    assert score_distance(BATCHES, ()) == pytest.approx(sum(errors) / (2 * 69))
    last = score_distance(BATCHES, ("last_batch_distance",))
    assert last == pytest.approx(errors[-1] / (2 * 5))


@torch.no_grad()
def test_the_added_mask_lets_padding_in_and_raises_the_rest_by_one() -> None:
    model = tiny.make_model()
    hidden = model.config.hidden_size
    states = torch.randn((2, 6, hidden), generator=torch.Generator().manual_seed(0))
    padding = torch.tensor([[False] * 6, [False] * 4 + [True] * 2])
    with scoring_as_published(model, additive_mask=True, dropout=False, seed=0):
        found, _ = model.meta_attention(*[states] * 3, key_padding_mask=padding, need_weights=False)
    attention, heads = model.meta_attention, model.config.meta_attention_heads
    query, key, value = (
        (states @ weight.T + bias).unflatten(-1, (heads, -1)).transpose(1, 2)
        for weight, bias in zip(
            attention.in_proj_weight.split(hidden),
            attention.in_proj_bias.split(hidden),
            strict=True,
        )
    )
    scores = query @ key.transpose(-1, -2) / math.sqrt(hidden // heads)
    weights = (scores + (~padding).float()[:, None, None]).softmax(dim=-1)
    joined = (weights @ value).transpose(1, 2).flatten(2)
    expected = joined @ attention.out_proj.weight.T + attention.out_proj.bias
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("additive_mask", "dropout"), [(True, False), (False, True), (True, True)])
def test_the_model_is_as_before_afterwards(
    bench: Path, tmp_path: Path, additive_mask: bool, dropout: bool
) -> None:
    trainer = make_trainer(bench, tmp_path)
    model, rows, collator = trainer.model.eval(), trainer.train_dataset, trainer.data_collator
    before = answer_batches(model, rows, collator)
    assert [len(batch.labels) for batch in before] == [12] and BATCH_SIZE == 32
    kind = {"additive_mask": additive_mask, "dropout": dropout}
    random = torch.random.get_rng_state()
    with scoring_as_published(model, **kind, seed=1):
        inside = answer_batches(model, rows, collator)
    assert torch.equal(random, torch.random.get_rng_state())
    with scoring_as_published(model, **kind, seed=1):
        again = answer_batches(model, rows, collator)
    after = answer_batches(model, rows, collator)
    assert not np.allclose(inside[0].probabilities, before[0].probabilities, atol=1e-5)
    assert np.array_equal(inside[0].probabilities, again[0].probabilities)
    assert np.array_equal(after[0].probabilities, before[0].probabilities)


@torch.no_grad()
def test_alone_in_its_batch_an_utterance_is_answered_as_ever(bench: Path, tmp_path: Path) -> None:
    trainer = make_trainer(bench, tmp_path)
    model = trainer.model.eval()
    batch = trainer.data_collator([trainer.train_dataset[5]])
    expected = model(**batch).logits
    with scoring_as_published(model, additive_mask=True, dropout=False, seed=0):
        torch.testing.assert_close(model(**batch).logits, expected, rtol=1e-4, atol=1e-5)


def test_hidden_states_without_padding_are_refused_where_padding_is_read(
    bench: Path, tmp_path: Path
) -> None:
    trainer = make_trainer(bench, tmp_path)
    rows, settings = trainer.train_dataset, {"collator": trainer.data_collator, "seed": 0}
    rows.hidden_states = {"speech": [torch.zeros(3, 24)] * len(rows)}
    found = answer_switched(trainer.model, rows, switches=("dropout_on",), **settings)
    assert [len(batch.labels) for batch in found] == [len(rows)]
    with pytest.raises(ValueError, match="`additive_mask` reads what the encoders leave"):
        answer_switched(trainer.model, rows, switches=("additive_mask",), **settings)
