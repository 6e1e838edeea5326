"""A run's report: one page of scores with its figures, made from its predictions.

Stands last in the pipeline: `scoring` computes what it shows, `figures` draws what it embeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from configuration_kemer import EMOTIONS
from kemer.calibration import calibration_table
from kemer.figures import (
    confusion_counts,
    draw_confusion,
    draw_valence_arousal,
    save_figure,
)
from kemer.markdown import markdown_table, number
from kemer.reliability_figure import draw_reliability
from kemer.scoring import constant_answer, read_predictions, score, session_table

CONFUSION_FILE = "confusion.png"
RELIABILITY_FILE = "reliability.png"
VALENCE_AROUSAL_FILE = "valence_arousal.png"
REPORT_FILE = "report.md"
SYNTHETIC_NOTE = (
    "**Synthetic speech.** Every number here comes from artificial utterances and simulated "
    "raters. It shows that the pipeline works and says nothing about people."
)
# Rows of the table of scores: what is printed, and the metric's key.
HEADLINES = (
    ("exact match", "exact_match"),
    ("Hamming accuracy", "hamming_accuracy"),
    ("F1, macro", "f1_macro"),
    ("F1, micro", "f1_micro"),
    ("F1, weighted", "f1_weighted"),
    ("distance (mean squared error)", "distance"),
    ("distance, valence", "distance_valence"),
    ("distance, arousal", "distance_arousal"),
    ("CCC, valence", "ccc_valence"),
    ("CCC, arousal", "ccc_arousal"),
    ("Pearson's r, valence", "pearson_valence"),
    ("Pearson's r, arousal", "pearson_arousal"),
)


def full_title(title: str, *, synthetic: bool) -> str:
    """Says in a title that the speech is synthetic, where it is.

    Args:
        title: what the run is called.
        synthetic: whether the speech is synthetic.

    Returns:
        The title for figures and page.
    """
    return f"{title} (synthetic speech)" if synthetic else title


def scores_section(
    predictions: pd.DataFrame,
    scores: dict[str, float],
    *,
    constant_chosen_on: Sequence[Sequence[int]] | None,
) -> str:
    """Writes the table of scores: each corpus in a column, and all together where there are more.

    Args:
        predictions: the table of `scoring.read_predictions`.
        scores: the scores of all rows.
        constant_chosen_on: as in `write_report`.

    Returns:
        The section in Markdown.
    """
    corpora = sorted(predictions["corpus"].unique())
    parts = {corpus: predictions[predictions["corpus"] == corpus] for corpus in corpora}
    if len(parts) == 1:
        results = {corpora[0]: scores}
    else:
        results = {corpus: score(part) for corpus, part in parts.items()} | {"all": scores}
        parts["all"] = predictions
    answers = {
        name: constant_answer(parts[name]["labels_reference"], chosen_on=constant_chosen_on)
        for name in results
    }
    origin = "these references" if constant_chosen_on is None else "the training sessions"
    rows = [["utterances", *(f"{len(parts[name]):,}" for name in results)]]
    rows += [[text, *(number(s[key]) for s in results.values())] for text, key in HEADLINES]
    rows.insert(
        2,
        ["exact match of the majority answer", *(number(a.exact_match) for a in answers.values())],
    )
    majority = "; ".join(
        f"{name}: {', '.join(e for e, v in zip(EMOTIONS, a.labels, strict=True) if v) or 'none'}"
        for name, a in answers.items()
    )
    return (
        f"## Scores\n\n{markdown_table(['score', *results], rows)}\n\n"
        f"The majority answer gives every utterance the most frequent label set of {origin} "
        f"({majority}). F1 and recall of an emotion that nobody has are 0; Pearson's r with a "
        "constant is undefined."
    )


def emotions_section(predictions: pd.DataFrame, scores: dict[str, float]) -> str:
    """Writes the table of emotions and embeds the confusion matrices.

    Args:
        predictions: the table of `scoring.read_predictions`.
        scores: the scores of all rows.

    Returns:
        The section in Markdown.
    """
    counts = confusion_counts(predictions)
    rows = [
        [
            emotion,
            f"{counts[k, 1].sum():,}",
            f"{counts[k, :, 1].sum():,}",
            f"{counts[k, 1, 1]:,}",
            number(scores[f"f1_{emotion}"]),
            number(scores[f"recall_{emotion}"]),
        ]
        for k, emotion in enumerate(EMOTIONS)
    ]
    header = ["emotion", "in the references", "predicted", "both", "F1", "recall"]
    return (
        f"## Emotions\n\n{markdown_table(header, rows)}\n\n"
        f"![Confusion matrix of each emotion]({CONFUSION_FILE})"
    )


def probabilities_section(calibration: pd.DataFrame, utterances: int) -> str:
    """Writes the table of the probabilities' calibration and embeds the reliability curves.

    Args:
        calibration: of `calibration.calibration_table`.
        utterances: how many there are.

    Returns:
        The section in Markdown.
    """
    rows = [
        [
            line.Index,
            f"{line.references / utterances:.3f}",
            number(line.brier),
            number(line.brier_constant),
            number(line.ece),
        ]
        for line in calibration.itertuples()
    ]
    header = ["emotion", "share", "Brier score", "Brier score of the share", "ECE"]
    return (
        f"## Probabilities\n\n{markdown_table(header, rows)}\n\n"
        "The Brier score is the mean squared distance of probability and truth; the share itself, "
        "said of every utterance, has that of the column after it. ECE is the expected calibration "
        f"error in ten bins. Less is better.\n\n![Reliability curves]({RELIABILITY_FILE})"
    )


def sessions_section(predictions: pd.DataFrame) -> str:
    """Writes the exact match of every session.

    Args:
        predictions: the table of `scoring.read_predictions`.

    Returns:
        The section in Markdown.
    """
    rows = [
        [f"{row.corpus}, session {row.session}", f"{row.items:,}", number(row.exact_match)]
        for row in session_table(predictions).itertuples()
    ]
    return (
        f"## Sessions\n\n{markdown_table(['session', 'utterances', 'exact match'], rows)}\n\n"
        "No interval is given for one run: an interval takes the predictions of all folds "
        "together, with the session as its unit."
    )


def write_report(
    predictions: pd.DataFrame | str | Path,
    output_dir: str | Path,
    *,
    title: str,
    synthetic: bool,
    constant_chosen_on: Sequence[Sequence[int]] | None = None,
) -> Path:
    """Writes `report.md`, `confusion.png`, `reliability.png` and `valence_arousal.png`.

    Args:
        predictions: the table of a run, or the path of its `predictions.parquet`.
        output_dir: the folder to write to; it is made where it is not there.
        title: what the run is called, on the page and on the figures.
        synthetic: whether the speech is synthetic; the page and the figures then say so.
        constant_chosen_on: (items, 7) the label sets whose majority is the constant answer shown,
            such as those of the training sessions; None takes the references themselves.

    Returns:
        The path of `report.md`.

    Raises:
        FileNotFoundError: where `predictions` is a path of no file.
        ValueError: where the predictions are refused by `scoring.read_predictions` or the metric.
    """
    predictions = read_predictions(predictions)
    scores = score(predictions)
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    shown = full_title(title, synthetic=synthetic)
    save_figure(draw_confusion(predictions, scores, title=shown), folder / CONFUSION_FILE)
    save_figure(
        draw_valence_arousal(predictions, scores, title=shown), folder / VALENCE_AROUSAL_FILE
    )
    calibration = calibration_table(predictions)
    save_figure(draw_reliability(predictions, calibration, title=shown), folder / RELIABILITY_FILE)
    sections = [
        f"# {shown}",
        *([SYNTHETIC_NOTE] if synthetic else []),
        scores_section(predictions, scores, constant_chosen_on=constant_chosen_on),
        emotions_section(predictions, scores),
        probabilities_section(calibration, len(predictions)),
        f"## Valence and arousal\n\n![Predicted against reference]({VALENCE_AROUSAL_FILE})",
        sessions_section(predictions),
    ]
    path = folder / REPORT_FILE
    path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return path
