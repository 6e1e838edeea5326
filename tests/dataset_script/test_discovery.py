import json

import pytest

from dataset_script.discovery import find_annotation_files, find_corpora, read_synthetic_marker
from dataset_script.files import CorpusFolder
from dataset_script.report import CorpusError

from .corpus_files import make_segments, make_segments19, write_corpus, write_corpus19


def test_annotation_files_are_found_by_session(tmp_path):
    write_corpus(tmp_path, make_segments(3))
    write_corpus19(tmp_path, make_segments19(2))
    folder = CorpusFolder(tmp_path)
    assert find_annotation_files(folder, "kemdy20") == {
        session: [f"annotation/Sess{session:02d}_eval.csv"] for session in (1, 2, 3)
    }
    assert find_annotation_files(folder, "kemdy19") == {
        session: [f"annotation/Session{session:02d}_{gender}_res.csv" for gender in "FM"]
        for session in (1, 2)
    }


def test_the_corpus_that_is_there_is_named_where_another_was_asked_for(tmp_path):
    write_corpus(tmp_path, make_segments(1))
    with pytest.raises(
        CorpusError, match=r"of KEMDy19 \(Session01_F_res.csv …\); it holds kemdy20"
    ):
        find_annotation_files(CorpusFolder(tmp_path), "kemdy19")


@pytest.mark.parametrize("config", ["kemdy19", "kemdy20"])
def test_two_versions_side_by_side_are_refused(tmp_path, config):
    for version in ("v1_1", "v1_2"):
        if config == "kemdy19":
            write_corpus19(tmp_path / version, make_segments19(2))
        else:
            write_corpus(tmp_path / version, make_segments(2))
    with pytest.raises(CorpusError, match="more than once, in 'v1_1/annotation' and 'v1_2/annot"):
        find_annotation_files(CorpusFolder(tmp_path), config)
    for session in sorted((tmp_path / "v1_1" / "annotation").iterdir())[1:]:
        session.unlink()  # a single copy that lies about is named and passed over by the readers
    assert sorted(find_annotation_files(CorpusFolder(tmp_path), config)) == [1, 2]


def test_corpora_are_told_by_their_annotation(tmp_path):
    with pytest.raises(CorpusError, match="holds no annotation file of KEMDy19 .* or KEMDy20"):
        find_corpora(CorpusFolder(tmp_path))
    write_corpus(tmp_path, make_segments(1))
    assert find_corpora(CorpusFolder(tmp_path)) == ["kemdy20"]
    write_corpus19(tmp_path, make_segments19(1))
    assert find_corpora(CorpusFolder(tmp_path)) == ["kemdy19", "kemdy20"]


def test_the_mark_of_a_synthetic_corpus_is_found_from_any_root_above_it(tmp_path):
    corpus = write_corpus(tmp_path / "sample", make_segments(1))
    assert read_synthetic_marker(CorpusFolder(corpus.root)) is None
    marker = corpus.root / "synthetic.json"
    marker.write_text(json.dumps({"seed": 3}))
    assert read_synthetic_marker(CorpusFolder(tmp_path)) == {"seed": 3}
    for bad in ("{", "[]"):
        marker.write_text(bad)
        with pytest.raises(CorpusError, match="`synthetic.json` of the corpus is"):
            read_synthetic_marker(CorpusFolder(corpus.root))
