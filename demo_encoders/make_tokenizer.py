"""Makes the demo's tokenizer: one token a character, with SpeechT5's special ids.

`microsoft/speecht5_tts` reads English characters through a SentencePiece model of the type `char`;
this writes one of the same kind from the printable ASCII characters:

    python demo_encoders/make_tokenizer.py OUTPUT_FOLDER
"""

from __future__ import annotations

import io
import string
import sys
from pathlib import Path

import sentencepiece
from transformers import SpeechT5Tokenizer

CHARACTERS = string.ascii_letters + string.digits + string.punctuation
MAX_LENGTH = 200  # characters; the longest line of the demo has 60


def make_tokenizer(directory: Path) -> SpeechT5Tokenizer:
    """Write and return the tokenizer.

    Args:
        directory: the checkpoint's folder, made where it is not there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([f"{character} " for character in CHARACTERS]),
        model_writer=model,
        model_type="char",
        vocab_size=len(CHARACTERS) + 5,  # four special tokens and the word boundary
        character_coverage=1.0,
        normalization_rule_name="identity",  # a table of 240 kB less
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        minloglevel=2,
    )
    vocabulary = directory / "spm_char.model"
    vocabulary.write_bytes(model.getvalue())
    SpeechT5Tokenizer(str(vocabulary), model_max_length=MAX_LENGTH).save_pretrained(directory)
    return SpeechT5Tokenizer.from_pretrained(directory)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python demo_encoders/make_tokenizer.py OUTPUT_FOLDER")
    print(f"{len(make_tokenizer(Path(sys.argv[1])))} tokens: {sys.argv[1]}")
