"""A Predict box in Chromium: it takes a guess, holds its answer back, and never loses anything."""

import re

import pytest

from tests.browser.accessible import broken
from tests.browser.test_pages import LESSONS
from tests.browser.visit import SETTLED
from tools.project import toc_files

pytestmark = pytest.mark.browser

# Chapter 0 has all kinds: box 1 asks for two texts, box 2 for two choices, box 4 for a number.
PAGE = "notebooks/00_before_you_start"
TEXT, CHOICES, NUMBER = 0, 1, 3
SHOWN = """(all) => all.filter((one) => one.checkVisibility())
    .map((one) => one.textContent.trim().slice(0, 60))"""
HELD = "article :is(.tag_answer, .tag_answer > .cell_output)[hidden='until-found']"
# A browser that does not know hidden="until-found".
OLD = "delete HTMLElement.prototype.onbeforematch"
# One that keeps nothing for this site.
OFF = """for (const name of ['getItem', 'setItem', 'removeItem'])
    Storage.prototype[name] = () => { throw new DOMException('off', 'SecurityError'); };"""


@pytest.fixture
def reader(chromium, site):
    """Opens a page as a new reader does; complains about errors of its scripts."""
    contexts, errors = [], []

    def visit(name: str, before: str = "", context=None, **options):
        if not context:
            context = chromium.new_context(storage_state=None, **options)
            contexts.append(context)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        if before:
            page.add_init_script(before)
        page.goto(f"{site}{name}")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert errors == []


def box(page, number: int):
    return page.locator("blockquote.predict").nth(number)


def answer(page, number: int):
    """The first piece of the answer to that box."""
    return page.locator(".am-guessed").nth(number).locator("xpath=following-sibling::*[1]")


def seen(locator) -> bool:
    """On show, and not a box of no height whose content is skipped."""
    return locator.evaluate(
        "one => one.checkVisibility() && !one.closest('[hidden]') && one.offsetHeight > 9"
    )


def focused(page) -> str:
    return page.evaluate("document.activeElement.textContent")


def guessed(page, number: int) -> str:
    return page.locator(".am-guessed").nth(number).inner_text()


def test_a_number_is_compared_and_remembered(reader):
    page = reader(f"{PAGE}.html")
    one = box(page, NUMBER)
    assert not seen(answer(page, NUMBER))
    assert page.locator(".am-held").nth(NUMBER).is_visible()
    one.get_by_role("button", name="Compare").click()
    assert one.locator(".am-status").inner_text().startswith("Write down a guess first")
    one.get_by_role("textbox").fill("many")
    page.keyboard.press("Enter")
    assert one.locator(".am-status").inner_text() == "A number is asked for here."
    assert not seen(answer(page, NUMBER))
    one.get_by_role("textbox").fill("12")
    top = one.bounding_box()["y"] + page.evaluate("scrollY")
    one.get_by_role("button", name="Compare").click()
    assert focused(page) == guessed(page, NUMBER) == "You guessed: 12."
    assert seen(answer(page, NUMBER)) and "You guessed" in answer(page, NUMBER).inner_text()
    assert one.bounding_box()["y"] + page.evaluate("scrollY") == top, "the box has moved"
    assert not seen(answer(page, TEXT)), "another answer is shown"
    page.reload()
    assert (
        guessed(page, NUMBER) == one.locator(".am-guessed-said").inner_text() == "You guessed: 12."
    )
    assert seen(answer(page, NUMBER)) and not one.get_by_role("textbox").is_visible()
    one.get_by_role("button", name="Guess again").click()
    assert not seen(answer(page, NUMBER))
    assert one.get_by_role("textbox").input_value() == ""
    assert one.get_by_role("textbox").evaluate("one => one === document.activeElement")
    page.reload()
    assert not seen(answer(page, NUMBER))


def test_a_unit_with_a_number_in_it_is_no_number(reader):
    page = reader("notebooks/02_encoder_decoder.html")
    one = page.locator("blockquote.predict", has=page.locator("[data-number='of 500']"))
    first, second = one.get_by_role("textbox").all()[:2]
    first.fill("many of 500")
    page.keyboard.press("Enter")
    assert one.locator(".am-status").inner_text() == "A number is asked for here."
    first.fill("490 of 500")
    second.fill("7")
    page.keyboard.press("Enter")
    said = one.locator(".am-guessed-said").inner_text()
    assert said == "You guessed: The network: 490 of 500; The dictionary: 7 of 500."


def test_choices_by_keyboard_alone(reader):
    page = reader(f"{PAGE}.html")
    box(page, TEXT).locator("input").last.focus()  # "Never hold answers back" of the box before
    page.keyboard.press("Tab")
    while not page.evaluate("!!document.activeElement.closest('.am-guess fieldset')"):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    first = page.evaluate("document.activeElement.value")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    second = page.evaluate("document.activeElement.value")
    page.keyboard.press("Enter")
    wanted = f"You guessed: At temperature 10: {first}; At temperature 0.1: {second}."
    assert focused(page) == guessed(page, CHOICES) == wanted
    figure = answer(page, CHOICES)
    assert seen(figure)
    slider = figure.locator("input[type=range]")
    before = slider.get_attribute("aria-valuetext")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") != before, "a figure that was held back is dead"
    page.reload()
    assert guessed(page, CHOICES) == wanted


def test_words_and_show_me(reader):
    page = reader(f"{PAGE}.html")
    one = box(page, TEXT)
    assert seen(page.locator("text=column = torch.tensor").first), "code is no answer"
    one.get_by_role("button", name="Show me").click()
    assert focused(page) == "The answer, without a guess." and seen(answer(page, TEXT))
    one.get_by_label("Shape").fill(" (3, 4) ")
    page.keyboard.press("Enter")
    assert guessed(page, TEXT) == "You guessed: Shape: (3, 4)."
    note = page.locator(".am-held").nth(CHOICES)
    page.locator(".am-held:visible").first.get_by_role("button", name="Show me").click()
    assert seen(answer(page, CHOICES)) and not note.is_visible()


def test_an_answer_further_down_waits_for_its_own_question(reader):
    page = reader("notebooks/01_recurrent_networks.html")
    figure = page.locator("figure", has_text="Figure 1.7")
    note = page.locator(".am-held", has=page.get_by_role("link", name="To the question"))
    assert not seen(figure) and note.is_visible()
    note.get_by_role("link").click()
    page.wait_for_function("document.getElementById('predict-1').getBoundingClientRect().top < 300")
    for label, steps in (("Plain RNN", "5"), ("GRU", "20"), ("LSTM", "80 steps")):
        box(page, 0).get_by_label(label).fill(steps)
    box(page, 0).get_by_role("button", name="Compare").click()
    assert seen(figure)
    assert focused(page) == "You guessed: Plain RNN: 5 steps; GRU: 20 steps; LSTM: 80 steps."
    assert page.locator(".am-held:visible").count() >= 3, "the others wait"


def test_never_hold_back_is_one_switch_for_all_pages(reader):
    page = reader(f"{PAGE}.html")
    switch = box(page, 3).get_by_label("Never hold answers back")
    switch.scroll_into_view_if_needed()
    top = switch.bounding_box()["y"]
    switch.check()
    assert page.locator(HELD).count() == page.locator(".am-held:visible").count() == 0
    assert abs(switch.bounding_box()["y"] - top) < 2, "the switch has moved away"
    assert box(page, 0).get_by_label("Never hold answers back").is_checked()
    box(page, NUMBER).get_by_role("textbox").fill("7")
    page.keyboard.press("Enter")
    assert guessed(page, NUMBER) == "You guessed: 7."
    page.goto(page.url.replace("00_before_you_start", "01_recurrent_networks"))
    assert page.locator(HELD).count() == 0
    box(page, 1).get_by_label("Never hold answers back").uncheck()
    assert page.locator(HELD).count() > 0
    page.reload()
    assert page.locator(HELD).count() > 0


def test_without_storage_a_guess_lasts_as_long_as_the_page(chromium, site):
    page = chromium.new_page(storage_state=None)
    page.add_init_script(OFF)
    page.goto(f"{site}{PAGE}.html")
    box(page, NUMBER).get_by_role("textbox").fill("12")
    page.keyboard.press("Enter")
    assert guessed(page, NUMBER) == "You guessed: 12." and seen(answer(page, NUMBER))
    assert "keeps nothing" in box(page, NUMBER).locator(".am-status").inner_text()
    box(page, TEXT).get_by_label("Never hold answers back").check()
    assert page.locator(HELD).count() == 0
    page.close()


def test_what_is_kept_may_be_broken(reader):
    kept = f"localStorage.setItem('guesses/{PAGE.split('/')[1]}', '[1')"
    page = reader(f"{PAGE}.html", before=kept)
    assert page.locator(HELD).count() > 0
    box(page, NUMBER).get_by_role("button", name="Show me").click()
    assert seen(answer(page, NUMBER))


@pytest.mark.parametrize("before", ["", OLD], ids=["until found", "plain"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_link_into_an_answer_shows_it(reader, chromium, site, before, at_once):
    context = chromium.new_context(storage_state=None)

    def with_a_name(route):
        text = route.fetch().text()
        *_, last = re.finditer('<div (?=class="cell tag_hide-input tag_answer)', text)
        first = last.end()
        route.fulfill(body=f'{text[:first]}id="here" {text[first:]}', content_type="text/html")

    context.route(re.compile(rf"{PAGE}\.html"), with_a_name)
    page = reader(f"{PAGE}.html{'#here' if at_once else ''}", before=before, context=context)
    target = page.locator("#here .cell_output")
    if not at_once:
        assert not seen(target)
        page.evaluate("location.hash = 'here'")
    page.wait_for_function("[...document.querySelectorAll('.am-guessed')].at(-1).offsetHeight > 9")
    assert seen(target)
    assert page.locator(".am-held:visible").count() > 0, "the other answers wait"
    context.close()


def test_a_search_in_the_page_finds_and_shows_an_answer(reader):
    page = reader(f"{PAGE}.html")
    parts = page.locator("article :is(.tag_answer, .tag_answer > .cell_output)[hidden]")
    assert {one.get_attribute("hidden") for one in parts.all()} == {"until-found"}
    words = "At%2010%20the%20five%20words%20are%20nearly%20equal"
    page.goto("about:blank")
    page = reader(f"{PAGE}.html#:~:text={words}", context=page.context)
    page.locator("text=At 10 the five words").evaluate(
        "one => one.closest('[hidden]')?.dispatchEvent(new Event('beforematch', {bubbles: true}))"
    )
    assert seen(page.locator("text=At 10 the five words")) and seen(answer(page, CHOICES))
    assert guessed(page, CHOICES) == "The answer, without a guess."


def test_paper_and_a_page_without_scripts_have_every_answer(reader):
    for options in ({}, {"java_script_enabled": False}):
        page = reader(f"{PAGE}.html", **options)
        if not options:
            assert page.locator(HELD).count() > 0
            page.emulate_media(media="print")
        answers = page.locator("article .tag_answer")
        shown = answers.evaluate_all(
            "(all) => all.map((one) => one.getBoundingClientRect().height)"
        )
        assert len(shown) > 10 and sum(height > 9 for height in shown) >= len(shown) - 1
        assert "the best word takes almost everything" in page.locator("article").inner_text()
        assert page.locator(".am-guess:visible, .am-held:visible").count() == 0


MADE = [[".predict"], [".am-held"], [".am-guessed"]]
WITH_BOXES = [*LESSONS, "book/when_one_machine_is_not_enough"]


@pytest.mark.parametrize("name", WITH_BOXES)
def test_every_lesson_is_whole_again_and_accessible(reader, chromium, site, axe, name):
    """Headings and controls are there all the time, figures again when all answers are.

    The rules of accessibility: for the whole page in chapter 0, which has all kinds of boxes; on
    other pages for what the boxes bring, since test_pages.py looks at the page without them.
    """
    everything = "html" if name == LESSONS[0] else {"include": MADE}
    whole = chromium.new_page(viewport={"width": 390, "height": 844})
    whole.goto(f"{site}{name}.html")
    whole.evaluate(SETTLED)
    page = reader(f"{name}.html", viewport={"width": 390, "height": 844})
    page.evaluate(SETTLED)
    boxes, of = page.locator("blockquote.predict"), page.locator("blockquote.predict .am-guess")
    assert boxes.count() == of.count() > 0, "a box without an answer"
    for state in ("closed", "open"):
        room = page.evaluate("document.scrollingElement.scrollWidth")
        assert room <= 390, f"{room} px wide, {state}"
        headings = "article :is(h1, h2, h3)"
        assert page.locator(headings).evaluate_all(SHOWN) == whole.locator(headings).evaluate_all(
            SHOWN
        )
        assert broken(page, axe, everything) == {}, state
        if state == "closed":
            show = page.locator(".am-guess button:visible", has_text="Show me")
            while show.count():
                show.first.click()
    assert page.locator("article [hidden=until-found]").count() == 0
    for part in ("figcaption", "svg", "table", "p:not([class^=am])", ".am-cue"):
        again = page.locator(f"article {part}").evaluate_all(SHOWN)
        assert again == whole.locator(f"article {part}").evaluate_all(SHOWN), part
    whole.close()


def test_only_pages_that_ask_load_the_script(reader):
    assert "book/notation" in toc_files()
    page = reader("book/notation.html")
    assert page.locator("script[src*='guess.js'], link[href*='guess.css']").count() == 0
    assert page.locator(".am-guess").count() == 0
