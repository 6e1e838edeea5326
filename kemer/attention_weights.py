"""What the meta-attention looks at in one utterance: frames of speech in seconds, and words.

For `python -m kemer.attention`; `attention_figure` draws what is computed here. The weights are
means over heads. They say where the layer that joins both modalities takes its input from; they
don't say which part of it decided on the answer (Jain and Wallace, "Attention is not Explanation",
2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from configuration_kemer import receptive_field
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor

WORD_MARKS = ("▁", "Ġ")
"""What begins a word in SentencePiece and in byte-level BPE."""

CONTINUES = "##"
"""What goes on with a word in WordPiece."""


@dataclass(frozen=True)
class AttentionWeights:
    """The meta-attention's weights for one utterance, means over heads.

    Attributes:
        seconds: (frames,) middle of what each frame of speech hears, in seconds.
        words: the words that are read, and special tokens, in their order.
        frame_weights: (frames,) what each frame is given, mean over all positions that look.
        word_weights: (words,) the same for the tokens of each word, summed; together with
            `frame_weights` the sum is 1.
        text_to_speech: (words, frames) what each frame is given by a word, mean over its tokens.
        speech_to_text: (frames, words) what the tokens of a word are given by a frame, summed.
        tokens: (words,) number of tokens of each word.
    """

    seconds: np.ndarray
    words: list[str]
    frame_weights: np.ndarray
    word_weights: np.ndarray
    text_to_speech: np.ndarray
    speech_to_text: np.ndarray
    tokens: np.ndarray

    @property
    def positions(self) -> int:
        """How many frames and tokens share the attention."""
        return len(self.seconds) + int(self.tokens.sum())

    @property
    def speech_share(self) -> float:
        """What all of speech is given, in [0, 1]."""
        return float(self.frame_weights.sum())

    @property
    def speech_positions(self) -> float:
        """Share of the positions that are speech: what it would be given if all were equal."""
        return len(self.seconds) / self.positions

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers."""
        return {
            "speech_share": self.speech_share,
            "speech_positions": self.speech_positions,
            "seconds": self.seconds.tolist(),
            "frame_weights": self.frame_weights.tolist(),
            "words": list(self.words),
            "tokens": self.tokens.tolist(),
            "word_weights": self.word_weights.tolist(),
            "text_to_speech": self.text_to_speech.tolist(),
            "speech_to_text": self.speech_to_text.tolist(),
        }


@torch.no_grad()
def attend(
    model: KemerModel,
    processor: KemerProcessor,
    samples: np.ndarray,
    text: str | None,
    *,
    sampling_rate: int,
) -> AttentionWeights:
    """Let a model hear and read one utterance, and return where its meta-attention looked.

    Args:
        model: in evaluation mode, with a meta-attention.
        processor: the model's.
        samples: (samples,) floating point in [-1, 1].
        text: its transcript; None where it is not known: there are no words then.
        sampling_rate: of the samples, in Hz; another than the model's is resampled.

    Raises:
        ValueError: if the model has no meta-attention, or there is nothing to hear or to read.
    """
    if model.meta_attention is None:
        raise ValueError(
            "the model has no meta-attention (one modality, or late fusion); name one that has."
        )
    if text is not None and not text.strip():
        raise ValueError(f"`text` is {text!r}; give what was said.")
    inputs = processor(audio=samples, text=text, sampling_rate=sampling_rate, resample=True)
    inputs = {name: value.to(model.device) for name, value in inputs.items()}
    attentions = model(**inputs, output_attentions=True).attentions
    weights = attentions[0].float().mean(dim=0).cpu().numpy()  # (positions, positions)
    tokens = inputs["input_ids"][0].tolist() if text is not None else []
    frames = weights.shape[0] - len(tokens)
    words, groups = group_words(processor.tokenizer, tokens)
    received = weights.mean(axis=0)
    speech = model.config.speech_config
    hop = math.prod(speech.conv_stride)
    middle = np.arange(frames) * hop + receptive_field(speech) / 2
    text_rows = [[frames + token for token in group] for group in groups]
    return AttentionWeights(
        seconds=middle / processor.sampling_rate,
        words=words,
        frame_weights=received[:frames],
        word_weights=np.array([received[rows].sum() for rows in text_rows]),
        text_to_speech=np.array(
            [weights[rows, :frames].mean(axis=0) for rows in text_rows]
        ).reshape(-1, frames),
        speech_to_text=np.array([weights[:frames, rows].sum(axis=1) for rows in text_rows])
        .reshape(-1, frames)
        .T,
        tokens=np.array([len(group) for group in groups]),
    )


def group_words(tokenizer: Any, ids: Sequence[int]) -> tuple[list[str], list[list[int]]]:
    """Put the tokens of a text together to words.

    Args:
        tokenizer: of a checkpoint.
        ids: of the tokens.

    Returns:
        the words, and for each the places of its tokens; a special token stands by itself.
    """
    tokens = tokenizer.convert_ids_to_tokens(list(ids))
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    has_marks = any(token.startswith(WORD_MARKS) for token in tokens)
    words: list[str] = []
    groups: list[list[int]] = []
    goes_on = False
    for place, (token, number) in enumerate(zip(tokens, ids, strict=True)):
        if number in special:
            begins = True
        elif has_marks:
            begins = token.startswith(WORD_MARKS) or not goes_on
        else:
            begins = not (token.startswith(CONTINUES) and goes_on)
        bare = token.removeprefix(CONTINUES).lstrip("".join(WORD_MARKS))
        if begins:
            words.append(token if number in special else bare)
            groups.append([place])
        else:
            words[-1] += bare
            groups[-1].append(place)
        goes_on = number not in special
    return words, groups
