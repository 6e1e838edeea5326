import json

import pytest

from dataset_script.report import BuildReport, CorpusError
from dataset_script.translation_file import load_translations

KNOWN = {"kemdy20/a", "kemdy20/b", "kemdy20/c", "kemdy20/d", "kemdy20/e"}
MADE = {
    "model": "gpt-4.1",
    "prompt_version": "1-abcdef12",
    "draft_model": "none",
    "context_before": 3,
    "context_after": 3,
    "targets_per_request": 10,
    "date": "2026-11-25",
}


def _load(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = BuildReport("kemdy20")
    return load_translations(path, corpus="kemdy20", known=KNOWN, report=report), report


def _line(row_id, text, **more):
    return json.dumps({"id": row_id, "text_en": text, **more}, ensure_ascii=False)


def _texts(file):
    return {row_id: line.text_en for row_id, line in file.lines.items()}


def test_texts_come_by_id_and_other_keys_mean_nothing(tmp_path):
    lines = [_line("kemdy20/a", " Well  done. ", mood=7), "", _line("kemdy20/b", "No.")]
    file, report = _load(tmp_path / "t.jsonl", lines)
    assert _texts(file) == {"kemdy20/a": "Well done.", "kemdy20/b": "No."}
    assert file.find_texts("kemdy20/a") == ("Well done.", [])
    assert file.find_texts("kemdy20/c") == ("", [])
    assert file.name == "t.jsonl" and report.problems == []


def test_lines_of_another_corpus_are_passed_over(tmp_path):
    lines = [_line("kemdy19/a", "Yes."), _line("kemdy19/b", "Yes.", status="odd")]
    file, report = _load(tmp_path / "t.jsonl", lines)
    assert file.lines == {} and report.problems == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "no object"),
        ('{"id": "kemdy20/a"}', "no text under 'text_en'"),
        ('{"id": 1, "text_en": "x"}', "no text under 'id'"),
        ('{"id": "kemdy20/a", "text_en": null}', "no text under 'text_en'"),
        ('{"id": "kemdy20/a", "status": "ok"}', "no text under 'text_en'"),
        (_line("kemdy20/zzz", "x"), "no usable row 'kemdy20/zzz'"),
        (_line("kemdy20/b", "again"), "has a translation above"),
        (_line("kemdy20/c", "x", status="done"), "'status' is 'done', not one of ok, failed, em"),
        (_line("kemdy20/c", "x", status=""), "'status' is ''"),
        (_line("kemdy20/c", "x", status=1), "no text under 'status'"),
        (_line("kemdy20/c", 3, status="pending"), "no text under 'text_en'"),
        (_line("kemdy20/c", "x", text_en_variants="y"), "no list of texts under 'text_en_va"),
        (_line("kemdy20/c", "x", text_en_variants=["y", 1]), "no list of texts under 'text_en_va"),
        (_line("kemdy20/c", "x", text_en_variants=["y", " "]), "no list of texts under 'text_en"),
        (_line("kemdy20/c", "x", flags={"a": 1}), "no list of texts under 'flags'"),
        (_line("kemdy20/c", "x", reason=["y"]), "no text under 'reason'"),
        (_line("kemdy20/c", "x", model=4), "no text under 'model'"),
        (_line("kemdy20/c", "x", prompt_version=1), "no text under 'prompt_version'"),
        (_line("kemdy20/c", "x", draft_model=False), "no text under 'draft_model'"),
        (_line("kemdy20/c", "x", context_before="3"), "no count under 'context_before'"),
        (_line("kemdy20/c", "x", context_after=-1), "no count under 'context_after'"),
        (_line("kemdy20/c", "x", targets_per_request=True), "no count under 'targets_per_req"),
        (_line("kemdy20/c", "x", date="yesterday"), "'date' is 'yesterday', not YYYY-MM-DD"),
    ],
)
def test_a_bad_line_is_named_and_the_others_stand(tmp_path, line, message):
    file, report = _load(
        tmp_path / "t.jsonl", [_line("kemdy20/b", "No."), line, _line("kemdy20/a", "Yes.")]
    )
    assert _texts(file) == {"kemdy20/a": "Yes.", "kemdy20/b": "No."}
    (problem,) = report.problems
    assert problem.kind == "translation_line" and problem.place == "t.jsonl:2"
    assert message in problem.message and problem.message.endswith("; the line was ignored")
    assert problem.rows_dropped == 0


def test_variants_are_each_once_and_not_the_text(tmp_path):
    line = _line("kemdy20/a", "Good.", text_en_variants=["Fine.", " Good. ", "So  so.", "Fine."])
    file, report = _load(tmp_path / "t.jsonl", [line])
    assert file.find_texts("kemdy20/a") == ("Good.", ["Fine.", "So so."])
    assert report.problems == []


def test_lines_that_translate_nothing_say_why(tmp_path):
    lines = [
        _line("kemdy20/a", "half a", status="failed", reason="refused", text_en_variants=["x"]),
        json.dumps({"id": "kemdy20/b", "status": "pending"}),
        _line("kemdy20/c", "", status="empty"),
        _line("kemdy20/d", "  "),
    ]
    file, report = _load(tmp_path / "t.jsonl", lines)
    assert {file.find_texts(row_id)[0] for row_id in KNOWN} == {""}
    assert file.find_texts("kemdy20/a") == ("", [])
    assert {row_id[-1]: file.explain_missing(row_id) for row_id in sorted(KNOWN)} == {
        "a": "its translation failed: refused",
        "b": "it is not translated yet",
        "c": "its line has no text",
        "d": "its line has no text",
        "e": "no usable line has its id",
    }
    assert report.problems == []  # the builder knows which of the rows have Korean text
    assert file.describe()["statuses"] == {"empty": 2, "failed": 1, "pending": 1}


def test_a_line_put_below_mends_one_that_failed(tmp_path):
    lines = [
        json.dumps({"id": "kemdy20/a", "status": "failed", "reason": "refused"}),
        _line("kemdy20/a", "By hand."),
    ]
    file, report = _load(tmp_path / "t.jsonl", lines)
    assert _texts(file) == {"kemdy20/a": "By hand."} and report.problems == []
    assert file.describe()["statuses"] == {"ok": 1} and file.describe()["reasons"] == {}


@pytest.mark.parametrize("texts", [("잘했다.", []), ("Well 했다.", []), ("Well.", ["Well ㅋㅋ."])])
def test_hangul_in_the_english_is_named_and_the_text_stands(tmp_path, texts):
    text, variants = texts
    lines = [
        _line("kemdy20/b", "Café, “yes”."),
        _line("kemdy20/a", text, text_en_variants=variants),
    ]
    file, report = _load(tmp_path / "t.jsonl", lines)
    assert file.find_texts("kemdy20/a") == (text, variants)
    (problem,) = report.problems
    assert (problem.kind, problem.place) == ("hangul_in_english", "t.jsonl:2")
    assert "'kemdy20/a' has Hangul left in its English" in problem.message


def test_facts_say_by_what_and_when_it_was_translated(tmp_path):
    refused = {"status": "failed", "reason": "refused"}
    other = {**MADE, "model": "m2", "date": "2026-11-20", "context_after": 0, "draft_model": "llm"}
    lines = [
        _line("kemdy20/a", "A.", **MADE, text_en_variants=["B."], flags=["short", "names"]),
        _line("kemdy20/b", "B.", **other, flags=["short"]),
        _line("kemdy20/c", "C.", **MADE, status="ok"),
        _line("kemdy20/d", "By hand."),
        # What a line without a text was asked of says nothing about the texts.
        _line("kemdy20/e", "", **{**MADE, "model": "m3", "date": "2020-01-01"}, **refused),
        _line("kemdy20/zzz", "Z.", **{**MADE, "model": "m4"}),
    ]
    facts = _load(tmp_path / "t.jsonl", lines)[0].describe()
    assert facts == {
        "statuses": {"ok": 4, "failed": 1},
        "reasons": {"refused": 1},
        "flagged": 2,
        "flags": {"short": 2, "names": 1},
        "variants": 1,
        "unknown_origin": 1,
        "models": {"gpt-4.1": 2, "m2": 1},
        "prompt_versions": {"1-abcdef12": 3},
        "draft_models": {"none": 2, "llm": 1},
        "contexts": [[3, 0], [3, 3]],
        "targets": [10],
        "dates": ["2026-11-20", "2026-11-25"],
    }
    assert json.loads(json.dumps(facts)) == facts


def test_a_file_made_by_hand_has_no_facts(tmp_path):
    facts = _load(tmp_path / "t.jsonl", [_line("kemdy20/a", "A.")])[0].describe()
    assert facts["unknown_origin"] == 1 and facts["statuses"] == {"ok": 1}
    assert facts["models"] == {} and facts["contexts"] == [] and facts["dates"] == []


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    report = BuildReport("kemdy20")
    with pytest.raises(CorpusError, match="none.jsonl' is not a file"):
        load_translations(tmp_path / "none.jsonl", corpus="kemdy20", known=KNOWN, report=report)
    (tmp_path / "t.jsonl").write_bytes("한국어".encode("cp949"))
    with pytest.raises(CorpusError, match="is not UTF-8"):
        load_translations(tmp_path / "t.jsonl", corpus="kemdy20", known=KNOWN, report=report)
