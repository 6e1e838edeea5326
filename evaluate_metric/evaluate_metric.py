"""The metric of KEMER: seven emotions decided at once, and valence and arousal on a scale.

Loaded with `evaluate.load("./evaluate_metric")`. It stands alone, so that the folder can be
uploaded as a metric Space: nothing here imports another part of the repository. evaluate's loader
reads the imports line by line: one module an import line and no `try` around any of them.

Sources: Exact Match and Distance are those of Koh, Joo and Jung (2023), sections 2.4 and 3; the
concordance correlation coefficient is that of Lin (1989), https://doi.org/10.2307/2532051.
"""

import math
from collections.abc import Sequence

import datasets
import evaluate
import numpy as np
from sklearn.metrics import accuracy_score, mean_squared_error, precision_recall_fscore_support

EMOTIONS = ("surprise", "angry", "fear", "neutral", "sad", "disgust", "happy")
DIMENSIONS = ("valence", "arousal")
CONFIGS = ("labels", "valence_arousal")

_DESCRIPTION = """
Scores multi-label emotion recognition in speech on the seven emotions of the KEMDy corpora (config
`labels`) and the recognition of valence and arousal (config `valence_arousal`).
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (`list` of `list` of `float`): one row an item.
        Config `labels`: 7 values a row, each 0 or 1, in the order surprise, angry, fear, neutral,
        sad, disgust, happy. Config `valence_arousal`: 2 finite values a row, valence then arousal.
    references (`list` of `list` of `float`): the truth, in the same form and order of items.

Returns:
    Config `labels`, each a `float` in [0, 1], higher is better:
    exact_match: share of items whose seven decisions are all right.
    hamming_accuracy: share of single decisions, items times emotions, that are right.
    f1_macro: mean of the seven F1 values, each emotion counting the same.
    f1_micro: F1 of all decisions pooled.
    f1_weighted: mean of the seven F1 values, weighted by the emotions' counts in `references`.
    f1_<emotion>, recall_<emotion>: F1 and recall of one emotion.
    What would be 0/0 is 0: an emotion that neither side holds has F1 0 and recall 0, and still
    counts as one of the seven in f1_macro.

    Config `valence_arousal`, each a `float`:
    distance: mean squared error over items and both dimensions, at least 0, lower is better.
    distance_valence, distance_arousal: mean squared error of one dimension.
    ccc_valence, ccc_arousal: concordance correlation coefficient in [-1, 1], higher is better.
    pearson_valence, pearson_arousal: Pearson's correlation in [-1, 1], higher is better.
    What would be 0/0 is nan: Pearson's where the predictions or the references of a dimension are
    all equal; the CCC only where all predictions and all references equal one same value.

Raises:
    ValueError: where there are no items, the two sides differ in length, a row has a wrong number
        of values, a label is neither 0 nor 1, or a valence or arousal is not finite.

Examples:

    Example 1: the second of two items is half right.
        >>> metric = evaluate.load("./evaluate_metric")
        >>> results = metric.compute(
        ...     predictions=[[0, 0, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0]],
        ...     references=[[0, 0, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0, 1]],
        ... )
        >>> results["exact_match"], round(results["hamming_accuracy"], 3)
        (0.5, 0.929)
        >>> results["f1_neutral"], results["f1_happy"], round(results["f1_macro"], 3)
        (1.0, 0.0, 0.286)

    Example 2: valence right but for a shift by one half, arousal exact.
        >>> metric = evaluate.load("./evaluate_metric", "valence_arousal")
        >>> results = metric.compute(
        ...     predictions=[[2.5, 1.0], [3.5, 3.0], [4.5, 5.0]],
        ...     references=[[2.0, 1.0], [3.0, 3.0], [4.0, 5.0]],
        ... )
        >>> results["distance"], results["distance_valence"], results["distance_arousal"]
        (0.125, 0.25, 0.0)
        >>> round(results["ccc_valence"], 3), round(results["pearson_valence"], 3)
        (0.842, 1.0)
"""

_CITATION = """
@misc{koh2023reflecting,
    title={Reflecting dialogue and pretrained information into Multi Modal Emotion Recognition:
           Focusing on Text and Audio},
    author={Koh, Hyukhun and Joo, Seongho and Jung, Kyomin},
    year={2023}
}
@article{lin1989concordance,
    title={A Concordance Correlation Coefficient to Evaluate Reproducibility},
    author={Lin, Lawrence I-Kuei},
    journal={Biometrics},
    volume={45},
    number={1},
    pages={255--268},
    year={1989}
}
"""


def rows_to_array(
    name: str, rows: Sequence[Sequence[float]], *, columns: Sequence[str]
) -> np.ndarray:
    """Turns rows of numbers into a table and refuses rows that are too short or too long.

    Args:
        name: how the error calls the rows, `predictions` or `references`.
        rows: (items, columns) values; None counts as missing.
        columns: names of the values in a row, in their order.

    Returns:
        (items, columns) float64, nan where a value is missing.

    Raises:
        ValueError: where there are no rows, or a row has another number of values than `columns`.
    """
    if len(rows) == 0:
        raise ValueError(f"`{name}` is empty: give at least one item.")
    for index, row in enumerate(rows):
        width = 0 if row is None else len(row)
        if width != len(columns):
            raise ValueError(
                f"`{name}[{index}]` has {width} values, not {len(columns)}: "
                f"give one value for each of {', '.join(columns)}, in this order."
            )
    return np.array([list(row) for row in rows], dtype=np.float64)


def check_values(
    name: str, table: np.ndarray, allowed: np.ndarray, *, columns: Sequence[str], rule: str
) -> None:
    """Refuses a table that holds a value which is not allowed, and names the first one.

    Args:
        name: how the error calls the table, `predictions` or `references`.
        table: (items, columns) values.
        allowed: (items, columns) bool, True where the value is allowed.
        columns: names of the columns, for the error.
        rule: what is allowed and what to do, for the error.

    Raises:
        ValueError: where any value is not allowed.
    """
    if not allowed.all():
        index, column = np.argwhere(~allowed)[0]
        raise ValueError(
            f"`{name}[{index}]` has {float(table[index, column])} for {columns[column]}: {rule}."
        )


def score_labels(predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
    """Scores decisions on the seven emotions; 0/0 counts as 0.

    Args:
        predictions: (items, 7) values 0 or 1.
        references: (items, 7) values 0 or 1.

    Returns:
        Floats in [0, 1]: `exact_match`, `hamming_accuracy`, `f1_macro`, `f1_micro`, `f1_weighted`,
        then `f1_<emotion>` and `recall_<emotion>` for each emotion.
    """
    predictions, references = predictions.astype(np.int64), references.astype(np.int64)
    scores = {
        "exact_match": accuracy_score(references, predictions),
        "hamming_accuracy": np.mean(predictions == references),
    }
    for average in ("macro", "micro", "weighted"):
        scores[f"f1_{average}"] = precision_recall_fscore_support(
            references, predictions, average=average, zero_division=0
        )[2]
    _, recall, f1, _ = precision_recall_fscore_support(
        references, predictions, average=None, zero_division=0
    )
    scores.update({f"f1_{emotion}": value for emotion, value in zip(EMOTIONS, f1, strict=True)})
    scores.update(
        {f"recall_{emotion}": value for emotion, value in zip(EMOTIONS, recall, strict=True)}
    )
    return {key: float(value) for key, value in scores.items()}


def agreement(predictions: np.ndarray, references: np.ndarray) -> tuple[float, float]:
    """Computes the concordance and Pearson's correlation coefficient of two series.

    With means m, population variances s² and covariance c, the concordance is
    2 c / (s_p² + s_r² + (m_p - m_r)²) and Pearson's is c / (s_p s_r).

    Args:
        predictions: (items,) finite values.
        references: (items,) finite values.

    Returns:
        The two coefficients, in [-1, 1] each; nan where the formula is 0/0.
    """
    # A series of equal values has deviations of exactly 0, which its rounded mean does not give.
    deviations = [
        np.zeros_like(series) if np.ptp(series) == 0 else series - series.mean()
        for series in (predictions, references)
    ]
    covariance = float(np.mean(deviations[0] * deviations[1]))
    variances = [float(np.mean(deviation**2)) for deviation in deviations]
    offset = float(np.mean(predictions - references)) ** 2
    spread = math.sqrt(variances[0]) * math.sqrt(variances[1])
    total = sum(variances) + offset
    concordance = 2.0 * covariance / total if total > 0 else math.nan
    # Rounding may carry a perfect correlation past 1 by one unit in the last place.
    pearson = max(-1.0, min(1.0, covariance / spread)) if spread > 0 else math.nan
    return concordance, pearson


def score_valence_arousal(predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
    """Scores valence and arousal.

    Args:
        predictions: (items, 2) finite values, valence then arousal.
        references: (items, 2) finite values, valence then arousal.

    Returns:
        `distance` over both dimensions, then `distance_`, `ccc_` and `pearson_` of each dimension;
        a correlation that is 0/0 is nan.
    """
    errors = mean_squared_error(references, predictions, multioutput="raw_values")
    scores = {"distance": float(errors.mean())}
    scores.update({f"distance_{name}": float(errors[i]) for i, name in enumerate(DIMENSIONS)})
    pairs = [agreement(predictions[:, i], references[:, i]) for i in range(len(DIMENSIONS))]
    scores.update({f"ccc_{name}": ccc for name, (ccc, _) in zip(DIMENSIONS, pairs, strict=True)})
    scores.update({f"pearson_{name}": r for name, (_, r) in zip(DIMENSIONS, pairs, strict=True)})
    return scores


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class KemerMetric(evaluate.Metric):
    """Exact match and F1 of seven emotions, or distance and correlations of valence and arousal."""

    def _info(self) -> evaluate.MetricInfo:
        # evaluate names a config that nobody named "default".
        if self.config_name not in ("default", *CONFIGS):
            raise ValueError(
                f"`config_name` is {self.config_name!r}: choose one of {', '.join(CONFIGS)}."
            )
        # float64 on purpose: an integer feature would truncate 0.9 to 0 before it can be refused.
        row = datasets.Sequence(datasets.Value("float64"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features({"predictions": row, "references": row}),
            reference_urls=["https://doi.org/10.2307/2532051"],
        )

    def _compute(
        self, predictions: Sequence[Sequence[float]], references: Sequence[Sequence[float]]
    ) -> dict[str, float]:
        labels = self.config_name != "valence_arousal"
        columns = EMOTIONS if labels else DIMENSIONS
        tables = {}
        for name, rows in (("predictions", predictions), ("references", references)):
            table = rows_to_array(name, rows, columns=columns)
            if labels:
                allowed = np.isin(table, (0.0, 1.0))
                rule = "a label is 0 or 1, so turn probabilities into decisions first"
            else:
                allowed = np.isfinite(table)
                rule = "valence and arousal are finite numbers, so leave such an item out of both"
            check_values(name, table, allowed, columns=columns, rule=rule)
            tables[name] = table
        if len(tables["predictions"]) != len(tables["references"]):
            raise ValueError(
                f"`predictions` has {len(predictions)} items and `references` {len(references)}: "
                "give one of each for every item."
            )
        return score_labels(**tables) if labels else score_valence_arousal(**tables)
