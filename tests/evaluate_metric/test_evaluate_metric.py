"""The metric against scikit-learn, SciPy and values worked out by hand, and what it refuses."""

import ast
import doctest
import json
import math
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import evaluate
import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from evaluate_metric import app, evaluate_metric

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "evaluate_metric"
ORDER = ["surprise", "angry", "fear", "neutral", "sad", "disgust", "happy"]
NEUTRAL = [0, 0, 0, 1, 0, 0, 0]
ANGRY = [0, 1, 0, 0, 0, 0, 0]
ANGRY_HAPPY = [0, 1, 0, 0, 0, 0, 1]


@pytest.fixture
def labels_metric() -> evaluate.Metric:
    return evaluate.load(str(FOLDER), keep_in_memory=True)


@pytest.fixture
def dimensions_metric() -> evaluate.Metric:
    return evaluate.load(str(FOLDER), "valence_arousal", keep_in_memory=True)


def test_labels_by_hand(labels_metric):
    # Right, half right (happy missed), wrong (angry said, neutral meant), right.
    scores = labels_metric.compute(
        predictions=[NEUTRAL, ANGRY, ANGRY, ANGRY],
        references=[NEUTRAL, ANGRY_HAPPY, NEUTRAL, ANGRY],
    )
    expected = {
        "exact_match": 2 / 4,
        "hamming_accuracy": 25 / 28,
        "f1_neutral": 2 / 3,  # 1 hit, 1 miss
        "f1_angry": 4 / 5,  # 2 hits, 1 false alarm
        "f1_happy": 0.0,  # 1 miss
        "f1_macro": (2 / 3 + 4 / 5) / 7,
        "f1_micro": 2 * 3 / (2 * 3 + 1 + 2),
        "f1_weighted": (2 * 2 / 3 + 2 * 4 / 5 + 0) / 5,
        "recall_neutral": 1 / 2,
        "recall_angry": 1.0,
        "recall_happy": 0.0,
    }
    assert {key: scores[key] for key in expected} == pytest.approx(expected)


def test_labels_have_these_keys_in_this_order_as_python_floats(labels_metric):
    scores = labels_metric.compute(predictions=[NEUTRAL], references=[NEUTRAL])
    assert list(scores) == (
        ["exact_match", "hamming_accuracy", "f1_macro", "f1_micro", "f1_weighted"]
        + [f"f1_{emotion}" for emotion in ORDER]
        + [f"recall_{emotion}" for emotion in ORDER]
    )
    assert {type(value) for value in scores.values()} == {float}


def test_labels_equal_scikit_learn(labels_metric):
    generator = np.random.default_rng(7)
    references = (generator.random((200, 7)) < 0.3).astype(int)
    predictions = np.where(generator.random((200, 7)) < 0.2, 1 - references, references)
    scores = labels_metric.compute(predictions=predictions, references=references)
    assert scores["exact_match"] == pytest.approx(metrics.accuracy_score(references, predictions))
    hamming = 1 - metrics.hamming_loss(references, predictions)
    assert scores["hamming_accuracy"] == pytest.approx(hamming)
    for average in ("macro", "micro", "weighted"):
        f1 = metrics.f1_score(references, predictions, average=average)
        assert scores[f"f1_{average}"] == pytest.approx(f1)
    for column, emotion in enumerate(ORDER):
        pair = references[:, column], predictions[:, column]
        assert scores[f"f1_{emotion}"] == pytest.approx(metrics.f1_score(*pair))
        assert scores[f"recall_{emotion}"] == pytest.approx(metrics.recall_score(*pair))


def test_an_absent_emotion_scores_zero_and_counts_in_the_macro_mean(labels_metric):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = labels_metric.compute(predictions=[NEUTRAL] * 3, references=[NEUTRAL] * 3)
        nothing = labels_metric.compute(predictions=[[0] * 7], references=[[0] * 7])
    assert scores["f1_fear"] == scores["recall_fear"] == 0.0
    assert scores["f1_neutral"] == 1.0
    assert scores["f1_macro"] == pytest.approx(1 / 7)
    assert nothing["exact_match"] == 1.0
    assert nothing["f1_micro"] == nothing["f1_weighted"] == nothing["f1_macro"] == 0.0


def test_valence_arousal_by_hand(dimensions_metric):
    # Valence: errors .5, population variance of both sides 2/3, so CCC = (4/3) / (4/3 + 1/4).
    scores = dimensions_metric.compute(
        predictions=[[2.5, 5.0], [3.5, 3.0], [4.5, 1.0]],
        references=[[2.0, 1.0], [3.0, 3.0], [4.0, 5.0]],
    )
    assert scores == pytest.approx(
        {
            "distance": (0.25 + 32 / 3) / 2,
            "distance_valence": 0.25,
            "distance_arousal": 32 / 3,
            "ccc_valence": 16 / 19,
            "ccc_arousal": -1.0,
            "pearson_valence": 1.0,
            "pearson_arousal": -1.0,
        }
    )
    assert {type(value) for value in scores.values()} == {float}


def test_valence_arousal_equal_independent_formulas(dimensions_metric):
    generator = np.random.default_rng(3)
    references = generator.uniform(1, 5, (150, 2))
    predictions = 0.6 * references + generator.normal(1.0, 0.5, (150, 2))
    scores = dimensions_metric.compute(predictions=predictions, references=references)
    assert scores["distance"] == pytest.approx(metrics.mean_squared_error(references, predictions))
    for column, name in enumerate(["valence", "arousal"]):
        x, y = predictions[:, column], references[:, column]
        correlation = stats.pearsonr(x, y).statistic
        # Lin (1989): the correlation times the bias correction factor.
        scale, shift = x.std() / y.std(), (x.mean() - y.mean()) / math.sqrt(x.std() * y.std())
        concordance = correlation * 2 / (scale + 1 / scale + shift**2)
        assert scores[f"pearson_{name}"] == pytest.approx(correlation)
        assert scores[f"ccc_{name}"] == pytest.approx(concordance)
        assert scores[f"distance_{name}"] == pytest.approx(np.mean((x - y) ** 2))


@pytest.mark.parametrize(
    ("predictions", "references", "ccc"),
    [
        ([3.7, 3.7, 3.7], [1.0, 2.0, 4.0], 0.0),  # only the predictions are constant
        ([1.0, 2.0, 4.0], [3.7, 3.7, 3.7], 0.0),  # only the references are constant
        ([2.0, 2.0, 2.0], [3.7, 3.7, 3.7], 0.0),  # two constants that differ
        ([0.1, 0.1, 0.1], [0.1, 0.1, 0.1], math.nan),  # 0/0; a rounded mean would hide it
        ([2.0], [2.0], math.nan),
        ([2.0], [3.0], 0.0),
    ],
)
def test_a_constant_series_follows_the_documented_rule_without_a_warning(
    dimensions_metric, predictions, references, ccc
):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = dimensions_metric.compute(
            predictions=[[value, value] for value in predictions],
            references=[[value, value] for value in references],
        )
    assert scores["ccc_valence"] == pytest.approx(ccc, nan_ok=True)
    assert scores["ccc_arousal"] == pytest.approx(ccc, nan_ok=True)
    assert math.isnan(scores["pearson_valence"]) and math.isnan(scores["pearson_arousal"])


def test_pearson_never_passes_one(dimensions_metric):
    generator = np.random.default_rng(0)
    for _ in range(20):
        rows = generator.uniform(1, 5, (5, 2))
        scores = dimensions_metric.compute(predictions=rows, references=rows)
        assert scores["pearson_valence"] <= 1.0
        assert scores["pearson_valence"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([NEUTRAL], [NEUTRAL, ANGRY], r"predictions \(1\) and references \(2\)"),
        ([NEUTRAL, ANGRY], [NEUTRAL], r"predictions \(2\) and references \(1\)"),
        ([], [], r"`predictions` is empty"),
        ([NEUTRAL[:6]], [NEUTRAL], r"`predictions\[0\]` has 6 values, not 7"),
        ([NEUTRAL], [[*NEUTRAL, 0]], r"`references\[0\]` has 8 values, not 7"),
        ([NEUTRAL, ANGRY[:2]], [NEUTRAL, ANGRY], r"`predictions\[1\]` has 2 values"),
        ([[0, 2, 0, 0, 0, 0, 0]], [ANGRY], r"`predictions\[0\]` has 2.0 for angry: a label is 0"),
        ([ANGRY], [[0, 0.9, 0, 0, 0, 0, 0]], r"`references\[0\]` has 0.9 for angry"),
        ([[0, 0, 0, 0, 0, 0, -1]], [ANGRY], r"`predictions\[0\]` has -1.0 for happy"),
        ([[0, math.nan, 0, 0, 0, 0, 0]], [ANGRY], r"`predictions\[0\]` has nan for angry"),
        ([[0, None, 0, 0, 0, 0, 0]], [ANGRY], r"`predictions\[0\]` has nan for angry"),
        (NEUTRAL, NEUTRAL, "don't match the expected format"),
    ],
)
def test_bad_labels_are_refused_by_name(labels_metric, predictions, references, message):
    with pytest.raises(ValueError, match=message):
        labels_metric.compute(predictions=predictions, references=references)


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([[3, 3]], [[3, 3], [4, 4]], r"predictions \(1\) and references \(2\)"),
        ([], [], r"`predictions` is empty"),
        ([[1, 2, 3]], [[1, 2]], r"`predictions\[0\]` has 3 values, not 2: .*valence, arousal"),
        ([[1, 2]], [[1]], r"`references\[0\]` has 1 values, not 2"),
        ([[1, math.inf]], [[1, 2]], r"`predictions\[0\]` has inf for arousal: .*finite"),
        ([[1, 2]], [[math.nan, 2]], r"`references\[0\]` has nan for valence"),
    ],
)
def test_bad_valence_arousal_is_refused_by_name(
    dimensions_metric, predictions, references, message
):
    with pytest.raises(ValueError, match=message):
        dimensions_metric.compute(predictions=predictions, references=references)


def test_lengths_are_checked_without_evaluate_in_front():
    metric = evaluate_metric.KemerMetric(keep_in_memory=True)
    with pytest.raises(ValueError, match="`predictions` has 1 items and `references` 2"):
        metric._compute([NEUTRAL], [NEUTRAL, ANGRY])


def test_a_refusal_leaves_the_metric_usable(labels_metric):
    with pytest.raises(ValueError, match="0.9"):
        labels_metric.compute(predictions=[[0.9] * 7], references=[NEUTRAL])
    assert labels_metric.compute(predictions=[NEUTRAL], references=[NEUTRAL])["exact_match"] == 1.0


def test_batches_add_up(labels_metric):
    labels_metric.add_batch(predictions=[NEUTRAL, ANGRY], references=[NEUTRAL, NEUTRAL])
    labels_metric.add_batch(predictions=[ANGRY], references=[ANGRY])
    assert labels_metric.compute()["exact_match"] == pytest.approx(2 / 3)


def test_config_names(monkeypatch):
    monkeypatch.chdir(ROOT)
    for path in ("./evaluate_metric", "evaluate_metric", str(FOLDER)):
        for config in (None, "labels"):
            metric = evaluate.load(path, config, keep_in_memory=True)
            scores = metric.compute(predictions=[NEUTRAL], references=[NEUTRAL])
            assert scores["exact_match"] == 1.0
    with pytest.raises(ValueError, match="`config_name` is 'emotions': choose one of labels, val"):
        evaluate.load("./evaluate_metric", "emotions")


def test_loads_in_a_fresh_process_offline_from_another_directory(tmp_path):
    script = (
        "import evaluate, json, sys;"
        "metric = evaluate.load(sys.argv[1], 'valence_arousal');"
        "print(json.dumps(metric.compute(predictions=[[2, 3]], references=[[3, 3]])['distance']))"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment.update(HF_HOME=str(tmp_path / "home"), HF_HUB_OFFLINE="1", HF_EVALUATE_OFFLINE="1")
    environment.pop("PYTHONPATH", None)
    result = subprocess.run(
        [sys.executable, "-c", script, str(FOLDER)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == 0.5


def test_examples_of_the_docstring_and_of_the_card_run(monkeypatch):
    monkeypatch.chdir(ROOT)
    module = doctest.testmod(evaluate_metric, extraglobs={"evaluate": evaluate})
    page = doctest.testmod(app)
    card = doctest.testfile(str(FOLDER / "README.md"), module_relative=False, encoding="utf-8")
    assert (module.failed, page.failed, card.failed) == (0, 0, 0)
    assert module.attempted >= 7 and page.attempted == 1 and card.attempted >= 9


def test_the_card_says_what_the_metric_returns():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for section in (
        "## Metric Description",
        "## How to Use",
        "### Inputs",
        "### Output Values",
        "#### Values from Popular Papers",
        "### Examples",
        "## Limitations and Bias",
        "## Citation",
        "## Further References",
    ):
        assert f"\n{section}\n" in card, section
    assert ", ".join(evaluate_metric.EMOTIONS) in " ".join(card.split())
    named = set(re.findall(r"`([a-z0-9_<>]+)`", card.split("### Output Values")[1]))
    zeros, means = np.zeros((1, 7)), np.zeros((1, 2))
    for key in evaluate_metric.score_labels(zeros, zeros):
        assert key in named or re.sub("_(" + "|".join(ORDER) + ")$", "_<emotion>", key) in named, (
            key
        )
    assert set(evaluate_metric.score_valence_arousal(means, means)) <= named


def test_the_folder_imports_nothing_of_ours():
    allowed = {"collections", "math", "json", "pathlib", "datasets", "evaluate", "numpy", "sklearn"}
    imported = set()
    for path in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path.name} has a relative import"
                imported.add(node.module.split(".")[0])
    assert imported <= allowed | {"gradio"}, imported - allowed
    assert {"evaluate", "numpy"} <= imported  # the walk has seen the files


def test_the_space_page_refuses_in_words():
    with pytest.raises(ValueError, match="`predictions` is not JSON"):
        app.score_json("labels", "[[0,", "[]")
    with pytest.raises(ValueError, match="`references` is '3', not a list"):
        app.score_json("labels", "[]", "3")
    for config, predictions, references in app.EXAMPLES:
        assert app.score_json(config, predictions, references)
