import json
import os
import shutil
import threading
import time
import weakref
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
import soundfile

from dataset_script.corpus import Kemdy20Corpus
from dataset_script.files import CorpusFolder
from dataset_script.folds import assign_folds
from dataset_script.layout import EMOTIONS
from dataset_script.release import build_release
from dataset_script.report import BuildReport, CorpusError
from dataset_script.sample import writer
from dataset_script.sample.lexicon import load_lexicon
from dataset_script.sample.parameters import Parameters
from dataset_script.sample.session import SampleOptions
from dataset_script.sample.translator import translate_dialogue
from dataset_script.sample.writer import BIO_ENTRIES, CORPUS_ENTRIES, write_sample_corpus

from .written import (
    read_rows,
    read_transcript,
    read_translations,
    read_tree,
    read_truth,
    wav_path,
    write_failing_espeak,
)


def _dialogues(rows):
    return [list(group) for _, group in groupby(rows, key=lambda row: row.dialogue)]


# The layout


def test_the_layout_is_that_of_kemdy20(corpus, options):
    assert sorted(path.name for path in corpus.iterdir()) == sorted(CORPUS_ENTRIES)
    expected = {f"annotation/Sess{number:02d}_eval.csv" for number in (1, 2, 3)}
    for row in read_rows(corpus):
        stem = f"wav/Session{row.session:02d}/{row.segment_id}"
        expected |= {f"{stem}.wav", f"{stem}.txt"}
    assert set(read_tree(corpus)) - set(CORPUS_ENTRIES) == expected
    assert len(expected) == 3 + 2 * 3 * 6 * options.turns


def test_the_annotation_has_the_two_header_rows_of_kemdy20(corpus):
    first, second, row = (
        (corpus / "annotation" / "Sess02_eval.csv").read_bytes().decode("ascii").split("\n")[:3]
    )
    assert first.startswith("Numb,WAV, ,Segment ID,Total Evaluation, , ,Eval01F, , ,Eval02M, , ,")
    assert first.endswith(",Eval10M, , ")
    assert second == " ,start,end, " + 11 * ",Emotion,Valence,Arousal"
    assert row.split(",")[0] == "1" and row.split(",")[3].startswith("Sess02_script01_User00")
    assert {len(line.split(",")) for line in (first, second, row)} == {37}


def test_users_and_utterances_are_numbered_as_in_kemdy20(corpus):
    genders = {}
    for dialogue in _dialogues(read_rows(corpus)):
        counts = {}
        for row in dialogue:
            assert row.user in (2 * row.session - 1, 2 * row.session)
            assert genders.setdefault(row.user, row.gender) == row.gender
            counts[row.user] = counts.get(row.user, 0) + 1
            assert row.number == counts[row.user]
    assert sorted(genders) == [1, 2, 3, 4, 5, 6]


def test_wavs_are_16_khz_mono_16_bit_and_as_long_as_annotated(corpus):
    for row in read_rows(corpus):
        info = soundfile.info(wav_path(corpus, row))
        assert (info.format, info.subtype) == ("WAV", "PCM_16")
        assert (info.samplerate, info.channels) == (16_000, 1)
        assert info.duration == pytest.approx(row.end - row.start, abs=0.001)
        samples, _ = soundfile.read(wav_path(corpus, row))
        assert 0.2 < info.duration < 10 and np.abs(samples).max() > 0.02


def test_transcripts_are_one_line_of_cp949(corpus):
    known = load_lexicon()
    lines = {line.ko for line in (*known.plain_lines(), *known.ambiguous)}
    for row in read_rows(corpus):
        content = wav_path(corpus, row).with_suffix(".txt").read_bytes()
        assert content.endswith(b"\n") and content.count(b"\n") == 1
        assert read_transcript(corpus, row) in lines
        with pytest.raises(UnicodeDecodeError):
            content.decode("utf-8")


def test_starts_rise_within_a_dialogue_and_some_turns_overlap(corpus):
    gaps = []
    for dialogue in _dialogues(read_rows(corpus)):
        assert dialogue[0].start == 0
        for before, after in zip(dialogue, dialogue[1:], strict=False):
            assert after.start > before.start
            gaps.append(after.start - before.end)
    gaps = np.array(gaps)
    assert 0.02 < (gaps < 0).mean() < 0.25
    assert 0.1 <= gaps[gaps > 0].min() and gaps.max() <= 0.8


def test_totals_are_those_of_the_ten_raters(corpus):
    several = 0
    for row in read_rows(corpus):
        votes = [rater[0] for rater in row.raters]
        counts = {name: votes.count(name) for name in EMOTIONS}
        most = max(counts.values())
        assert len(votes) == 10 and sum(counts.values()) == 10
        assert row.total[0].split(";") == [name for name in EMOTIONS if counts[name] == most]
        several += ";" in row.total[0]
        for column in (1, 2):
            ratings = [int(rater[column]) for rater in row.raters]
            assert set(ratings) <= {1, 2, 3, 4, 5}
            assert float(row.total[column]) == pytest.approx(sum(ratings) / 10)
    assert several > 0


# What the project's own reader says


def test_the_reader_finds_nothing_wrong(corpus):
    report = BuildReport("kemdy20")
    records = list(Kemdy20Corpus(CorpusFolder(corpus), report))
    assert report.problems == [] and report.rows_in == len(records) == 126
    for record, row in zip(records, read_rows(corpus), strict=True):
        annotation = record.annotation
        assert annotation.segment_id == row.segment_id
        assert annotation.ratings.emotions == tuple(row.total[0].split(";"))
        assert annotation.ratings.votes == tuple(
            sum(rater[0] == name for rater in row.raters) for name in EMOTIONS
        )
        assert record.transcript == read_transcript(corpus, row)
    assert report.synthetic["synthetic"] is True


def test_it_builds_into_a_release_without_a_problem(corpus, tmp_path):
    report = build_release(
        corpus,
        tmp_path / "release",
        config="kemdy20",
        translations=corpus / "translations_contextual.jsonl",
    )
    assert report["problems"] == [] and report["rows_out"] == report["rows_in"] == 126
    assert report["synthetic"]["seed"] == 5
    assert (tmp_path / "release" / "synthetic.json").is_file()


# The translations


@pytest.mark.parametrize("style", ["literal", "contextual"])
def test_the_english_is_made_again_from_the_transcripts_alone(style, corpus):
    lexicon = load_lexicon()
    expected = []
    for dialogue in _dialogues(read_rows(corpus)):
        lines = [read_transcript(corpus, row) for row in dialogue]
        renderings = translate_dialogue(lexicon, lines, cue_window=Parameters().cue_window)
        expected += [
            (f"kemdy20/{row.segment_id}", getattr(rendering, style))
            for row, rendering in zip(dialogue, renderings, strict=True)
        ]
    assert read_translations(corpus / f"translations_{style}.jsonl") == expected


def test_the_english_does_not_move_with_what_is_felt(mute, tmp_path, monkeypatch):
    """Labels, prosody and hidden states of other turns: the English stays as it is."""
    options = SampleOptions(sessions=4)
    write_sample_corpus(tmp_path / "true", options)
    draw = writer.draw_session

    def shuffled(number, *args, **kwargs):
        session = draw(number, *args, **kwargs)
        order = np.random.default_rng(number).permutation(len(session.turns))
        hidden = ("event", "stated_event", "valence", "arousal", "emotion", "mixed")
        turns = replace(
            session.turns, **{name: getattr(session.turns, name)[order] for name in hidden}
        )
        return replace(
            session,
            turns=turns,
            votes=session.votes[order],
            ratings=session.ratings[order],
            prosody=session.prosody[order],
        )

    monkeypatch.setattr(writer, "draw_session", shuffled)
    write_sample_corpus(tmp_path / "shuffled", options)
    true, mixed = read_tree(tmp_path / "true"), read_tree(tmp_path / "shuffled")
    for name in ("translations_literal.jsonl", "translations_contextual.jsonl"):
        assert true[name] == mixed[name]
    for name in ("truth.csv", "annotation/Sess01_eval.csv"):
        assert true[name] != mixed[name]


def test_the_two_styles_differ_where_a_cue_is_in_sight(corpus):
    literal = read_translations(corpus / "translations_literal.jsonl")
    contextual = read_translations(corpus / "translations_contextual.jsonl")
    truth = read_truth(corpus)
    differ = {
        row["id"]
        for row, one, other in zip(truth, literal, contextual, strict=True)
        if one != other
    }
    assert differ
    assert differ <= {row["id"] for row in truth if row["line_kind"] == "ambiguous"}


# Hidden state and marker


def test_the_truth_is_in_the_order_of_the_rows_and_matches_them(corpus):
    truth, rows = read_truth(corpus), read_rows(corpus)
    cues = {line.ko: event for event, lines in load_lexicon().cues.items() for line in lines}
    for hidden, row in zip(truth, rows, strict=True):
        assert hidden["id"] == f"kemdy20/{row.segment_id}"
        assert hidden["voice"][0].upper() == row.gender
        assert hidden["emotion"] in EMOTIONS
        said = read_transcript(corpus, row)
        assert (hidden["line_kind"] == "cue") == (said in cues)
        assert hidden["stated_event"] == cues.get(said, hidden["stated_event"])
    valence = [float(hidden["valence"]) for hidden in truth]
    rated = [np.mean([int(rater[1]) for rater in row.raters]) for row in rows]
    assert np.corrcoef(valence, rated)[0, 1] > 0.9
    pitch = [float(hidden["pitch"]) for hidden in truth]
    arousal = [float(hidden["arousal"]) for hidden in truth]
    assert np.corrcoef(pitch, arousal)[0, 1] > 0.5


def test_prosody_and_voice_reach_the_sound(corpus):
    levels, loudness, durations, rates = [], [], [], []
    for hidden, row in zip(read_truth(corpus), read_rows(corpus), strict=True):
        samples, _ = soundfile.read(wav_path(corpus, row))
        levels.append(np.log(np.sqrt(np.square(samples).mean())))
        loudness.append(float(hidden["loudness"]))
        durations.append(np.log(len(samples) / len(read_transcript(corpus, row))))
        rates.append(float(hidden["rate"]))
    assert np.corrcoef(levels, loudness)[0, 1] > 0.6
    assert np.corrcoef(durations, rates)[0, 1] < -0.6


def test_the_marker_says_synthetic_and_how(mute, tmp_path):
    parameters = Parameters(text_signal=0.5, neutral=0.6)
    options = SampleOptions(sessions=1, turns=2, seed=8, folds=4, parameters=parameters)
    write_sample_corpus(tmp_path / "corpus", options)
    marker = json.loads((tmp_path / "corpus" / "synthetic.json").read_text())
    assert marker["synthetic"] is True
    expected = {"sessions": 1, "turns": 2, "seed": 8, "folds": 4, "lexicon": "lexicon.json"}
    expected |= {"speech_signal": 1, "text_signal": 0.5, "context_signal": 1, "neutral": 0.6}
    assert expected.items() <= marker.items()
    assert marker["voices"] == list(options.voices)
    assert str(tmp_path) not in json.dumps(marker)


# The layout of KEMDy19


@pytest.fixture(scope="module")
def acted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("acted") / "corpus"
    options = SampleOptions(sessions=1, turns=4, layout="kemdy19")
    return folder, write_sample_corpus(folder, options)


def test_wavs_and_transcripts_lie_in_a_folder_of_their_dialogue(acted):
    folder, count = acted
    rows = (folder / "annotation" / "Session01_M_res.csv").read_text().splitlines()[2:]
    names = [row.split(",")[9] for row in rows]
    assert len(names) == count
    stems = [f"wav/Session01/{name.rsplit('_', 1)[0]}/{name}" for name in names]
    files = {f"{stem}{end}" for stem in stems for end in (".wav", ".txt")}
    assert {name for name in read_tree(folder) if name.startswith("wav/")} == files
    assert sorted(path.name for path in folder.iterdir()) == sorted(CORPUS_ENTRIES)
    for stem in stems:
        info = soundfile.info(folder / f"{stem}.wav")
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        said = (folder / f"{stem}.txt").read_bytes()
        assert said.count(b"\n") == 1 and said.endswith(b"\n")
        assert "," in said.decode("utf-8")


def test_translations_truth_and_marker_are_of_kemdy19(acted):
    folder, _ = acted
    rows = (folder / "annotation" / "Session01_F_res.csv").read_text().splitlines()[2:]
    ids = [f"kemdy19/{row.split(',')[9]}" for row in rows]
    for style in ("contextual", "literal"):
        translations = read_translations(folder / f"translations_{style}.jsonl")
        assert [row_id for row_id, _ in translations] == ids
    truth = read_truth(folder)
    assert [row["id"] for row in truth] == ids
    assert {row["script"] for row in truth} == {"", *"123456"}
    assert all((row["script"] == "") == ("impro" in row["id"]) for row in truth)
    assert {row["listener_emotion"] for row in truth} <= set(EMOTIONS)
    assert json.loads((folder / "synthetic.json").read_text())["layout"] == "kemdy19"


def test_a_corpus_of_kemdy19_grows_without_changing(mute, tmp_path):
    options = SampleOptions(sessions=1, turns=3, layout="kemdy19")
    write_sample_corpus(tmp_path / "one", options)
    write_sample_corpus(tmp_path / "same", options)
    write_sample_corpus(tmp_path / "more", replace(options, sessions=2))
    one, same, more = (read_tree(tmp_path / name) for name in ("one", "same", "more"))
    assert one == same
    assert all(more[name].startswith(one[name]) for name in set(one) - {"synthetic.json"})


def test_the_default_layout_is_that_of_kemdy20_and_says_nothing_new(mute, tmp_path):
    write_sample_corpus(tmp_path / "c", SampleOptions(sessions=1, turns=2))
    assert "layout" not in json.loads((tmp_path / "c" / "synthetic.json").read_text())
    assert list(read_truth(tmp_path / "c")[0])[-1] == "loudness"


# Seeds, folds and size


def test_the_same_options_write_the_same_bytes(uncalibrated, tmp_path):
    options = SampleOptions(sessions=1, turns=3, seed=2)
    for name, chosen in (
        ("one", options),
        ("same", options),
        ("more", replace(options, sessions=2)),
        ("other", replace(options, seed=3)),
    ):
        write_sample_corpus(tmp_path / name, chosen)
    one, same, more, other = (read_tree(tmp_path / n) for n in ("one", "same", "more", "other"))
    assert one == same
    whole = set(one) - {"synthetic.json"}
    for name in whole:
        if name.startswith(("annotation/", "wav/")):
            assert more[name] == one[name]
        else:
            assert more[name].startswith(one[name])
    assert other["truth.csv"] != one["truth.csv"]
    sounds = [{v for n, v in tree.items() if n.endswith(".wav")} for tree in (one, other)]
    assert not sounds[0] & sounds[1]


@pytest.mark.parametrize("sessions", [8, 12, 20])
@pytest.mark.parametrize("folds", [3, 5])
def test_no_voice_is_on_both_sides_of_a_fold(sessions, folds, mute, tmp_path):
    write_sample_corpus(tmp_path / "c", SampleOptions(sessions=sessions, turns=4, folds=folds))
    voices = {}
    for row in read_truth(tmp_path / "c"):
        voices.setdefault(int(row["id"][12:14]), set()).add(row["voice"])
    assert set(voices) == set(range(1, sessions + 1))
    assert {len(pair) for pair in voices.values()} == {2}
    for fold in range(folds):
        heard = {"train": set(), "validation": set(), "test": set()}
        for row in assign_folds(range(1, sessions + 1), n_folds=folds):
            if row.fold == fold:
                heard[row.role] |= voices[row.session]
        assert all(heard.values())
        assert not heard["test"] & (heard["train"] | heard["validation"])


def test_many_sessions_are_written_without_holding_their_sound(tmp_path, mute, monkeypatch):
    alive, most, lock = weakref.WeakSet(), 0, threading.Lock()

    class Samples(np.ndarray):
        __hash__ = object.__hash__

    def speak(text, delivery):
        nonlocal most
        samples = np.zeros(160, np.int16).view(Samples)
        with lock:
            alive.add(samples)
            most = max(most, len(alive))
        return samples

    monkeypatch.setattr(writer, "speak", speak)
    started = time.process_time()
    assert write_sample_corpus(tmp_path / "c", SampleOptions(sessions=101, turns=2)) == 1212
    assert time.process_time() - started < 20
    assert most < 100
    rows = read_rows(tmp_path / "c")
    assert len(rows) == 1212
    # Names grow by a digit from session 100 on: dialogues are still told apart.
    assert {dialogue[0].start for dialogue in _dialogues(rows)} == {0.0}
    assert len(_dialogues(rows)) == 606


# Bio-signals, and a corpus without recordings


@pytest.mark.parametrize("layout", ["kemdy20", "kemdy19"])
def test_bio_signals_leave_all_else_as_it_is(layout, mute, tmp_path):
    for name, bio in (("plain", False), ("bio", True)):
        options = SampleOptions(sessions=2, turns=3, layout=layout, bio=bio)
        write_sample_corpus(tmp_path / name, options)
    plain, bio = read_tree(tmp_path / "plain"), read_tree(tmp_path / "bio")
    markers = [json.loads(tree.pop("synthetic.json")) for tree in (plain, bio)]
    assert markers[1] == {**markers[0], "bio": True}
    more = {name: content for name, content in bio.items() if name not in plain}
    assert {name.split("/")[0] for name in more} <= set(BIO_ENTRIES) and len(more) >= 12
    assert {**plain, **more} == bio
    write_sample_corpus(tmp_path / "bio", SampleOptions(sessions=2, turns=3, layout=layout))
    assert read_tree(tmp_path / "bio") == read_tree(tmp_path / "plain")  # nothing is left over


@pytest.mark.parametrize("layout", ["kemdy20", "kemdy19"])
def test_without_recordings_nothing_is_spoken(layout, uncalibrated, tmp_path, monkeypatch):
    for name, recordings in (("spoken", True), ("silent", False)):
        if not recordings:
            monkeypatch.setenv("PATH", "")  # espeak-ng is not needed
        options = SampleOptions(sessions=2, turns=2, layout=layout, recordings=recordings)
        write_sample_corpus(tmp_path / name, options)
    spoken, silent = read_tree(tmp_path / "spoken"), read_tree(tmp_path / "silent")
    wavs = {name for name in spoken if name.endswith(".wav")}
    assert wavs and spoken.keys() - wavs == silent.keys()
    assert json.loads(silent.pop("synthetic.json"))["recordings"] is False
    for name, content in silent.items():
        if not name.startswith("annotation/"):
            assert content == spoken[name]
    for lines in zip(*(_annotated(tree) for tree in (spoken, silent)), strict=True):
        assert lines[0][0] == lines[1][0] and lines[0][3:] == lines[1][3:]
        assert 0.1 < float(lines[1][2]) - float(lines[1][1]) < 15


def _annotated(tree):
    return [
        line.split(",")
        for name, content in tree.items()
        if name.startswith("annotation/")
        for line in content.decode().splitlines()[2:]
    ]


@pytest.mark.parametrize("layout", ["kemdy20", "kemdy19"])
def test_a_build_refuses_a_corpus_without_recordings(layout, uncalibrated, tmp_path):
    options = SampleOptions(sessions=3, turns=2, folds=3, layout=layout, recordings=False)
    write_sample_corpus(tmp_path / "c", options)
    with pytest.raises(CorpusError, match="no wav named after a segment; unpack the version that"):
        build_release(tmp_path / "c", tmp_path / "release", config=layout)
    assert not (tmp_path / "release").exists()


# What is replaced and what is not


def test_an_older_sample_corpus_is_replaced_whole(mute, tmp_path):
    target = tmp_path / "deep" / "corpus"
    write_sample_corpus(target, SampleOptions(sessions=2, turns=2))
    write_sample_corpus(target, SampleOptions(sessions=1, turns=2))
    assert sorted(path.name for path in (target / "annotation").iterdir()) == ["Sess01_eval.csv"]
    assert sorted(path.name for path in (target / "wav").iterdir()) == ["Session01"]
    assert os.listdir(target.parent) == ["corpus"]


def test_an_empty_folder_is_filled(mute, tmp_path):
    (tmp_path / "corpus").mkdir()
    write_sample_corpus(tmp_path / "corpus", SampleOptions(sessions=1, turns=1))
    assert len(read_rows(tmp_path / "corpus")) == 6


def test_the_folder_may_be_the_present_one_or_a_link(mute, tmp_path, monkeypatch):
    here, link = tmp_path / "here", tmp_path / "link"
    write_sample_corpus(here, SampleOptions(sessions=2, turns=1))
    monkeypatch.chdir(here)
    write_sample_corpus(".", SampleOptions(sessions=1, turns=1))
    assert len(read_rows(here)) == 6
    link.symlink_to(here)
    write_sample_corpus(link, SampleOptions(sessions=3, turns=1))
    assert link.is_symlink() and len(read_rows(here)) == 18


def _lacks_a_marker(folder):
    (folder / "synthetic.json").unlink()


def _holds_notes(folder):
    (folder / "notes.txt").write_text("mine")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_lacks_a_marker, r"is not a sample corpus \(no `synthetic.json` in it\)"),
        (_holds_notes, "holds `notes.txt`, which is no part of a sample corpus"),
    ],
)
def test_what_is_not_a_sample_corpus_is_left_alone(spoil, message, mute, tmp_path):
    target = tmp_path / "corpus"
    write_sample_corpus(target, SampleOptions(sessions=1, turns=1))
    spoil(target)
    before = read_tree(tmp_path)
    with pytest.raises(ValueError, match=message):
        write_sample_corpus(target, SampleOptions(sessions=1, turns=1, seed=1))
    assert read_tree(tmp_path) == before


def test_a_file_is_not_replaced(mute, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="file` is a file; choose a folder"):
        write_sample_corpus(tmp_path / "file", SampleOptions(sessions=1, turns=1))
    assert (tmp_path / "file").read_text() == "mine"


# What goes wrong


@pytest.fixture
def old_corpus(corpus, tmp_path):
    """A sample corpus in a folder of its own, and its bytes."""
    shutil.copytree(corpus, tmp_path / "data" / "corpus")
    return tmp_path / "data" / "corpus", read_tree(corpus)


def _assert_untouched(old_corpus):
    folder, before = old_corpus
    assert read_tree(folder) == before
    assert os.listdir(folder.parent) == ["corpus"]


def test_a_voice_that_fails_midway_leaves_the_old_corpus(
    old_corpus, uncalibrated, tmp_path, monkeypatch
):
    options = SampleOptions(sessions=2, turns=2, seed=6)
    folder, _ = old_corpus
    write_sample_corpus(tmp_path / "probe", options)
    rows = read_rows(tmp_path / "probe")
    said = [read_transcript(tmp_path / "probe", row) for row in rows]
    new = next(line for turn, line in enumerate(said) if turn >= 12 and line not in said[:turn])
    write_failing_espeak(tmp_path / "bin", on=new)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(RuntimeError, match=f"failed on '{new.rstrip('.?!')}"):
        write_sample_corpus(folder, options)
    _assert_untouched(old_corpus)


@pytest.mark.parametrize("stage", ["_write_translations", "_write_truth", "_write_marker"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupt_leaves_the_old_corpus(stage, error, old_corpus, mute, monkeypatch):
    def interrupt(*_):
        raise error

    monkeypatch.setattr(writer, stage, interrupt)
    with pytest.raises(error):
        write_sample_corpus(old_corpus[0], SampleOptions(sessions=1, turns=1))
    _assert_untouched(old_corpus)


@pytest.mark.parametrize("fails_at", [0, 1])
def test_a_rename_that_fails_gives_the_old_corpus_back(fails_at, old_corpus, mute, monkeypatch):
    rename, calls = writer.Path.rename, []

    def once(self, target):
        calls.append(target)
        if len(calls) == fails_at + 1:
            raise OSError("no space left")
        return rename(self, target)

    monkeypatch.setattr(writer.Path, "rename", once)
    with pytest.raises(OSError, match="no space left"):
        write_sample_corpus(old_corpus[0], SampleOptions(sessions=1, turns=1))
    _assert_untouched(old_corpus)


def test_without_espeak_nothing_is_written(old_corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for folder in (old_corpus[0], tmp_path / "new" / "corpus"):
        with pytest.raises(RuntimeError, match="`espeak-ng` .* not installed"):
            write_sample_corpus(folder, SampleOptions(sessions=1, turns=1))
    assert not (tmp_path / "new").exists()
    _assert_untouched(old_corpus)


def test_a_voice_that_espeak_lacks_is_refused_before_anything_is_written(tmp_path):
    options = SampleOptions(sessions=1, turns=1, folds=1, voices=("m1", "f:Nobody"))
    with pytest.raises(ValueError, match="'f:Nobody', which sounds like espeak-ng's plain voice"):
        write_sample_corpus(tmp_path / "corpus", options)
    assert os.listdir(tmp_path) == []


def test_another_lexicon_gives_other_lines(mute, tmp_path):
    raw = json.loads(SampleOptions().lexicon.read_text(encoding="utf-8"))
    for line in raw["ambiguous"]:
        line["ko"] = "또 " + line["ko"]
    (tmp_path / "lines.json").write_text(json.dumps(raw), encoding="utf-8")
    options = SampleOptions(sessions=1, lexicon=tmp_path / "lines.json")
    write_sample_corpus(tmp_path / "c", options)
    said = [read_transcript(tmp_path / "c", row) for row in read_rows(tmp_path / "c")]
    assert sum(line.startswith("또 ") for line in said) > 60
    assert json.loads((tmp_path / "c" / "synthetic.json").read_text())["lexicon"] == "lines.json"
