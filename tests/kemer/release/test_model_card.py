import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from kemer.release.model_card import write_model_card


@pytest.fixture(scope="module")
def metrics(run_folder: Path) -> dict[str, Any]:
    return json.loads((run_folder / "metrics.json").read_text())


def card_of(metrics: dict[str, Any], **run: Any) -> ModelCard:
    changed = {**metrics, "run": {**metrics["run"], **run}}
    return ModelCard(write_model_card(changed, repo_id="someone/kemer"))


def test_the_head_is_what_the_hub_reads(metrics: dict[str, Any]) -> None:
    data = card_of(metrics).data
    assert data.library_name == "transformers" and data.language == ["ko", "en"]
    values = {one.metric_type: one.metric_value for one in data.eval_results}
    test = metrics["test"]
    assert values == {name: test[name] for name in ("exact_match", "f1_macro", "distance")}
    assert "protocol session, fold 0" in data.eval_results[0].dataset_name


def test_scores_stand_beside_what_they_were_measured_on(metrics: dict[str, Any]) -> None:
    text = card_of(metrics).text
    test = metrics["test"]
    assert f"| constant answer | {test['constant_exact_match']:.3f} |" in text
    for name, found in test["decodings"].items():
        assert f"| decoding {name} | {found['exact_match']:.3f} |" in text
    assert "Test sessions 1 of" in text and "(4 utterances)" in text
    value = test["over_sessions"]["exact_match"]["session_values"]["1"]
    assert f"exact match is {value:.3f} in session 1." in text
    assert " | ".join(f"{rate:.1%}" for rate in test["base_rates"].values()) in text
    assert 'pipeline(model="someone/kemer", trust_remote_code=True)' in text
    leak = "a leak: voices of the test utterances are trained on"
    assert f"**This is {leak}.**" in card_of(metrics, leak=leak, protocol="random").text


def test_synthetic_speech_and_the_corpora_have_their_own_licence(metrics: dict[str, Any]) -> None:
    synthetic, real = (card_of(metrics, synthetic=value) for value in (True, False))
    assert synthetic.data.license == "apache-2.0" and "synthetic" in synthetic.data.tags
    assert "**Trained on synthetic speech.**" in synthetic.text
    assert real.data.license == "other" and real.data.license_link.endswith("KEMDy20?lang=En_us")
    assert "ynthetic" not in real.content and "ask ETRI before" in real.text


def with_score(metrics: dict[str, Any], name: str, found: dict[str, Any]) -> str:
    over = {**metrics["test"]["over_sessions"], name: found}
    changed = {**metrics, "test": {**metrics["test"], "over_sessions": over}}
    return write_model_card(changed, repo_id="a/b")


def test_intervals_are_shown_where_there_are_sessions_enough(metrics: dict[str, Any]) -> None:
    found = {"value": 0.5, "low": 0.4, "high": 0.6, "sessions": 12, "method": "session t"}
    text = with_score(metrics, "exact_match", found)
    assert "| exact match | 0.500 | [0.400, 0.600] |" in text
    assert "over 12 sessions (session t)" in text and "too few" not in text


def test_a_score_that_is_undefined_is_said(metrics: dict[str, Any]) -> None:
    undefined = {"value": None, "reason": "undefined"}
    assert "| CCC, valence | undefined | – |" in with_score(metrics, "ccc_valence", undefined)
