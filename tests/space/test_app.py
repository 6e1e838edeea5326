"""The page in a real browser, and its answers over its API beside those of the model here."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import app
import page_texts
from kemer.predict.answering import Answerer
from kemer.predict.settings import CutSettings

SECONDS = 60_000  # milliseconds until a figure has to be there


@pytest.fixture
def page(browser: Browser, page_address: str) -> Iterator[Page]:
    """An English visitor on the page; what it asks of other hosts fails the test."""
    yield from visit(browser, page_address, locale="en-US")


def visit(browser: Browser, address: str, *, locale: str) -> Iterator[Page]:
    context = browser.new_context(locale=locale, viewport={"width": 1280, "height": 900})
    page, elsewhere = context.new_page(), []
    page.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith((address, "data:", "blob:"))
            else elsewhere.append(asked.url)
        ),
    )
    page.goto(address)
    expect(page.locator("#listen")).to_be_visible(timeout=SECONDS)
    yield page
    context.close()
    assert elsewhere == []


def upload(page: Page, path: Path) -> None:
    """Upload a file in place of the one that is there, and press the button."""
    field = page.locator("#audio input[type=file]")
    if not field.count():
        page.locator("#audio .icon-button-wrapper button").last.click()  # named by the locale
    field.set_input_files(path)
    expect(field).to_have_count(0, timeout=SECONDS)
    page.click("#listen")


def colours(page: Page, target: Path) -> int:
    """Take a picture of the whole page and count the colours in it."""
    page.screenshot(path=target, full_page=True)
    with Image.open(target) as image:
        return len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0))


def test_an_upload_is_answered(page: Page, recordings: Path, tmp_path: Path) -> None:
    expect(page.locator("h1")).to_have_text("KEMER: emotion in Korean dialogue")
    expect(page.locator("#emotions")).not_to_be_visible()
    page.fill("#text textarea", "well done")
    upload(page, recordings / "short.wav")
    for figure in ("emotions", "plane", "attention"):
        expect(page.locator(f"#{figure} .main-svg").first).to_be_visible(timeout=SECONDS)
    expect(page.locator("#answer h3")).to_contain_text("Answer: ")
    expect(page.locator("#answer h3")).to_contain_text("0.0–0.7 seconds")
    for label in ("surprise", "happy"):
        expect(page.locator("#emotions").get_by_text(label, exact=True)).to_be_visible()
    for word in ("well", "done"):
        expect(page.locator("#attention").get_by_text(word, exact=True)).to_be_visible()
    expect(page.locator("#timeline")).not_to_be_visible()
    expect(page.locator("#problem")).not_to_be_visible()
    assert colours(page, tmp_path / "answer.png") > 100


def test_what_cannot_be_heard_is_said_and_the_next_file_works(page: Page, recordings: Path) -> None:
    page.click("#listen")
    expect(page.locator("#problem")).to_contain_text("Record or upload an utterance first.")
    upload(page, recordings / "broken.wav")
    problem = page.locator("#problem")
    expect(problem).to_contain_text("No sound can be read from this file.", timeout=SECONDS)
    upload(page, recordings / "silent.wav")
    expect(problem).to_contain_text("Nobody speaks in this recording.", timeout=SECONDS)
    page.fill("#text textarea", "잘했다")
    upload(page, recordings / "short.wav")
    expect(problem).to_contain_text("This model does not read Korean.", timeout=SECONDS)
    page.fill("#text textarea", "")
    page.click("#listen")
    expect(page.locator("#emotions .main-svg").first).to_be_visible(timeout=SECONDS)
    expect(problem).not_to_be_visible()


def test_a_long_recording_becomes_a_timeline(page: Page, recordings: Path, tmp_path: Path) -> None:
    upload(page, recordings / "long.wav")
    expect(page.locator("#timeline .main-svg").first).to_be_visible(timeout=SECONDS)
    expect(page.locator("#answer h3")).to_contain_text("0.0–0.6 seconds")
    page.locator("#utterance input").click()
    options = page.locator("#utterance [role=option]")
    expect(options).to_have_count(3)
    options.nth(2).click()
    expect(page.locator("#answer h3")).to_contain_text("2.7–3.2 seconds", timeout=SECONDS)
    assert colours(page, tmp_path / "timeline.png") > 100


def test_a_korean_visitor_reads_korean(
    browser: Browser, page_address: str, recordings: Path, tmp_path: Path
) -> None:
    visits = visit(browser, page_address, locale="ko-KR")
    page = next(visits)
    expect(page.locator("h1")).to_have_text("KEMER: 한국어 대화 속 감정", timeout=SECONDS)
    upload(page, recordings / "long.wav")
    expect(page.locator("#answer h3")).to_contain_text("결과: ", timeout=SECONDS)
    for figure, word in (("emotions", "놀람"), ("plane", "편안함"), ("timeline", "슬픔")):
        expect(page.locator(f"#{figure}").get_by_text(word, exact=True)).to_be_visible()
    assert colours(page, tmp_path / "korean.png") > 100
    page.locator("#language").get_by_text("English").click()
    expect(page.locator("h1")).to_have_text("KEMER: emotion in Korean dialogue", timeout=SECONDS)
    sadness = page.locator("#timeline").get_by_text("sad", exact=True)
    expect(sadness).to_be_visible(timeout=SECONDS)
    assert list(visits) == []


def test_the_pages_answers_are_the_models(
    page_address: str, space_checkpoint: Path, recordings: Path
) -> None:
    client = Client(page_address, verbose=False)
    answerer = Answerer(str(space_checkpoint), settings=CutSettings())
    for name, text in (("long.wav", ""), ("short.wav", "well done")):
        path = recordings / name
        *_, found = client.predict(handle_file(path), text, "English", api_name="/listen")
        expected = list(answerer.answer(answerer.read(path), text=text or None))
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert one["emotions"] == other["emotions"] and one["start"] == other["start"]
            assert one["valence"] == pytest.approx(other["valence"], abs=1e-4)
            assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-4)


def test_the_model_is_named_by_the_environment_or_the_card(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(app, "HERE", tmp_path)
    monkeypatch.delenv("KEMER_MODEL", raising=False)
    (tmp_path / "README.md").write_text("---\nmodels: [someone/kemer]\n---\n")
    assert app.find_model() == "someone/kemer"
    monkeypatch.setenv("KEMER_MODEL", "here")
    assert app.find_model() == "here"
    monkeypatch.delenv("KEMER_MODEL")
    (tmp_path / "README.md").write_text("---\nsdk: gradio\n---\n")
    with pytest.raises(ValueError, match="no model is named; set `KEMER_MODEL`"):
        app.find_model()


def test_answers_in_words() -> None:
    answer = {
        "start": 0.0, "end": 1.26, "emotions": ["sad", "other"], "valence": 2.04, "arousal": 3.06,
        "probabilities": {"sad": 0.714, "other": 0.6, "happy": 0.1},
    }  # fmt: skip
    assert app.say_answer(answer, "en") == (
        "sad 71%, other 60% · valence 2.0 · arousal 3.1 · 0.0–1.3 seconds"
    )
    assert app.say_answer(answer, "ko").startswith("슬픔 71%, other 60% · 정서가 2.0")
    assert set(page_texts.LANGUAGES.values()) == set(page_texts.TEXTS)
