"""Drafts by a translation checkpoint of `transformers` on this machine, the paper's *Translator*.

A checkpoint sees one line at a time; it is the refinement that sees the dialogue. Each line that
occurs is translated once, however often it is said, and gets the same draft whatever stands beside
it in a batch. Checkpoints of one pair of languages (Marian and the like) and those that are told
which two are meant (M2M100, NLLB, mBART) are both understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from transformers import (
    AutoConfig,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    M2M100Tokenizer,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

from .dialogues import Dialogue
from .jobs import key_of_draft
from .options import TranslationOptions
from .store import Result, Store, now

BATCH = 32  # lines that are translated at once
POOL = 1024  # lines that are sorted by length, so that batches have little padding
LONGEST = 256  # tokens of a draft
BEAMS = 4

# Of these a checkpoint knows many languages and has to be told which two are meant.
MULTILINGUAL = ("m2m_100", "mbart", "nllb-moe")
# These are called in another way.
UNKNOWN = ("seamless_m4t", "seamless_m4t_v2")


@dataclass(frozen=True)
class Draft:
    """What a checkpoint made of a line.

    Attributes:
        text: the draft; "" if there is none.
        fault: why there is none; None if there is.
    """

    text: str
    fault: str | None = None


@dataclass(frozen=True)
class _Line:
    """A line that has no draft yet: its key, the id of one utterance that says it, its text."""

    key: str
    id: str
    text: str


class CheckpointTranslator:
    """A translation checkpoint.

    Args:
        name: folder or repo id.
        languages: codes of source and target language; None for a checkpoint of one pair.

    Raises:
        ValueError: if the checkpoint does not translate, needs languages that are not given, or
            has no such languages.
        OSError: if there is no such checkpoint.
    """

    def __init__(self, name: str, *, languages: tuple[str, str] | None) -> None:
        # Checked before the weights are read, which may be many GB.
        config = AutoConfig.from_pretrained(name)
        _check_kind(name, config.model_type, languages)
        self._tokenizer = AutoTokenizer.from_pretrained(name)
        self._options = {"num_beams": BEAMS, "max_new_tokens": LONGEST}
        if languages is not None:
            tokens = [_find_language(self._tokenizer, code, name) for code in languages]
            self._tokenizer.src_lang = languages[0]
            self._options["forced_bos_token_id"] = tokens[1]
        # In full precision whatever the checkpoint was saved in: padding then changes no draft.
        model = AutoModelForSeq2SeqLM.from_pretrained(name, dtype=torch.float32)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = model.eval().to(self._device)
        # Saved with many checkpoints; `max_new_tokens` stands, and saying both is warned of.
        self._model.generation_config.max_length = None
        positions = config.to_dict().get(
            "max_position_embeddings", self._tokenizer.model_max_length
        )
        self._longest_line = min(positions, self._tokenizer.model_max_length)

    def translate(self, lines: list[str]) -> list[Draft]:
        """Translate lines, each by itself.

        Args:
            lines: Korean.

        Returns:
            A draft of each, in their order.
        """
        encoded = self._tokenizer(lines).input_ids
        fitting = [n for n, tokens in enumerate(encoded) if len(tokens) <= self._longest_line]
        drafts = [
            Draft("", f"long: {len(tokens)} tokens; the checkpoint reads {self._longest_line}")
            for tokens in encoded
        ]
        if fitting:
            inputs = self._tokenizer.pad(
                {"input_ids": [encoded[n] for n in fitting]}, return_tensors="pt"
            )
            with torch.inference_mode():
                tokens = self._model.generate(**inputs.to(self._device), **self._options)
            for n, written in zip(fitting, tokens, strict=True):
                drafts[n] = self._read(written)
        return drafts

    def _read(self, tokens: torch.Tensor) -> Draft:
        """Read the tokens `(length,)` of one draft."""
        if len(tokens) > LONGEST and tokens[LONGEST] != self._tokenizer.pad_token_id:
            return Draft("", f"length: the checkpoint did not end within {LONGEST} tokens")
        # Before the draft: where the decoder starts, and the language, which M2M100 does not skip.
        start = 1 + ("forced_bos_token_id" in self._options)
        text = self._tokenizer.decode(tokens[start:], skip_special_tokens=True)
        text = " ".join(text.split())
        return Draft(text) if text else Draft("", "empty: the checkpoint wrote nothing")


def write_drafts(
    dialogues: Iterable[Dialogue],
    store: Store,
    options: TranslationOptions,
    *,
    run: str,
    load: Callable[..., CheckpointTranslator] = CheckpointTranslator,
    on_drafted: Callable[[int], None] = lambda count: None,
) -> int:
    """Draft every line that the store has no draft of.

    Args:
        dialogues: the dialogues.
        store: takes the drafts.
        options: the checkpoint.
        run: name of this run.
        load: makes the translator; only called if there is something to draft.
        on_drafted: called with the number of lines after each batch.

    Returns:
        How many lines were drafted.
    """
    translator: CheckpointTranslator | None = None
    count = 0
    for batch in _collect(dialogues, store, options):
        translator = translator or load(options.draft, languages=options.draft_languages)
        drafts = translator.translate([line.text for line in batch])
        time = now()
        store.add(
            [
                Result(
                    key=line.key,
                    step="draft",
                    id=line.id,
                    texts=() if draft.fault else (draft.text,),
                    fault=draft.fault,
                    model=options.draft,
                    run=run,
                    time=time,
                )
                for line, draft in zip(batch, drafts, strict=True)
            ]
        )
        count += len(batch)
        on_drafted(len(batch))
    return count


def _check_kind(name: str, kind: str, languages: tuple[str, str] | None) -> None:
    """Refuse what does not translate, and languages that are missing or of no use."""
    if kind in UNKNOWN or kind not in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        raise ValueError(
            f"`draft` {name!r} is of the kind {kind!r}, which cannot be used to draft; give a "
            "translation checkpoint, such as one of Marian, M2M100, NLLB or mBART."
        )
    if languages is None and kind in MULTILINGUAL:
        raise ValueError(
            f"`draft` {name!r} is a checkpoint of many languages ({kind}); say which with "
            "`--draft-languages`, such as `kor_Hang eng_Latn`."
        )
    if languages is not None and kind not in MULTILINGUAL:
        raise ValueError(
            f"`draft_languages` is {' '.join(languages)!r} and `draft` {name!r} is a checkpoint of "
            f"one pair ({kind}); leave `--draft-languages` out."
        )


def _find_language(tokenizer: PreTrainedTokenizerBase, code: str, name: str) -> int:
    """Token that stands for a language."""
    if isinstance(tokenizer, M2M100Tokenizer):  # "en" is a piece of words, too; "__en__" is meant
        known = {one: tokenizer.get_lang_id(one) for one in tokenizer.lang_code_to_token}
    else:
        tokens = [one for one in tokenizer.all_special_tokens if one[:2].islower()]
        known = dict(zip(tokens, tokenizer.convert_tokens_to_ids(tokens), strict=True))
    if code not in known:
        alike = sorted(one for one in known if one[:2] == code[:2]) or sorted(known)[:5]
        raise ValueError(
            f"`draft_languages` names {code!r}, which {name!r} does not know; its codes are like "
            f"{', '.join(alike)}."
        )
    return known[code]


def _collect(
    dialogues: Iterable[Dialogue], store: Store, options: TranslationOptions
) -> Iterator[list[_Line]]:
    """Batches of lines without a draft, each line once, those of like length together."""
    pool: dict[str, _Line] = {}
    for dialogue in dialogues:
        lines = [
            _Line(key_of_draft(turn.text_ko, options), turn.id, turn.text_ko)
            for turn in dialogue.spoken
        ]
        known = store.find(line.key for line in lines)
        for line in lines:
            if line.key not in known:
                pool.setdefault(line.key, line)
        if len(pool) >= POOL:
            yield from _divide(pool.values())
            pool = {}
    yield from _divide(pool.values())


def _divide(lines: Iterable[_Line]) -> Iterator[list[_Line]]:
    ordered = sorted(lines, key=lambda line: len(line.text))
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]
