"""From a waveform and a transcript to the tensors of a `KemerModel`, and from outputs to words.

First and last station: feature extractor and tokenizer on the way in, decisions on the way out.
Each utterance is processed by itself and padded afterwards: its values never depend on its batch.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoTokenizer,
    BatchFeature,
    BertTokenizer,
    PretrainedConfig,
    ProcessorMixin,
    SpeechT5FeatureExtractor,
)
from transformers.utils import has_file

try:
    from .configuration_kemer import EMOTIONS, SPEECH_MODEL_TYPES, KemerConfig, receptive_field
    from .decoding_kemer import DECODINGS, LabelSetDecoder, decode_argmax, decode_emotions
    from .inputs_kemer import as_utterances, checked_context, checked_waveform, pad_rows
except ImportError:
    if __package__:
        raise
    from configuration_kemer import EMOTIONS, SPEECH_MODEL_TYPES, KemerConfig, receptive_field
    from decoding_kemer import DECODINGS, LabelSetDecoder, decode_argmax, decode_emotions
    from inputs_kemer import as_utterances, checked_context, checked_waveform, pad_rows

Waveform = np.ndarray | torch.Tensor
"""One channel of sound, (samples,), floating point in [-1, 1]."""

# Files of which a checkpoint has one if it has the part at all.
_FEATURE_EXTRACTOR_FILES = ("preprocessor_config.json", "processor_config.json")
_TOKENIZER_FILES = ("tokenizer_config.json", "tokenizer.json", "vocab.json", "spm_char.model")


class KemerProcessor(ProcessorMixin):
    """Feature extractor and tokenizer of a `KemerModel` in one.

    A checkpoint with one modality carries both parts, too; the other is simply not used.

    Args:
        feature_extractor: a `SpeechT5FeatureExtractor` or a `Wav2Vec2FeatureExtractor`.
        tokenizer: any tokenizer with a padding token; `model_max_length` is where it cuts.
        minimum_samples: length of the shortest waveform that the speech encoder can read, in
            samples at the feature extractor's rate.
        emotions: names of the model's labels in their order, each once.

    Raises:
        ValueError: if the tokenizer does not pad or a value is not allowed.
    """

    # Not keyword-only: transformers restores from processor_config.json positional arguments alone.
    def __init__(
        self,
        feature_extractor: Any,
        tokenizer: Any,
        minimum_samples: int = 400,
        emotions: Sequence[str] = EMOTIONS,
    ) -> None:
        super().__init__(feature_extractor, tokenizer)
        if tokenizer.pad_token_id is None:
            raise ValueError("`tokenizer` has no padding token; set `tokenizer.pad_token` before.")
        if not isinstance(minimum_samples, int) or minimum_samples < 1:
            raise ValueError(
                f"`minimum_samples` is {minimum_samples!r}; allowed is a whole number from 1 up."
            )
        self.minimum_samples = minimum_samples
        self.emotions = _checked_names(emotions)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | PathLike, **kwargs: Any
    ) -> "KemerProcessor":
        """Load a processor from a KEMER checkpoint (a folder or a repository of the Hub).

        Like the library's method, but without its question whether to run the checkpoint's code:
        a tokenizer needs none, and whoever has this class has the processor's.
        """
        kwargs.setdefault("trust_remote_code", False)
        return super().from_pretrained(pretrained_model_name_or_path, **kwargs)

    @classmethod
    def from_encoders(
        cls,
        speech: str | None = "microsoft/speecht5_vc",
        text: str | None = "microsoft/speecht5_tts",
        *,
        emotions: Sequence[str] = EMOTIONS,
    ) -> "KemerProcessor":
        """Build the processor that belongs to `KemerModel.from_encoders` with the same arguments.

        A modality that is None has no encoder to serve; its part is the other checkpoint's if that
        has one, and otherwise SpeechT5's feature extractor or a tokenizer without any word.

        Args:
            speech: checkpoint whose feature extractor is taken, by default the paper's, or None.
            text: checkpoint whose tokenizer is taken, by default the paper's, or None.
            emotions: names of the model's labels in their order (its config's `id2label`).

        Returns:
            The processor.

        Raises:
            ValueError: if both are None, `speech` holds no speech encoder, or `emotions` is wrong.
            OSError: if a checkpoint lacks the part of its own modality: give one that has it.

        Example:
            >>> KemerProcessor.from_encoders("microsoft/wavlm-base", None)  # doctest: +SKIP
        """
        if speech is None and text is None:
            raise ValueError("`speech` and `text` are both None; give one checkpoint at least.")
        arguments: dict[str, Any] = {"emotions": emotions}
        if speech is not None:
            arguments["minimum_samples"] = receptive_field(_speech_config(str(speech)))
        if speech is not None or _has_one_of(_FEATURE_EXTRACTOR_FILES, text):
            source = text if speech is None else speech
            feature_extractor = AutoFeatureExtractor.from_pretrained(source)
        else:
            feature_extractor = SpeechT5FeatureExtractor()
        if text is not None or _has_one_of(_TOKENIZER_FILES, speech):
            source = speech if text is None else text
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        else:
            tokenizer = _wordless_tokenizer()
        return cls(feature_extractor, tokenizer, **arguments)

    @property
    def sampling_rate(self) -> int:
        """Rate of the waveforms that the model reads, in Hz."""
        return self.feature_extractor.sampling_rate

    @property
    def end_token_id(self) -> int:
        """Token that ends every line of text."""
        end = self.tokenizer.sep_token_id
        return self.tokenizer.eos_token_id if end is None else end

    @property
    def model_input_names(self) -> list[str]:
        """Names of the tensors that a call returns."""
        return ["input_values", "attention_mask", "input_ids", "text_attention_mask"]

    def __call__(
        self,
        audio: Waveform | Sequence[Waveform | None] | None = None,
        text: str | Sequence[str | None] | None = None,
        *,
        context: Sequence[Sequence[str]] | None = None,
        sampling_rate: int | None = None,
        resample: bool = False,
        return_tensors: str | None = None,
    ) -> BatchFeature:
        """Turn one utterance or many into padded tensors.

        Args:
            audio: one waveform, (samples,), floating point in [-1, 1], or a list of them. None in
                the list is a missing modality: a row of padding. None alone: no speech at all.
            text: one transcript or a list of them (or a column of `datasets`, or an array). None or
                a blank string in the list is a missing modality. None alone: no text at all.
            context: for each transcript, the turns of the dialogue before it, the oldest first; for
                models trained with them (`context_turns`). They are read before the transcript, as
                far as the tokenizer's limit leaves room; the transcript is not cut for them.
            sampling_rate: rate of the waveforms, in Hz; required with audio.
            resample: bring waveforms of another rate to the model's (with torchaudio); otherwise
                another rate is an error.
            return_tensors: `"pt"` or None, which mean the same: results are PyTorch tensors.

        Returns:
            `input_values` (batch, samples), float32, and `attention_mask` (batch, samples), int64,
            if audio was given; `input_ids` (batch, tokens) and `text_attention_mask` (batch,
            tokens), int64, if text was. Masks are 1 at valid positions and 0 at padding, which is
            on the right.

        Raises:
            ValueError: if an utterance or an argument is not what is described above.
        """
        if return_tensors not in (None, "pt"):
            raise ValueError(
                f'`return_tensors` is {return_tensors!r}; allowed are "pt" and None: results are '
                "PyTorch tensors."
            )
        if audio is None and text is None:
            raise ValueError("`audio` and `text` are both None; give one of them at least.")
        if context is not None and text is None:
            raise ValueError("`context` was given without `text`; give the transcripts, too.")
        features: dict[str, torch.Tensor] = {}
        if audio is not None:
            is_one = isinstance(audio, np.ndarray | torch.Tensor)
            waveforms = [
                self._read_audio(row, index, sampling_rate=sampling_rate, resample=resample)
                for index, row in enumerate([audio] if is_one else as_utterances("audio", audio))
            ]
            padding = float(self.feature_extractor.padding_value)
            features["input_values"], features["attention_mask"] = pad_rows(waveforms, padding)
        if text is not None:
            rows = [text] if isinstance(text, str) else as_utterances("text", text)
            turns = checked_context(context, len(rows))
            tokens = [
                self._read_text(row, index, context=turns[index]) for index, row in enumerate(rows)
            ]
            padding = self.tokenizer.pad_token_id
            features["input_ids"], features["text_attention_mask"] = pad_rows(tokens, padding)
        if audio is not None and text is not None:
            counts = len(features["input_values"]), len(features["input_ids"])
            if counts[0] != counts[1]:
                raise ValueError(
                    f"`audio` holds {counts[0]} utterances and `text` {counts[1]}; give the same "
                    "utterances in both, None where one is missing."
                )
        return BatchFeature(features)

    def post_process(
        self,
        outputs: Any,
        *,
        decoding: str = "threshold",
        threshold: float = 0.5,
        label_set_decoder: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Say in words what a `KemerModel` returned.

        Args:
            outputs: a `KemerOutput`.
            decoding: how it is decided which emotions are present. `threshold`: those whose
                probability is greater, the likeliest where none is. `argmax`: the likeliest.
                `label_sets`: the likeliest set of those seen in training, corrected for the sampler
                (`decoding_kemer`).
            threshold: in [0, 1], for `threshold`.
            label_set_decoder: for `label_sets`: `model.config.label_set_decoder`.

        Returns:
            For each utterance `emotions` (the names of those present), `probabilities` (of each
            name, in [0, 1]), `valence` and `arousal` (on the scale of the labels: 1 to 5).

        Raises:
            ValueError: if the logits are more or fewer than the names, or an argument is wrong.
        """
        logits = outputs.logits.detach().float().cpu().numpy()
        probabilities = torch.sigmoid(outputs.logits.detach().float()).cpu().numpy()
        if probabilities.shape[1] != len(self.emotions):
            raise ValueError(
                f"`outputs` has logits of the shape {probabilities.shape}; allowed is "
                f"(batch, {len(self.emotions)}), one for each of {', '.join(self.emotions)}: give "
                "the processor the model's labels as `emotions`."
            )
        if decoding == "threshold":
            decisions = decode_emotions(probabilities, threshold=threshold)
        elif decoding == "argmax":
            decisions = decode_argmax(logits)
        else:
            decoder = _checked_decoder(decoding, label_set_decoder)
            decisions = decoder(logits)
        valence_arousal = outputs.valence_arousal.detach().float().cpu().tolist()
        return [
            {
                "emotions": [self.emotions[index] for index in np.flatnonzero(decision)],
                "probabilities": dict(zip(self.emotions, row.tolist(), strict=True)),
                "valence": valence,
                "arousal": arousal,
            }
            for decision, row, (valence, arousal) in zip(
                decisions, probabilities, valence_arousal, strict=True
            )
        ]

    def _read_audio(
        self, waveform: Waveform | None, row: int, *, sampling_rate: int | None, resample: bool
    ) -> torch.Tensor:
        """Return the values `(samples,)` of a waveform, none for a missing one."""
        if waveform is None:
            return torch.zeros(0)
        samples = checked_waveform(waveform, row)
        if sampling_rate != self.sampling_rate:
            samples = self._resample(samples, sampling_rate, allowed=resample)
        if len(samples) < self.minimum_samples:
            raise ValueError(
                f"`audio` holds {len(samples)} samples at {self.sampling_rate} Hz in row {row}; "
                f"the speech encoder needs {self.minimum_samples} at least: leave the utterance "
                "out or give None for missing speech."
            )
        extracted = self.feature_extractor(
            samples.numpy(), sampling_rate=self.sampling_rate, return_tensors="np"
        )
        return torch.from_numpy(np.asarray(extracted["input_values"][0], dtype=np.float32))

    def _resample(
        self, samples: torch.Tensor, sampling_rate: int | None, *, allowed: bool
    ) -> torch.Tensor:
        if sampling_rate is None:
            raise ValueError(
                "`sampling_rate` was not given; give the rate of `audio` in Hz, it is not guessed."
            )
        is_whole = isinstance(sampling_rate, int | np.integer) and sampling_rate is not True
        if not is_whole or sampling_rate < 1:
            raise ValueError(
                f"`sampling_rate` is {sampling_rate!r}; allowed is a whole number of Hz from 1 up."
            )
        if not allowed:
            raise ValueError(
                f"`sampling_rate` is {sampling_rate} Hz, but the model reads {self.sampling_rate} "
                "Hz; resample before, or pass `resample=True`."
            )
        import torchaudio

        return torchaudio.functional.resample(samples, int(sampling_rate), self.sampling_rate)

    def _read_text(
        self, text: str | None, row: int, *, context: Sequence[str] = ()
    ) -> torch.Tensor:
        """Return the tokens `(tokens,)` of a transcript, none for a missing one."""
        if text is not None and not isinstance(text, str):
            raise ValueError(
                f"`text` holds {text!r} of type {type(text).__name__} in row {row}; allowed is a "
                "string, or None for missing text."
            )
        if text is None or not text.strip():
            return torch.zeros(0, dtype=torch.int64)
        tokens = self.tokenizer(str(text), truncation=True)["input_ids"]
        return torch.tensor(self._put_before(tokens, context), dtype=torch.int64)

    def _put_before(self, tokens: list[int], context: Sequence[str]) -> list[int]:
        """Return a transcript's tokens behind those of earlier turns, the last of which fit."""
        room = self.tokenizer.model_max_length - len(tokens)
        earlier: list[int] = []
        for turn in context:
            ids = self.tokenizer(turn, add_special_tokens=False)["input_ids"]
            earlier += [*ids, self.end_token_id] if ids else []
        begins = (self.tokenizer.cls_token_id, self.tokenizer.bos_token_id)
        first = 1 if tokens[0] in begins else 0
        return [*tokens[:first], *earlier[max(0, len(earlier) - room) :], *tokens[first:]]


def _checked_decoder(decoding: str, values: dict[str, Any] | None) -> LabelSetDecoder:
    """Return the decoder of label sets, or raise ValueError if it is missing or not asked for."""
    if decoding not in DECODINGS:
        raise ValueError(f"`decoding` is {decoding!r}; allowed is one of {', '.join(DECODINGS)}.")
    if values is None:
        raise ValueError(
            "`decoding` is 'label_sets' and `label_set_decoder` is None; give "
            "`model.config.label_set_decoder`, which a model trained by `train.py` has."
        )
    return LabelSetDecoder.from_dict(values)


def _speech_config(checkpoint: str) -> PretrainedConfig:
    """Return the configuration of the speech encoder in a checkpoint, a KEMER one or another."""
    found, _ = PretrainedConfig.get_config_dict(checkpoint)
    model_type = found.get("model_type")
    if model_type == KemerConfig.model_type:
        config = KemerConfig.from_pretrained(checkpoint).speech_config
        if config is not None:
            return config
    elif model_type in SPEECH_MODEL_TYPES:
        return AutoConfig.from_pretrained(checkpoint)
    raise ValueError(
        f"`speech` is {checkpoint!r}, a checkpoint of type {model_type!r} without a speech "
        f"encoder; allowed are the types {', '.join(SPEECH_MODEL_TYPES)}, and KEMER with speech."
    )


def _has_one_of(names: tuple[str, ...], checkpoint: str) -> bool:
    """Return whether a checkpoint (a folder or a repository of the Hub) has one of the files."""
    return any(has_file(str(checkpoint), name) for name in names)


def _wordless_tokenizer() -> BertTokenizer:
    """Return a tokenizer that knows no word, for a model that reads no text."""
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    vocabulary = {token: index for index, token in enumerate(special)}
    return BertTokenizer(vocabulary, model_max_length=512)


def _checked_names(emotions: Sequence[str]) -> list[str]:
    """Return the names of the emotions as a list, or raise ValueError with what is wrong."""
    names = list(emotions) if isinstance(emotions, list | tuple) else []
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(
            f"`emotions` is {emotions!r}; allowed is a list of names, one at least, in the order "
            "of the model's labels."
        )
    if len(set(names)) != len(names):
        raise ValueError(f"`emotions` names one twice: {names}; allowed are distinct names.")
    return names


KemerProcessor.register_for_auto_class()
