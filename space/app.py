"""The demo's page: record or upload, and see what KEMER hears.

`page_texts` has its texts, `listening` the way to the model, `page_figures` the figures; here they
are put on a page and wired. Run as `KEMER_MODEL=OWNER/NAME python app.py`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr
from huggingface_hub import RepoCard

from listening import Heard, Listener, Problem
from page_figures import draw_attention, draw_emotions, draw_plane, draw_timeline
from page_texts import LANGUAGES, TEXTS, emotion_name, preferred_language

HERE = Path(__file__).resolve().parent
STATE_SECONDS = 3600
"""After so long a visitor's recording is forgotten."""

FONTS = ("Noto Sans KR", "Noto Sans CJK KR", "system-ui", "sans-serif")
CSS = "#problem {border: 2px solid #D55E00; border-radius: 8px; padding: 8px 14px;}"


def main() -> None:
    """Build the page and serve it, where Gradio's environment variables say."""
    model = find_model()
    page = build_page(Listener(model), model=model)
    # Without downloads of fonts: the page works where there is no network.
    theme = gr.themes.Default(font=FONTS, font_mono=("monospace",))
    page.queue(max_size=32).launch(theme=theme, css=CSS, max_file_size="100mb")


def find_model() -> str:
    """Return the model's name: `KEMER_MODEL`, or the first of `models:` in the card.

    Raises:
        ValueError: if neither names one.
    """
    told = os.environ.get("KEMER_MODEL")
    models = RepoCard.load(HERE / "README.md", ignore_metadata_errors=True).data.get("models")
    if not told and not models:
        raise ValueError(
            "no model is named; set `KEMER_MODEL` to a repository or a folder, or list one under "
            "`models:` in the head of README.md."
        )
    return told or models[0]


def build_page(listener: Listener, *, model: str) -> gr.Blocks:
    """Return the page.

    Args:
        listener: what answers.
        model: the model's name, for the page to say.
    """
    english = TEXTS["en"]
    with gr.Blocks(title="KEMER", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        heard = gr.State(None, time_to_live=STATE_SECONDS)
        with gr.Row(equal_height=True):
            title = gr.Markdown(english["title"])
            language = gr.Radio(
                list(LANGUAGES), value="English", show_label=False, container=False, scale=0,
                min_width=220, elem_id="language",
            )  # fmt: skip
        about = gr.Markdown(english["about"].format(model=model))
        with gr.Row():
            with gr.Column(scale=2):
                audio = gr.Audio(
                    sources=["upload", "microphone"], type="filepath", label=english["audio"],
                    elem_id="audio",
                )  # fmt: skip
                text = gr.Textbox(
                    label=english["text"], info=english["text_help"], max_length=500, elem_id="text"
                )
                button = gr.Button(english["listen"], variant="primary", elem_id="listen")
                examples = gr.Examples(
                    find_examples(), [audio, text], label=english["examples"], api_name=False
                ).dataset
            with gr.Column(scale=3):
                problem = gr.Markdown(visible=False, elem_id="problem")
                answer = gr.Markdown(elem_id="answer")
                choice = gr.Dropdown(
                    [], label=english["utterance"], visible=False, elem_id="utterance"
                )
                with gr.Row():
                    bars = gr.Plot(show_label=False, visible=False, elem_id="emotions")
                    plane = gr.Plot(show_label=False, visible=False, elem_id="plane")
        timeline = gr.Plot(show_label=False, visible=False, elem_id="timeline")
        attention = gr.Plot(show_label=False, visible=False, elem_id="attention")
        with gr.Accordion(english["values"], open=False) as accordion:
            values = gr.JSON(show_label=False)
        limits = gr.Markdown(english["limits"])

        shown = [problem, answer, choice, bars, plane, timeline, attention, values]
        page_parts = [title, about, audio, text, button, examples, accordion, limits]
        show = Page(listener, model)
        button.click(show.listen, [audio, text, language], [heard, *shown], api_name="listen")
        choice.input(show.choose, [heard, choice, language], shown, api_name=False)
        language.change(show.translate, [language], page_parts, api_name=False).then(
            show.choose, [heard, choice, language], shown, api_name=False
        )
        page.load(begin, None, [language], api_name=False)
    return page


def begin(request: gr.Request) -> str:
    """Return the language of a visitor's browser."""
    return preferred_language(request.headers.get("accept-language"))


def find_examples() -> list[list[str]]:
    """Return the recordings that come with the page, each with what is said in it."""
    return [
        [str(path), path.with_suffix(".txt").read_text(encoding="utf-8").strip()]
        for path in sorted((HERE / "examples").glob("*.flac"))
    ]


class Page:
    """What happens on the page: its events, each returning the components anew.

    Args:
        listener: what answers.
        model: the model's name.
    """

    def __init__(self, listener: Listener, model: str) -> None:
        self.listener, self.model = listener, model

    def listen(self, path: str | None, text: str | None, language: str) -> list[Any]:
        """Answer a recording, or say what is wrong with it."""
        try:
            heard = self.listener.listen(path, text)
        except Problem as problem:
            said = TEXTS[LANGUAGES[language]][problem.name].format(**problem.details)
            hidden = [gr.update(visible=False) for _ in range(5)]
            return [None, gr.update(value=f"⚠️ {said}", visible=True), "", *hidden, None]
        return [heard, *self.choose(heard, 0, language)]

    def choose(self, heard: Heard | None, place: int | None, language: str) -> list[Any]:
        """Show one utterance of a recording; nothing where none was heard."""
        if heard is None:
            return [gr.update() for _ in range(8)]
        code, place = LANGUAGES[language], place or 0
        chosen, is_long = heard.answers[place], len(heard.answers) > 1
        samples, weights = self.listener.attend(heard, place)
        looks = draw_attention(
            samples, weights, rate=heard.rate, start=chosen["start"], language=code
        )
        names = [
            (f"{number + 1}. {say_span(one, code)}: {say_emotions(one, code)}", number)
            for number, one in enumerate(heard.answers)
        ]
        label = TEXTS[code]["utterance"]
        figures = [
            draw_emotions(chosen, language=code),
            draw_plane(heard.answers, place=place, language=code),
            draw_timeline(heard.answers, place=place, language=code) if is_long else None,
            looks,
        ]
        return [
            gr.update(visible=False),
            f"### {TEXTS[code]['answer']}: {say_answer(chosen, code)}",
            gr.update(choices=names, value=place, label=label, visible=is_long),
            *(gr.update(value=figure, visible=figure is not None) for figure in figures),
            heard.answers,
        ]

    def translate(self, language: str) -> list[Any]:
        """Say the page's own texts in a language."""
        texts = TEXTS[LANGUAGES[language]]
        return [
            texts["title"],
            texts["about"].format(model=self.model),
            gr.update(label=texts["audio"]),
            gr.update(label=texts["text"], info=texts["text_help"]),
            texts["listen"],
            gr.update(label=texts["examples"], headers=[texts["audio"], texts["text"]]),
            gr.update(label=texts["values"]),
            texts["limits"],
        ]


def say_answer(answer: dict[str, Any], language: str) -> str:
    """Return an utterance's answer in one line.

    Args:
        answer: `start`, `end`, `emotions`, `probabilities`, `valence` and `arousal`.
        language: a key of `TEXTS`.
    """
    points = " · ".join(
        f"{TEXTS[language][name].split(' (')[0]} {answer[name]:.1f}"
        for name in ("valence", "arousal")
    )
    return f"{say_emotions(answer, language)} · {points} · {say_span(answer, language)}"


def say_emotions(answer: dict[str, Any], language: str) -> str:
    """Return the emotions of an answer with their probabilities."""
    chances = answer["probabilities"]
    return ", ".join(
        f"{emotion_name(name, language)} {chances[name]:.0%}" for name in answer["emotions"]
    )


def say_span(answer: dict[str, Any], language: str) -> str:
    """Return when an utterance was said."""
    return f"{answer['start']:.1f}–{answer['end']:.1f} {TEXTS[language]['seconds']}"


if __name__ == "__main__":
    main()
