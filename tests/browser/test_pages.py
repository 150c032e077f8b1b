"""Every page of the book in Chromium: quiet, self-contained, accessible, fit for a phone."""

import gzip
from urllib.parse import urlsplit

import pytest

from tests.browser.accessible import violations
from tools import vendor
from tools.project import toc_files

pytestmark = pytest.mark.browser

PAGES = [*toc_files(), "search", "genindex", "404"]
NOTEBOOKS = [name for name in PAGES if name.startswith("notebooks/")]
LESSONS = [name for name in NOTEBOOKS if not name.endswith(("_exercises", "_deeper"))]
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
# What else a page is opened with: 1280 pixels at 200%, no scripts, no motion.
MORE = {
    "zoom": {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2},
    "no script": {"viewport": {"width": 1280, "height": 900}, "java_script_enabled": False},
    "still": {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"},
}
# Compressed bytes of a first visit.
TEXT_PAGE, NOTEBOOK_PAGE = 400_000, 900_000
PACKED = (".woff", ".woff2", ".ttf", ".png")
# Rules that the theme itself breaks on a plain page, with the number of elements.
THEME_OWNED = {"label-content-name-mismatch": 3, "region": 1}

SETTLED = """async () => {
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    await new Promise(done => setTimeout(done, 200));
}"""

# What is wider than its box, and has neither a line that says so nor a faded edge.
CUT = """() => {
    const found = [];
    const all = 'article :is(figure, table, pre, mjx-container[display=true])';
    for (const one of document.querySelectorAll(all)) {
        if (!one.checkVisibility() || one.closest('details:not([open])')) continue;
        let over = null;
        // Not what is hidden on purpose, words for a screen reader, the spoken twin of a formula;
        // nor a field to type in, which moves with its text.
        const own = 'mjx-assistive-mml, input, textarea';
        const seen = (box) => box.clientWidth > 30 && !box.closest(own);
        const inside = [...one.querySelectorAll(':not(svg *)')].slice(0, 400).filter(seen);
        const around = [];
        for (let box = one.parentElement; box.tagName !== 'ARTICLE'; box = box.parentElement)
            around.push(box);
        for (const box of [one, ...inside, ...around]) {
            const clipped = getComputedStyle(box).overflowX !== 'visible';
            if (box.matches('span.math')) continue;
            const drawn = box.querySelector(':scope > mjx-math');
            const width = drawn ? drawn.getBoundingClientRect().width : box.scrollWidth;
            if (clipped && width > box.clientWidth + 1) over = box;
            if (over) break;
        }
        const right = one.getBoundingClientRect().right;
        const room = document.documentElement.clientWidth;
        if (over && over.classList.contains('am-cut')) continue;
        if (over || right > room + 1)
            found.push(one.tagName + ': ' + one.textContent.trim().slice(0, 60));
    }
    return found;
}"""


# What a figure shows beside its controls.
PICTURE = """(slider) => {
    const computed = slider.closest('.am-stage');
    if (computed) return [...computed.children].slice(2).map((one) => one.innerHTML).join();
    return [...slider.closest('.am-pick').children].slice(1)
        .filter((state) => !state.hidden).map((state) => state.innerHTML).join();
}"""

SAID = """(slider) => (slider.closest('label:has(output)') || slider.closest('.am-control'))
    .querySelector('output').textContent"""


class Visit:
    """An open page with what it complained about and asked for elsewhere."""

    def __init__(self, chromium, site: str, name: str, look: str) -> None:
        self.context = chromium.new_context(**{**LOOKS, **MORE}[look])
        self.context.set_default_timeout(120_000)  # a busy machine is not a broken page
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.answers: list = []
        here = urlsplit(site).netloc
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        self.page.on(
            "request",
            lambda request: (
                self.outside.append(request.url)
                if request.url.startswith("http") and urlsplit(request.url).netloc != here
                else None
            ),
        )
        self.page.on(
            "response",
            lambda response: (
                self.errors.append(f"{response.status} for {response.url}")
                if response.status >= 400
                else None
            ),
        )
        self.page.on("response", lambda response: self.answers.append(response))
        self.page.goto(f"{site}{name}.html", wait_until="load")
        if look != "no script":
            self.page.evaluate(SETTLED)

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_page(chromium, site, axe, name, look):
    with Visit(chromium, site, name, look) as visit:
        assert visit.errors == []
        if vendor.vendored():
            assert visit.outside == [], "the page leaves its own site"
        width, room = visit.page.evaluate(
            "() => [document.scrollingElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert width <= room, f"the page is {width} px wide in a window of {room} px"
        found = violations(visit.page, axe)
        broken = {
            rule["id"]: [node["target"][-1] for node in rule["nodes"]]
            for rule in found
            if len(rule["nodes"]) > THEME_OWNED.get(rule["id"], 0)
        }
        assert broken == {}


@pytest.mark.parametrize("look", ["light", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_without_a_sign(chromium, site, name, look):
    with Visit(chromium, site, name, look) as visit:
        assert visit.page.evaluate(CUT) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_figures_fit_a_wide_window(chromium, site, name):
    with Visit(chromium, site, name, "light") as visit:
        wide = visit.page.locator("article figure .am-scroll.am-cut:has(> svg):visible")
        assert wide.count() == 0


@pytest.mark.parametrize("name", PAGES)
def test_is_light(chromium, site, name):
    with Visit(chromium, site, name, "light") as visit:
        weights = {}
        for answer in visit.answers:
            content, path = answer.body(), urlsplit(answer.url).path
            size = len(content) if path.endswith(PACKED) else len(gzip.compress(content, 6))
            weights[path] = size
        most = NOTEBOOK_PAGE if name in NOTEBOOKS else TEXT_PAGE
        assert sum(weights.values()) <= most, sorted(weights.items(), key=lambda one: -one[1])[:5]


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


@pytest.mark.parametrize("name", PAGES)
def test_zoomed_to_200_percent_the_page_does_not_scroll_sideways(chromium, site, name):
    with Visit(chromium, site, name, "zoom") as visit:
        assert visit.page.evaluate("document.scrollingElement.scrollWidth") <= 640


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


@pytest.mark.parametrize("name", ["book/index", *NOTEBOOKS])
def test_paper_has_no_controls_and_nothing_beyond_its_edge(chromium, site, name):
    with Visit(chromium, site, name, "dark") as visit:
        page = visit.page
        page.set_viewport_size({"width": 665, "height": 980})  # A4 less the margins
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
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


@pytest.mark.parametrize("name", [*NOTEBOOKS, "book/index"])
def test_sliders_move_by_keyboard(chromium, site, name):
    with Visit(chromium, site, name, "light") as visit:
        sliders = visit.page.locator("article .am-pick input[type=range]:visible")
        for slider in sliders.all():
            before = slider.evaluate(PICTURE), slider.get_attribute("aria-valuetext")
            slider.focus()
            last = slider.evaluate("one => one.value === one.max")
            visit.page.keyboard.press("ArrowLeft" if last else "ArrowRight")
            after = slider.evaluate(PICTURE), slider.get_attribute("aria-valuetext")
            assert after[0] != before[0], "the slider moves, the picture does not"
            assert after[1] == slider.evaluate(SAID)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_sliders_of_what_is_computed_move_by_keyboard(chromium, site, name):
    """Each says its value; one of a figure at least, from end to end, changes what is computed.

    Not all of them: that a hidden word has no influence is what a figure may be there to show.
    """
    with Visit(chromium, site, name, "light") as visit:
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


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_predictions_and_notes_are_dressed(chromium, site, name):
    with Visit(chromium, site, name, "light") as visit:
        plain = "article blockquote:not(.predict):not(.note):not(.breaks)"
        assert visit.page.locator(plain).all_inner_texts() == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_outputs_take_the_dark_page_as_their_ground(chromium, site, name):
    with Visit(chromium, site, name, "dark") as visit:
        grounds = visit.page.locator(".cell_output .text_html").evaluate_all(
            "(all) => [...new Set(all.map((one) => getComputedStyle(one).backgroundColor))]"
        )
        assert grounds == ["rgba(0, 0, 0, 0)"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_choices_say_which_one_is_pressed(chromium, site, name):
    with Visit(chromium, site, name, "light") as visit:
        groups = visit.page.locator(".am-control [role=group]:visible")
        for number in range(groups.count()):
            buttons = groups.nth(number).locator("button")
            buttons.nth(1).focus()
            visit.page.keyboard.press("Space")
            pressed = [button.get_attribute("aria-pressed") for button in buttons.all()]
            assert pressed.index("true") == 1 and pressed.count("true") == 1


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


def test_every_page_in_reading_order_by_its_next_link(chromium, site):
    with Visit(chromium, site, PAGES[0], "light") as visit:
        seen = [PAGES[0]]
        while visit.page.locator("a.right-next").count():
            address = visit.page.locator("a.right-next").get_attribute("href")
            visit.page.goto(f"{site}{seen[-1].rsplit('/', 1)[0]}/{address}")
            path = urlsplit(visit.page.url).path
            seen.append(path.strip("/").removesuffix(".html"))
        assert seen == toc_files()
