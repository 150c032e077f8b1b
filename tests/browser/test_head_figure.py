"""The figure of all heads in Chromium: one map at a time, chosen by keyboard, at every width."""

import pytest
import torch

from course_lib.figures.headmaps import Heads, heads_figure
from tests.browser.accessible import violations

pytestmark = pytest.mark.browser

SOURCE, TARGET = "the small cat sleeps".split(), "le petit chat dort".split()
SHOWN = "() => [...document.querySelectorAll('.one')].filter(e => e.checkVisibility()).length"
TEXT = "() => document.querySelector('[aria-live]').innerText.trim()"


@pytest.fixture
def page(chromium, shown):
    torch.manual_seed(0)
    weights = [(3 * torch.randn(2, 3, 4, 4)).softmax(-1) for _ in range(2)]
    kinds = [
        Heads("encoder", SOURCE, SOURCE, weights[0]),
        Heads("to the source", TARGET, SOURCE, weights[1], {(0, 0)}, ("en", "fr")),
    ]
    heads_figure(kinds, caption="**Figure 1** All heads.")
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.set_content(
        '<!doctype html><html lang="en"><title>Heads</title><body><main><h1>Heads</h1>'
        f"{shown[0]['text/html']}</main></body></html>"
    )
    yield page
    page.close()


def test_keys_choose_kind_and_head(page):
    assert page.evaluate(SHOWN) == 2  # its text and its map
    assert page.evaluate(TEXT).startswith("encoder, layer 1, head 1:")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(TEXT).startswith("to the source, layer 1, head 1:")
    page.keyboard.press("Tab")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.ariaLabel") == "layer 2, head 2"
    assert page.evaluate(TEXT).startswith("to the source, layer 2, head 2:")
    assert page.evaluate(SHOWN) == 2
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowLeft")  # the head stays, the kind changes
    assert page.evaluate(TEXT).startswith("encoder, layer 2, head 2:")


def test_a_click_on_a_thumbnail_chooses_its_head(page):
    page.locator(".all label").nth(4).click()
    assert page.evaluate(TEXT).startswith("encoder, layer 2, head 2:")
    outlines = page.evaluate(
        "() => [...document.querySelectorAll('.all label')]"
        ".map(e => getComputedStyle(e).outlineStyle)"
    )
    assert outlines == ["none"] * 4 + ["solid"] + ["none"]


def test_the_page_does_not_scroll_sideways(page):
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390


def test_is_accessible(page, axe):
    found = violations(page, axe)
    assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found] == []


def test_twelve_heads_a_layer_fit_on_a_phone(chromium, shown):
    heads = torch.full((6, 12, 4, 4), 0.25)
    heads_figure([Heads("encoder", SOURCE, SOURCE, heads)], caption="**Figure 1** All heads.")
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.set_content(f"<!doctype html><main>{shown[0]['text/html']}</main>")
    wide = "() => (e => e.scrollWidth - e.clientWidth)(document.querySelector('.all').parentNode)"
    assert page.evaluate(wide) <= 0
    sizes = page.evaluate(
        "() => [...document.querySelectorAll('.all label')].map(e => e.offsetWidth)"
    )
    assert len(sizes) == 72 and min(sizes) >= 44
    page.close()
