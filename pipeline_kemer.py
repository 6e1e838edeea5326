"""One call from a recording and its transcript to emotions: `pipeline(model=..., ...)`.

transformers finds it through `custom_pipelines` in a checkpoint's configuration; it travels with
every checkpoint. Files of any format are read with ffmpeg, which has to be installed for that.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import Pipeline
from transformers.pipelines.audio_utils import ffmpeg_read

TASK = "dialogue-emotion-recognition"
"""What the pipeline is called where a task has to be named."""

CUSTOM_PIPELINES = {
    TASK: {
        "impl": "pipeline_kemer.KemerPipeline",
        "pt": ["AutoModel"],
        "tf": [],
        "type": "multimodal",
    }
}
"""What a checkpoint's configuration says, so that `pipeline` finds this file."""

HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
KEYS = ("audio", "array", "raw", "sampling_rate", "text", "context")


class KemerPipeline(Pipeline):
    """Hears and reads utterances, and answers with emotions, valence and arousal.

    An utterance is a dict with `audio` (a path, the bytes of a file, or a dict with `array` and
    `sampling_rate` in Hz), `text`, or both, and `context`, the turns before it, for models trained
    with them; `array` and `sampling_rate` may stand beside `text`, too. A path alone is `audio`
    alone. What is left out is a missing modality. A list gives a list; `batch_size` says how many
    are answered at once, which changes no answer.

    Args:
        translator: what turns Korean into the language that the model reads: a function from text
            to text, or a translation pipeline of transformers. Without one, Korean is refused
            where the model's tokenizer does not know it.
        decoding: `threshold`, `argmax` or `label_sets` (`KemerProcessor.post_process`).
        threshold: in [0, 1], for `threshold`.

    Returns:
        for each utterance a dict with `emotions`, `probabilities`, `valence` and `arousal`.

    Raises:
        ValueError: if an utterance is not what is described above.
    """

    _load_processor = True
    _load_image_processor = False
    _load_feature_extractor = False
    _load_tokenizer = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The library's batching asks these how to pad.
        self.tokenizer = self.processor.tokenizer
        self.feature_extractor = self.processor.feature_extractor

    def _sanitize_parameters(
        self,
        translator: Callable[[str], Any] | None = None,
        decoding: str | None = None,
        threshold: float | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Sort the arguments by the step that they are for."""
        reading = {} if translator is None else {"translator": translator}
        telling = {"decoding": decoding, "threshold": threshold}
        return reading, {}, {name: value for name, value in telling.items() if value is not None}

    def preprocess(
        self, utterance: Any, translator: Callable[[str], Any] | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the model's inputs for one utterance, with every modality that the model has."""
        given = _as_dict(utterance)
        audio, rate = self._listen(given)
        text = self._read(given.get("text"), translator)
        hears = self.model.config.speech_config is not None
        reads = self.model.config.text_config is not None
        if not (hears and audio is not None) and not (reads and text is not None):
            wanted = " or ".join(["`audio`"] * hears + ["`text`"] * reads)
            raise ValueError(f"the utterance has no {wanted} for this model; give what it takes.")
        arguments: dict[str, Any] = {}
        if hears:
            arguments |= {"audio": [audio], "sampling_rate": rate, "resample": True}
        if reads:
            arguments |= {"text": [text], "context": [given.get("context") or []]}
        return dict(self.processor(**arguments))

    def _forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the model's answers to a batch."""
        output = self.model(**inputs)
        return {"logits": output.logits, "valence_arousal": output.valence_arousal}

    def postprocess(self, outputs: dict[str, torch.Tensor], **decoding: Any) -> dict[str, Any]:
        """Say the answer to one utterance in words."""
        if decoding.get("decoding") == "label_sets":
            decoding["label_set_decoder"] = self.model.config.label_set_decoder
        return self.processor.post_process(SimpleNamespace(**outputs), **decoding)[0]

    def _listen(self, given: dict[str, Any]) -> tuple[np.ndarray | None, int | None]:
        """Return the waveform of an utterance and its rate, None for a missing one."""
        audio = given.get("audio")
        if audio is None and ("array" in given or "raw" in given):
            audio = {name: given[name] for name in KEYS[1:4] if name in given}
        if audio is None:
            return None, self.processor.sampling_rate
        if isinstance(audio, str | Path):
            path = Path(audio)
            if not path.is_file():
                raise ValueError(f"`audio` is {str(audio)!r}, which is no file here; download it.")
            audio = path.read_bytes()
        if isinstance(audio, bytes | bytearray):
            rate = self.processor.sampling_rate
            return ffmpeg_read(bytes(audio), rate), rate
        if isinstance(audio, np.ndarray) and "sampling_rate" in given:
            return audio, given["sampling_rate"]
        # A decoded row of `datasets` is no dict, but is read like one.
        if isinstance(audio, Mapping) or hasattr(audio, "get_all_samples"):
            name = "raw" if isinstance(audio, Mapping) and "raw" in audio else "array"
            return np.asarray(audio[name]), int(audio["sampling_rate"])
        raise ValueError(
            f"`audio` is of type {type(audio).__name__}; allowed is a path, the bytes of a file, "
            "or a dict with `array` and `sampling_rate`."
        )

    def _read(self, text: Any, translator: Callable[[str], Any] | None) -> str | None:
        """Return the text that the model reads, None for a missing one."""
        if text is None or not isinstance(text, str) or not HANGUL.search(text):
            return text
        if translator is not None:
            return _translation(translator(text), text)
        if self.model.config.text_config is None or not is_korean_to(self.tokenizer, text):
            return text
        raise ValueError(
            f"`text` is {text!r}, but this model does not read Korean; give its translation, or "
            "`translator=...`, a function from Korean to the language that the model reads."
        )


def is_korean_to(tokenizer: Any, text: str) -> bool:
    """Return whether a text has Korean letters that a tokenizer does not know."""
    if not HANGUL.search(text):
        return False
    return tokenizer.unk_token_id in tokenizer(text, add_special_tokens=False)["input_ids"]


def _as_dict(utterance: Any) -> dict[str, Any]:
    """Return an utterance as a dict of what is known of it."""
    if isinstance(utterance, str | Path | bytes | bytearray):
        return {"audio": utterance}
    if not isinstance(utterance, Mapping):
        raise ValueError(
            f"the utterance is of type {type(utterance).__name__}; allowed is a dict with `audio` "
            "and `text`, or the path of a recording."
        )
    unknown = [name for name in utterance if name not in KEYS]
    if unknown:
        raise ValueError(
            f"the utterance has the unknown key {unknown[0]!r}; allowed are {', '.join(KEYS)}."
        )
    return dict(utterance)


def _translation(found: Any, text: str) -> str:
    """Return what a translator gave: a text, or what a translation pipeline makes of it."""
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], Mapping):
        found = found[0].get("translation_text")
    if not isinstance(found, str) or not found.strip():
        raise ValueError(
            f"`translator` gave {found!r} for {text!r}; it has to give the translation as a text."
        )
    return found
