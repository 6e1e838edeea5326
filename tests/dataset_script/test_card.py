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
