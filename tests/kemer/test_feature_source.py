from pathlib import Path

import pytest
import torch

from kemer.batches import UtteranceCollator, UtteranceDataset
from kemer.data import Split
from kemer.feature_keys import input_key
from kemer.feature_source import DTYPES, FeatureSource, make_source
from kemer.initialisation import build_model, build_processor
from modeling_kemer import KemerModel
from tests.kemer.bench import EMPTY_TEXT, prepare

FROZEN = {"freeze_speech_encoder": True, "freeze_text_encoder": True}
MODALITIES = pytest.mark.parametrize("modality", ["speech", "text"])


def make(
    bench: Path, folder: Path, modality: str, **settings: object
) -> tuple[FeatureSource, Split, KemerModel]:
    settings = {**FROZEN, "feature_cache": folder / "cache", **settings}
    arguments, split = prepare(bench, folder / "run", **settings)
    model = build_model(arguments.model)
    processor = build_processor(arguments.model)
    return make_source(modality, model, processor, arguments=arguments), split, model


def rows_of(split: Split) -> UtteranceDataset:
    return UtteranceDataset(split.rows["train"], text_column="text_en")


@MODALITIES
def test_an_utterance_is_encoded_as_the_model_does_it(
    bench: Path, tmp_path: Path, modality: str
) -> None:
    source, split, model = make(bench, tmp_path, modality, feature_cache_precision="fp32")
    rows = rows_of(split)
    (batch,) = source.encode(rows, [[4, 0, 7]])
    assert [tuple(row.shape)[1] for row in batch] == [24, 24, 24]
    for row, states in zip((4, 0, 7), batch, strict=True):
        alone = source.reader.collator([rows[row]])
        name = {"speech": "input_values", "text": "input_ids"}[modality]
        mask = {"speech": "attention_mask", "text": "text_attention_mask"}[modality]
        expected = model(**alone)
        alone |= {f"{modality}_hidden_states": states[None]}
        del alone[name], alone[mask]
        found = model(**alone)
        torch.testing.assert_close(found.logits, expected.logits, rtol=0, atol=1e-5)


def test_the_fast_encoder_gives_what_the_reference_does(bench: Path, tmp_path: Path) -> None:
    chosen = [[4, 0, 7], [1]]
    found = {}
    for fast in (True, False):
        folder = tmp_path / str(fast)
        settings = {"feature_cache_precision": "fp32", "fast_encoder": fast}
        source, split, _ = make(bench, folder, "speech", **settings)
        assert (source.fast is not None) == fast
        found[fast] = [row for batch in source.encode(rows_of(split), chosen) for row in batch]
        found[f"name {fast}"] = source.name
    for one, other in zip(found[True], found[False], strict=True):
        assert (one - other).norm() < 1e-5 * other.norm()
    assert found["name True"] != found["name False"]


def test_the_fast_encoder_is_for_speech_on_a_processor(bench: Path, tmp_path: Path) -> None:
    assert make(bench, tmp_path / "text", "text")[0].fast is None
    half = make(bench, tmp_path / "bf16", "speech", bf16=True)[0]
    assert half.fast.dtype == torch.bfloat16 == half.computed


@pytest.mark.parametrize("precision", DTYPES)
def test_hidden_states_come_in_the_precision_asked_for(
    bench: Path, tmp_path: Path, precision: str
) -> None:
    source, split, _ = make(bench, tmp_path, "speech", feature_cache_precision=precision)
    (batch,) = source.encode(rows_of(split), [[0]])
    assert batch[0].dtype == DTYPES[precision]
    size = len(batch[0]) * 24 * batch[0].element_size()
    ((_, length),) = source.identify(rows_of(split), [0])
    assert source.bytes([length]) == size and source.bytes([length, length]) == 2 * size


@MODALITIES
def test_dropout_layerdrop_and_specaugment_have_no_say(
    bench: Path, tmp_path: Path, modality: str
) -> None:
    """A frozen encoder is in evaluation mode, in training too, whatever its configuration says."""
    source, split, model = make(bench, tmp_path, modality, fast_encoder=False)
    source.encoder.wrapped_encoder.layerdrop = 0.5
    model.train()
    first, second = (list(source.encode(rows_of(split), [[1, 2]]))[0] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert model.training and not source.encoder.training
    source.encoder.train()
    (third,) = source.encode(rows_of(split), [[1, 2]])
    assert not torch.equal(first[0], third[0])


def test_an_encoder_left_in_training_mode_is_put_right(bench: Path, tmp_path: Path) -> None:
    arguments, _ = prepare(bench, tmp_path, **FROZEN, feature_cache=tmp_path / "cache")
    model = build_model(arguments.model)
    model.speech_encoder.train()
    make_source("speech", model, build_processor(arguments.model), arguments=arguments)
    assert not model.speech_encoder.training


@MODALITIES
def test_an_encoder_that_learns_is_refused(bench: Path, tmp_path: Path, modality: str) -> None:
    arguments, _ = prepare(bench, tmp_path, **FROZEN, feature_cache=tmp_path / "cache")
    model, processor = build_model(arguments.model), build_processor(arguments.model)
    list(getattr(model, f"{modality}_encoder").parameters())[-1].requires_grad_(True)
    with pytest.raises(ValueError, match=f"`model` has no frozen {modality} encoder"):
        make_source(modality, model, processor, arguments=arguments)


def test_a_missing_encoder_is_refused(bench: Path, tmp_path: Path) -> None:
    settings = {"freeze_speech_encoder": True, "text_encoder": "none"}
    with pytest.raises(ValueError, match="`model` has no frozen text encoder"):
        make(bench, tmp_path, "text", **settings)


@MODALITIES
def test_what_the_type_does_not_hold_is_refused(bench: Path, tmp_path: Path, modality: str) -> None:
    source, split, model = make(bench, tmp_path, modality, fast_encoder=False)
    with torch.no_grad():
        for name, weight in getattr(model, f"{modality}_encoder").named_parameters():
            if name.endswith("final_layer_norm.bias"):
                weight.add_(1e5)
    with pytest.raises(ValueError, match="not finite as fp16; set `feature_cache_precision`"):
        list(source.encode(rows_of(split), [[1]]))


def test_a_missing_text_has_no_position_and_alone_one(bench: Path, tmp_path: Path) -> None:
    source, split, _ = make(bench, tmp_path, "text")
    row = split.rows["train"]["id"].index(EMPTY_TEXT)
    assert source.identify(rows_of(split), [row]) == [(input_key(torch.tensor([]).long()), 0)]
    (batch,) = source.encode(rows_of(split), [[row]])
    assert batch[0].shape == (0, 24)
    settings = {"speech_encoder": "none", "freeze_speech_encoder": False}
    source, _, _ = make(bench, tmp_path, "text", **settings)
    assert source.identify(rows_of(split), [row])[0][1] == 1


def test_utterances_are_read_as_training_reads_them(bench: Path, tmp_path: Path) -> None:
    source, split, _ = make(bench, tmp_path, "speech")
    rows = rows_of(split)
    processor = source.reader.collator.processor
    batch = UtteranceCollator(processor, speech=True, text=True)([rows[3]])
    values = batch["input_values"][0]
    assert source.identify(rows, [3]) == [(input_key(values), len(values))]


def test_workers_and_global_numbers_change_nothing(bench: Path, tmp_path: Path) -> None:
    source, split, _ = make(bench, tmp_path, "text")
    shared, _, _ = make(bench, tmp_path, "text", dataloader_num_workers=2)
    assert shared.workers == 2
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    found = shared.identify(rows_of(split), [3, 1, 2])
    list(shared.encode(rows_of(split), [[0, 1]]))
    assert torch.equal(torch.rand(1), expected)
    assert found == source.identify(rows_of(split), [3, 1, 2])


def test_the_precision_of_training_is_the_encoders(bench: Path, tmp_path: Path) -> None:
    source, split, _ = make(bench, tmp_path, "speech", feature_cache_precision="fp32")
    lower, _, _ = make(bench, tmp_path, "speech", feature_cache_precision="fp32", bf16=True)
    assert source.name != lower.name and lower.computed == torch.bfloat16
    (exact,), (rounded,) = (s.encode(rows_of(split), [[0]]) for s in (source, lower))
    assert 1e-4 < float((exact[0] - rounded[0]).abs().max()) < 0.3
