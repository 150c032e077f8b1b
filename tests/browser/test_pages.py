"""Every page of the book in Chromium: quiet, self-contained, accessible, fit for a phone."""

import gzip
from urllib.parse import urlsplit

import pytest

from tests.browser.accessible import NO_COLOR, ONLY_COLOR, broken
from tests.browser.visit import CUT, USE, Visit, found_by, tell
from tools import vendor
from tools.project import toc_files

pytestmark = pytest.mark.browser

PAGES = [*toc_files(), "search", "genindex", "404"]
NOTEBOOKS = [name for name in PAGES if name.startswith("notebooks/")]
LESSONS = [name for name in NOTEBOOKS if not name.endswith(("_exercises", "_deeper"))]
# A page of each kind: with every sort of figure, with code only, with questions, with tables,
# with mathematics, with entries, and those that Sphinx and we make ourselves.
KINDS = [
    "book/index",
    "notebooks/04_attention",
    "notebooks/04_attention_deeper",
    "notebooks/03_the_bottleneck_exercises",
    "notebooks/12_what_we_measured",
    "book/exercises",
    "book/notation",
    "book/glossary",
    "book/bibliography",
    "search",
    "genindex",
    "404",
]
# Compressed bytes of a first visit.
TEXT_PAGE, NOTEBOOK_PAGE = 400_000, 900_000
PACKED = (".woff", ".woff2", ".ttf", ".png")
SIZES: dict[str, int] = {}  # of files that many pages load

# What a figure shows beside its controls.
PICTURE = """(slider) => {
    const computed = slider.closest('.am-stage');
    if (computed) return [...computed.children].slice(2).map((one) => one.innerHTML).join();
    return [...slider.closest('.am-pick').children].slice(1)
        .filter((state) => !state.hidden).map((state) => state.innerHTML).join();
}"""

SAID = """(slider) => (slider.closest('label:has(output)') || slider.closest('.am-control'))
    .querySelector('output').textContent"""


# What is looked at on each page. The order matters: what presses and moves things comes last.


def is_quiet_and_at_home(visit, name, axe):
    assert not visit.errors, visit.errors
    if vendor.vendored():
        assert not visit.outside, f"the page leaves its own site: {visit.outside}"


def is_light(visit, name, axe):
    weights = {}
    for answer in visit.answers:
        path = urlsplit(answer.url).path
        if "/hangul-" in path:  # Korean letters are counted apart: tests/book/test_book.py
            continue
        if path not in SIZES:
            content = answer.body()
            packed = path.endswith(PACKED)
            SIZES[path] = len(content if packed else gzip.compress(content, 6))
        weights[path] = SIZES[path]
    most = NOTEBOOK_PAGE if name in NOTEBOOKS else TEXT_PAGE
    total, heaviest = sum(weights.values()), sorted(weights, key=weights.get)[-5:]
    assert total <= most, f"{total} bytes, most of them in {heaviest}"


def is_not_wider_than_its_window(visit, name, axe):
    width, room = visit.page.evaluate(
        "() => [document.scrollingElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= room, f"the page is {width} px wide in a window of {room} px"


def is_accessible(visit, name, axe):
    found = broken(visit.page, axe)
    assert not found, found


def nothing_is_cut_without_a_sign(visit, name, axe):
    found = visit.page.evaluate(CUT)
    assert not found, found


def figures_fit_a_wide_window(visit, name, axe):
    if name in NOTEBOOKS:
        wide = visit.page.locator("article figure .am-scroll.am-cut:has(> svg):visible")
        assert wide.count() == 0


def predictions_and_notes_are_dressed(visit, name, axe):
    if name in NOTEBOOKS:
        plain = "article blockquote:not(.predict):not(.note):not(.breaks)"
        assert visit.page.locator(plain).all_inner_texts() == []


def colors_can_be_read(visit, name, axe):
    found = broken(visit.page, axe, options=ONLY_COLOR)
    assert not found, found


def outputs_take_the_dark_page_as_their_ground(visit, name, axe):
    if name in NOTEBOOKS:
        grounds = visit.page.locator(".cell_output .text_html").evaluate_all(
            "(all) => [...new Set(all.map((one) => getComputedStyle(one).backgroundColor))]"
        )
        assert grounds == ["rgba(0, 0, 0, 0)"]


def is_accessible_but_for_colors(visit, name, axe):
    found = broken(visit.page, axe, options=NO_COLOR)
    assert not found, found


def paper_has_no_controls_and_nothing_beyond_its_edge(visit, name, axe):
    page = visit.page
    page.set_viewport_size({"width": 665, "height": 980})  # A4 less the margins
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    try:
        for control in (".bd-sidebar-primary", ".bd-header-article", ".am-control", ".am-cue"):
            assert page.locator(f"{control}:visible").count() == 0, control
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        beyond = page.evaluate(
            "() => [...document.querySelectorAll('article :is(figure svg, table, pre)')]"
            ".filter((one) => one.checkVisibility())"
            ".filter((one) => one.getBoundingClientRect().right > innerWidth + 1)"
            ".map((one) => one.tagName + one.textContent.trim().slice(0, 60))"
        )
        assert beyond == []
    finally:
        page.evaluate("dispatchEvent(new Event('afterprint'))")


def sliders_move_by_keyboard(visit, name, axe):
    sliders = visit.page.locator("article .am-pick input[type=range]:visible")
    for slider in sliders.all():
        before = slider.evaluate(PICTURE), slider.get_attribute("aria-valuetext")
        slider.focus()
        last = slider.evaluate("one => one.value === one.max")
        visit.page.keyboard.press("ArrowLeft" if last else "ArrowRight")
        after = slider.evaluate(PICTURE), slider.get_attribute("aria-valuetext")
        assert after[0] != before[0], "the slider moves, the picture does not"
        assert after[1] == slider.evaluate(SAID)


def sliders_of_what_is_computed_move_by_keyboard(visit, name, axe):
    """Each says its value; one of a figure at least, from end to end, changes what is computed.

    Not all of them: that a hidden word has no influence is what a figure may be there to show.
    """
    for stage in visit.page.locator("article .am-stage:has(input[type=range]:visible)").all():
        seen = set()
        for slider in stage.locator("input[type=range]:visible").all():
            slider.focus()
            said = set()
            for key in ("End", "Home"):  # at its start it leaves the others their room
                visit.page.keyboard.press(key)
                said.add(slider.get_attribute("aria-valuetext"))
                seen.add(slider.evaluate(PICTURE))
                assert slider.get_attribute("aria-valuetext") == slider.evaluate(SAID)
            assert len(said) == 2, "the slider does not move"
        assert len(seen) > 1, "the sliders move, the picture does not"


def choices_say_which_one_is_pressed(visit, name, axe):
    groups = visit.page.locator(".am-control [role=group]:visible")
    for number in range(groups.count()):
        buttons = groups.nth(number).locator("button")
        buttons.nth(1).focus()
        visit.page.keyboard.press("Space")
        pressed = [button.get_attribute("aria-pressed") for button in buttons.all()]
        assert pressed.index("true") == 1 and pressed.count("true") == 1


def using_it_breaks_no_rule_of_its_policy(visit, name, axe):
    violated, stayed = visit.page.evaluate(USE)
    assert violated == [] and stayed
    assert [text for text in visit.errors if "Content Security" in text] == []


AT_FIRST = [
    is_quiet_and_at_home,
    is_light,
    is_not_wider_than_its_window,
    is_accessible,
    nothing_is_cut_without_a_sign,
    figures_fit_a_wide_window,
    predictions_and_notes_are_dressed,
]
IN_THE_DARK = [colors_can_be_read, outputs_take_the_dark_page_as_their_ground]
ON_A_PHONE = [
    is_quiet_and_at_home,
    is_not_wider_than_its_window,
    is_accessible_but_for_colors,
    nothing_is_cut_without_a_sign,
]
IN_USE = [
    sliders_move_by_keyboard,
    sliders_of_what_is_computed_move_by_keyboard,
    choices_say_which_one_is_pressed,
    is_quiet_and_at_home,
    using_it_breaks_no_rule_of_its_policy,
]


@pytest.mark.parametrize("name", PAGES)
def test_page(chromium, site, axe, name):
    """One page, opened twice: as on a laptop, which gets dark, is printed and used; on a phone.

    In the dark only what depends on colors is looked at again, and on a phone all but that: the
    elements are the same. `test_kinds_of_pages` does without this economy.
    """
    wrong = {}
    with Visit(chromium, site, name, "phone") as visit:
        wrong["on a phone"] = found_by(ON_A_PHONE, visit, name, axe)
        visit.page.set_viewport_size({"width": 640, "height": 450})  # 1280 pixels at 200%
        wrong["zoomed"] = found_by([is_not_wider_than_its_window], visit, name, axe)
    with Visit(chromium, site, name, "light") as visit:
        wrong["at first"] = found_by(AT_FIRST, visit, name, axe)
        visit.darken()
        wrong["in the dark"] = found_by(IN_THE_DARK, visit, name, axe)
        if name in NOTEBOOKS or name == "book/index":
            wrong["on paper"] = found_by(
                [paper_has_no_controls_and_nothing_beyond_its_edge], visit, name, axe
            )
        visit.lighten()
        wrong["in use"] = found_by(IN_USE, visit, name, axe)
    tell(name, wrong)


@pytest.mark.parametrize("look", ["dark", "phone"])
@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_pages(chromium, site, axe, name, look):
    """A page of each kind, opened in the dark and on a phone, by all rules of accessibility."""
    with Visit(chromium, site, name, look) as visit:
        checks = [is_quiet_and_at_home, is_accessible]
        tell(name, {look: found_by(checks, visit, name, axe)})


@pytest.mark.parametrize("name", KINDS)
def test_zoomed_to_200_percent_the_page_does_not_scroll_sideways(chromium, site, name):
    """On a screen that is zoomed; `test_page` gives every page a window of that width."""
    with Visit(chromium, site, name, "zoom") as visit:
        assert visit.page.evaluate("document.scrollingElement.scrollWidth") <= 640


@pytest.mark.parametrize("width", [390, 800, 1000, 1280])
def test_both_drawers_open_and_close(chromium, site, width):
    """As a press shows it: beside the text where there is room, else over it, and away again."""
    context = chromium.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    page.goto(f"{site}{LESSONS[1]}.html")
    for drawer, button in (("primary", ".primary-toggle"), ("secondary", ".secondary-toggle")):
        toggle = page.locator(f".bd-header-article {button}")
        if not toggle.is_visible():
            assert drawer == "secondary" and width >= 1200, "only a wide window shows both"
            assert page.locator("#pst-secondary-sidebar").is_visible()
            continue
        link = page.locator(
            ".bd-links a.reference" if drawer == "primary" else "#pst-page-toc-nav a"
        ).first
        before = in_view(link)
        toggle.click()
        page.wait_for_timeout(600)
        assert in_view(link) != before, f"the {drawer} button does nothing"
        modal = page.locator(f"#pst-{drawer}-sidebar-modal")
        if modal.evaluate("one => one.open"):
            page.keyboard.press("Escape")
        else:
            toggle.click()
        page.wait_for_timeout(600)
        assert in_view(link) == before
    context.close()


def in_view(link) -> bool:
    box = link.bounding_box()
    seen = link.evaluate("one => one.checkVisibility({visibilityProperty: true})")
    return bool(seen and box and box["x"] >= 0 and box["width"] > 0)


def test_one_switch_opens_all_code_and_is_remembered(chromium, site):
    folded = "() => [...document.querySelectorAll('details.hide')].filter((d) => !d.open).length"
    with Visit(chromium, site, LESSONS[4], "light") as visit:
        page, switch = visit.page, visit.page.locator(".am-code-switch")
        cells = page.locator("details.hide")
        assert page.evaluate(folded) == cells.count() > 0
        figure = page.locator(".cell:has(.cell_output figure) > details.hide > summary")
        assert figure.count() > 0 and not any(one.is_visible() for one in figure.all())
        assert switch.inner_text() == "Show all code"
        switch.focus()
        page.keyboard.press("Enter")
        assert page.evaluate(folded) == 0 and switch.inner_text() == "Hide all code"
        page.goto(f"{site}{LESSONS[5]}.html")
        assert page.evaluate(folded) == 0
        page.locator(".am-code-switch").click()
        assert page.evaluate(folded) == page.locator("details.hide").count()
        page.reload()
        assert page.evaluate(folded) == page.locator("details.hide").count()


@pytest.mark.parametrize("name", [*NOTEBOOKS, "book/index"])
def test_without_scripts_figures_captions_and_code_are_there(chromium, site, name):
    with Visit(chromium, site, name, "no script") as visit:
        captions = visit.page.locator("article figcaption")
        assert captions.count() > 0 or name not in LESSONS
        assert all(one.is_visible() for one in captions.all())
        picks = visit.page.locator("article .am-pick:visible")
        for pick in picks.all():
            assert pick.locator("svg:visible, .am-map:visible, table:visible, p:visible").count()
            assert not pick.locator(".am-control").first.is_visible()
        tabs = visit.page.locator("article details.hide > summary")
        assert all(one.is_visible() for one in tabs.all())


def test_nothing_moves_by_itself_for_those_who_asked(chromium, site):
    with Visit(chromium, site, LESSONS[3], "still") as visit:
        moving = visit.page.evaluate(
            "() => [...document.querySelectorAll('*')].filter((one) => {"
            "const s = getComputedStyle(one);"
            "return s.transitionDuration !== '0s' || s.animationName !== 'none'}).length"
        )
        assert moving == 0


def test_play_runs_to_the_end_and_pauses(chromium, site):
    with Visit(chromium, site, "book/index", "light") as visit:
        play, slider = visit.page.locator(".am-play"), visit.page.locator("input[type=range]")
        last = slider.get_attribute("max")
        assert slider.input_value() == last, "the whole figure is on show at first"
        play.click()
        assert slider.input_value() == "0" and play.get_attribute("aria-label") == "Pause"
        visit.page.wait_for_function("() => document.querySelector('[type=range]').value === '2'")
        play.click()
        assert play.get_attribute("aria-label") == "Play" and slider.input_value() < last
        play.click()
        visit.page.wait_for_function(
            f"() => document.querySelector('[type=range]').value === '{last}'"
        )
        assert play.get_attribute("aria-label") == "Play"


def test_switch_between_light_and_dark(chromium, site):
    with Visit(chromium, site, PAGES[0], "light") as visit:
        seen = set()
        for _ in range(3):
            seen.add(visit.page.evaluate("() => document.documentElement.dataset.theme"))
            visit.page.locator("button.theme-switch-button:visible").first.click()
        assert seen == {"light", "dark"}


def test_search_finds_the_chapters(chromium, site):
    with Visit(chromium, site, "search", "light") as visit:
        visit.page.goto(f"{site}search.html?q=encoder")
        results = visit.page.locator("#search-results li a")
        results.first.wait_for()
        assert results.count() >= 1
        excerpts = visit.page.locator("#search-results li p.context")
        excerpts.first.wait_for()
        for text in excerpts.all_inner_texts():
            for noise in ("Show all code", "import ", "plots.", "Copy to clipboard", "\\("):
                assert noise not in text
