"""Drafts by a translation checkpoint of `transformers` on this machine, the paper's *Translator*.

A checkpoint sees one line at a time; it is the refinement that sees the dialogue. Each line that
occurs is translated once, however often it is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from .dialogues import Dialogue
from .jobs import key_of_draft
from .options import TranslationOptions
from .store import Result, Store, now

BATCH = 32
LONGEST = 256  # tokens of a draft
BEAMS = 4

# Of these a checkpoint knows many languages and has to be told which two are meant.
MULTILINGUAL = ("m2m_100", "mbart", "nllb-moe", "seamless_m4t", "seamless_m4t_v2")


class CheckpointTranslator:
    """A translation checkpoint.

    Args:
        name: folder or repo id.
        languages: codes of source and target language; None for a checkpoint of one pair.

    Raises:
        ValueError: if the checkpoint needs languages that are not given, or has no such languages.
        OSError: if there is no such checkpoint.
    """

    def __init__(self, name: str, *, languages: tuple[str, str] | None) -> None:
        self._model = AutoModelForSeq2SeqLM.from_pretrained(name).eval()
        kind = self._model.config.model_type
        if languages is None and kind in MULTILINGUAL:
            raise ValueError(
                f"`draft` {name!r} is a checkpoint of many languages ({kind}); say which with "
                "`--draft-languages`, such as `kor_Hang eng_Latn`."
            )
        source = {} if languages is None else {"src_lang": languages[0]}
        self._tokenizer = AutoTokenizer.from_pretrained(name, **source)
        self._options: dict[str, int] = {"num_beams": BEAMS, "max_new_tokens": LONGEST}
        if languages is not None:
            code = self._tokenizer.convert_tokens_to_ids(languages[1])
            if code is None or code == self._tokenizer.unk_token_id:
                raise ValueError(
                    f"`draft_languages` names {languages[1]!r}, which {name!r} does not know."
                )
            self._options["forced_bos_token_id"] = code
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model.to(self._device)

    def translate(self, lines: list[str]) -> list[str]:
        """Translate lines, each by itself.

        Args:
            lines: Korean.

        Returns:
            English, in their order.
        """
        inputs = self._tokenizer(lines, return_tensors="pt", padding=True, truncation=True)
        with torch.inference_mode():
            tokens = self._model.generate(**inputs.to(self._device), **self._options)
        return [
            line.strip() for line in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
        ]


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
        drafts = translator.translate([text for _, _, text in batch])
        time = now()
        store.add(
            [
                Result(
                    key=key,
                    step="draft",
                    id=row_id,
                    texts=(draft,) if draft else (),
                    fault=None if draft else "empty: the checkpoint wrote nothing",
                    model=options.draft,
                    run=run,
                    time=time,
                )
                for (key, row_id, _), draft in zip(batch, drafts, strict=True)
            ]
        )
        count += len(batch)
        on_drafted(len(batch))
    return count


def _collect(
    dialogues: Iterable[Dialogue], store: Store, options: TranslationOptions
) -> Iterator[list[tuple[str, str, str]]]:
    """Batches of key, id and line of what has no draft, each line once."""
    batch: dict[str, tuple[str, str, str]] = {}
    for dialogue in dialogues:
        keys = {key_of_draft(turn.text_ko, options): turn for turn in dialogue.spoken}
        for key in keys.keys() - store.find(keys).keys():
            batch.setdefault(key, (key, keys[key].id, keys[key].text_ko))
            if len(batch) == BATCH:
                yield list(batch.values())
                batch = {}
    if batch:
        yield list(batch.values())
