import json
import math

import datasets
import pytest

from dataset_script.builder import FEATURES, Kemdy
from dataset_script.layout import EMOTIONS
from dataset_script.report import CorpusError

from .corpus_files import make_segments, make_segments19, write_corpus, write_corpus19

COLUMNS = (
    "id corpus session dialogue turn speaker gender audio duration text_ko text_ko_raw text_en "
    "text_en_variants emotions emotion_votes valence arousal valence_std arousal_std is_silent "
    "style script is_scripted role"
).split()


@pytest.fixture
def corpus(tmp_path):
    segments = make_segments(2, turns=1)
    segments[0].text = "l/ 잘했다. "
    segments[0].votes = ("sad",) * 5 + ("neutral",) * 5
    segments[0].ratings = ((1, 2),) * 5 + ((2, 2),) * 5
    return write_corpus(tmp_path / "corpus", segments)


def _build(corpus, cache, *, config="kemdy20", **options):
    builder = Kemdy(config_name=config, data_dir=str(corpus.root), cache_dir=str(cache), **options)
    builder.download_and_prepare()
    dataset = builder.as_dataset(split="train")
    return dataset.cast_column("audio", datasets.Audio(decode=False)), builder


def test_columns_stand_in_their_order():
    assert list(FEATURES) == COLUMNS
    assert FEATURES["emotions"].feature.names == list(EMOTIONS)
    assert FEATURES["audio"].sampling_rate == 16_000


def test_a_row_holds_what_the_corpus_holds(corpus, tmp_path):
    dataset, builder = _build(corpus, tmp_path / "cache")
    row, segment = dataset[0], corpus.segments[0]
    assert row.pop("audio")["bytes"] == corpus.wav(segment).read_bytes()
    assert math.isclose(sum(row.pop("emotion_votes")), 1, rel_tol=1e-6)
    assert row.pop("valence_std") == pytest.approx(0.5)
    assert row == {
        "id": "kemdy20/Sess01_script01_User001F_001",
        "corpus": "kemdy20",
        "session": 1,
        "dialogue": "Sess01_script01",
        "turn": 0,
        "speaker": "kemdy20/Sess01_User001F",
        "gender": "F",
        "duration": pytest.approx(len(segment.samples) / 16_000),
        "text_ko": "잘했다.",
        "text_ko_raw": "l/ 잘했다.",
        "text_en": "",
        "text_en_variants": [],
        "emotions": [EMOTIONS.index("neutral"), EMOTIONS.index("sad")],
        "valence": 1.5,
        "arousal": 2.0,
        "arousal_std": 0.0,
        "is_silent": False,
        "style": "free",
        "script": "single001",
        "is_scripted": False,
        "role": "speaker",
    }
    assert builder.report.rows_out == len(dataset) == len(corpus.segments)
    assert builder.report.emotions == {"neutral": 8, "sad": 1}


def test_votes_stand_in_class_order(corpus, tmp_path):
    dataset, _ = _build(corpus, tmp_path / "cache")
    expected = {"neutral": 0.5, "sad": 0.5}
    assert dataset[0]["emotion_votes"] == [expected.get(emotion, 0.0) for emotion in EMOTIONS]


def test_markers_stay_when_asked_for(corpus, tmp_path):
    dataset, builder = _build(corpus, tmp_path / "cache", keep_markers=True)
    assert dataset[0]["text_ko"] == "l/ 잘했다." and builder.report.options["keep_markers"]


def _write_translations(path, *entries):
    path.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries))
    return str(path)


def test_other_renderings_stand_beside_the_text(corpus, tmp_path):
    ids = [f"kemdy20/{segment.segment_id}" for segment in corpus.segments]
    file = _write_translations(
        tmp_path / "t.jsonl",
        {"id": ids[0], "text_en": "Good.", "text_en_variants": ["Fine.", "Good.", " Nice  one."]},
        {"id": ids[1], "text_en": "Well.", "status": "ok", "flags": ["short"], "model": "m"},
        {"id": ids[2], "text_en": "Half", "status": "failed", "text_en_variants": ["Half done."]},
    )
    dataset, builder = _build(corpus, tmp_path / "cache", translations=file)
    assert dataset["text_en"][:4] == ["Good.", "Well.", "", ""]
    assert dataset["text_en_variants"][:4] == [["Fine.", "Nice one."], [], [], []]
    assert builder.report.translation["models"] == {"m": 1}
    assert builder.report.translation["flags"] == {"short": 1}


def test_each_row_without_its_english_is_named_with_the_reason(corpus, tmp_path):
    corpus.segments[3].text, corpus.segments[4].text = "l/ b/", None
    corpus = write_corpus(tmp_path / "other", corpus.segments)
    ids = [f"kemdy20/{segment.segment_id}" for segment in corpus.segments]
    file = _write_translations(
        tmp_path / "t.jsonl",
        {"id": ids[0], "status": "failed", "reason": "refused"},
        {"id": ids[1], "status": "pending", "text_en": ""},
        {"id": ids[2], "status": "empty", "text_en": ""},
        {"id": ids[3], "status": "empty"},
        *({"id": row_id, "text_en": "Yes."} for row_id in ids[6:]),
    )
    _, builder = _build(corpus, tmp_path / "cache", translations=file, keep_markers=True)
    found = {p.segment_id: p for p in builder.report.problems if "translation" in p.kind}
    assert {f"kemdy20/{name}": (p.kind, p.place) for name, p in found.items()} == {
        ids[0]: ("failed_translation", "t.jsonl:1"),
        ids[1]: ("pending_translation", "t.jsonl:2"),
        ids[2]: ("empty_translation", "t.jsonl:3"),
        # Nothing is said in the next two: nothing but marks, kept or not, and no transcript.
        ids[5]: ("missing_translation", "annotation/Sess02_eval.csv:4"),
    }
    first = found[corpus.segments[0].segment_id]
    assert f"'{ids[0]}' has no English, its translation failed: refused" in first.message
    assert builder.report.missing_translations == 4 and builder.report.rows_dropped == 0


def test_without_translations_nothing_is_named_row_by_row(corpus, tmp_path):
    _, builder = _build(corpus, tmp_path / "cache")
    assert builder.report.missing_translations == len(corpus.segments)
    assert builder.report.problems == [] and builder.report.translation is None


def test_required_translations_are_decided_before_a_recording_is_read(
    corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr("dataset_script.records.inspect_wav", None)
    corpus.wav(corpus.segments[7]).unlink()  # counts all the same
    ids = [f"kemdy20/{segment.segment_id}" for segment in corpus.segments]
    file = _write_translations(
        tmp_path / "t.jsonl",
        {"id": ids[1], "status": "failed", "reason": "refused"},
        {"id": ids[2], "status": "pending"},
        {"id": ids[3], "status": "failed"},
        *({"id": ids[number], "text_en": "Yes."} for number in (0, 4, 5, 6)),
    )
    message = (
        r"`translations` 't.jsonl' lacks the English of 4 of 8 rows .* the first being "
        rf"'{ids[1]}' \(its translation failed: refused\), "
        rf"'{ids[2]}' \(it is not translated yet\), "
        rf"'{ids[3]}' \(its translation failed: no reason is given\); translate them, or leave"
    )
    with pytest.raises(CorpusError, match=message):
        _build(corpus, tmp_path / "cache", translations=file, require_translations=True)
    with pytest.raises(CorpusError, match="`require_translations` is true and `translations` is"):
        _build(corpus, tmp_path / "cache", require_translations=True)


def test_required_translations_that_are_there_are_built(corpus, tmp_path):
    corpus.segments[3].text, corpus.segments[4].text = "l/ b/", None
    corpus = write_corpus(tmp_path / "other", corpus.segments)
    spoken = [segment for segment in corpus.segments if segment.text not in ("l/ b/", None)]
    file = _write_translations(
        tmp_path / "t.jsonl",
        *({"id": f"kemdy20/{segment.segment_id}", "text_en": "Yes."} for segment in spoken),
    )
    options = {"translations": file, "require_translations": True, "keep_markers": True}
    dataset, builder = _build(corpus, tmp_path / "cache", **options)
    assert len(dataset) == 8 and dataset["text_en"][:].count("Yes.") == 6
    assert builder.report.missing_translations == 0


def test_translations_are_joined_by_id(corpus, tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text(json.dumps({"id": "kemdy20/Sess01_script01_User001F_001", "text_en": "Good."}))
    dataset, builder = _build(corpus, tmp_path / "cache", translations=str(file))
    assert dataset["text_en"][:2] == ["Good.", ""]
    assert builder.report.missing_translations == len(corpus.segments) - 1
    file.write_text(file.read_text().replace("Good", "Bad"))
    assert _build(corpus, tmp_path / "cache", translations=str(file))[0]["text_en"][0] == "Bad."


def test_one_cache_never_gives_rows_of_a_corpus_that_changed(corpus, tmp_path):
    before, _ = _build(corpus, tmp_path / "cache")
    assert before[1]["emotions"] == [EMOTIONS.index("neutral")]
    corpus.edit_cell(corpus.segments[1], 4, "happy")
    after, builder = _build(corpus, tmp_path / "cache")
    assert after[1]["emotions"] == [EMOTIONS.index("happy")]
    assert builder.report.count_problems() == {"total_emotion": 1}


def test_an_unknown_config_and_a_missing_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'kemdy99' not found"):
        Kemdy(config_name="kemdy99", cache_dir=str(tmp_path))
    with pytest.raises(CorpusError, match="is not a folder or zip"):
        Kemdy(config_name="kemdy20", data_dir=str(tmp_path / "x"), cache_dir=str(tmp_path))
    builder = Kemdy(config_name="kemdy20", cache_dir=str(tmp_path))
    with pytest.raises(CorpusError, match="`data_dir` is missing"):
        builder.download_and_prepare()


@pytest.mark.parametrize(("role", "emotion"), [("speaker", "neutral"), ("listener", "sad")])
def test_kemdy19_has_the_same_columns(tmp_path, role, emotion):
    corpus = write_corpus19(tmp_path / "corpus", make_segments19(2, turns=1))
    dataset, builder = _build(corpus, tmp_path / "cache", config="kemdy19", role=role)
    assert dataset.column_names == COLUMNS
    row = dataset[1]
    assert (row["id"], row["corpus"]) == ("kemdy19/Sess01_script01_M001", "kemdy19")
    assert (row["speaker"], row["gender"]) == ("kemdy19/Sess01_M", "M")
    assert row["emotions"] == [EMOTIONS.index(emotion)]
    assert set(dataset["role"]) == {role} == {builder.report.options["role"]}
    assert dataset["style"][:] == ["script", "script", "impro", "impro"] * 2
    assert len(set(dataset["speaker"])) == 4


def test_a_role_that_a_corpus_has_not_is_refused(tmp_path):
    for config, role in (("kemdy20", "listener"), ("kemdy19", "both")):
        with pytest.raises(CorpusError, match=f"`role` is '{role}' for {config}"):
            Kemdy(config_name=config, role=role, cache_dir=str(tmp_path))
