"""What the scripts say on the Korean pages, which load their texts before them."""

import html
import re

import pytest

from tools.project import HTML, is_lesson, notebooks
from tools.script_messages import messages

pytestmark = pytest.mark.browser

# What a reader sees or hears of what the scripts have made.
SHOWN = """() => [...document.querySelectorAll(
    '.am-stage, .am-guess, .am-held, .am-guessed, .am-cue, .am-progress, .am-did, ' +
    '.am-your-progress, .am-exercises > :not(table)'
  )].flatMap((box) => [box, ...box.querySelectorAll('*')]).flatMap((one) => [
    ...[...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent),
    one.getAttribute('aria-label') || '', one.getAttribute('aria-valuetext') || '',
  ]).map((text) => text.trim()).filter(Boolean)"""
PAGES = [f"ko/notebooks/{path.stem}" for path in notebooks() if is_lesson(path)]
PAGES += ["ko/notebooks/03_the_bottleneck_exercises", "ko/book/your_progress", "ko/book/exercises"]


@pytest.fixture
def reader(chromium, site):
    """Opens a page as a new reader does."""
    context = chromium.new_context(storage_state=None)

    def visit(name: str):
        page = context.new_page()
        page.goto(f"{site}{name}.html")
        return page

    yield visit
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_said_in_english(reader, name):
    english = [
        re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(str(message.id))))
        for message in messages()
        if re.search("[a-z]{3,}", re.sub(r"\{\w+\}", "", str(message.id)))
    ]
    shown = reader(name).evaluate(SHOWN)
    assert any(re.search("[가-힣]", text) for text in shown)
    page = html.unescape((HTML / f"{name}.html").read_text("utf8"))  # what it gives to its scripts
    said = [text for text in shown if text not in page]
    assert [text for text in said if any(one.fullmatch(text) for one in english)] == []
