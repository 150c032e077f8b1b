"""The ledger in Chromium: filters and order by keyboard, a phone, paper, and no script at all."""

import pytest

from course_lib import claims
from course_lib.claims.ledger import VERDICTS
from tests.browser.accessible import violations

pytestmark = pytest.mark.browser

ROWS = "() => [...document.querySelectorAll('tbody tr')].filter(e => e.checkVisibility())"
SHOWN = f"({ROWS})().length"
FIRST = f"({ROWS})().map(e => e.dataset.{{}})"


@pytest.fixture
def markup(shown):
    claims.ledger("**Table 1** The ledger.")
    return (
        '<!doctype html><html lang="en"><title>Ledger</title><body><main><h1>Ledger</h1>'
        f"{shown[0]['text/html']}</main></body></html>"
    )


@pytest.fixture
def page(chromium, markup):
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.set_content(markup)
    yield page
    page.close()


def test_filters_by_keyboard_and_says_how_many_are_left(page):
    everything = page.evaluate(SHOWN)
    assert everything == len(claims.load())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.labels[0].innerText").startswith("Chapter")
    page.keyboard.press("ArrowDown")
    chapters = set(page.evaluate(FIRST.format("chapter")))
    assert chapters == {claims.load()[0].chapter}
    left = page.evaluate(SHOWN)
    status = "() => document.querySelector('[aria-live=polite]').textContent"
    assert 0 < left < everything and page.evaluate(status) == f"{left} of {everything} claims"
    page.keyboard.press("Tab")
    for _ in VERDICTS[:3]:
        page.keyboard.press("ArrowDown")
    assert set(page.evaluate(FIRST.format("verdict"))) == {"2"}
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # show all
    assert page.evaluate(SHOWN) == everything
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    assert set(page.evaluate(FIRST.format("kind"))) == {"0"}
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(SHOWN) == everything


def test_headers_sort_and_say_so(page):
    header = page.locator("th", has=page.get_by_role("button", name="Verdict"))
    header.get_by_role("button").focus()
    for direction, reverse in (("ascending", False), ("descending", True)):
        page.keyboard.press("Enter")
        assert header.get_attribute("aria-sort") == direction
        verdicts = page.evaluate(FIRST.format("verdict"))
        assert verdicts == sorted(verdicts, reverse=reverse)
        assert len(set(verdicts)) == len({claim.verdict for claim in claims.load()})
    assert page.locator("th[aria-sort=ascending], th[aria-sort=descending]").count() == 1
    page.get_by_role("button", name="Claim").click()
    texts = page.evaluate(FIRST.format("claim"))
    assert texts[0] <= texts[-1] and len(texts) == len(claims.load())


def test_a_phone_does_not_scroll_sideways(page):
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390


def test_paper_has_every_row_and_no_controls(page):
    page.select_option("[data-filter=chapter]", index=1)
    page.emulate_media(media="print")
    assert page.evaluate(SHOWN) == len(claims.load())
    assert not page.locator(".am-controls").is_visible()


def test_a_link_to_a_row_that_is_filtered_out_shows_it(page):
    page.select_option("[data-filter=chapter]", index=1)
    last = claims.load()[-1].id
    page.evaluate(f"location.hash = 'claim-{last}'")
    page.wait_for_function(f"document.getElementById('claim-{last}').checkVisibility()")


def test_a_link_to_a_chapter_shows_its_claims(page):
    page.evaluate("location.hash = 'chapter-04'")
    wanted = len(claims.load(chapter="04"))
    page.wait_for_function(f"({SHOWN}) === {wanted}")
    assert page.input_value("[data-filter=chapter]") == "04"


def test_without_a_script_the_table_is_whole(chromium, markup):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(markup)
    assert page.locator("tbody tr:visible").count() == len(claims.load())
    assert page.locator("button:visible, select:visible").count() == 0
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_is_accessible(page, axe, width):
    page.set_viewport_size({"width": width, "height": 844})
    found = violations(page, axe)
    assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found] == []
