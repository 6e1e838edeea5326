"""Makes the small encoders that ship with the repository, so that the demo learns in minutes.

They are SpeechT5 encoders of the same classes as the published ones, and a wav2vec 2.0 one for the
paper's baseline, with fewer and narrower layers, trained by `train.py` on a synthetic corpus of
their own: 20,160 training utterances whose voices and lines are not the demo's (`lexicon.json`
beside this file). About an hour on two cores; names make only some of them:

    python demo_encoders/make_encoders.py WORK_FOLDER [speech] [text] [wav2vec2]

The folders of these names beside this file are replaced at the end.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from transformers import (
    PreTrainedModel,
    SpeechT5Config,
    SpeechT5FeatureExtractor,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    set_seed,
)
from transformers.models.speecht5.modeling_speecht5 import (
    SpeechT5EncoderWithSpeechPrenet,
    SpeechT5EncoderWithTextPrenet,
)

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from make_tokenizer import make_tokenizer  # noqa: E402 (needs the path above)

from modeling_kemer import KemerModel  # noqa: E402

SESSIONS = 186  # of 120 utterances; 20,160 of them train
FOLDS = 18  # the first one is held out: two voices for the test, two for validation
SEED = 1

SIZES = {
    "hidden_size": 96,
    "conv_dim": [32, 32, 64, 64, 64, 64, 64],  # the first two see most samples, hence cost most
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 8,
}
# A small model on a narrow task forgets little: less noise than the published 0.1.
CHANCE = {
    "hidden_dropout": 0.05,
    "attention_dropout": 0.05,
    "activation_dropout": 0.05,
    "feat_proj_dropout": 0.0,
    "apply_spec_augment": False,
}
FEATURE_EXTRACTORS = {
    "speech": SpeechT5FeatureExtractor,
    "text": SpeechT5FeatureExtractor,
    "wav2vec2": Wav2Vec2FeatureExtractor,
}

# Variants of espeak-ng's Korean voice with a clear pitch; the demo's m1 to m8 and f1 to f5 are not
# among them.
VOICES = (
    "f:Alicia m:Alex f:Annie m:Gene f:aunty m:Gene2 f:belinda m:Denis f:grandma m:Henrique "
    "f:linda m:Hugo f:shelby m:Lee f:steph m:Nguyen f:steph2 m:adam f:steph3 m:benjamin "
    "m:caleb m:ed m:edward m:edward2 m:iven4 m:john m:klatt2 m:klatt3 m:klatt4 m:michel "
    "m:miguel m:norbert m:sandro m:travis m:Diogo m:grandpa"
).split()


def small_encoder(name: str, *, vocabulary: int) -> PreTrainedModel:
    """Return an untrained encoder: the published architecture with 2 layers of 96.

    Args:
        name: `speech`, `text` or `wav2vec2`.
        vocabulary: tokens of the text encoder.
    """
    if name == "wav2vec2":
        return Wav2Vec2Model(
            Wav2Vec2Config(
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=256,
                layerdrop=0.0,
                **SIZES,
                **CHANCE,
            )
        )
    classes = {"speech": SpeechT5EncoderWithSpeechPrenet, "text": SpeechT5EncoderWithTextPrenet}
    return classes[name](
        SpeechT5Config(
            vocab_size=vocabulary,
            encoder_layers=2,
            encoder_attention_heads=4,
            encoder_ffn_dim=256,
            encoder_max_relative_position=160,
            max_text_positions=200,
            max_speech_positions=1000,
            positional_dropout=0.05,
            encoder_layerdrop=0.0,
            **SIZES,
            **CHANCE,
        )
    )


def write_random_encoders(work: Path) -> None:
    """Write untrained encoders with their feature extractor and tokenizer, for `train.py`."""
    set_seed(SEED)
    for name, feature_extractor in FEATURE_EXTRACTORS.items():
        folder = work / "random" / name
        tokenizer = make_tokenizer(folder)
        feature_extractor().save_pretrained(folder)
        small_encoder(name, vocabulary=len(tokenizer)).save_pretrained(folder)


def write_corpus(work: Path) -> None:
    """Write the corpus and build the data set."""
    sample = ["sample", str(work / "corpus"), "--sessions", str(SESSIONS), "--seed", str(SEED)]
    sample += ["--folds", str(FOLDS), "--lexicon", str(HERE / "lexicon.json"), "--voices", *VOICES]
    build = [
        "build",
        str(work / "corpus"),
        "--config",
        "kemdy20",
        "--output",
        str(work / "dataset"),
    ]
    build += [
        "--folds",
        str(FOLDS),
        "--translations",
        str(work / "corpus" / "translations_contextual.jsonl"),
    ]
    for arguments in (sample, build):
        subprocess.run(
            [sys.executable, "-m", "dataset_script", *arguments], check=True, cwd=HERE.parent
        )


def train(work: Path, name: str) -> None:
    """Train one encoder with its heads, in place of an earlier run in the work folder."""
    shutil.rmtree(work / name, ignore_errors=True)
    modality = modality_of(name)
    flags = ["--config", str(HERE / f"{modality}.yaml"), "--dataset", str(work / "dataset")]
    flags += [f"--{modality}_encoder", str(work / "random" / name)]
    flags += ["--output_dir", str(work / name)]
    subprocess.run([sys.executable, "train.py", *flags], check=True, cwd=HERE.parent)


def take_encoder(work: Path, name: str) -> None:
    """Save one trained encoder under its upstream class in this folder."""
    target = HERE / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(work / "random" / name, target)
    model = KemerModel.from_pretrained(work / name / "model")
    encoder = small_encoder(name, vocabulary=len(make_tokenizer(target)))
    encoder.load_state_dict(getattr(model, f"{modality_of(name)}_encoder").state_dict())
    encoder.save_pretrained(target)


def modality_of(name: str) -> str:
    """Return what an encoder reads, `speech` or `text`."""
    return "text" if name == "text" else "speech"


def main() -> None:
    """Run every step."""
    names = sys.argv[2:] or list(FEATURE_EXTRACTORS)
    if len(sys.argv) < 2 or not set(names) <= set(FEATURE_EXTRACTORS):
        choices = " ".join(f"[{name}]" for name in FEATURE_EXTRACTORS)
        sys.exit(f"usage: python demo_encoders/make_encoders.py WORK_FOLDER {choices}")
    work = Path(sys.argv[1]).resolve()
    write_corpus(work)
    write_random_encoders(work)
    for name in names:
        train(work, name)
        take_encoder(work, name)


if __name__ == "__main__":
    main()
