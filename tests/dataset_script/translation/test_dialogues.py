import pytest

from dataset_script.corpus import open_corpus
from dataset_script.files import CorpusFolder
from dataset_script.report import BuildReport
from dataset_script.translation.dialogues import read_dialogues

from ..corpus_files import make_segments, make_segments19, write_corpus, write_corpus19


def _read(root, config):
    corpus = open_corpus(config, CorpusFolder(root), BuildReport(config), needs_recordings=False)
    return list(read_dialogues(corpus))


def test_turns_stand_in_the_order_of_their_rows_and_dialogues_apart(tmp_path):
    corpus = write_corpus(tmp_path, make_segments(2))
    dialogues = _read(tmp_path, "kemdy20")
    assert [dialogue.name for dialogue in dialogues] == [
        f"kemdy20/Sess{session:02d}_script{script:02d}" for session in (1, 2) for script in (1, 2)
    ]
    ids = [turn.id for dialogue in dialogues for turn in dialogue.utterances]
    assert ids == [f"kemdy20/{segment.segment_id}" for segment in corpus.segments]
    assert [turn.speaker for turn in dialogues[0].utterances] == ["User001F", "User002M"] * 2


@pytest.mark.parametrize("marks", ["l/ b/", "(응)", ""])
def test_words_are_translated_without_marks_and_without_recordings(tmp_path, marks):
    segments = make_segments19(1)
    for segment in segments:
        segment.samples = None
    segments[0].text, segments[1].text = f"{marks} 잘했다.", marks
    write_corpus19(tmp_path, segments)
    first, *_ = _read(tmp_path, "kemdy19")
    assert [turn.text_ko for turn in first.utterances] == ["잘했다.", "", "말 2.", "말 2."]
    assert [turn.id[-4:] for turn in first.spoken] == ["F001", "F002", "M002"]
    assert {turn.speaker for turn in first.utterances} == {"F", "M"}


def test_a_transcript_that_is_missing_is_an_utterance_without_words(tmp_path):
    corpus = write_corpus(tmp_path, make_segments(1))
    corpus.txt(corpus.segments[0]).unlink()
    first, *_ = _read(tmp_path, "kemdy20")
    assert len(first.utterances) == 4 and len(first.spoken) == 3
