"""The card of a released model, filled from its run's `metrics.json`; no number is typed by hand.

Between `staging` and `upload`. Scores stand beside what they were measured on and what a constant
answer gets there.
"""

from __future__ import annotations

from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from kemer.markdown import markdown_table, number
from kemer.protocols import name_protocol

CORPORA = {"kemdy19": "KEMDy19", "kemdy20": "KEMDy20"}
ETRI = "https://nanum.etri.re.kr/share/kjnoh2/{corpus}?lang=En_us"

SCORES = {
    "exact_match": "exact match",
    "f1_macro": "macro F1",
    "distance": "distance (mean squared error)",
    "ccc_valence": "CCC, valence",
    "ccc_arousal": "CCC, arousal",
}

USE = """```python
from transformers import pipeline

listen = pipeline(model="{repo_id}", trust_remote_code=True)
listen({{"audio": "utterance.wav", "text": "Well done."}})
```"""

INTENDED = """For research on emotion in Korean dialogue, and as a start for models of your own. Not
for decisions about people: in hiring, health, schools, policing or at borders."""

LIMITS = """- Acted or elicited speech of one corpus; no other situation or language was tried.
- Labels are what ten listeners heard, not what speakers felt. Do not decide about people with it.
- The text that it reads is English; Korean has to be translated, best with the dialogue around it.
- Exact match says little where one emotion is nearly always right: see the constant answer.
"""


def write_model_card(metrics: dict[str, Any], *, repo_id: str) -> str:
    """Return the card of a model.

    Args:
        metrics: content of the run's `metrics.json`.
        repo_id: owner and name on the Hub.
    """
    run, test = metrics["run"], metrics["test"]
    corpus = CORPORA.get(run["dataset_config"], run["dataset_config"])
    measured = f"{corpus}, synthetic sample" if run["synthetic"] else corpus
    protocol = name_protocol(run["protocol"])
    sections = [
        f"---\n{_metadata(metrics, repo_id=repo_id, measured=measured).to_yaml()}\n---",
        f"# {repo_id.split('/')[-1]}",
        *(
            ["**Trained on synthetic speech.** No number here says anything about people."]
            * run["synthetic"]
        ),
        "Hears a Korean utterance and reads its English translation, and answers which of seven "
        f"emotions are present ({', '.join(test['base_rates'])}) and how pleasant and how excited "
        "the speaker is (valence and arousal, 1 to 5). KEMER, after Koh, Joo and Jung (2023).",
        "## Use\n\n" + USE.format(repo_id=repo_id),
        f"## Scores\n\n{_scores(metrics)}\n\n"
        f"Test sessions {', '.join(map(str, test['sessions']))} of {measured} "
        f"({test['utterances']:,} utterances), held out by the protocol {protocol}, fold "
        f"{run['fold']} (folds' SHA-256 {run['folds_sha256'][:12]}); trained on "
        f"{metrics['train']['utterances']:,} utterances, epoch chosen on "
        f"{metrics['validation']['utterances']:,}. One run, seed {run['seed']}. "
        + _uncertainty(test["over_sessions"]["exact_match"])
        + (f"\n\n**This is {run['leak']}.**" if run["leak"] else ""),
        f"## Base rates\n\nShare of the test utterances in which listeners heard each emotion:"
        f"\n\n{_base_rates(test['base_rates'])}",
        f"## Intended use\n\n{INTENDED}",
        f"## Limits\n\n{LIMITS.rstrip()}",
        f"## Licence\n\n{_licence(run, corpus)}",
    ]
    return "\n\n".join(sections) + "\n"


def _scores(metrics: dict[str, Any]) -> str:
    test = metrics["test"]
    rows = [["constant answer", number(test["constant_exact_match"]), ""]]
    rows += [
        [f"decoding {name}", number(found["exact_match"]), f"{found['pairs']:.1%}"]
        for name, found in test["decodings"].items()
    ]
    table = markdown_table(["", "exact match", "pairs answered"], rows)
    others = [
        [name, number(_or_nan(found["value"])), _interval(found)]
        for name, found in ((SCORES[key], test["over_sessions"][key]) for key in SCORES)
    ]
    return f"{table}\n\n{markdown_table(['score', 'value', '95 % over sessions'], others)}"


def _interval(found: dict[str, Any]) -> str:
    """Return the interval of a score, a dash where there is none."""
    return f"[{number(found['low'])}, {number(found['high'])}]" if "low" in found else "–"


def _uncertainty(found: dict[str, Any]) -> str:
    """Say how sure exact match is: its interval's kind, or the value of each session."""
    if "low" in found:
        return (
            f"Intervals are over {found['sessions']} sessions ({found['method']}) and hold for "
            "this trained model."
        )
    values = ", ".join(
        f"{number(_or_nan(value))} in session {name}"
        for name, value in found["session_values"].items()
    )
    return (
        f"Its sessions are too few for an interval; exact match is {values}. "
        "`python -m kemer.table` gives intervals over all folds."
    )


def _base_rates(rates: dict[str, float]) -> str:
    return markdown_table(list(rates), [[f"{rate:.1%}" for rate in rates.values()]])


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _metadata(metrics: dict[str, Any], *, repo_id: str, measured: str) -> ModelCardData:
    """Return what stands at the card's head, for the Hub to read."""
    run, test = metrics["run"], metrics["test"]
    names = {"exact_match": "Exact match", "f1_macro": "Macro F1", "distance": "Distance"}
    results = [
        EvalResult(
            task_type="audio-classification",
            task_name="Emotion recognition",
            dataset_type=run["dataset_config"],
            dataset_name=f"{measured}, protocol {run['protocol']}, fold {run['fold']}",
            dataset_split="test",
            metric_type=key,
            metric_name=name,
            metric_value=test[key],
        )
        for key, name in names.items()
    ]
    licence = {"license": "apache-2.0"}
    if not run["synthetic"]:
        corpus = CORPORA.get(run["dataset_config"], run["dataset_config"])
        licence = {"license": "other", "license_name": "etri-kemdy"}
        licence |= {"license_link": ETRI.format(corpus=corpus)}
    return ModelCardData(
        language=["ko", "en"],
        library_name="transformers",
        pipeline_tag="audio-classification",
        tags=["emotion-recognition", "multimodal", "valence-arousal"]
        + ["synthetic"] * run["synthetic"],
        model_name=repo_id.split("/")[-1],
        eval_results=results,
        **licence,
    )


def _licence(run: dict[str, Any], corpus: str) -> str:
    if run["synthetic"]:
        return "Code and weights: Apache License 2.0. Nobody's voice or words are in them."
    return (
        f"The code is under the Apache License 2.0. The weights were trained on {corpus}, which "
        f"ETRI hands out under a signed agreement ({ETRI.format(corpus=corpus)}); ask ETRI before "
        "you publish or use them commercially. Neither audio nor transcripts are in them."
    )
