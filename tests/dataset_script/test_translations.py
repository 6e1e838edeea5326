import json

import pytest

from dataset_script.report import BuildReport, CorpusError
from dataset_script.translations import load_translations

KNOWN = {"kemdy20/a", "kemdy20/b"}


def _load(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = BuildReport("kemdy20")
    return load_translations(path, corpus="kemdy20", known=KNOWN, report=report), report


def _line(row_id, text, **more):
    return json.dumps({"id": row_id, "text_en": text, **more}, ensure_ascii=False)


def test_texts_come_by_id_and_other_keys_mean_nothing(tmp_path):
    lines = [_line("kemdy20/a", " Well  done. ", model="m"), "", _line("kemdy20/b", "No.")]
    texts, report = _load(tmp_path / "t.jsonl", lines)
    assert texts == {"kemdy20/a": "Well done.", "kemdy20/b": "No."}
    assert report.problems == []


def test_lines_of_another_corpus_are_passed_over(tmp_path):
    texts, report = _load(tmp_path / "t.jsonl", [_line("kemdy19/a", "Yes.")])
    assert texts == {} and report.problems == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "no object"),
        ('{"id": "kemdy20/a"}', "no text under 'text_en'"),
        ('{"id": 1, "text_en": "x"}', "no text under 'id'"),
        ('{"id": "kemdy20/a", "text_en": null}', "no text under 'text_en'"),
        (_line("kemdy20/zzz", "x"), "no usable row 'kemdy20/zzz'"),
        (_line("kemdy20/b", "again"), "has a translation above"),
    ],
)
def test_a_bad_line_is_named_and_the_others_stand(tmp_path, line, message):
    texts, report = _load(
        tmp_path / "t.jsonl", [_line("kemdy20/b", "No."), line, _line("kemdy20/a", "Yes.")]
    )
    assert texts == {"kemdy20/a": "Yes.", "kemdy20/b": "No."}
    (problem,) = report.problems
    assert problem.place == "t.jsonl:2" and message in problem.message
    assert problem.rows_dropped == 0


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    report = BuildReport("kemdy20")
    with pytest.raises(CorpusError, match="none.jsonl' is not a file"):
        load_translations(tmp_path / "none.jsonl", corpus="kemdy20", known=KNOWN, report=report)
    (tmp_path / "t.jsonl").write_bytes("한국어".encode("cp949"))
    with pytest.raises(CorpusError, match="is not UTF-8"):
        load_translations(tmp_path / "t.jsonl", corpus="kemdy20", known=KNOWN, report=report)
