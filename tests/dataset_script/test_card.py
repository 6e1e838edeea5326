import pytest
import yaml

from dataset_script.builder import FEATURES
from dataset_script.card import COLUMNS, write_card
from dataset_script.report import BuildReport


def _report(config, *, synthetic=None, rows=1):
    options = {"keep_markers": False, "translations": None, "role": "speaker"}
    report = BuildReport(config, options, synthetic, rows_digest="abc")
    report.rows_in = report.rows_out = rows
    report.emotions["fear"] = rows
    return report.to_dict()


def _metadata(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_metadata_lists_the_configs_that_exist():
    card = write_card({"kemdy20": _report("kemdy20"), "kemdy19": _report("kemdy19")})
    assert [config["config_name"] for config in _metadata(card)["configs"]] == [
        "kemdy19",
        "kemdy20",
    ]
    only = _metadata(write_card({"kemdy20": _report("kemdy20", rows=13_462)}))
    assert only["configs"] == [
        {
            "config_name": "kemdy20",
            "data_files": [{"split": "train", "path": "data/kemdy20/train-*-abc.parquet"}],
        }
    ]
    assert only["size_categories"] == ["10K<n<100K"] and only["license"] == "other"


def test_a_card_of_real_rows_forbids_redistribution_first():
    text = write_card({"kemdy20": _report("kemdy20")}).split("---\n")[2]
    assert text.strip().startswith("**Not to be redistributed.**")
    assert "synthetic" not in text


def test_a_card_of_a_synthetic_corpus_says_so_first():
    card = write_card({"kemdy20": _report("kemdy20", synthetic={"seed": 0})})
    assert card.split("---\n")[2].strip().startswith("**Everything here is synthetic**")
    assert "synthetic" in _metadata(card)["tags"]


def test_counts_stand_in_the_card():
    card = write_card({"kemdy20": _report("kemdy20", rows=1234)})
    assert "| rows (of the corpus; dropped) | 1,234 (1,234; 0) |" in card
    assert "| rows with fear | 1,234 |" in card and "| rows with happy | 0 |" in card


def test_bio_signals_are_described_where_there_are_any():
    report = _report("kemdy20")
    assert "bio/" not in write_card({"kemdy20": report})
    report["options"]["bio"] = {"EDA": 3}
    assert "`bio/kemdy20.parquet`: bio-signals" in write_card({"kemdy20": report})


def test_every_column_is_described_in_order():
    described = [name for names in COLUMNS for name in names.split(", ")]
    assert sorted(described) == sorted(FEATURES)
    assert described.index("text_en_variants") == described.index("text_en") + 1


FACTS = {
    "statuses": {"ok": 400, "failed": 3, "pending": 1},
    "reasons": {"refused": 2, "timed out": 1},
    "flagged": 10,
    "flags": {"short": 8, "names": 3},
    "variants": 120,
    "unknown_origin": 0,
    "models": {"gpt-4.1": 400},
    "prompt_versions": {"1-abcdef12": 400},
    "draft_models": {"none": 400},
    "contexts": [[3, 3]],
    "targets": [10],
    "dates": ["2026-11-20", "2026-11-25"],
}


def _translated(**facts):
    """What the section on translation says of one config."""
    report = _report("kemdy20")
    report["options"]["translations"] = "t.jsonl"
    report |= {"missing_translations": 4, "translation": {**FACTS, **facts}}
    return write_card({"kemdy20": report}).split("## Translation\n")[1].strip()


def test_the_card_says_what_made_the_english_and_how_much_of_it():
    assert _translated() == (
        "**kemdy20**: by `gpt-4.1`, prompt `1-abcdef12`, without a draft, 2026-11-20 to "
        "2026-11-25. Each utterance was translated with 3 of the utterances before it and 3 of "
        "those after it, beside up to 9 others of its request, in view: the English may know what "
        "is said later, so it is **not causal**. "
        "Lines by status: ok 400, failed 3, pending 1. Failed: `refused` (2), `timed out` (1). "
        "Rows with Korean text and no English: 4. With other renderings: 120. Flagged: 2.5% "
        "(`short` (8), `names` (3))."
    )


def test_the_card_names_several_models_and_the_draft():
    text = _translated(
        models={"m1": 1_300, "m2": 2},
        draft_models={"llm": 2, "none": 1_300},
        dates=["2026-11-25", "2026-11-25"],
        unknown_origin=7,
    )
    assert "by `m1` (1,300), `m2` (2), " in text and "from a draft by `llm`, 2026-11-25." in text
    assert "Of 7 renderings nothing says what made them." in text


@pytest.mark.parametrize(
    ("contexts", "targets", "said"),
    [
        (
            [[3, 0]],
            [1],
            "with 3 of the utterances before it and none of those after it in view: it",
        ),
        ([[0, 0]], [], "with none of the utterances before it and none of those after it in view:"),
        ([[3, 0], [3, 3]], [1], "none of those after it or 3 of the utterances before it and 3 of"),
        ([[3, 0]], [1, 10], "after it, beside up to 9 others of its request, in view: the English"),
        ([], [10], "What of the dialogue was in view is not recorded."),
    ],
)
def test_the_card_says_whether_the_english_knows_the_future(contexts, targets, said):
    text = _translated(contexts=contexts, targets=targets)
    assert said in text
    sees_later = any(after for _, after in contexts) or targets == [1, 10]
    assert ("**not causal**" in text) == sees_later
    assert ("it is causal" in text) == (bool(contexts) and not sees_later)


def test_the_card_says_where_nothing_is_known_of_the_english():
    nothing = {key: type(value)() for key, value in FACTS.items()}
    text = _translated(**{**nothing, "statuses": {"ok": 400}, "unknown_origin": 400})
    assert text.startswith("**kemdy20**: made by hand, or by something that left no record: ")
    assert "in view" not in text and "Flagged: 0.0%." in text
    none = write_card({"kemdy20": _report("kemdy20")})
    assert none.endswith("## Translation\n\n**kemdy20**: none; `text_en` is empty in every row.\n")


def test_a_config_that_an_older_version_built_says_so():
    report = _report("kemdy20")
    report["options"]["translations"] = "t.jsonl"
    del report["translation"]
    assert "**kemdy20**: not recorded; build it again" in write_card({"kemdy20": report})
