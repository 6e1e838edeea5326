"""The configuration of KEMER: two encoder configurations, the fusion between them, and the labels.

It describes figure 2 of Koh, Joo and Jung, "Reflecting dialogue and pretrained information into
Multi Modal Emotion Recognition: Focusing on Text and Audio" (Seoul National University, 2023):
a speech encoder and a text encoder, one self-attention over both ("meta-attention"), and two linear
heads. Everything is checked at construction, so that a wrong value fails here and not in training.

This file travels with every checkpoint (remote code): it imports nothing but transformers and the
decoder whose values it keeps.
"""

import inspect
import math
from copy import deepcopy
from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, PretrainedConfig
from transformers.activations import ACT2FN

try:
    from .decoding_kemer import LabelSetDecoder
except ImportError:
    if __package__:
        raise
    from decoding_kemer import LabelSetDecoder

EMOTIONS = ("surprise", "angry", "fear", "neutral", "sad", "disgust", "happy")
"""The seven emotions of KEMDy in the order of every label vector."""

SPEECH_MODEL_TYPES = ("speecht5", "wav2vec2", "hubert", "wavlm", "data2vec-audio")
"""Speech encoders whose result is proven not to depend on padding (`encoders_kemer.py`)."""

TEXT_MODEL_TYPES = ("speecht5", "bert", "roberta", "xlm-roberta", "electra", "distilbert")
"""Text encoders, SpeechT5's and BERT-like ones; their position tables are known, hence checked."""

FUSIONS = ("meta_attention", "late")
"""How both modalities become one vector: by attention over both, or as the mean of each."""

# Fields that some published sub-configurations carry and the library reads, but does not declare.
_UNDECLARED_FIELDS = ("apply_spec_augment",)

# Fields that describe a file or a run, never an architecture: dropped from a sub-configuration.
_BOOKKEEPING_FIELDS = (
    "_attn_implementation_autoset",
    "_commit_hash",
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "torch_dtype",
    "transformers_version",
)

# Fields that name the activation functions of an encoder, in one family or another.
_ACTIVATION_FIELDS = ("activation", "feat_extract_activation", "hidden_act")

# What transformers itself passes to a configuration beside the fields that it stores.
_LIBRARY_ARGUMENTS = (
    "_attn_implementation_autoset",
    "_commit_hash",
    "_name_or_path",
    "attn_implementation",
    "auto_map",
    "custom_pipelines",
    "experts_implementation",
    "model_type",
    "name_or_path",
    "num_labels",
    "output_attentions",
    "quantization_config",
    "torch_dtype",
    "use_cache",  # the Trainer writes it into every model's configuration
)


class KemerConfig(PretrainedConfig):
    """Configuration of a `KemerModel`.

    Args:
        speech_config: the speech encoder: a dict with a `model_type`, a configuration object, the
            name of a model type (`"wav2vec2"`: that library's default sizes), or None for a model
            without speech. Allowed types: `SPEECH_MODEL_TYPES`.
        text_config: the text encoder, in the same forms. Allowed types: `TEXT_MODEL_TYPES`.
        fusion: of two modalities. `meta_attention` (the paper's): one self-attention over both, and
            the mean. `late`: the mean of each, side by side; what is missing is a mean of 0.
        meta_attention_heads: heads of the self-attention over both modalities; divides the size of
            the speech encoder's hidden states.
        meta_attention_dropout: dropout on the meta-attention's weights in training, in [0, 1).
        modality_dropout: share of the rows of a training batch, in [0, 1), of which one modality,
            either as likely, is masked as if it were missing; for models that are to answer with
            one alone.
        valence_arousal_loss_weight: factor of the mean squared error of valence and arousal beside
            the emotions' binary cross-entropy, 0 or more.
        label_set_decoder: what `decoding_kemer.LabelSetDecoder.to_dict` gave, fitted on validation
            sessions when the model was trained; None where none was.
        id2label: names of the emotions by index; the seven of KEMDy by default.
        label2id: its inverse; derived from `id2label` by default.
        **kwargs: what every configuration of transformers takes (`dtype`, `architectures`, ...).

    Raises:
        ValueError: if a field is unknown or its value is not allowed, or if both encoders are None.

    Example:
        >>> config = KemerConfig(text_config=None)
        >>> config.speech_config.model_type, config.hidden_size, config.num_labels
        ('speecht5', 768, 7)
    """

    model_type = "kemer"
    sub_configs = {"speech_config": AutoConfig, "text_config": AutoConfig}
    keys_to_ignore_at_inference = ["attentions"]

    def __init__(
        self,
        speech_config: dict[str, Any] | PretrainedConfig | str | None = "speecht5",
        text_config: dict[str, Any] | PretrainedConfig | str | None = "speecht5",
        *,
        fusion: str = "meta_attention",
        meta_attention_heads: int = 8,
        meta_attention_dropout: float = 0.1,
        modality_dropout: float = 0.0,
        valence_arousal_loss_weight: float = 1.0,
        label_set_decoder: dict[str, Any] | None = None,
        id2label: dict[int, str] | dict[str, str] | None = None,
        label2id: dict[str, int] | None = None,
        **kwargs: Any,
    ) -> None:
        _refuse_unknown_fields(kwargs)
        self.speech_config = _build_sub_config("speech_config", speech_config, SPEECH_MODEL_TYPES)
        self.text_config = _build_sub_config("text_config", text_config, TEXT_MODEL_TYPES)
        self.fusion = fusion
        self.meta_attention_heads = meta_attention_heads
        self.meta_attention_dropout = meta_attention_dropout
        self.modality_dropout = modality_dropout
        self.valence_arousal_loss_weight = valence_arousal_loss_weight
        names = _label_names(id2label, label2id, kwargs.pop("num_labels", None))
        self.label_set_decoder = label_set_decoder
        self.check_fusion()
        _check_decoder(label_set_decoder, names)
        super().__init__(
            id2label=dict(enumerate(names)),
            label2id={name: index for index, name in enumerate(names)},
            **kwargs,
        )

    @property
    def hidden_size(self) -> int:
        """Size of the hidden states that the heads read: speech's, or text's where it is alone."""
        source = self.text_config if self.speech_config is None else self.speech_config
        return source.hidden_size

    @property
    def has_both(self) -> bool:
        """Whether there are two modalities to be joined."""
        return self.speech_config is not None and self.text_config is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as a dict without the paths that its parts were loaded from."""
        output = super().to_dict()
        for field in self.sub_configs:
            if output[field] is not None:
                output[field].pop("_name_or_path", None)
        return output

    def check_fusion(self) -> None:
        """Raise ValueError if the fusion's settings are wrong or do not fit the encoders."""
        if self.speech_config is None and self.text_config is None:
            raise ValueError(
                "`speech_config` and `text_config` are both None; a KEMER model needs one encoder "
                "at least: give a dict, a configuration object or a model type for one of them."
            )
        if self.fusion not in FUSIONS:
            raise ValueError(
                f"`fusion` is {self.fusion!r}; allowed is one of {', '.join(FUSIONS)}."
            )
        heads = self.meta_attention_heads
        if not _is_integer(heads) or heads < 1:
            raise ValueError(
                f"`meta_attention_heads` is {heads!r}; allowed is a whole number from 1 up."
            )
        attends = self.has_both and self.fusion == "meta_attention"
        if attends and self.hidden_size % heads != 0:
            raise ValueError(
                f"`meta_attention_heads` is {heads}, which does not divide the speech encoder's "
                f"hidden size {self.hidden_size}; allowed is a divisor of it."
            )
        for name in ("meta_attention_dropout", "modality_dropout"):
            dropout = getattr(self, name)
            if not _is_number(dropout) or not 0 <= dropout < 1:
                raise ValueError(f"`{name}` is {dropout!r}; allowed is a number in [0, 1).")
        if self.modality_dropout > 0 and not self.has_both:
            raise ValueError(
                f"`modality_dropout` is {self.modality_dropout}, but the model has one modality, "
                "which cannot be left out; allowed is 0, or give both encoders."
            )
        weight = self.valence_arousal_loss_weight
        if not _is_number(weight) or not 0 <= weight < math.inf:
            raise ValueError(
                f"`valence_arousal_loss_weight` is {weight!r}; allowed is a finite number >= 0."
            )


def receptive_field(config: PretrainedConfig) -> int:
    """Return the number of samples that the first frame of a speech encoder reads (400 = 25 ms)."""
    samples, hop = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        samples += (kernel - 1) * hop
        hop *= stride
    return samples


def _check_decoder(values: dict[str, Any] | None, names: list[str]) -> None:
    """Raise ValueError if `label_set_decoder` is no decoder of these labels."""
    if values is None:
        return
    if not isinstance(values, dict):
        raise ValueError(
            f"`label_set_decoder` is {values!r} of type {type(values).__name__}; allowed is a dict "
            "as `LabelSetDecoder.to_dict` gives it, or None."
        )
    emotions = len(LabelSetDecoder.from_dict(values).slopes)
    if emotions != len(names):
        raise ValueError(
            f"`label_set_decoder` decodes {emotions} labels, but the model has {len(names)}; fit "
            "it on the answers of this model."
        )


def _refuse_unknown_fields(kwargs: dict[str, Any]) -> None:
    """Raise ValueError if `kwargs` holds what neither KEMER nor transformers knows."""
    library_fields = set(PretrainedConfig().to_dict()) | set(_LIBRARY_ARGUMENTS)
    unknown = sorted(set(kwargs) - library_fields)
    if unknown:
        own_fields = list(inspect.signature(KemerConfig.__init__).parameters)[1:-1]
        raise ValueError(
            f"`{unknown[0]}` is no field of KemerConfig (value {kwargs[unknown[0]]!r}); allowed "
            f"are {', '.join(own_fields)} and transformers' own: "
            f"{', '.join(sorted(library_fields - set(own_fields)))}."
        )


def _build_sub_config(
    field: str,
    value: dict[str, Any] | PretrainedConfig | str | None,
    model_types: tuple[str, ...],
) -> PretrainedConfig | None:
    """Return `value` as a configuration object of its own, checked, without paths; None stays."""
    if value is None:
        return None
    fields = _sub_config_fields(field, value, model_types)
    model_type = fields.pop("model_type")
    config_class = CONFIG_MAPPING[model_type]
    known = set(config_class().to_dict()) | set(_UNDECLARED_FIELDS) | set(_LIBRARY_ARGUMENTS)
    unknown = sorted(set(fields) - known)
    # A published config.json may carry fields of past releases, which nothing reads any more; in a
    # dict written by hand an unknown field is a slip that a default would silently replace.
    if unknown and not isinstance(value, PretrainedConfig):
        raise ValueError(
            f"`{field}` has no field `{unknown[0]}` for the model type {model_type!r} (value "
            f"{fields[unknown[0]]!r}); allowed are {', '.join(sorted(known))}."
        )
    for name in (*unknown, *_BOOKKEEPING_FIELDS):
        fields.pop(name, None)
    try:
        config = config_class(**fields)
    except Exception as error:  # the library has its own exceptions, which are no ValueError
        raise ValueError(
            f"`{field}` does not describe an encoder of type {model_type!r}: {error}"
        ) from error
    _validate_encoder(field, config)
    return config


def _sub_config_fields(
    field: str, value: dict[str, Any] | PretrainedConfig | str, model_types: tuple[str, ...]
) -> dict[str, Any]:
    """Return the fields of a sub-configuration given in any form, with an allowed `model_type`."""
    if isinstance(value, str):
        value = {"model_type": value}
    if not isinstance(value, dict | PretrainedConfig):
        raise ValueError(
            f"`{field}` is {value!r} of type {type(value).__name__}; allowed is a dict, a "
            "configuration object, a model type or None."
        )
    fields = value.to_dict() if isinstance(value, PretrainedConfig) else deepcopy(value)
    if fields.get("model_type") not in model_types:
        raise ValueError(
            f"`{field}` has the model type {fields.get('model_type')!r}; allowed is one of "
            f"{', '.join(model_types)}."
        )
    return fields


def _validate_encoder(field: str, config: PretrainedConfig) -> None:
    """Raise ValueError for what the library would only notice, or not notice, much later."""
    heads, hidden_size = config.num_attention_heads, config.hidden_size
    if heads < 1 or hidden_size < 1 or hidden_size % heads != 0:
        raise ValueError(
            f"`{field}` has `hidden_size` {hidden_size} and {heads} attention heads; allowed are "
            "positive numbers of which the second divides the first."
        )
    layers_field = config.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    if not _is_integer(config.num_hidden_layers) or config.num_hidden_layers < 1:
        raise ValueError(
            f"`{field}` has `{layers_field}` {config.num_hidden_layers!r}; allowed is a whole "
            "number from 1 up."
        )
    _check_rates_and_activations(field, config.to_dict())
    if field == "speech_config":
        _check_speech_encoder(config)


def _check_rates_and_activations(field: str, values: dict[str, Any]) -> None:
    """Raise ValueError unless dropout and LayerDrop are in [0, 1) and activations are known."""
    for name, value in values.items():
        is_rate = "dropout" in name or "layerdrop" in name
        if not is_rate or value is None or name.startswith(("decoder_", "speech_decoder_")):
            continue  # SpeechT5's configuration describes a decoder, too, which KEMER leaves out
        if not _is_number(value) or not 0 <= value < 1:
            raise ValueError(f"`{field}` has `{name}` {value!r}; allowed is a number in [0, 1).")
    for name in _ACTIVATION_FIELDS:
        value = values.get(name, "gelu")
        if not isinstance(value, str) or value not in ACT2FN:
            raise ValueError(
                f"`{field}` has `{name}` {value!r}; allowed is one of {', '.join(sorted(ACT2FN))}."
            )


def _check_speech_encoder(config: PretrainedConfig) -> None:
    """Raise ValueError for what only a speech encoder can have wrong."""
    groups = config.num_conv_pos_embedding_groups
    if not _is_integer(groups) or groups < 1 or config.hidden_size % groups != 0:
        raise ValueError(
            f"`speech_config` has `num_conv_pos_embedding_groups` {groups!r}; allowed is a divisor "
            f"of `hidden_size`, {config.hidden_size}."
        )
    if getattr(config, "add_adapter", False):
        raise ValueError(
            "`speech_config` has `add_adapter` True; allowed is False: the adapter shortens the "
            "sequence after the encoder, and KEMER reads the encoder's own hidden states."
        )


def _label_names(
    id2label: dict[int, str] | dict[str, str] | None,
    label2id: dict[str, int] | None,
    num_labels: int | None,
) -> list[str]:
    """Return the label names in the order of their indices, after checking both dicts."""
    for field, labels in (("id2label", id2label), ("label2id", label2id)):
        if labels is not None and not isinstance(labels, dict):
            raise ValueError(
                f"`{field}` is {labels!r} of type {type(labels).__name__}; allowed is a dict or "
                'None, as in {0: "surprise"} and {"surprise": 0}.'
            )
    if id2label is None:
        id2label = (
            dict(enumerate(EMOTIONS))
            if label2id is None
            else {index: name for name, index in label2id.items()}
        )
    by_index = {int(index): name for index, name in id2label.items()}
    if not by_index or sorted(by_index) != list(range(len(by_index))):
        raise ValueError(
            f"`id2label` has the indices {sorted(by_index)}; allowed are 0, 1, ... without a gap."
        )
    names = [by_index[index] for index in range(len(by_index))]
    if len(set(names)) != len(names):
        raise ValueError(f"`id2label` names a label twice: {names}; allowed are distinct names.")
    if label2id is not None and label2id != {name: index for index, name in enumerate(names)}:
        raise ValueError(
            f"`label2id` is {label2id}, which is not the inverse of `id2label` {by_index}; "
            "leave it out or make it the inverse."
        )
    if num_labels is not None and num_labels != len(names):
        raise ValueError(
            f"`num_labels` is {num_labels}, but `id2label` names {len(names)} labels; give "
            "`id2label` alone."
        )
    return names


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


KemerConfig.register_for_auto_class()
