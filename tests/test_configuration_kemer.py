import json
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, SpeechT5Config, Wav2Vec2Config

from configuration_kemer import EMOTIONS, KemerConfig
from tests import tiny

DECODER = {"slopes": [1.0, 1.0], "biases": [0.0, 0.0], "label_sets": [[1, 0], [0, 1]]}


def test_the_default_is_the_paper_at_full_size() -> None:
    config = KemerConfig()
    for part in (config.speech_config, config.text_config):
        assert (part.model_type, part.encoder_layers, part.hidden_size) == ("speecht5", 12, 768)
    assert (config.meta_attention_heads, config.meta_attention_dropout) == (8, 0.1)
    assert config.valence_arousal_loss_weight == 1.0
    assert config.num_labels == 7


def test_the_emotions_are_in_the_order_of_the_labels() -> None:
    expected = ["surprise", "angry", "fear", "neutral", "sad", "disgust", "happy"]
    config = KemerConfig()
    assert list(EMOTIONS) == expected
    assert [config.id2label[index] for index in range(7)] == expected
    assert config.label2id == {name: index for index, name in enumerate(expected)}


@pytest.mark.parametrize(
    "speech",
    [
        tiny.SPEECH["wav2vec2"],
        tiny.library_config(tiny.SPEECH["wav2vec2"]),
    ],
    ids=["dict", "object"],
)
def test_an_encoder_is_a_dict_or_an_object(speech: Any) -> None:
    config = KemerConfig(speech, None)
    assert isinstance(config.speech_config, Wav2Vec2Config)
    assert config.speech_config.hidden_size == 24
    assert config.text_config is None


def test_an_encoder_may_be_named_by_its_type() -> None:
    config = KemerConfig("wav2vec2", "bert")
    assert config.speech_config.to_dict() == Wav2Vec2Config().to_dict()
    assert config.text_config.to_dict() == BertConfig().to_dict()


def test_what_is_given_is_not_changed_by_what_is_built() -> None:
    given = tiny.library_config(tiny.SPEECHT5)
    fields = dict(tiny.SPEECHT5)
    config = KemerConfig(given, fields)
    config.speech_config.hidden_size = 99
    config.text_config.conv_dim[0] = 99
    assert given.hidden_size == 24
    assert fields == tiny.SPEECHT5 and fields["conv_dim"][0] == 9


def test_the_hidden_size_is_that_of_speech_unless_text_is_alone() -> None:
    assert KemerConfig(tiny.SPEECHT5, tiny.TEXT["bert"], meta_attention_heads=3).hidden_size == 24
    assert KemerConfig(tiny.SPEECHT5, None).hidden_size == 24
    assert KemerConfig(None, tiny.TEXT["bert"]).hidden_size == 18


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"meta_atention_heads": 2}, r"`meta_atention_heads` .*value 2.*meta_attention_heads"),
        ({"meta_attention_heads": 5}, r"`meta_attention_heads` is 5.*hidden size 768"),
        ({"meta_attention_heads": 0}, r"`meta_attention_heads` is 0"),
        ({"meta_attention_heads": 8.0}, r"`meta_attention_heads` is 8.0"),
        ({"meta_attention_heads": True}, r"`meta_attention_heads` is True"),
        ({"meta_attention_dropout": 1.0}, r"`meta_attention_dropout` is 1.0.*\[0, 1\)"),
        ({"meta_attention_dropout": "no"}, r"`meta_attention_dropout` is 'no'"),
        ({"fusion": "early"}, r"`fusion` is 'early'; allowed is one of meta_attention, late"),
        ({"modality_dropout": 1.0}, r"`modality_dropout` is 1.0; allowed is a number in \[0, 1\)"),
        ({"modality_dropout": 0.1, "text_config": None}, r"`modality_dropout` .*has one modality"),
        ({"label_set_decoder": [1]}, r"`label_set_decoder` is \[1\] of type list"),
        ({"label_set_decoder": {"slopes": [1.0]}}, r"has the keys \['slopes'\]"),
        ({"label_set_decoder": DECODER}, r"decodes 2 labels, but the model has 7"),
        ({"valence_arousal_loss_weight": -1}, r"`valence_arousal_loss_weight` is -1"),
        ({"valence_arousal_loss_weight": float("nan")}, r"`valence_arousal_loss_weight` is nan"),
        ({"speech_config": None, "text_config": None}, r"both None"),
        ({"speech_config": 3}, r"`speech_config` is 3 of type int"),
        ({"speech_config": "bert"}, r"`speech_config` .*'bert'.*wav2vec2"),
        ({"text_config": {"hidden_size": 8}}, r"`text_config` .*model type None.*speecht5, bert"),
        ({"text_config": "wav2vec2"}, r"`text_config` .*'wav2vec2'"),
        (
            {"speech_config": {"model_type": "speecht5", "hiden_size": 8}},
            r"`speech_config` has no field `hiden_size`.*value 8.*hidden_size",
        ),
        (
            {"speech_config": {"model_type": "speecht5", "hidden_size": "8"}},
            r"(?s)`speech_config`.*'hidden_size' expected int.*'8'",
        ),
        (
            {"speech_config": {"model_type": "speecht5", "conv_dim": [8]}},
            r"(?s)`speech_config`.*conv_dim",
        ),
        (
            {"speech_config": {"model_type": "speecht5", "hidden_size": 770}},
            r"`speech_config` has `hidden_size` 770 and 12 attention heads",
        ),
        (
            {"speech_config": {"model_type": "wav2vec2", "add_adapter": True}},
            r"`speech_config` has `add_adapter` True",
        ),
        ({"speech_config": {"model_type": "speecht5", "encoder_layers": 0}}, r"`encoder_layers` 0"),
        (
            {"text_config": {"model_type": "bert", "num_hidden_layers": -1}},
            "`num_hidden_layers` -",
        ),
        ({"text_config": {"model_type": "distilbert", "n_layers": 0}}, "`n_layers` 0; allowed"),
        (
            {"speech_config": {"model_type": "speecht5", "positional_dropout": 1.0}},
            r"`speech_config` has `positional_dropout` 1.0; allowed is a number in \[0, 1\)",
        ),
        (
            {"speech_config": {"model_type": "wav2vec2", "layerdrop": -0.1}},
            r"`speech_config` has `layerdrop` -0.1",
        ),
        (
            {"text_config": {"model_type": "bert", "hidden_dropout_prob": float("nan")}},
            r"`text_config` has `hidden_dropout_prob` nan",
        ),
        (
            {"text_config": {"model_type": "bert", "hidden_act": "gelo"}},
            r"`text_config` has `hidden_act` 'gelo'; allowed is one of .*gelu.*relu",
        ),
        (
            {"text_config": {"model_type": "distilbert", "activation": "gelo"}},
            r"`text_config` has `activation` 'gelo'",
        ),
        (
            {"speech_config": {"model_type": "wavlm", "feat_extract_activation": "gelo"}},
            r"`speech_config` has `feat_extract_activation` 'gelo'",
        ),
        (
            {"speech_config": {"model_type": "hubert", "num_conv_pos_embedding_groups": 5}},
            r"`num_conv_pos_embedding_groups` 5; allowed is a divisor of `hidden_size`, 768",
        ),
        (
            {"speech_config": {"model_type": "hubert", "num_conv_pos_embedding_groups": 0}},
            r"`num_conv_pos_embedding_groups` 0",
        ),
        ({"id2label": ["a", "b"]}, r"`id2label` is \['a', 'b'\] of type list; allowed is a dict"),
        ({"label2id": "happy"}, r"`label2id` is 'happy' of type str; allowed is a dict"),
        ({"id2label": {0: "a", 2: "b"}}, r"`id2label` has the indices \[0, 2\]"),
        ({"id2label": {0: "a", 1: "a"}}, r"`id2label` names a label twice"),
        ({"id2label": {0: "a"}, "label2id": {"a": 1}}, r"`label2id` is {'a': 1}"),
        ({"num_labels": 6}, r"`num_labels` is 6.*7 labels"),
    ],
)
def test_a_wrong_field_is_refused_at_construction(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KemerConfig(**fields)


def test_heads_need_not_divide_where_there_is_no_meta_attention() -> None:
    assert KemerConfig(tiny.SPEECHT5, None, meta_attention_heads=5).meta_attention_heads == 5
    joined = KemerConfig(tiny.SPEECHT5, tiny.SPEECHT5, meta_attention_heads=5, fusion="late")
    assert joined.has_both and joined.fusion == "late"


def test_a_decoder_is_kept(tmp_path: Path) -> None:
    config = KemerConfig(id2label={0: "calm", 1: "not"}, label_set_decoder=DECODER)
    config.save_pretrained(tmp_path)
    assert KemerConfig.from_pretrained(tmp_path).label_set_decoder == DECODER


def test_what_only_speech_or_a_decoder_reads_is_not_asked_of_text() -> None:
    text = {**tiny.SPEECHT5, "num_conv_pos_embedding_groups": 5, "decoder_layerdrop": 1.0}
    assert KemerConfig(None, text).hidden_size == 24


def test_fields_of_past_releases_in_an_object_are_dropped() -> None:
    given = SpeechT5Config(a_field_of_the_past=1)
    config = KemerConfig(given, None)
    assert "a_field_of_the_past" not in config.speech_config.to_dict()


@pytest.mark.parametrize("speech", tiny.SPEECH)
@pytest.mark.parametrize("text", [*tiny.TEXT, None])
def test_saved_and_loaded_it_is_the_same(tmp_path: Path, speech: str, text: str | None) -> None:
    text_config = None if text is None else tiny.TEXT[text]
    config = KemerConfig(
        tiny.SPEECH[speech], text_config, meta_attention_heads=4, valence_arousal_loss_weight=0.5
    )
    config.save_pretrained(tmp_path)
    loaded = KemerConfig.from_pretrained(tmp_path)
    expected, found = config.to_dict(), loaded.to_dict()
    for fields in (expected, found):  # the loaded one knows its code and where it lies
        fields.pop("auto_map", None)
        fields.pop("_name_or_path", None)
    assert found == expected


def test_a_saved_config_holds_no_path(tmp_path: Path) -> None:
    secret = tmp_path / "a-folder-of-mine"
    SpeechT5Config(**{k: v for k, v in tiny.SPEECHT5.items() if k != "model_type"}).save_pretrained(
        secret
    )
    part = SpeechT5Config.from_pretrained(secret)
    part._name_or_path = str(secret)
    config = KemerConfig(part, part, meta_attention_heads=3)
    config.speech_config._name_or_path = str(secret)  # as the library does when it loads weights
    config.save_pretrained(tmp_path / "saved")
    written = (tmp_path / "saved" / "config.json").read_text()
    assert "a-folder-of-mine" not in written
    assert json.loads(written)["speech_config"]["hidden_size"] == 24


def test_the_documented_example_is_true() -> None:
    import doctest

    import configuration_kemer

    assert doctest.testmod(configuration_kemer).attempted > 0
    assert doctest.testmod(configuration_kemer).failed == 0


def test_what_the_trainer_writes_into_a_configuration_is_no_unknown_field() -> None:
    config = KemerConfig(tiny.SPEECHT5, None)
    config.use_cache = False  # as `Trainer.train` does to every model
    assert config.to_dict()["use_cache"] is False
    assert KemerConfig(**config.to_dict()).speech_config.hidden_size == 24
