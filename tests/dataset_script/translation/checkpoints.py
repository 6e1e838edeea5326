"""Translation checkpoints of a few thousand weights, taught a few lines, for the tests."""

from __future__ import annotations

import json
from pathlib import Path

import sentencepiece
import torch
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
    PreTrainedModel,
)

TAUGHT = {
    "네": "Yes.",
    "바다에 가자고 했잖아": "You said we would go to the sea.",
    "어머니를 구했는데 그 친구가 방을 봤대": "Saved my mother, but he saw the room.",
    "왜 울어": "Why do you cry?",
    "괜찮아": "It is fine.",
    "음": "",
}
"""What the checkpoints learn; of the last line they write nothing."""

SIZES = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 300,
    "dropout": 0.0,
}


def write_marian(folder: Path) -> Path:
    """A checkpoint of one pair of languages."""
    folder.mkdir()
    pieces = _train_pieces(folder / "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    vocabulary = ["</s>", "<unk>", *pieces, "<pad>"]
    _write_vocabulary(folder / "vocab.json", vocabulary)
    tokenizer = MarianTokenizer(
        source_spm=str(folder / "source.spm"),
        target_spm=str(folder / "target.spm"),
        vocab=str(folder / "vocab.json"),
        model_max_length=300,
    )
    pad = len(vocabulary) - 1
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=len(vocabulary),
        pad_token_id=pad,
        eos_token_id=0,
        decoder_start_token_id=pad,
        forced_eos_token_id=0,
        **SIZES,
    )
    model = MarianMTModel(config)
    _teach(model, tokenizer(list(TAUGHT)), tokenizer(text_target=list(TAUGHT.values())))
    model.generation_config.max_length = 300
    model.generation_config.bad_words_ids = [[pad]]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_m2m100(folder: Path) -> Path:
    """A checkpoint of many languages."""
    folder.mkdir()
    pieces = _train_pieces(folder / "pieces.model")
    # A piece of words that is written like the code of a language.
    _write_vocabulary(folder / "pieces.json", ["<s>", "<pad>", "</s>", "<unk>", *pieces, "en"])
    tokenizer = M2M100Tokenizer(
        vocab_file=str(folder / "pieces.json"),
        spm_file=str(folder / "pieces.model"),
        src_lang="ko",
        tgt_lang="en",
        model_max_length=300,
    )
    torch.manual_seed(0)
    languages = len(tokenizer.lang_code_to_token) + tokenizer.num_madeup_words
    config = M2M100Config(vocab_size=len(pieces) + 5 + languages, **SIZES)
    model = M2M100ForConditionalGeneration(config)
    _teach(model, tokenizer(list(TAUGHT)), tokenizer(text_target=list(TAUGHT.values())))
    # Left behind as another pair, so that only the options can set the languages.
    tokenizer.src_lang, tokenizer.tgt_lang = "fr", "de"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _train_pieces(path: Path) -> list[str]:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*TAUGHT, *TAUGHT.values()]),
        model_prefix=str(path.with_suffix("")),
        vocab_size=90,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    trained = path.with_suffix(".model")
    model = sentencepiece.SentencePieceProcessor(model_file=str(trained))
    trained.rename(path)
    return [model.id_to_piece(n) for n in range(3, model.get_piece_size())]  # without <s> and such


def _write_vocabulary(path: Path, pieces: list[str]) -> None:
    path.write_text(json.dumps({piece: n for n, piece in enumerate(pieces)}), encoding="utf-8")


def _teach(model: PreTrainedModel, sources: dict, targets: dict, *, steps: int = 150) -> None:
    def pad(rows: list[list[int]], value: int) -> torch.Tensor:
        longest = max(map(len, rows))
        return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])

    inputs = {
        "input_ids": pad(sources["input_ids"], model.config.pad_token_id),
        "attention_mask": pad(sources["attention_mask"], 0),
        "labels": pad(targets["input_ids"], -100),
    }
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model(**inputs).loss.backward()
        optimizer.step()
    model.eval()
