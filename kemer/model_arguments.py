"""What a run is told of its model: encoders, fusion, and what of them is trained.

`arguments` joins it with the other data classes; `initialisation` builds the model that it says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from configuration_kemer import FUSIONS


@dataclass
class ModelArguments:
    """Which encoders, how they are joined, and what of them is trained."""

    speech_encoder: str | None = field(
        default=None,
        metadata={
            "help": "Checkpoint of the speech encoder (folder or repo id); `none`: text only."
        },
    )
    text_encoder: str | None = field(
        default=None,
        metadata={
            "help": "Checkpoint of the text encoder (folder or repo id); `none`: speech only."
        },
    )
    from_scratch: bool = field(
        default=False,
        metadata={
            "help": "Keep the encoders' architecture but draw their weights at random; nothing is "
            "frozen then."
        },
    )
    freeze_speech_encoder: bool = field(
        default=False, metadata={"help": "Keep the speech encoder as it is (paper, stage 2)."}
    )
    freeze_text_encoder: bool = field(
        default=False, metadata={"help": "Keep the text encoder as it is (paper, stage 2)."}
    )
    freeze_feature_encoder: bool = field(
        default=True,
        metadata={"help": "Keep the speech encoder's convolutions as they are, as the paper did."},
    )
    lora_rank: int = field(
        default=0,
        metadata={
            "help": "Rank of the low-rank updates (LoRA) that encoders learn in place of their own "
            "weights; 0 trains the weights. The saved model holds the sum, and needs no LoRA."
        },
    )
    lora_alpha: float = field(
        default=16.0, metadata={"help": "The updates are scaled by this over their rank."}
    )
    lora_dropout: float = field(
        default=0.0, metadata={"help": "Dropout of what the updates read, in [0, 1)."}
    )
    fusion: str = field(
        default="meta_attention",
        metadata={
            "help": "How speech and text become one: `meta_attention` (the paper's), or `late`: "
            "the mean of each, side by side.",
            "choices": list(FUSIONS),
        },
    )
    meta_attention_heads: int = field(
        default=8, metadata={"help": "Heads of the self-attention over both modalities."}
    )
    meta_attention_dropout: float = field(
        default=0.1, metadata={"help": "Dropout of the meta-attention, in [0, 1)."}
    )
    modality_dropout: float = field(
        default=0.0,
        metadata={
            "help": "Share of training utterances, in [0, 1), that lose speech or text, so that "
            "the model learns to answer with one alone; each is then scored, too."
        },
    )
    valence_arousal_loss_weight: float = field(
        default=1.0, metadata={"help": "Factor of the valence/arousal error beside the emotions'."}
    )

    def __post_init__(self) -> None:
        # The command line has no null.
        self.speech_encoder = None if self.speech_encoder == "none" else self.speech_encoder
        self.text_encoder = None if self.text_encoder == "none" else self.text_encoder
        if self.speech_encoder is None and self.text_encoder is None:
            raise ValueError(
                "`speech_encoder` and `text_encoder` are both missing; name one of them at least."
            )
        self._check_lora()
        if self.from_scratch:
            # What is drawn at random has to learn.
            self.freeze_speech_encoder = self.freeze_text_encoder = False
            self.freeze_feature_encoder = False

    def _check_lora(self) -> None:
        if self.lora_rank < 0:
            raise ValueError(f"`lora_rank` is {self.lora_rank}; allowed is 0 (no LoRA) or more.")
        if self.lora_alpha <= 0 or not 0 <= self.lora_dropout < 1:
            raise ValueError(
                f"`lora_alpha` is {self.lora_alpha} and `lora_dropout` {self.lora_dropout}; "
                "allowed are a number above 0 and one in [0, 1)."
            )
        if self.lora_rank == 0:
            return
        if self.from_scratch:
            raise ValueError(
                f"`lora_rank` is {self.lora_rank} and `from_scratch` is true, but LoRA leaves the "
                "encoders' own weights as they are, at random then; leave one of the two out."
            )
        learns = [
            self.speech_encoder is not None and not self.freeze_speech_encoder,
            self.text_encoder is not None and not self.freeze_text_encoder,
        ]
        if not any(learns):
            raise ValueError(
                f"`lora_rank` is {self.lora_rank}, but every encoder is frozen; set "
                "`freeze_speech_encoder` or `freeze_text_encoder` to false, or leave LoRA out."
            )
