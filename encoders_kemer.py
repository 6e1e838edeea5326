"""The encoders of KEMER: the library's own, made independent of padding.

First station of the model: waveform or tokens in, hidden states and the mask of the valid ones out.

Upstream, an utterance in a padded batch gets other hidden states than alone (26 % of their norm for
SpeechT5, about 50 % for wav2vec2, hubert, wavlm and data2vec-audio), for two reasons that the
classes here remove without touching a weight or the name of one:

1. The first layer of the convolutional front end normalises over time (`GroupNorm`), padding
   included. Here each utterance is normalised by its own frames.
2. The positional convolution reads across the end of an utterance, where padding is not zero. Here
   it is zero, before each of them.

What remains are the library's attention masks, which are exact. An utterance that is wholly masked
(a missing modality) does not reach the encoder: it would be an average over nothing.

Sources: SpeechT5 (https://arxiv.org/abs/2110.07205), wav2vec 2.0 (https://arxiv.org/abs/2006.11477),
HuBERT (https://arxiv.org/abs/2106.07447), WavLM (https://arxiv.org/abs/2110.13900), data2vec
(https://arxiv.org/abs/2202.03555), as implemented in transformers.
"""

import torch
from torch import Tensor, nn
from transformers import (
    MODEL_MAPPING,
    Data2VecAudioModel,
    HubertModel,
    PretrainedConfig,
    PreTrainedModel,
    Wav2Vec2Model,
    WavLMModel,
)
from transformers.models.data2vec.modeling_data2vec_audio import (
    Data2VecAudioPositionalConvEmbedding,
)
from transformers.models.hubert.modeling_hubert import HubertPositionalConvEmbedding
from transformers.models.speecht5.modeling_speecht5 import (
    SpeechT5EncoderWithSpeechPrenet,
    SpeechT5EncoderWithTextPrenet,
)

try:
    from .configuration_kemer import receptive_field
    from .inputs_kemer import checked_mask, lengths_to_mask, spread_rows
except ImportError:
    if __package__:
        raise
    from configuration_kemer import receptive_field
    from inputs_kemer import checked_mask, lengths_to_mask, spread_rows

# Encoders whose class takes `add_pooling_layer`: the pooler is no part of the hidden states.
_POOLED_MODEL_TYPES = ("bert", "roberta", "xlm-roberta")

# A full checkpoint's decoder, vocoder net and heads: the loader need not list each as unexpected.
_OTHER_THAN_SPEECHT5_ENCODER = r"^(?!prenet\.|wrapped_encoder\.)"


def frame_lengths(config: PretrainedConfig, sample_lengths: Tensor) -> Tensor:
    """Return the number of frames of utterances of `sample_lengths` samples, both `(batch,)`.

    It counts the frames that read nothing but samples of the utterance; 0 below `receptive_field`.
    """
    lengths = sample_lengths
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        lengths = _convolved_lengths(lengths, kernel=kernel, stride=stride)
    return lengths.clamp(min=0)


def _convolved_lengths(lengths: Tensor, *, kernel: int, stride: int) -> Tensor:
    return torch.div(lengths - kernel, stride, rounding_mode="floor") + 1


def masked_group_norm(norm: nn.GroupNorm, hidden_states: Tensor, lengths: Tensor) -> Tensor:
    """Normalise each utterance by the statistics of its own frames.

    Args:
        norm: the layer, with one channel a group as all encoders here have it.
        hidden_states: (batch, channels, frames).
        lengths: (batch,), valid frames of each utterance.

    Returns:
        What `norm` gives for each utterance alone, `(batch, channels, frames)`; finite and without
        meaning at padding.
    """
    padded = ~lengths_to_mask(lengths, hidden_states.shape[2])[:, None]  # (batch, 1, frames)
    counts = lengths[:, None, None]
    values = hidden_states.float().masked_fill(padded, 0.0)
    mean = values.sum(dim=2, keepdim=True) / counts  # (batch, channels, 1)
    centred = (values - mean).masked_fill(padded, 0.0)
    variance = centred.square().sum(dim=2, keepdim=True) / counts
    scale = norm.weight[:, None] * torch.rsqrt(variance + norm.eps)
    return (centred * scale + norm.bias[:, None]).to(hidden_states.dtype)


class ExactSpeechEncoder:
    """Mixin that gives a library's speech encoder a `forward` that padding does not change.

    Classes with it keep the library's modules, and so load its checkpoints weight for weight.
    """

    def forward(
        self, input_values: Tensor, attention_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode a batch of utterances.

        Args:
            input_values: (batch, samples), waveforms at the rate of pretraining (16 kHz).
            attention_mask: (batch, samples), 1 at samples and 0 at padding, which comes last.

        Returns:
            The hidden states, `(batch, frames, hidden)`, and the mask of the valid frames, `(batch,
            frames)`, True where valid; `frames` is the longest utterance's number. At padding the
            hidden states are finite and mean nothing; a wholly masked utterance has zeros.

        Raises:
            ValueError: if the type or the mask is wrong or an utterance shorter than one frame.
        """
        if not input_values.is_floating_point():
            raise ValueError(
                f"`input_values` is of type {input_values.dtype}; allowed is floating point: pass "
                "waveforms through a `KemerProcessor`."
            )
        valid = checked_mask("attention_mask", attention_mask, input_values)
        sample_lengths = valid.sum(dim=1)  # (batch,)
        self._check_lengths(sample_lengths)
        lengths = frame_lengths(self.config, sample_lengths)  # (batch,)
        frame_mask = lengths_to_mask(lengths, int(lengths.max()))  # (batch, frames)
        weight = next(self.parameters())
        present = lengths > 0  # (batch,)
        if not bool(present.any()):
            return weight.new_zeros((*frame_mask.shape, self.config.hidden_size)), frame_mask
        encoded = self._encode_present(
            input_values[present].to(weight.dtype), sample_lengths[present], lengths[present]
        )
        return spread_rows(encoded, present), frame_mask

    def _check_lengths(self, sample_lengths: Tensor) -> None:
        minimum = receptive_field(self.config)
        too_short = ((sample_lengths > 0) & (sample_lengths < minimum)).nonzero().flatten()
        if len(too_short):
            row = int(too_short[0])
            raise ValueError(
                f"`input_values` holds {int(sample_lengths[row])} samples in row {row}; the speech "
                f"encoder needs {minimum} at least (none at all for a missing utterance)."
            )

    def _extract_features(self, input_values: Tensor, sample_lengths: Tensor) -> Tensor:
        """Run the convolutional front end on a padded batch as if each utterance were alone.

        A valid frame reads nothing but samples of its own utterance, so padding could reach it in
        one place only: the statistics over time of the first layer's group norm.

        Args:
            input_values: (batch, samples).
            sample_lengths: (batch,), each at least one frame's.

        Returns:
            The features, `(batch, frames, channels)`, zero after an utterance's last frame.
        """
        lengths = sample_lengths
        hidden_states = input_values[:, None, : int(lengths.max())]  # (batch, 1, samples)
        # The layers one by one, not the module: it would ask for the waveform's gradient.
        for layer, kernel, stride in zip(
            self.convolutions, self.config.conv_kernel, self.config.conv_stride, strict=True
        ):
            lengths = _convolved_lengths(lengths, kernel=kernel, stride=stride)
            hidden_states = self._convolve(layer, hidden_states, lengths)
        features = hidden_states.transpose(1, 2)  # (batch, frames, channels)
        valid = lengths_to_mask(lengths, features.shape[1])  # (batch, frames)
        return features.masked_fill(~valid[:, :, None], 0.0)

    def _convolve(self, layer: nn.Module, hidden_states: Tensor, lengths: Tensor) -> Tensor:
        """Apply one layer of the front end: convolution, perhaps a norm, activation.

        Args:
            layer: the library's layer.
            hidden_states: (batch, channels, positions).
            lengths: (batch,), valid frames of each utterance after the convolution.
        """
        norm = dict(layer.named_children()).get("layer_norm")
        if not isinstance(norm, nn.GroupNorm) or bool((lengths == lengths.max()).all()):
            return layer(hidden_states)
        hidden_states = masked_group_norm(norm, layer.conv(hidden_states), lengths)
        return layer.activation(hidden_states)

    def _augment(self, hidden_states: Tensor, frame_mask: Tensor) -> Tensor:
        """Apply the library's SpecAugment, which it does in training only.

        A batch shorter than one masked span is left alone: the library would refuse it.
        """
        if not self.training or hidden_states.shape[1] < self.config.mask_time_length:
            return hidden_states
        return self._mask_hidden_states(hidden_states, attention_mask=frame_mask)


class KemerSpeechT5SpeechEncoder(ExactSpeechEncoder, SpeechT5EncoderWithSpeechPrenet):
    """SpeechT5's speech encoder: front end, prenet and Transformer."""

    _keys_to_ignore_on_load_unexpected = [_OTHER_THAN_SPEECHT5_ENCODER]

    @property
    def convolutions(self) -> nn.ModuleList:
        """The layers of the convolutional front end."""
        return self.prenet.feature_encoder.conv_layers

    def _mask_hidden_states(self, hidden_states: Tensor, attention_mask: Tensor) -> Tensor:
        return self.prenet._mask_hidden_states(hidden_states, attention_mask=attention_mask)

    def _encode_present(
        self, input_values: Tensor, sample_lengths: Tensor, lengths: Tensor
    ) -> Tensor:
        """Encode utterances of at least one frame into `(batch, frames, hidden)`."""
        features = self._extract_features(input_values, sample_lengths)
        frame_mask = lengths_to_mask(lengths, features.shape[1])  # (batch, frames)
        hidden_states, _ = self.prenet.feature_projection(features)  # (batch, frames, hidden)
        hidden_states = self._augment(hidden_states, frame_mask)
        hidden_states = hidden_states.masked_fill(~frame_mask[:, :, None], 0.0)
        hidden_states = hidden_states + self.prenet.pos_conv_embed(hidden_states)
        # The table of sinusoids is read by "token ids" that are padding where this says 1.
        positions = self.prenet.pos_sinusoidal_embed((~frame_mask).long())
        hidden_states = hidden_states + positions
        return self.wrapped_encoder(hidden_states, attention_mask=frame_mask).last_hidden_state


class ExactWav2Vec2Encoder(ExactSpeechEncoder):
    """What the wav2vec2 family shares; its encoders zero the padded frames themselves."""

    @property
    def convolutions(self) -> nn.ModuleList:
        """The layers of the convolutional front end."""
        return self.feature_extractor.conv_layers

    def _encode_present(
        self, input_values: Tensor, sample_lengths: Tensor, lengths: Tensor
    ) -> Tensor:
        """Encode utterances of at least one frame into `(batch, frames, hidden)`."""
        features = self._extract_features(input_values, sample_lengths)
        frame_mask = lengths_to_mask(lengths, features.shape[1])  # (batch, frames)
        projected = self.feature_projection(features)
        # hubert returns the hidden states, the others also the features that they came from
        hidden_states = projected if isinstance(projected, Tensor) else projected[0]
        hidden_states = self._augment(hidden_states, frame_mask)
        return self.encoder(hidden_states, attention_mask=frame_mask).last_hidden_state


class KemerWav2Vec2Encoder(ExactWav2Vec2Encoder, Wav2Vec2Model):
    """wav2vec 2.0, with group or layer norm in the front end, pre- or post-norm Transformer."""


class KemerWavLMEncoder(ExactWav2Vec2Encoder, WavLMModel):
    """WavLM, wav2vec 2.0 with a gated relative position bias."""


class ZeroPaddedHubertPositions(HubertPositionalConvEmbedding):
    """HuBERT's positional convolution whose optional batch norm leaves padding zero."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Return the position embeddings of `hidden_states`, both `(batch, frames, hidden)`."""
        if self.batch_norm is None:
            return super().forward(hidden_states)
        padded = _zero_frames(hidden_states)
        normed = self.batch_norm(hidden_states.transpose(1, 2)).masked_fill(padded, 0.0)
        embeddings = self.activation(self.padding(self.conv(normed)))
        return embeddings.transpose(1, 2)


class KemerHubertEncoder(ExactWav2Vec2Encoder, HubertModel):
    """HuBERT, optionally with a batch norm before the positional convolution."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(config)
        self.encoder.pos_conv_embed = ZeroPaddedHubertPositions(config)
        self.post_init()


class ZeroPaddedData2VecPositions(Data2VecAudioPositionalConvEmbedding):
    """data2vec's positional convolutions, padding made zero again before each of them."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Return the position embeddings of `hidden_states`, both `(batch, frames, hidden)`."""
        padded = _zero_frames(hidden_states)
        embeddings = hidden_states.transpose(1, 2)  # (batch, hidden, frames)
        for layer in self.layers:
            embeddings = layer(embeddings.masked_fill(padded, 0.0))
        return embeddings.transpose(1, 2)


class KemerData2VecAudioEncoder(ExactWav2Vec2Encoder, Data2VecAudioModel):
    """data2vec on audio, whose positions are five convolutions in a row."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(config)
        self.encoder.pos_conv_embed = ZeroPaddedData2VecPositions(config)
        self.post_init()


def _zero_frames(hidden_states: Tensor) -> Tensor:
    """Return where `hidden_states`, `(batch, frames, hidden)`, are padding: `(batch, 1, frames)`.

    The library's encoder has made padding exactly zero when it calls its positional convolution and
    passes nothing else to it; a valid frame, the result of a projection, is never zero throughout.
    """
    return (hidden_states == 0).all(dim=2)[:, None, :]


class KemerSpeechT5TextEncoder(SpeechT5EncoderWithTextPrenet):
    """SpeechT5's text encoder under the argument names of the other text encoders."""

    _keys_to_ignore_on_load_unexpected = [_OTHER_THAN_SPEECHT5_ENCODER]

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the hidden states `(batch, tokens, hidden)` of `input_ids` `(batch, tokens)`."""
        hidden_states = self.prenet(input_ids)
        return self.wrapped_encoder(hidden_states, attention_mask=attention_mask).last_hidden_state


_SPEECH_ENCODERS = {
    "speecht5": KemerSpeechT5SpeechEncoder,
    "wav2vec2": KemerWav2Vec2Encoder,
    "hubert": KemerHubertEncoder,
    "wavlm": KemerWavLMEncoder,
    "data2vec-audio": KemerData2VecAudioEncoder,
}


def speech_encoder_class(config: PretrainedConfig) -> type[PreTrainedModel]:
    """Return the class of the speech encoder that `config` describes."""
    return _SPEECH_ENCODERS[config.model_type]


def text_encoder_class(config: PretrainedConfig) -> type[PreTrainedModel]:
    """Return the class of the text encoder that `config` describes."""
    return (
        KemerSpeechT5TextEncoder if config.model_type == "speecht5" else MODEL_MAPPING[type(config)]
    )


def text_encoder_arguments(config: PretrainedConfig) -> dict[str, bool]:
    """Return what the text encoder's class takes beside its configuration."""
    return {"add_pooling_layer": False} if config.model_type in _POOLED_MODEL_TYPES else {}


def text_positions(config: PretrainedConfig) -> int:
    """Return the largest number of tokens that a text encoder has positions for."""
    if config.model_type == "speecht5":
        return config.max_text_positions
    # RoBERTa numbers positions from the padding index + 1 on
    offset = config.pad_token_id + 1 if "roberta" in config.model_type else 0
    return config.max_position_embeddings - offset


def encode_text(
    encoder: PreTrainedModel, input_ids: Tensor, text_attention_mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Encode a batch of texts.

    Args:
        encoder: a text encoder made by `text_encoder_class`.
        input_ids: (batch, tokens).
        text_attention_mask: (batch, tokens), 1 at tokens and 0 at padding, which comes last.

    Returns:
        The hidden states, `(batch, tokens, hidden)`, and the mask, `(batch, tokens)`, True where
        valid, both cut to the longest text. A wholly masked text has zeros.

    Raises:
        ValueError: if the mask is wrong or a text longer than the encoder's table of positions.
    """
    valid = checked_mask("text_attention_mask", text_attention_mask, input_ids)
    tokens = int(valid.sum(dim=1).max())
    if tokens > text_positions(encoder.config):
        raise ValueError(
            f"`input_ids` holds {tokens} tokens in a row; the text encoder has positions for "
            f"{text_positions(encoder.config)}: cut the text (`tokenizer.model_max_length`)."
        )
    input_ids, valid = input_ids[:, :tokens], valid[:, :tokens]
    present = valid.any(dim=1)  # (batch,)
    if not bool(present.any()):
        shape = (*valid.shape, encoder.config.hidden_size)
        return next(encoder.parameters()).new_zeros(shape), valid
    encoded = _text_hidden_states(encoder, input_ids[present], valid[present])
    return spread_rows(encoded, present), valid


def _text_hidden_states(encoder: PreTrainedModel, input_ids: Tensor, valid: Tensor) -> Tensor:
    output = encoder(input_ids=input_ids, attention_mask=valid.long())
    return output if isinstance(output, Tensor) else output.last_hidden_state
