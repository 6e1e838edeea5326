import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import datasets
import pytest

from dataset_script import release as release_module
from dataset_script.builder import FEATURES, Kemdy
from dataset_script.folds import hash_folds, read_folds
from dataset_script.layout import EMOTIONS
from dataset_script.release import build_release, read_reports
from dataset_script.report import CorpusError

from .corpus_files import make_segments, make_segments19, pack_folder, write_corpus, write_corpus19

REPOSITORY = Path(__file__).resolve().parents[2]

LOAD = """
import json, sys
from datasets import load_dataset
dataset = load_dataset(sys.argv[1], "kemdy20")
rows = dataset["train"]
samples = rows[0]["audio"].get_all_samples()
print(json.dumps({
    "splits": list(dataset),
    "ids": rows["id"][:],
    "sessions": rows["session"][:],
    "speakers": rows["speaker"][:],
    "emotions": rows.features["emotions"].feature.names,
    "columns": rows.column_names,
    "rate": samples.sample_rate,
    "samples": (samples.data[0, :3] * 32768).tolist(),
}))
"""


def _build(corpus, output, **options):
    return build_release(corpus.root, output, config="kemdy20", **{"n_folds": 3, **options})


def _contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _load(folder, cache):
    return datasets.load_dataset(str(folder), "kemdy20", split="train", cache_dir=str(cache))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), make_segments(6, turns=1))


@pytest.fixture(scope="module")
def built(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "release"
    _build(corpus, folder)
    return folder


@pytest.fixture
def release(built, tmp_path):
    return Path(shutil.copytree(built, tmp_path / "release"))


def test_a_release_holds_its_files_and_no_leftovers(built):
    digest = read_reports(built)["kemdy20"]["rows_digest"]
    assert len(digest) == 16
    assert list(_contents(built)) == [
        "README.md",
        f"data/kemdy20/train-00000-of-00001-{digest}.parquet",
        "folds/kemdy20.csv",
        "folds/kemdy20.random-leak.csv",
        "reports/kemdy20.json",
        "scripts/kemdy20.csv",
    ]
    assert [path.name for path in built.parent.iterdir()] == ["release"]


def test_a_fresh_process_loads_it_offline_with_an_empty_cache(built, corpus, tmp_path):
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "PYTHONPATH": "",
    }
    for name in ("HF_DATASETS_CACHE", "HF_HUB_CACHE"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(built)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["splits"] == ["train"]
    assert found["ids"] == [f"kemdy20/{segment.segment_id}" for segment in corpus.segments]
    assert found["emotions"] == list(EMOTIONS)
    assert found["columns"] == list(Kemdy(config_name="kemdy20", cache_dir=tmp_path).info.features)
    assert found["rate"] == 16_000
    assert found["samples"] == pytest.approx(corpus.segments[0].samples[:3])


def test_no_session_and_no_speaker_has_two_roles_in_a_fold(built, tmp_path):
    rows = _load(built, tmp_path)
    folds = read_folds(built / "folds" / "kemdy20.csv")
    speakers = {}
    for session, speaker in zip(rows["session"], rows["speaker"], strict=True):
        speakers.setdefault(session, set()).add(speaker)
    assert sorted(speakers) == sorted({row.session for row in folds})
    for fold in range(3):
        by_role = {}
        for row in folds:
            if row.fold == fold:
                by_role.setdefault(row.role, []).append(row.session)
        groups = [set().union(*(speakers[s] for s in sessions)) for sessions in by_role.values()]
        assert set(by_role) == {"train", "validation", "test"}
        assert sum(map(len, groups)) == len(set().union(*groups)) == 12


def test_the_report_names_folds_and_options(built):
    report = read_reports(built)["kemdy20"]
    assert report["options"] == {
        "keep_markers": False,
        "role": "speaker",
        "translations": None,
        "script_groups": None,
        "n_folds": 3,
        "folds_sha256": hash_folds(built / "folds" / "kemdy20.csv"),
    }
    assert str(REPOSITORY) not in json.dumps(report)


def test_building_again_gives_the_new_rows_even_from_a_warm_cache(release, tmp_path):
    segments = make_segments(6, turns=1)
    before = _load(release, tmp_path / "cache")
    corpus = write_corpus(tmp_path / "corpus", segments[1:])
    corpus.edit_cell(segments[1], 4, "happy")
    _build(corpus, release)
    after = _load(release, tmp_path / "cache")
    assert len(before) == len(after) + 1 == len(segments)
    assert after[0]["emotions"] == [EMOTIONS.index("happy")]


def test_releases_of_one_name_do_not_share_a_cache(built, corpus, tmp_path):
    elsewhere = tmp_path / "elsewhere" / built.name
    fewer = write_corpus(tmp_path / "corpus", corpus.segments[4:])
    _build(fewer, elsewhere)
    lengths = [len(_load(folder, tmp_path / "cache")) for folder in (built, elsewhere)]
    assert lengths == [24, 20]


def test_building_the_same_corpus_again_gives_the_same_files(release, corpus):
    before = _contents(release)
    _build(corpus, release)
    assert _contents(release) == before


def test_a_bad_corpus_is_built_without_its_bad_rows(tmp_path):
    corpus = write_corpus(tmp_path / "corpus", make_segments(3))
    broken, silent, mute, odd = corpus.segments[:4]
    corpus.wav(broken).write_bytes(corpus.wav(broken).read_bytes()[:-10])
    content = corpus.wav(silent).read_bytes()
    corpus.wav(silent).write_bytes(content[:44] + bytes(len(content) - 44))
    corpus.txt(mute).unlink()
    corpus.edit_cell(odd, 10, "furious")
    report = _build(corpus, tmp_path / "release")
    assert report["rows_in"] == report["rows_out"] + report["rows_dropped"] == 24
    assert report["rows_dropped"] == 2
    assert report["problem_counts"] == {"bad_row": 1, "truncated_wav": 1, "missing_transcript": 1}
    rows = _load(tmp_path / "release", tmp_path / "cache").remove_columns("audio")
    assert [row["is_silent"] for row in rows][:2] == [True, False]
    assert rows[1]["text_ko"] == rows[1]["text_ko_raw"] == ""
    assert rows["turn"][:3] == [1, 2, 0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full"), RuntimeError("bug")])
def test_a_build_that_breaks_off_leaves_the_old_release_whole(release, corpus, monkeypatch, error):
    before = _contents(release)
    make_row = Kemdy._make_row
    calls = []

    def _break_off(self, record, translations):
        calls.append(record)
        if len(calls) == 5:
            raise error
        return make_row(self, record, translations)

    monkeypatch.setattr(Kemdy, "_make_row", _break_off)
    with pytest.raises(BaseException) as caught:
        _build(corpus, release)
    assert not isinstance(caught.value, AssertionError) and len(calls) == 5
    assert _contents(release) == before
    assert [path.name for path in release.parent.iterdir()] == ["release"]


def test_a_failing_swap_puts_the_old_release_back(release, corpus, monkeypatch):
    before = _contents(release)
    rename = Path.rename

    def _fail_on_new(self, target):
        if self.name == "new":
            raise OSError("no such luck")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", _fail_on_new)
    with pytest.raises(OSError, match="no such luck"):
        _build(corpus, release)
    assert _contents(release) == before


def test_a_release_that_cannot_be_put_back_is_not_deleted(release, corpus, monkeypatch):
    before = _contents(release)
    rename = Path.rename

    def _fail_but_for_the_first(self, target):
        if self.name in ("new", "old"):
            raise OSError("no such luck")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", _fail_but_for_the_first)
    with pytest.raises(OSError, match="no such luck"):
        _build(corpus, release)
    (left,) = release.parent.glob(".release.building-*")
    assert _contents(left / "old") == before


def test_what_else_a_release_holds_is_carried_over(release, corpus):
    other = json.loads((release / "reports" / "kemdy20.json").read_text()) | {"config": "kemdy19"}
    shutil.copytree(release / "data" / "kemdy20", release / "data" / "kemdy19")
    shutil.copy(release / "folds" / "kemdy20.csv", release / "folds" / "kemdy19.csv")
    (release / "reports" / "kemdy19.json").write_text(json.dumps(other))
    (release / "notes").mkdir()
    (release / "notes" / "mine.txt").write_text("keep me")
    (release / "data" / "kemdy20" / "train-00001-of-00002.parquet").write_text("stale")
    _build(corpus, release)
    found = _contents(release)
    assert {"notes/mine.txt", "folds/kemdy19.csv", "reports/kemdy19.json"} <= found.keys()
    assert sum(name.startswith("data/kemdy20/") for name in found) == 1
    for name in ("kemdy19", "kemdy20"):
        assert (
            len(datasets.load_dataset_builder(str(release), name).config.data_files["train"]) == 1
        )


def test_a_report_without_its_rows_is_not_in_the_card(release, corpus):
    shutil.copy(release / "reports" / "kemdy20.json", release / "reports" / "kemdy19.json")
    _build(corpus, release)
    assert "kemdy19" not in (release / "README.md").read_text().split("---")[1]


def test_shards_are_numbered_and_load_as_one(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(release_module, "SHARD_SIZE", "10KB")
    monkeypatch.setattr(Kemdy, "DEFAULT_WRITER_BATCH_SIZE", 2)
    report = _build(corpus, tmp_path / "release")
    names = [name for name in _contents(tmp_path / "release") if name.startswith("data/")]
    assert len(names) > 1
    assert names == [
        f"data/kemdy20/train-{number:05d}-of-{len(names):05d}-{report['rows_digest']}.parquet"
        for number in range(len(names))
    ]
    rows = _load(tmp_path / "release", tmp_path / "cache")
    assert rows["id"][:] == [f"kemdy20/{segment.segment_id}" for segment in corpus.segments]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_release_is_never_overwritten(corpus, tmp_path, kind):
    target = tmp_path / "precious"
    if kind == "folder":
        target.mkdir()
    (target / "thesis.txt" if kind == "folder" else target).write_text("years of work")
    with pytest.raises(CorpusError, match="`output` .*precious"):
        _build(corpus, target)
    assert (target / "thesis.txt" if kind == "folder" else target).read_text() == "years of work"


def test_an_empty_folder_may_be_the_target(corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    assert _build(corpus, tmp_path / "empty")["rows_out"] == len(corpus.segments)


def test_folds_that_cannot_be_are_refused_before_anything_is_built(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(release_module, "_write_rows", None)
    with pytest.raises(ValueError, match="`n_folds` is 7 for 6 session"):
        _build(corpus, tmp_path / "release", n_folds=7)
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_of_broken_wavs_is_one_clear_error(tmp_path):
    corpus = write_corpus(tmp_path / "corpus", make_segments(3, turns=1))
    for segment in corpus.segments:
        corpus.wav(segment).write_bytes(b"RIFF")
    with pytest.raises(CorpusError, match="No row of .* is usable; the first problem is wav/Sess"):
        _build(corpus, tmp_path / "release")
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_sessions_that_are_missing_from_the_folds_are_named(tmp_path):
    segments = [segment for segment in make_segments(5, turns=1) if segment.session != 2]
    report = _build(write_corpus(tmp_path / "corpus", segments), tmp_path / "release")
    assert report["problem_counts"] == {"missing_session": 1}
    assert "sessions [2] have no rows" in report["problems"][0]["message"]


def test_a_synthetic_corpus_marks_its_release_and_stays_apart(release, tmp_path):
    corpus = write_corpus(tmp_path / "sample", make_segments(3, turns=1))
    (corpus.root / "synthetic.json").write_text('{"seed": 0}')
    _build(corpus, tmp_path / "demo")
    marker = json.loads((tmp_path / "demo" / "synthetic.json").read_text())
    assert marker == {"kemdy20": {"seed": 0}}
    assert "**Everything here is synthetic**" in (tmp_path / "demo" / "README.md").read_text()
    (release / "data" / "kemdy20").rename(release / "data" / "kemdy19")
    (release / "reports" / "kemdy20.json").rename(release / "reports" / "kemdy19.json")
    with pytest.raises(CorpusError, match="a real kemdy19 and .* a synthetic corpus"):
        _build(corpus, release)


def test_folds_that_a_broken_annotation_file_spoils_are_blamed_on_it(tmp_path):
    corpus = write_corpus(tmp_path / "corpus", make_segments(3, turns=1))
    corpus.annotation(2).write_text("too,few,columns\n")
    with pytest.raises(CorpusError, match=r"annotation/Sess02_eval\.csv.*n_folds"):
        _build(corpus, tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_a_synthetic_corpus_is_divided_as_its_voices_were_dealt(tmp_path):
    corpus = write_corpus(tmp_path / "sample", make_segments(4, turns=1))
    (corpus.root / "synthetic.json").write_text('{"folds": 4}')
    with pytest.raises(CorpusError, match="dealt for 4 folds: a voice would be on both sides"):
        _build(corpus, tmp_path / "release", n_folds=3)
    report = build_release(corpus.root, tmp_path / "release", config="kemdy20")
    assert report["options"]["n_folds"] == 4


def test_both_corpora_share_a_release_each_with_its_folds(release, tmp_path):
    corpus = write_corpus19(tmp_path / "KEMDy19", make_segments19(5, turns=1))
    for role, emotion in (("listener", "sad"), ("speaker", "neutral")):
        build_release(corpus.root, release, config="kemdy19", n_folds=5, role=role)
        rows = datasets.load_dataset(
            str(release), "kemdy19", split="train", cache_dir=str(tmp_path / "cache")
        )
        assert len(rows) == 20 and set(rows["role"]) == {role}  # the other role is gone
        assert {tuple(row) for row in rows["emotions"]} == {(EMOTIONS.index(emotion),)}
    assert len(_load(release, tmp_path / "cache")) == 24
    folds = {name: read_folds(release / "folds" / f"{name}.csv") for name in ("kemdy19", "kemdy20")}
    assert {name: len({row.fold for row in rows}) for name, rows in folds.items()} == {
        "kemdy19": 5,
        "kemdy20": 3,
    }
    card = (release / "README.md").read_text()
    assert "| labels of the | speaker | speaker |" in card
    names = datasets.get_dataset_config_names(str(release))
    assert sorted(names) == ["kemdy19", "kemdy20"]


def test_a_role_that_the_corpus_has_not_is_refused_at_once(corpus, tmp_path):
    with pytest.raises(CorpusError, match="`role` is 'listener' for kemdy20"):
        _build(corpus, tmp_path / "release", role="listener")
    assert list(tmp_path.iterdir()) == []


def test_translations_reach_rows_card_and_report(corpus, tmp_path):
    ids = [f"kemdy20/{segment.segment_id}" for segment in corpus.segments]
    made = {"model": "gpt-4.1", "prompt_version": "1-abc", "context_before": 3, "context_after": 3}
    lines = [
        {"id": ids[0], "text_en": "Good.", "text_en_variants": ["Fine."], "status": "ok", **made},
        {"id": ids[1], "text_en": "", "status": "failed", "reason": "refused", **made},
        *({"id": row_id, "text_en": "Yes.", "status": "ok", **made} for row_id in ids[2:]),
    ]
    file = tmp_path / "t.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = _build(corpus, tmp_path / "release", translations=file)
    assert report["translation"]["statuses"] == {"ok": 23, "failed": 1}
    assert report["missing_translations"] == 1 == report["problem_counts"]["failed_translation"]
    rows = _load(tmp_path / "release", tmp_path / "cache")
    assert rows.features["text_en_variants"] == FEATURES["text_en_variants"]
    assert rows["text_en"][:3] == ["Good.", "", "Yes."]
    assert rows["text_en_variants"][:3] == [["Fine."], [], []]
    card = (tmp_path / "release" / "README.md").read_text()
    assert "**kemdy20**: by `gpt-4.1`, prompt `1-abc`." in card
    assert "**not causal**" in card and str(tmp_path) not in card


def test_required_translations_leave_an_old_release_as_it_was(release, corpus, tmp_path):
    before = _contents(release)
    file = tmp_path / "t.jsonl"
    file.write_text("")
    for target in (release, tmp_path / "new"):
        with pytest.raises(CorpusError, match="lacks the English of 24 of 24 rows"):
            _build(corpus, target, translations=file, require_translations=True)
    assert _contents(release) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["release", "t.jsonl"]


def test_a_zip_builds_the_rows_of_its_folder(built, corpus, tmp_path):
    archive = pack_folder(corpus.root, tmp_path / "KEMDy20.zip", prefix="KEMDy20_v1_2/")
    report = build_release(archive, tmp_path / "release", config="kemdy20", n_folds=3)
    assert report == read_reports(built)["kemdy20"]
    assert _contents(tmp_path / "release") == _contents(built)
