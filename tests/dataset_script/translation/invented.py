"""Invented dialogues and a model that is a function of what it is asked, for the tests."""

from __future__ import annotations

import hashlib
import json

from dataset_script.translation.dialogues import Dialogue, Utterance
from dataset_script.translation.failures import Answer, Usage

SOURCE = "바다에 가자고 했잖아 정말"  # long enough to be measured


def make_dialogue(
    name: str = "Sess01_script01", *, turns: int = 12, empty: tuple[int, ...] = (), about: str = "1"
) -> Dialogue:
    """A dialogue of two speakers; the turns in `empty` have no words, the others one `about`."""
    return Dialogue(
        f"kemdy20/{name}",
        tuple(
            Utterance(
                f"kemdy20/{name}_User{turn % 2 + 1:03d}F_{turn:03d}",
                f"User{turn % 2 + 1:03d}F",
                "" if turn in empty else f"{SOURCE} {about}-{turn}",
            )
            for turn in range(turns)
        ),
    )


def make_dialogues(count: int, *, turns: int = 12) -> list[Dialogue]:
    return [
        make_dialogue(f"Sess{number:02d}_script01", turns=turns, about=str(number))
        for number in range(count)
    ]


def english_of(text_ko: str) -> str:
    """What the invented model makes of a line."""
    return f"English {hashlib.sha256(text_ko.encode()).hexdigest()[:12]} of it."


def content_of(body: dict) -> dict:
    """What the user's message of a request holds."""
    return json.loads(body["messages"][-1]["content"])


def answer_to(body: dict) -> str:
    """The content of a flawless answer."""
    content = content_of(body)
    targets = content["targets"]
    if "variants" in content:
        count = content["variants"]
        return json.dumps(
            {
                "variants": [
                    {"id": t["id"], "texts": [f"{t['text_en']} v{n}" for n in range(count)]}
                    for t in targets
                ]
            }
        )
    return json.dumps(
        {
            "translations": [
                {"id": t["id"], "text_en": english_of(t["text_ko"] + t.get("draft", ""))}
                for t in targets
            ]
        }
    )


def good_answer(body: dict) -> Answer:
    return Answer(answer_to(body), None, Usage(100, 0, 20))
