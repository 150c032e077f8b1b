"""Every page of the book in Chromium: quiet, self-contained, accessible, fit for a phone."""

from urllib.parse import urlsplit

import pytest

from tools import vendor
from tools.project import toc_files

pytestmark = pytest.mark.browser

PAGES = [*toc_files(), "search", "genindex"]
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
# Rules that the theme itself breaks on a plain page, with the number of elements.
THEME_OWNED = {"label-content-name-mismatch": 3, "region": 1}

SETTLED = """async () => {
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    const all = (selector) => document.querySelectorAll(selector).length;
    const views = all('script[type="application/vnd.jupyter.widget-view+json"]');
    const start = performance.now();
    while (all('.cell_output .jupyter-widgets') < views && performance.now() - start < 60000)
        await new Promise(done => setTimeout(done, 50));
    await new Promise(done => setTimeout(done, 100));
}"""

# What a slider's cell shows beside its controls.
PICTURE = """(handle) => {
    const shown = handle.closest('.cell_output').cloneNode(true);
    shown.querySelectorAll('.widget-slider, .widget-play').forEach((control) => control.remove());
    return shown.innerHTML;
}"""


class Visit:
    """An open page with what it complained about and asked for elsewhere."""

    def __init__(self, chromium, site: str, name: str, look: str) -> None:
        self.context = chromium.new_context(**LOOKS[look])
        self.context.set_default_timeout(120_000)  # a busy machine is not a broken page
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.outside: list[str] = []
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
        self.page.goto(f"{site}{name}.html", wait_until="load")
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
        visit.page.evaluate(axe)
        found = visit.page.evaluate("() => axe.run()")["violations"]
        broken = {
            rule["id"]: [node["target"][-1] for node in rule["nodes"]]
            for rule in found
            if len(rule["nodes"]) > THEME_OWNED.get(rule["id"], 0)
        }
        assert broken == {}


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("notebooks/")])
def test_sliders_move_by_keyboard(chromium, site, name):
    with Visit(chromium, site, name, "light") as visit:
        handles = visit.page.locator(".cell_output .widget-slider .noUi-handle")
        for number in range(handles.count()):
            handle = handles.nth(number)
            before = float(handle.get_attribute("aria-valuenow")), handle.evaluate(PICTURE)
            handle.focus()
            visit.page.keyboard.press("ArrowRight")
            visit.page.wait_for_timeout(200)
            after = float(handle.get_attribute("aria-valuenow")), handle.evaluate(PICTURE)
            assert after[0] > before[0]
            assert after[1] != before[1], "the slider moves, the picture does not"
            assert handle.get_attribute("aria-label"), "the slider has no name"


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("notebooks/")])
def test_predictions_and_notes_are_dressed(chromium, site, name):
    with Visit(chromium, site, name, "light") as visit:
        plain = "article blockquote:not(.predict):not(.note):not(.breaks)"
        assert visit.page.locator(plain).all_inner_texts() == []


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("notebooks/")])
def test_outputs_take_the_dark_page_as_their_ground(chromium, site, name):
    with Visit(chromium, site, name, "dark") as visit:
        grounds = visit.page.locator(".cell_output .text_html").evaluate_all(
            "(all) => [...new Set(all.map((one) => getComputedStyle(one).backgroundColor))]"
        )
        assert grounds == ["rgba(0, 0, 0, 0)"]


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("notebooks/")])
def test_choices_say_which_one_is_pressed(chromium, site, name):
    with Visit(chromium, site, name, "light") as visit:
        groups = visit.page.locator(".cell_output .widget-toggle-buttons")
        for number in range(groups.count()):
            buttons = groups.nth(number).locator("button")
            buttons.nth(1).focus()
            visit.page.keyboard.press("Space")
            visit.page.wait_for_timeout(200)
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


def test_every_page_in_reading_order_by_its_next_link(chromium, site):
    with Visit(chromium, site, PAGES[0], "light") as visit:
        seen = [PAGES[0]]
        while visit.page.locator("a.right-next").count():
            address = visit.page.locator("a.right-next").get_attribute("href")
            visit.page.goto(f"{site}{seen[-1].rsplit('/', 1)[0]}/{address}")
            path = urlsplit(visit.page.url).path
            seen.append(path.strip("/").removesuffix(".html"))
        assert seen == toc_files()
