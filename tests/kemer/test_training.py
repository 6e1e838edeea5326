from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.data_loader import prepare_data_loader
from transformers import TrainerCallback

from kemer.arguments import RunPaths
from kemer.batches import UtteranceDataset
from kemer.checkpoints import find_checkpoint
from kemer.evaluation import ValidationScores
from kemer.training import (
    KemerTrainer,
    UtteranceSampler,
    inverse_frequency_weights,
)
from tests.kemer.bench import make_encoders, make_trainer

WITHOUT_CHANCE = {"meta_attention_dropout": 0.0, "sampler": "uniform"}


def draw(sampler: UtteranceSampler, epoch: int) -> list[int]:
    sampler.set_epoch(epoch)
    return list(sampler)


def state_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


# The rows of an epoch.


def test_without_weights_an_epoch_has_each_row_once() -> None:
    sampler = UtteranceSampler(seed=0, size=53)
    assert len(sampler) == 53
    for epoch in range(3):
        assert sorted(draw(sampler, epoch)) == list(range(53))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_depend_on_seed_and_epoch_alone(weighted: bool, grouped: bool) -> None:
    def sampler(seed: int) -> UtteranceSampler:
        random = np.random.default_rng(5)
        return UtteranceSampler(
            seed=seed,
            size=53,
            weights=random.random(53) if weighted else None,
            lengths=random.random(53) if grouped else None,
            batch_size=4,
        )

    first = draw(sampler(0), 3)
    torch.manual_seed(99)  # global randomness has no say, nor have the epochs before
    used = sampler(0)
    for epoch in range(3):
        draw(used, epoch)
    assert draw(used, 3) == first == draw(used, 3)
    assert draw(used, 4) != first
    assert draw(sampler(1), 3) != first
    # Seed and epoch are two numbers, not their sum.
    assert draw(sampler(1), 2) != first


def test_weights_draw_every_emotion_about_equally_often() -> None:
    labels = np.eye(7)[[3] * 900 + [6] * 80 + [0] * 20 + [1] * 4]
    sampler = UtteranceSampler(seed=0, size=len(labels), weights=inverse_frequency_weights(labels))
    counts = Counter(labels[sum((draw(sampler, e) for e in range(4)), [])].argmax(axis=1).tolist())
    share = {emotion: count / (4 * len(labels)) for emotion, count in counts.items()}
    assert share.keys() == {0, 1, 3, 6}
    assert all(0.22 < value < 0.28 for value in share.values())


def test_weights_of_several_emotions_are_their_mean() -> None:
    labels = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0]])
    np.testing.assert_allclose(inverse_frequency_weights(labels), [1 / 3, 1 / 3, (1 / 3 + 1) / 2])


def test_a_row_without_an_emotion_is_named() -> None:
    with pytest.raises(ValueError, match="`labels` has no emotion in row 1"):
        inverse_frequency_weights(np.array([[1, 0], [0, 0]]))


@pytest.mark.parametrize("size", [400, 403])
def test_grouping_keeps_every_draw_and_pads_less(size: int) -> None:
    lengths = np.random.default_rng(0).random(size)
    weights = np.random.default_rng(1).random(size)
    plain = draw(UtteranceSampler(seed=0, size=size, weights=weights), 0)
    grouped = draw(
        UtteranceSampler(seed=0, size=size, weights=weights, lengths=lengths, batch_size=8), 0
    )
    assert Counter(grouped) == Counter(plain)

    def padding(rows: list[int]) -> float:
        batches = [lengths[rows[start : start + 8]] for start in range(0, size, 8)]
        return sum(float((batch.max() - batch).sum()) for batch in batches)

    assert padding(grouped) < 0.1 * padding(plain)
    # Batches come in any order of length: not from the longest to the shortest.
    means = [lengths[grouped[start : start + 8]].mean() for start in range(0, size - 7, 8)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5


def test_two_processes_share_every_epochs_rows() -> None:
    """What `accelerate` makes of the sampler: each process has its half, and the epoch arrives."""

    def rows_of(process: int, epoch: int) -> list[list[int]]:
        sampler = UtteranceSampler(seed=0, size=24, lengths=np.arange(24.0), batch_size=8)
        loader = prepare_data_loader(
            torch.utils.data.DataLoader(range(24), batch_size=4, sampler=sampler),
            num_processes=2,
            process_index=process,
            put_on_device=False,
        )
        loader.set_epoch(epoch)
        return [batch.tolist() for batch in loader]

    seen = []
    for epoch in range(2):
        shares = [rows_of(process, epoch) for process in range(2)]
        together = [sum(pair, []) for pair in zip(*shares, strict=True)]
        sampler = UtteranceSampler(seed=0, size=24, lengths=np.arange(24.0), batch_size=8)
        assert sum(together, []) == draw(sampler, epoch)
        # Both processes' batches are of like length, so that none waits for the other.
        assert all(max(rows) - min(rows) == 7 for rows in together)
        seen.append(together)
    assert seen[0] != seen[1]


# Runs of the Trainer.


def test_every_epoch_has_its_own_rows(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    get = UtteranceDataset.__getitem__

    def record(self: UtteranceDataset, index: int) -> dict[str, Any]:
        read.append(index)
        return get(self, index)

    monkeypatch.setattr(UtteranceDataset, "__getitem__", record)
    trainer = make_trainer(
        bench,
        tmp_path,
        sampler="uniform",
        num_train_epochs=3,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
    )
    trainer.train()
    epochs = [read[start : start + 12] for start in range(0, 36, 12)]
    assert len(read) == 36
    sampler = trainer._get_train_sampler()
    assert epochs == [draw(sampler, epoch) for epoch in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize("sampler", ["uniform", "inverse_frequency"])
def test_the_settings_choose_the_rows(bench: Path, tmp_path: Path, sampler: str) -> None:
    made = make_trainer(bench, tmp_path, sampler=sampler)._get_train_sampler()
    assert (made.weights is None) == (sampler == "uniform")
    assert made.lengths is not None and made.batch_size == 4 and made.seed == 42
    ungrouped = make_trainer(bench, tmp_path, sampler=sampler, group_by_length=False, seed=3)
    assert ungrouped._get_train_sampler().lengths is None
    assert ungrouped._get_train_sampler().seed == 3


def test_only_training_utterances_have_soft_labels(bench: Path, tmp_path: Path) -> None:
    trainer = make_trainer(bench, tmp_path, soft_labels=True)
    for dataset, soft in ((trainer.train_dataset, True), (trainer.eval_dataset, False)):
        labels = np.array([dataset[index]["labels"] for index in range(len(dataset))])
        assert ((labels > 0) & (labels < 1)).any() == soft
    trainer.train()  # the loss takes them


def test_only_training_utterances_are_cut(bench: Path, tmp_path: Path) -> None:
    trainer = make_trainer(bench, tmp_path, max_train_seconds=0.11)
    assert trainer.train_dataset.max_seconds == 0.11
    assert trainer.eval_dataset.max_seconds is None


def test_a_frozen_encoder_stays_and_all_else_learns(bench: Path, tmp_path: Path) -> None:
    modes: set[tuple[bool, bool]] = set()

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            model = others["model"]
            modes.add((model.speech_encoder.training, model.text_encoder.training))

    trainer = make_trainer(
        bench,
        tmp_path,
        callbacks=[Watch()],
        freeze_speech_encoder=True,
        num_train_epochs=2,
        learning_rate=1e-2,
    )
    before = state_of(trainer.model)
    trainer.train()
    after = trainer.model.state_dict()
    trainable = {n for n, weight in trainer.model.named_parameters() if weight.requires_grad}
    assert {name.split(".")[0] for name in trainable} == {
        *("text_encoder", "meta_attention", "emotion_head", "valence_arousal_head")
    }
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == trainable
    assert modes == {(False, True)}  # frozen means no dropout either


def test_the_convolutions_stay_where_the_rest_of_the_encoder_learns(
    bench: Path, tmp_path: Path
) -> None:
    trainer = make_trainer(bench, tmp_path, text_encoder="none", learning_rate=1e-2)
    before = state_of(trainer.model)
    trainer.train()
    after = trainer.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {n for n, weight in trainer.model.named_parameters() if weight.requires_grad}
    assert not any(name.startswith("speech_encoder.convolutions") for name in changed)


def test_the_epoch_is_chosen_on_validation_and_test_rows_are_not_needed(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = iter([0.2, 0.9, 0.4])
    score = ValidationScores.__call__
    monkeypatch.setattr(
        ValidationScores,
        "__call__",
        lambda self, prediction: {**score(self, prediction), "exact_match": next(scripted)},
    )
    kept: dict[int, dict[str, torch.Tensor]] = {}

    class Keep(TrainerCallback):
        def on_epoch_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            kept[state.global_step] = state_of(others["model"])

    trainer = make_trainer(
        bench, tmp_path, callbacks=[Keep()], without_test_rows=True, num_train_epochs=3
    )
    trainer.train()
    assert sorted(kept) == [3, 6, 9]
    assert trainer.state.best_global_step == 6
    found = trainer.model.state_dict()
    assert all(torch.equal(found[name], value) for name, value in kept[6].items())
    assert any(not torch.equal(found[name], value) for name, value in kept[9].items())


def test_accumulated_batches_train_as_one_large_batch(bench: Path, tmp_path: Path) -> None:
    make_encoders(tmp_path, dropout=False)
    (tmp_path / "release").symlink_to(bench / "release")
    found = []
    for batch, steps in ((8, 1), (4, 2), (2, 4)):
        trainer = make_trainer(
            tmp_path,
            tmp_path / f"run{batch}",
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=steps,
            group_by_length=False,
            num_train_epochs=2,
            learning_rate=0.1,
            optim="sgd",  # AdamW turns the rounding of a tiny gradient into a whole step
            **WITHOUT_CHANCE,
        )
        before = state_of(trainer.model)
        trainer.train()
        assert trainer.state.global_step == 4
        found.append(trainer.model.state_dict())
    moved = max(float((before[name] - found[0][name]).abs().max()) for name in before)
    assert moved > 1e-2
    for other in found[1:]:
        for name, value in found[0].items():
            torch.testing.assert_close(other[name], value, rtol=0, atol=1e-5)


class Interrupt(TrainerCallback):
    """Ends the run as a crash would, in the middle of an epoch."""

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        if state.global_step == 8:
            raise KeyboardInterrupt


def test_a_resumed_run_ends_as_an_uninterrupted_one(bench: Path, tmp_path: Path) -> None:
    settings = {"num_train_epochs": 4, "metric_for_best_model": "joint_loss"}
    whole = make_trainer(bench, tmp_path / "whole", **settings)
    whole.train()

    broken = make_trainer(bench, tmp_path / "broken", callbacks=[Interrupt()], **settings)
    with pytest.raises(KeyboardInterrupt):
        broken.train()
    checkpoints = tmp_path / "broken/checkpoints"
    half = checkpoints / "checkpoint-9"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")

    resumed = make_trainer(bench, tmp_path / "broken", resume_from_checkpoint="true", **settings)
    checkpoint = find_checkpoint(resumed.args, RunPaths(tmp_path / "broken"))
    assert checkpoint == str(checkpoints / "checkpoint-6")
    resumed.train(resume_from_checkpoint=checkpoint)

    assert resumed.state.best_global_step == whole.state.best_global_step
    expected = whole.model.state_dict()
    found = resumed.model.state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())

    def last_losses(trainer: KemerTrainer) -> list[float]:
        log = trainer.state.log_history
        return [entry["eval_joint_loss"] for entry in log if "eval_joint_loss" in entry][-2:]

    assert last_losses(resumed) == last_losses(whole)
