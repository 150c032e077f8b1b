"""What the scripts say on a page that loads the texts of another language before them."""

import html
import re

import pytest

from tools.project import HTML, is_lesson, notebooks
from tools.script_messages import messages, script_texts

pytestmark = pytest.mark.browser

KOREAN = f"""{script_texts()}
addEventListener("DOMContentLoaded", () => {{ document.documentElement.lang = "ko"; }});"""
# What a reader sees or hears of what the scripts have made.
SHOWN = """() => [...document.querySelectorAll(
    '.am-stage, .am-guess, .am-held, .am-guessed, .am-cue, .am-progress, .am-did, ' +
    '.am-your-progress, .am-exercises > :not(table)'
  )].flatMap((box) => [box, ...box.querySelectorAll('*')]).flatMap((one) => [
    ...[...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent),
    one.getAttribute('aria-label') || '', one.getAttribute('aria-valuetext') || '',
  ]).map((text) => text.trim()).filter(Boolean)"""
PAGES = [f"notebooks/{path.stem}" for path in notebooks() if is_lesson(path)]
PAGES += ["notebooks/03_the_bottleneck_exercises", "book/your_progress", "book/exercises"]


@pytest.fixture
def reader(chromium, site):
    """Opens a page as a new reader of the Korean texts."""
    context = chromium.new_context(storage_state=None)
    context.add_init_script(KOREAN)

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


def test_a_guess_in_korean(reader):
    page = reader("notebooks/02_encoder_decoder")
    one = page.locator("blockquote.predict", has=page.locator("[data-number='of 500']"))
    first, second = one.get_by_role("textbox").all()[:2]
    one.get_by_role("button", name="비교하기").click()
    assert one.locator(".am-status").inner_text() == "먼저 예측을 적거나 ‘답 보기’를 누르세요."
    first.fill("490")
    second.fill("7")
    page.keyboard.press("Enter")
    said = one.locator(".am-guessed-said").inner_text()
    assert said == "내 예측: The network: 490of 500; The dictionary: 7of 500"
