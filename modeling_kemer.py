"""KEMER: emotions, valence and arousal of an utterance from its waveform and its transcript.

Figure 2 of Koh, Joo and Jung, "Reflecting dialogue and pretrained information into Multi Modal
Emotion Recognition: Focusing on Text and Audio" (Seoul National University, 2023):

    waveform → speech_encoder → frames ┐                                     ┌ emotion_head
                                       ├ concatenated → meta_attention → mean┤
    tokens   → text_encoder   → tokens ┘   (in time)                         └ valence_arousal_head

`fusion: late` puts the means of frames and tokens side by side in place of the meta-attention. With
one encoder only, the mean of its hidden states goes straight to the heads (the paper's rows with
one modality, and the stage in which it fine-tunes each encoder by itself).

Padding never changes a result: the encoders are those of `encoders_kemer.py`, the meta-attention
does not see masked positions and the mean leaves them out.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

try:
    from .configuration_kemer import KemerConfig
    from .decoding_kemer import LabelSetDecoder  # noqa: F401 (the library copies what is named here)
    from .encoders_kemer import (
        encode_text,
        speech_encoder_class,
        text_encoder_arguments,
        text_encoder_class,
    )
    from .inputs_kemer import (
        check_dimensions,
        check_labels,
        check_presence,
        checked_hidden_states,
        concatenate,
        drop_modalities,
        is_given,
        masked_mean,
    )
    from .loading_kemer import read_encoder_config, read_encoder_weights
    from .pipeline_kemer import CUSTOM_PIPELINES
except ImportError:
    if __package__:
        raise
    from configuration_kemer import KemerConfig
    from decoding_kemer import LabelSetDecoder  # noqa: F401
    from encoders_kemer import (
        encode_text,
        speech_encoder_class,
        text_encoder_arguments,
        text_encoder_class,
    )
    from inputs_kemer import (
        check_dimensions,
        check_labels,
        check_presence,
        checked_hidden_states,
        concatenate,
        drop_modalities,
        is_given,
        masked_mean,
    )
    from loading_kemer import read_encoder_config, read_encoder_weights
    from pipeline_kemer import CUSTOM_PIPELINES

VALENCE_AROUSAL_MIDDLE = 3.0
"""Middle of the corpora's scale from 1 to 5: where the head of valence and arousal starts."""


@dataclass
class KemerOutput(ModelOutput):
    """What a `KemerModel` returns.

    Args:
        loss: (), present if labels were given.
        logits: (batch, emotions); their sigmoid is the probability of each emotion.
        valence_arousal: (batch, 2), valence and arousal on the scale of the labels (KEMDy: 1 to 5).
        attentions: (batch, heads, frames + tokens, frames + tokens), weights of the meta-attention,
            rows the queries; present on request in a model that has one.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    valence_arousal: Tensor | None = None
    attentions: Tensor | None = None


class KemerModel(PreTrainedModel):
    """Two encoders, one self-attention over both ("meta-attention"), a mean and two linear heads.

    Args:
        config: a `KemerConfig`; its sub-configurations say which encoders there are.

    Example:
        >>> from configuration_kemer import KemerConfig
        >>> tiny = dict(hidden_size=16, encoder_layers=1, encoder_attention_heads=2,
        ...             encoder_ffn_dim=32, conv_dim=[8] * 7, num_conv_pos_embedding_groups=2)
        >>> tiny["model_type"] = "speecht5"
        >>> model = KemerModel(KemerConfig(tiny, tiny)).eval()
        >>> output = model(input_values=torch.zeros(1, 1600), input_ids=torch.tensor([[5, 2]]))
        >>> tuple(output.logits.shape), tuple(output.valence_arousal.shape)
        ((1, 7), (1, 2))
    """

    config_class = KemerConfig
    base_model_prefix = "kemer"
    main_input_name = "input_values"
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False  # the loss is a mean over the batch; Trainer is not to rescale it
    _supports_sdpa = True

    def __init__(self, config: KemerConfig) -> None:
        super().__init__(config)
        config.check_fusion()
        config.custom_pipelines = CUSTOM_PIPELINES  # saved, so that `pipeline` finds its code
        speech, text = config.speech_config, config.text_config
        hidden_size = config.hidden_size
        self.speech_encoder = None if speech is None else speech_encoder_class(speech)(speech)
        self.text_encoder = None
        if text is not None:
            self.text_encoder = text_encoder_class(text)(text, **text_encoder_arguments(text))
        self.text_projection = None
        if text is not None and text.hidden_size != hidden_size:
            self.text_projection = nn.Linear(text.hidden_size, hidden_size)
        self.meta_attention = None
        attends = config.fusion == "meta_attention"
        if config.has_both and attends:
            self.meta_attention = nn.MultiheadAttention(
                hidden_size,
                config.meta_attention_heads,
                dropout=config.meta_attention_dropout,
                batch_first=True,
            )
        pooled_size = hidden_size if attends or not config.has_both else 2 * hidden_size
        self.emotion_head = nn.Linear(pooled_size, config.num_labels)
        self.valence_arousal_head = nn.Linear(pooled_size, 2)
        self.post_init()

    @classmethod
    def from_encoders(
        cls,
        speech: str | None = "microsoft/speecht5_vc",
        text: str | None = "microsoft/speecht5_tts",
        **config_arguments: Any,
    ) -> "KemerModel":
        """Build a model around pretrained encoders; everything above them starts at random.

        Args:
            speech: checkpoint of the speech encoder (a folder or a repository of the Hub), or None:
                a SpeechT5 (by default the paper's), wav2vec2-like or KEMER checkpoint.
            text: checkpoint of the text encoder, or None: a SpeechT5 (by default the paper's),
                BERT-like or KEMER checkpoint.
            **config_arguments: further fields of `KemerConfig`.

        Returns:
            The model in evaluation mode, in float32.

        Raises:
            ValueError: if a checkpoint holds no such encoder, or not all of it.
        """
        checkpoints = {"speech": speech, "text": text}
        encoder_configs = {
            f"{name}_config": None if path is None else read_encoder_config(name, str(path))
            for name, path in checkpoints.items()
        }
        model = cls(cls.config_class(**encoder_configs, **config_arguments))
        for name, path in checkpoints.items():
            if path is not None:
                encoder = getattr(model, f"{name}_encoder")
                weights = read_encoder_weights(name, str(path), config=encoder.config)
                encoder.load_state_dict(weights)
        return model.eval()

    def freeze_encoders(self, *, speech: bool, text: bool, feature_encoder: bool = True) -> None:
        """Say which encoder parameters training leaves alone; the others become trainable.

        A wholly frozen encoder also stays in evaluation mode: no dropout, no SpecAugment.

        Args:
            speech: freeze the whole speech encoder.
            text: freeze the whole text encoder.
            feature_encoder: freeze the convolutional front end of the speech encoder in any case,
                as the paper's implementation does.
        """
        if self.speech_encoder is not None:
            self.speech_encoder.requires_grad_(not speech)
            self.speech_encoder.convolutions.requires_grad_(not (speech or feature_encoder))
        if self.text_encoder is not None:
            self.text_encoder.requires_grad_(not text)
        self.train(self.training)

    def train(self, mode: bool = True) -> "KemerModel":
        """Set training or evaluation mode; encoders without a trainable weight stay in the latter.

        Frozen alone would not do: dropout, LayerDrop and SpecAugment would still change an
        encoder's result from one pass to the next.
        """
        super().train(mode)
        for encoder in (self.speech_encoder, self.text_encoder):
            if encoder is not None and not any(p.requires_grad for p in encoder.parameters()):
                encoder.eval()
        return self

    def forward(
        self,
        input_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        input_ids: Tensor | None = None,
        text_attention_mask: Tensor | None = None,
        speech_hidden_states: Tensor | None = None,
        text_hidden_states: Tensor | None = None,
        labels: Tensor | None = None,
        valence_arousal_labels: Tensor | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> tuple[Tensor, ...] | KemerOutput:
        """Predict the emotions, the valence and the arousal of a batch of utterances.

        A model with both modalities takes either of them, too: what is not given, or masked in all
        of a row, is a missing modality.

        Args:
            input_values: (batch, samples), waveforms, 16 kHz.
            attention_mask: (batch, samples), 1 at samples, 0 at padding on the right; with
                `speech_hidden_states` (batch, frames). All valid by default.
            input_ids: (batch, tokens).
            text_attention_mask: (batch, tokens), 1 at tokens, 0 at padding on the right. All valid
                by default.
            speech_hidden_states: (batch, frames, hidden), the speech encoder's result in place of
                `input_values`.
            text_hidden_states: (batch, tokens, hidden), the text encoder's result in place of
                `input_ids`.
            labels: (batch, emotions), each 1 if the emotion is present, else 0, or between.
            valence_arousal_labels: (batch, 2), valence and arousal.
            output_attentions: return the meta-attention's weights; by default as the config says.
            return_dict: return a `KemerOutput` (the config's default), else a tuple.

        Returns:
            The predictions, and with labels the loss: the mean binary cross-entropy of the emotions
            plus `valence_arousal_loss_weight` times the mean squared error of valence and arousal.

        Raises:
            ValueError: if arguments contradict each other, have a wrong shape, or leave a row with
                neither speech nor text.
        """
        speech = self._read_speech(input_values, attention_mask, speech_hidden_states)
        text = self._read_text(input_ids, text_attention_mask, text_hidden_states)
        pooled, attentions = self._fuse(speech, text, output_attentions=output_attentions)
        logits = self.emotion_head(pooled)  # (batch, emotions)
        valence_arousal = self.valence_arousal_head(pooled)  # (batch, 2)
        output = KemerOutput(
            loss=self._loss(logits, valence_arousal, labels, valence_arousal_labels),
            logits=logits,
            valence_arousal=valence_arousal,
            attentions=attentions,
        )
        if return_dict is None:
            return_dict = self.config.return_dict
        return output if return_dict else output.to_tuple()

    def _read_speech(
        self, input_values: Tensor | None, mask: Tensor | None, hidden_states: Tensor | None
    ) -> tuple[Tensor, Tensor] | None:
        """Return the frames `(batch, frames, hidden)` and their mask, or None without speech."""
        names = ("input_values", "attention_mask", "speech_hidden_states")
        if not is_given(names, (input_values, mask, hidden_states), self.speech_encoder):
            return None
        if hidden_states is not None:
            return self._read_hidden_states(names[1:], (mask, hidden_states), self.speech_encoder)
        check_dimensions("input_values", input_values, 2, "(batch, samples)")
        return self.speech_encoder(input_values, mask)

    def _read_text(
        self, input_ids: Tensor | None, mask: Tensor | None, hidden_states: Tensor | None
    ) -> tuple[Tensor, Tensor] | None:
        """Return the tokens `(batch, tokens, hidden)` and their mask, or None without text."""
        names = ("input_ids", "text_attention_mask", "text_hidden_states")
        if not is_given(names, (input_ids, mask, hidden_states), self.text_encoder):
            return None
        if hidden_states is not None:
            hidden_states, mask = self._read_hidden_states(
                names[1:], (mask, hidden_states), self.text_encoder
            )
        else:
            check_dimensions("input_ids", input_ids, 2, "(batch, tokens)")
            hidden_states, mask = encode_text(self.text_encoder, input_ids, mask)
        if self.text_projection is not None:
            hidden_states = self.text_projection(hidden_states)
        return hidden_states, mask

    def _read_hidden_states(
        self, names: tuple[str, str], values: tuple[Tensor | None, Tensor], encoder: nn.Module
    ) -> tuple[Tensor, Tensor]:
        """Return the hidden states of `encoder` that were given, and their mask."""
        size, dtype = encoder.config.hidden_size, self.emotion_head.weight.dtype
        return checked_hidden_states(names, values, hidden_size=size, dtype=dtype)

    def _fuse(
        self,
        speech: tuple[Tensor, Tensor] | None,
        text: tuple[Tensor, Tensor] | None,
        *,
        output_attentions: bool | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return one vector for each row, `(batch, pooled)`, and the meta-attention's weights."""
        dropout = self.config.modality_dropout if self.training else 0.0
        if dropout > 0 and speech is not None and text is not None:
            masks = drop_modalities(speech[1], text[1], probability=dropout)
            speech, text = (speech[0], masks[0]), (text[0], masks[1])
        hidden_states, mask = concatenate(speech, text)  # (batch, positions, hidden), (batch, …)
        if self.config.has_both and self.config.fusion == "late":
            frames = 0 if speech is None else speech[1].shape[1]
            means = [
                masked_mean(hidden_states[:, part], mask[:, part])
                for part in (slice(0, frames), slice(frames, None))
            ]
            return torch.cat(means, dim=1), None  # (batch, 2 * hidden)
        hidden_states, attentions = self._attend(
            hidden_states, mask, output_attentions=output_attentions
        )
        return masked_mean(hidden_states, mask), attentions  # (batch, hidden)

    def _attend(
        self, hidden_states: Tensor, mask: Tensor, *, output_attentions: bool | None
    ) -> tuple[Tensor, Tensor | None]:
        """Let valid positions attend to each other; in a model with one modality change nothing."""
        if self.meta_attention is None:
            return hidden_states, None
        if output_attentions is None:
            output_attentions = self.config.output_attentions
        return self.meta_attention(
            hidden_states,
            hidden_states,
            hidden_states,
            key_padding_mask=~mask,
            need_weights=bool(output_attentions),
            average_attn_weights=False,
        )

    def _loss(
        self,
        logits: Tensor,
        valence_arousal: Tensor,
        labels: Tensor | None,
        valence_arousal_labels: Tensor | None,
    ) -> Tensor | None:
        """Return the loss over the labels that are given, or None without any."""
        losses = []
        if labels is not None:
            check_labels("labels", labels, logits)
            check_presence("labels", labels)
            losses.append(
                nn.functional.binary_cross_entropy_with_logits(logits.float(), labels.float())
            )
        if valence_arousal_labels is not None:
            check_labels("valence_arousal_labels", valence_arousal_labels, valence_arousal)
            error = nn.functional.mse_loss(valence_arousal.float(), valence_arousal_labels.float())
            losses.append(self.config.valence_arousal_loss_weight * error)
        return sum(losses) if losses else None

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Start the layers above the encoders as torch does, as the paper's implementation did.

        The library's normal distribution (0.02) suits layers with a residual path beside them; here
        it would shrink what passes the meta-attention. Valence and arousal start mid-scale.
        """
        super()._init_weights(module)
        linear_layers = [self.emotion_head, self.valence_arousal_head, self.text_projection]
        if self.meta_attention is not None:
            linear_layers.append(self.meta_attention.out_proj)
        if any(module is layer for layer in linear_layers):
            module.reset_parameters()
        if module is self.valence_arousal_head:
            nn.init.constant_(module.bias, VALENCE_AROUSAL_MIDDLE)
        elif self.meta_attention is not None and module is self.meta_attention.out_proj:
            nn.init.zeros_(module.bias)


KemerModel.register_for_auto_class("AutoModel")
