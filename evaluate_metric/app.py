"""The metric's Space: paste predictions and references as JSON, read the scores.

A page of its own in place of `evaluate.utils.launch_gradio_widget`: that one calls `gr.inputs`,
which Gradio removed in version 4, and it offers the default config only. Return to it once
evaluate's widget runs on a Gradio that installs beside NumPy 2, and takes a config.
"""

import json
from pathlib import Path

import evaluate

METRIC_PATH = str(Path(__file__).resolve().with_name("evaluate_metric.py"))
CARD_PATH = Path(__file__).resolve().with_name("README.md")
EXAMPLES = [
    ["labels", "[[0,0,0,1,0,0,0], [0,1,0,0,0,0,0]]", "[[0,0,0,1,0,0,0], [0,1,0,0,0,0,1]]"],
    ["valence_arousal", "[[2.5,1.0], [3.5,3.0], [4.5,5.0]]", "[[2.0,1.0], [3.0,3.0], [4.0,5.0]]"],
]


def score_json(config: str, predictions: str, references: str) -> dict[str, float]:
    """Scores predictions and references that are written as JSON.

    Args:
        config: `labels` or `valence_arousal`.
        predictions: a JSON list of rows, (items, 7) or (items, 2).
        references: a JSON list of rows in the same form.

    Returns:
        The scores of the config, rounded to four decimals.

    Raises:
        ValueError: where a text is not a JSON list or the metric refuses its values.

    Example:
        >>> score_json("valence_arousal", "[[2, 3]]", "[[3, 3]]")["distance"]
        0.5
    """
    inputs = {}
    for name, text in (("predictions", predictions), ("references", references)):
        try:
            inputs[name] = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"`{name}` is not JSON ({error}): write a list of rows.") from error
        if not isinstance(inputs[name], list):
            raise ValueError(
                f"`{name}` is {text.strip()[:40]!r}, not a list: write a list of rows."
            )
    scores = evaluate.load(METRIC_PATH, config).compute(**inputs)
    return {key: round(value, 4) for key, value in scores.items()}


def main() -> None:
    """Builds the page and serves it."""
    import gradio as gr  # only the page needs it: `score_json` is tested without

    def answer(config: str, predictions: str, references: str) -> dict[str, float]:
        try:
            return score_json(config, predictions, references)
        except ValueError as error:
            raise gr.Error(str(error)) from error

    gr.Interface(
        fn=answer,
        inputs=[
            gr.Radio(["labels", "valence_arousal"], value="labels", label="Config"),
            gr.Textbox(label="Predictions, a JSON list of rows", lines=4),
            gr.Textbox(label="References, a JSON list of rows", lines=4),
        ],
        outputs=gr.JSON(label="Scores"),
        examples=EXAMPLES,
        title="KEMER metric",
        article=CARD_PATH.read_text(encoding="utf-8").split("---\n", maxsplit=2)[2],
    ).launch()


if __name__ == "__main__":
    main()
