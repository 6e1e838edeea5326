"""The dataset builder: records of a corpus become rows with features.

Use it directly, since current versions of `datasets` run no loading scripts:

    builder = Kemdy(config_name="kemdy20", data_dir="KEMDy20_v1_2")
    builder.download_and_prepare()
    dataset = builder.as_dataset(split="train")

`release.py` writes its rows as a folder that `load_dataset` reads. Versions of `datasets` before 4
can load this file as a script: they copy only the siblings that it imports itself, so it imports
all that those need, and they take a comment behind such an import for an address.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import datasets

from .annotations import Annotation
from .archive import open_files
from .audio import WavFacts
from .clusters import ScriptClusters, find_scripts
from .corpus import open_corpus
from .discovery import find_annotation_files
from .files import fingerprint_file
from .layout import EMOTIONS, PAGES, ROLES, SAMPLING_RATE, name_style
from .pairing import pair_rows
from .pairs import read_pairs
from .ratings import Ratings
from .records import KemdyCorpus, Record, check_role
from .repairs import find_unused_wav
from .report import BuildReport, CorpusError
from .tables import read_table
from .transcripts import clean_transcript
from .translation_file import TranslationFile, load_translations

# Not used here: what the siblings need is copied only if this file imports it.
COPIED_ALONG = (find_annotation_files, find_unused_wav, pair_rows, read_pairs, read_table)

FEATURES = datasets.Features(
    {
        "id": datasets.Value("string"),
        "corpus": datasets.Value("string"),
        "session": datasets.Value("int32"),
        "dialogue": datasets.Value("string"),
        "turn": datasets.Value("int32"),
        "speaker": datasets.Value("string"),
        "gender": datasets.Value("string"),
        "audio": datasets.Audio(sampling_rate=SAMPLING_RATE),
        "duration": datasets.Value("float32"),
        "text_ko": datasets.Value("string"),
        "text_ko_raw": datasets.Value("string"),
        "text_en": datasets.Value("string"),
        "text_en_variants": datasets.Sequence(datasets.Value("string")),
        "emotions": datasets.Sequence(datasets.ClassLabel(names=list(EMOTIONS))),
        "emotion_votes": datasets.Sequence(datasets.Value("float32"), length=len(EMOTIONS)),
        "valence": datasets.Value("float32"),
        "arousal": datasets.Value("float32"),
        "valence_std": datasets.Value("float32"),
        "arousal_std": datasets.Value("float32"),
        "is_silent": datasets.Value("bool"),
        "style": datasets.Value("string"),
        "script": datasets.Value("string"),
        "is_scripted": datasets.Value("bool"),
        "role": datasets.Value("string"),
    }
)

VERSION = datasets.Version("1.0.0")

DESCRIPTIONS = {
    "kemdy19": "KEMDy19: scripts and improvisations of 40 voice actors, rated by ten listeners.",
    "kemdy20": "KEMDy20: free talk of 80 lay adults, rated by ten listeners.",
}


@dataclass
class KemdyConfig(datasets.BuilderConfig):
    """What of a corpus becomes rows.

    Attributes:
        translations: JSON Lines file of `{"id", "text_en"}`; None leaves `text_en` empty.
        require_translations: refuse to build where a row with Korean text has no English.
        keep_markers: leave transcribers' marks such as `l/` (laughter) in `text_ko`.
        role: whose emotion the labels describe: `speaker`, or for `kemdy19` `listener`.
        script_groups: CSV file that says which script each dialogue plays; None finds it in the
            transcripts.
    """

    translations: str | None = None
    require_translations: bool = False
    keep_markers: bool = False
    role: str = ROLES[0]
    script_groups: str | None = None

    def create_config_id(
        self, config_kwargs: dict[str, Any], custom_features: datasets.Features | None = None
    ) -> str:
        """Name the cache folder by what the files hold, not only by where they are.

        Otherwise a corpus, a translation or a script group that changed on disk would silently give
        the old rows.
        """
        contents = dict(config_kwargs)
        if self.data_dir is not None:
            contents["corpus_fingerprint"] = open_files(self.data_dir).fingerprint()
        for name in ("translations", "script_groups"):
            if getattr(self, name) is not None:
                contents[f"{name}_fingerprint"] = fingerprint_file(getattr(self, name))
        return super().create_config_id(contents, custom_features)


class Kemdy(datasets.GeneratorBasedBuilder):
    """Rows of one KEMDy corpus in one split, `train`; the folds are data of their own.

    Attributes:
        report: counts and problems of the build; empty where the rows came out of the cache.
        scripts: which script each dialogue plays; None where the rows came out of the cache.
    """

    VERSION = VERSION
    DEFAULT_WRITER_BATCH_SIZE = 100  # rows held in memory, with their audio
    BUILDER_CONFIG_CLASS = KemdyConfig
    BUILDER_CONFIGS = [
        KemdyConfig(name=name, version=VERSION, description=description)
        for name, description in DESCRIPTIONS.items()
    ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"dataset_name": "kemdy", **kwargs})
        check_role(self.config.name, self.config.role)
        self.report = BuildReport(self.config.name)
        self.scripts: ScriptClusters | None = None

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=self.config.description,
            features=FEATURES,
            homepage=PAGES[self.config.name],
        )

    def _split_generators(
        self, dl_manager: datasets.DownloadManager
    ) -> list[datasets.SplitGenerator]:
        config = self.config
        if config.data_dir is None:
            raise CorpusError(
                "`data_dir` is missing; give the folder or zip of the corpus, which ETRI "
                "hands out on application and nothing downloads."
            )
        options = {"keep_markers": config.keep_markers, "role": config.role}
        self.report = BuildReport(config.name, options)
        folder = open_files(config.data_dir)
        corpus = open_corpus(config.name, folder, self.report, role=config.role)
        self.scripts = find_scripts(corpus.join_dialogues(), groups=config.script_groups)
        self.report.scripts = self.scripts.to_dict()
        translations = self._load_translations(corpus)
        split = datasets.SplitGenerator(
            name=datasets.Split.TRAIN, gen_kwargs={"corpus": corpus, "translations": translations}
        )
        split.split_info.num_examples = len(corpus.annotations)  # the total of the progress bar
        return [split]

    def _load_translations(self, corpus: KemdyCorpus) -> TranslationFile | None:
        """Read the translations, and refuse a lack of them before any recording is read."""
        config = self.config
        if config.translations is None:
            if config.require_translations:
                raise CorpusError(
                    "`require_translations` is true and `translations` is missing; name the file."
                )
            return None
        translations = load_translations(
            config.translations,
            corpus=config.name,
            known={f"{config.name}/{row.segment_id}" for row in corpus.annotations},
            report=self.report,
        )
        self.report.translation = translations.describe()
        if config.require_translations:
            spoken = [
                f"{config.name}/{annotation.segment_id}"
                for annotation, transcript in corpus.read_transcripts()
                if clean_transcript(transcript)
            ]
            translations.refuse_missing(spoken)
        return translations

    def _generate_examples(
        self, corpus: KemdyCorpus, translations: TranslationFile | None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        for record in corpus:
            row = self._make_row(record, translations)
            self.report.count_row(row, record.annotation.ratings.emotions)
            # Of a text of nothing but marks there is nothing to translate, kept or not.
            if clean_transcript(record.transcript) and not row["text_en"]:
                self.report.missing_translations += 1
                if translations is not None:
                    translations.report_missing(record.annotation, self.report)
            yield row["id"], row
        if self.report.rows_out == 0:
            first = next(problem for problem in self.report.problems if problem.rows_dropped)
            raise CorpusError(
                f"No row of {self.config.data_dir!r} is usable; the first problem is "
                f"{first.place}: {first.message}."
            )

    def _make_row(self, record: Record, translations: TranslationFile | None) -> dict[str, Any]:
        annotation: Annotation = record.annotation
        ratings: Ratings = annotation.ratings
        facts: WavFacts = record.facts
        row_id = f"{self.config.name}/{annotation.segment_id}"
        text_en, variants = ("", []) if translations is None else translations.find_texts(row_id)
        script, is_scripted = self.scripts.label((annotation.session, annotation.dialogue))
        return {
            "id": row_id,
            "corpus": self.config.name,
            "session": annotation.session,
            "dialogue": annotation.dialogue,
            "turn": annotation.turn,
            "speaker": f"{self.config.name}/{annotation.speaker}",
            "gender": annotation.gender,
            "audio": {"bytes": record.wav, "path": f"{row_id}.wav"},
            "duration": facts.duration,
            "text_ko": clean_transcript(record.transcript, keep_markers=self.config.keep_markers),
            "text_ko_raw": record.transcript,
            "text_en": text_en,
            "text_en_variants": variants,
            "emotions": list(ratings.emotions),
            "emotion_votes": [count / sum(ratings.votes) for count in ratings.votes],
            "valence": ratings.valence,
            "arousal": ratings.arousal,
            "valence_std": ratings.valence_std,
            "arousal_std": ratings.arousal_std,
            "is_silent": facts.is_silent,
            "style": name_style(self.config.name, annotation.dialogue),
            "script": script,
            "is_scripted": is_scripted,
            "role": self.config.role,
        }
