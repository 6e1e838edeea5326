"""What a run is told of its model: encoders, fusion, and what of them is trained.

`arguments` joins it with the other data classes; `initialisation` builds the model that it says.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
    meta_attention_heads: int = field(
        default=8, metadata={"help": "Heads of the self-attention over both modalities."}
    )
    meta_attention_dropout: float = field(
        default=0.1, metadata={"help": "Dropout of the meta-attention, in [0, 1)."}
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
        if self.from_scratch:
            # What is drawn at random has to learn.
            self.freeze_speech_encoder = self.freeze_text_encoder = False
            self.freeze_feature_encoder = False
