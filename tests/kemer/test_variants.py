import doctest
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from transformers import TrainerCallback, TrainerState

from kemer import variants
from kemer.augmentation import Augmentation
from kemer.batches import UtteranceDataset
from kemer.command_line import parse_arguments
from kemer.data import load_split
from kemer.data_arguments import DataArguments
from kemer.training import KemerTrainer, NumberedSampler, TellEpoch, UtteranceSampler
from kemer.variants import VariantDataset, draw_text
from tests.kemer.bench import (
    EMPTY_TEXT,
    make_encoders,
    make_release,
    make_trainer,
    run_flags,
    run_train,
)

ENDINGS = (" b", " c", " d")
SETTINGS = {
    "text_variants": True,
    "num_train_epochs": 3,
    "per_device_train_batch_size": 2,
    "eval_strategy": "no",
    "save_strategy": "steps",
    "save_steps": 4,
    "load_best_model_at_end": False,
}
TEXTS: dict[str, Any] = {"seed": 0, "redraws": ["text"], "text_column": "text_en"}
WORKERS = {"dataloader_num_workers": 2, "dataloader_persistent_workers": True}


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what `bench` is, with three variants of each utterance."""
    folder = tmp_path_factory.mktemp("varied")
    make_release(folder, variants=ENDINGS)
    make_encoders(folder)
    return folder


def watch(trainer: KemerTrainer) -> dict[int, list[list[int]]]:
    """Note what the model reads in each optimiser step: the token ids of every utterance."""
    read: dict[int, list[list[int]]] = {}

    def note(model: torch.nn.Module, args: tuple[Any, ...], inputs: dict[str, Any]) -> None:
        if model.training:
            pairs = zip(inputs["input_ids"], inputs["text_attention_mask"], strict=True)
            read[trainer.state.global_step] = [ids[mask.bool()].tolist() for ids, mask in pairs]

    trainer.model.register_forward_pre_hook(note, with_kwargs=True)
    return read


def expect(trainer: KemerTrainer, *, epochs: int, seed: int) -> list[list[int]]:
    """Return the token ids that the documented draw gives, in the order of the sampler."""
    rows, tokenizer = trainer.train_dataset.rows, trainer.data_collator.processor.tokenizer
    sampler = trainer._get_train_sampler()
    ids = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for index, _ in sampler:
            row = rows[index]
            texts = [row["text_en"], *row["text_en_variants"]]
            text = draw_text(texts, seed=seed, epoch=epoch, row_id=row["id"])
            ids.append(tokenizer(text)["input_ids"] if text else [])
    return ids


# The draw.


def test_examples_in_docstrings_are_true() -> None:
    result = doctest.testmod(variants)
    assert result.failed == 0 and result.attempted > 0


def test_seed_epoch_and_id_alone_decide() -> None:
    texts = [str(number) for number in range(1000)]

    def drawn(**changes: Any) -> str:
        return draw_text(texts, **{"seed": 1, "epoch": 11, "row_id": "kemdy20/a", **changes})

    torch.manual_seed(0)
    first = drawn()
    torch.manual_seed(1)
    assert drawn() == first
    others = [drawn(seed=2), drawn(epoch=12), drawn(row_id="kemdy20/b")]
    # Seed and epoch are two numbers, not their digits in a row.
    others.append(drawn(seed=11, epoch=1))
    assert first not in others and len(set(others)) == len(others)


def test_all_candidates_are_drawn_about_equally_often() -> None:
    drawn = (
        draw_text("abc", seed=0, epoch=epoch, row_id=f"kemdy20/{row}")
        for epoch in range(30)
        for row in range(100)
    )
    counts = Counter(drawn)
    assert counts.keys() == set("abc") and min(counts.values()) > 900


def test_one_candidate_is_always_drawn() -> None:
    assert {draw_text([""], seed=0, epoch=epoch, row_id="a") for epoch in range(5)} == {""}


def test_an_utterance_differs_in_its_text_alone(varied: Path) -> None:
    rows = load_split(DataArguments(str(varied / "release")), reads_text=True).rows["train"]
    plain = UtteranceDataset(rows, text_column="text_en", max_seconds=0.15)
    drawn = VariantDataset(rows, **TEXTS, max_seconds=0.15)
    assert len(drawn) == len(plain) == 12
    texts = set()
    for index, row in enumerate(rows):
        for epoch in range(4):
            item, expected = drawn[index, epoch], plain[index]
            assert item["text"] in (row["text_en"], *row["text_en_variants"])
            assert item["text"].startswith(expected["text"])
            assert (item["text"] == "") == (row["id"] == EMPTY_TEXT)
            texts.add(item["text"][-2:])
            assert (item["audio"] == expected["audio"]).all()
            assert (item["labels"] == expected["labels"]).all()
            assert item["valence_arousal_labels"] == expected["valence_arousal_labels"]
    assert set(ENDINGS) < texts


def test_kept_hidden_states_stand_for_the_waveform_and_never_for_the_text(varied: Path) -> None:
    rows = load_split(DataArguments(str(varied / "release")), reads_text=True).rows["train"]
    states = [torch.full((2, 3), float(number)) for number in range(len(rows))]
    drawn = VariantDataset(rows, **TEXTS, hidden_states={"speech": states})
    item, expected = drawn[5, 1], VariantDataset(rows, **TEXTS)[5, 1]
    assert item["text"] == expected["text"] and "audio" not in item
    assert item["speech_hidden_states"] is states[5]
    with pytest.raises(ValueError, match="`hidden_states` holds `text`, but that is drawn"):
        VariantDataset(rows, **TEXTS, hidden_states={"text": states})


def test_the_sound_is_changed_in_each_epoch_and_after_the_cut(varied: Path) -> None:
    rows = load_split(DataArguments(str(varied / "release")), reads_text=True).rows["train"]
    louder = Augmentation(gain=6.0)
    settings = {"text_column": "text_en", "max_seconds": 0.05}
    drawn = VariantDataset(rows, seed=3, redraws=["speech"], augmentation=louder, **settings)
    plain = UtteranceDataset(rows, **settings)
    for epoch in range(2):
        item, expected = drawn[4, epoch], plain[4]
        assert item["text"] == expected["text"]
        key = {"rate": 16_000, "seed": 3, "epoch": epoch, "row_id": rows[4]["id"]}
        assert len(item["audio"]) == 800
        assert (item["audio"] == louder(expected["audio"], **key)).all()
    assert (drawn[4, 0]["audio"] != drawn[4, 1]["audio"]).any()


# Runs of the Trainer.


def test_a_run_hears_changed_training_utterances_and_held_out_ones_as_they_are(
    varied: Path, tmp_path: Path
) -> None:
    settings = {**SETTINGS, "text_variants": False, "augment_gain": 6.0, "num_train_epochs": 1}
    trainer = make_trainer(varied, tmp_path, **settings)
    heard: dict[bool, list[torch.Tensor]] = {True: [], False: []}

    def note(model: torch.nn.Module, args: tuple[Any, ...], inputs: dict[str, Any]) -> None:
        pairs = zip(inputs["input_values"], inputs["attention_mask"], strict=True)
        heard[model.training] += [values[mask.bool()] for values, mask in pairs]

    trainer.model.register_forward_pre_hook(note, with_kwargs=True)
    trainer.train()
    trainer.evaluate()

    def originals(dataset: UtteranceDataset) -> set[bytes]:
        plain = UtteranceDataset(dataset.rows, text_column="text_en")
        return {plain[index]["audio"].tobytes() for index in range(len(plain))}

    trained = {values.numpy().tobytes() for values in heard[True]}
    assert len(heard[True]) == 12 and not trained & originals(trainer.train_dataset)
    held_out = {values.numpy().tobytes() for values in heard[False]}
    assert held_out == originals(trainer.eval_dataset)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dataloader_num_workers": 2, "per_device_train_batch_size": 5, "group_by_length": False},
        {**WORKERS, "sampler": "uniform", "seed": 7},
    ],
    ids=["no workers", "two workers", "two persistent workers"],
)
def test_a_run_reads_what_seed_epoch_and_id_say(
    varied: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    trainer = make_trainer(varied, tmp_path, **{**SETTINGS, **settings})
    read = watch(trainer)
    trainer.train()
    found = [ids for step in sorted(read) for ids in read[step]]
    assert len(found) == 36
    assert found == expect(trainer, epochs=3, seed=settings.get("seed", 42))
    # Held-out rows are read as they are.
    assert type(trainer.eval_dataset) is UtteranceDataset
    assert trainer.eval_dataset.text_column == "text_en"


def test_the_command_line_asks_for_it_and_the_metrics_tell(
    varied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def note(texts: list[str], *, row_id: str, **others: int) -> str:
        drawn.append((row_id, others["epoch"]))
        return texts[-1]

    monkeypatch.setattr(variants, "draw_text", note)
    for asked in (True, False):
        drawn.clear()
        run = tmp_path / str(asked)
        run_train(parse_arguments(run_flags(varied, run, text_variants=asked, sampler="uniform")))
        assert json.loads((run / "metrics.json").read_text())["run"]["text_variants"] is asked
        # The rows of sessions 3 to 5, once each; the others are answered as they are.
        assert len(drawn) == len(set(drawn)) == 12 * asked
        assert {row_id[8:14] for row_id, _ in drawn} <= {"Sess03", "Sess04", "Sess05"}


class Interrupt(TrainerCallback):
    """Ends the run as a crash would, in the middle of the second epoch."""

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        if state.global_step == 10:
            raise KeyboardInterrupt


@pytest.mark.parametrize("workers", [{}, WORKERS], ids=["no workers", "two workers"])
def test_a_run_resumed_within_an_epoch_reads_on_as_an_uninterrupted_one(
    varied: Path, tmp_path: Path, workers: dict[str, Any]
) -> None:
    settings = {**SETTINGS, **workers}
    whole = make_trainer(varied, tmp_path / "whole", **settings)
    expected = watch(whole)
    whole.train()
    broken = make_trainer(varied, tmp_path / "broken", callbacks=[Interrupt()], **settings)
    with pytest.raises(KeyboardInterrupt):
        broken.train()
    resumed = make_trainer(varied, tmp_path / "broken", **settings)
    found = watch(resumed)
    resumed.train(resume_from_checkpoint=str(tmp_path / "broken/checkpoints/checkpoint-8"))
    assert sorted(found) == list(range(8, 18))
    assert found == {step: ids for step, ids in expected.items() if step >= 8}
    if not workers:  # torch seeds workers out of the generator that dropout draws from, too
        weights = whole.model.state_dict()
        last = resumed.model.state_dict()
        assert all(torch.equal(last[name], value) for name, value in weights.items())


# The epoch's way to the rows, in several processes.


class Echo(torch.utils.data.Dataset):
    """Gives back what it is asked for."""

    def __len__(self) -> int:
        return 24

    def __getitem__(self, drawn: tuple[int, int]) -> tuple[int, int]:
        return drawn


def rows_of(process: int, *, epoch: int, skipped: int, told: bool = True) -> list[list[int]]:
    """Return the rows and epochs of one of two processes, as `accelerate` shares them out."""
    sampler = NumberedSampler(UtteranceSampler(seed=0, size=24))
    trainer = type("Stub", (), {"train_sampler": sampler})()
    loader = prepare_data_loader(
        torch.utils.data.DataLoader(Echo(), batch_size=4, sampler=sampler, num_workers=2),
        num_processes=2,
        process_index=process,
        put_on_device=False,
    )
    loader = skip_first_batches(loader, skipped) if skipped else loader
    if told:
        state = TrainerState(epoch=epoch + skipped / 3)
        TellEpoch(trainer).on_epoch_begin(None, state, None)
    loader.set_epoch(epoch)
    return [pair for batch in loader for pair in torch.stack(batch, dim=1).tolist()]


@pytest.mark.parametrize("skipped", [0, 1])
def test_two_processes_share_an_epoch_wherever_in_it_they_resume(skipped: int) -> None:
    sampler = UtteranceSampler(seed=0, size=24)
    sampler.set_epoch(5)
    shares = [rows_of(process, epoch=5, skipped=skipped) for process in range(2)]
    assert len(shares[0]) == len(shares[1]) == 12 - 4 * skipped
    assert sorted(sum(shares, [])) == sorted([row, 5] for row in list(sampler)[8 * skipped :])


def test_accelerate_alone_forgets_the_epoch_of_a_resumed_run_of_two_processes() -> None:
    """Once this fails, `TellEpoch` is not needed any more."""
    assert {epoch for _, epoch in rows_of(0, epoch=5, skipped=1, told=False)} == {0}
