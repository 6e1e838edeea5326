import doctest
from pathlib import Path

import torch

from kemer import paper_compat_training
from kemer.paper_compat_training import keep_best, steps_after, train_epochs, trained_weights
from tests.kemer.bench import make_encoders, make_trainer


def test_examples_in_docstrings_are_true() -> None:
    results = doctest.testmod(paper_compat_training)
    assert results.attempted == 2 and results.failed == 0


def test_the_script_steps_while_the_bit_is_off() -> None:
    found = [i + 1 for i in range(70) if steps_after(i, irregular=True)]
    assert found == [*range(1, 16), *range(32, 48), *range(64, 71)]
    assert [i + 1 for i in range(70) if steps_after(i, irregular=False)] == [16, 32, 48, 64]


def test_sixteen_utterances_make_the_step_of_one_batch_of_sixteen(
    bench: Path, tmp_path: Path
) -> None:
    """Read one by one or together, their mean gradient is the same."""
    make_encoders(tmp_path, dropout=False)
    (tmp_path / "release").symlink_to(bench / "release")
    trainer = make_trainer(tmp_path, tmp_path / "run", meta_attention_dropout=0.0)
    model, collator, rows = trainer.model, trainer.data_collator, trainer.train_dataset
    order = [*range(12), 0, 1, 2, 3, 5]  # the seventeenth never counts
    start = {name: value.clone() for name, value in model.state_dict().items()}
    settings = {"learning_rate": 1e-2, "orders": [order]}
    assert list(train_epochs(model, rows, collator, irregular=False, **settings)) == [0]
    found = trained_weights(model)

    model.load_state_dict(start)
    model.zero_grad()
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-2)
    model.train()
    model(**collator([rows[index] for index in order[:16]])).loss.backward()
    large = {n: w.grad.abs() > 1e-3 for n, w in model.named_parameters() if w.grad is not None}
    optimizer.step()
    for name, value in trained_weights(model).items():
        # AdamW makes a whole step of the rounding of a gradient that is nearly 0.
        mask = large.get(name, torch.zeros_like(value, dtype=torch.bool))
        torch.testing.assert_close(found[name][mask], value[mask], rtol=0, atol=1e-4)
    assert any((found[name] != start[name]).any() for name in found)

    model.load_state_dict(start)
    list(train_epochs(model, rows, collator, irregular=True, **settings))
    assert any((found[n] - v).abs().max() > 1e-2 for n, v in trained_weights(model).items())


def test_the_first_best_epoch_is_kept_for_each_role(bench: Path, tmp_path: Path) -> None:
    model = make_trainer(bench, tmp_path).model
    model.freeze_encoders(speech=True, text=True)
    scores = {"validation": iter([0.2, 0.5, 0.5]), "test": iter([0.9, 0.1, 0.2])}

    def epochs():
        for epoch in range(3):
            with torch.no_grad():
                model.emotion_head.bias.fill_(float(epoch))
            yield epoch

    best = keep_best(epochs(), model, lambda: {role: next(scores[role]) for role in scores})
    assert [best[role].epoch for role in ("validation", "test")] == [1, 0]
    assert best["validation"].weights["emotion_head.bias"].tolist() == [1.0] * 7
    assert best["test"].weights["emotion_head.bias"].tolist() == [0.0] * 7
    assert not any("encoder" in name for name in best["test"].weights)
