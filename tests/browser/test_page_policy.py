"""The policy of the built pages in Chromium: it is in force, and nothing that is used breaks it.

Playwright's own scripts reach a page by the debugger, where no policy holds: what a test evaluates,
axe-core too, needs no exception. That each page can be used under its policy, test_pages.py shows.
"""

import re

import pytest

from tests.browser.visit import LISTEN, USE
from tools import vendor
from tools.project import HTML, toc_files

pytestmark = pytest.mark.browser

PAGES = [*toc_files(), "search", "genindex", "404", "index"]
LESSON = "notebooks/03_the_bottleneck"  # with mathematics and a slider
PICTURES = "notebooks/08_transfer_in_vision"
FIELD = "form.bd-search input[name=q]:visible"
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
# Mathematics is set, or a script is missing for it.
TYPESET = """() => Promise.race([
    window.MathJax && MathJax.startup && MathJax.startup.promise,
    new Promise((done) => setTimeout(done, 3000)),
]).then(() => true)"""


class Opened:
    """A page with its complaints, and with another policy where `edit` changes it."""

    def __init__(self, chromium, address: str, edit=None, **options) -> None:
        self.context = chromium.new_context(**options)
        self.page = self.context.new_page()
        self.page.add_init_script(LISTEN)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        if edit is not None:
            self.page.route(address, lambda route: self.changed(route, edit))
        self.page.goto(address, wait_until="load")
        self.page.evaluate(TYPESET)

    def changed(self, route, edit) -> None:
        body = route.fetch().text()
        rules = POLICY.search(body)[1]
        assert edit(rules) != rules, "nothing was taken away"
        route.fulfill(body=body.replace(rules, edit(rules)), content_type="text/html")

    def broken(self) -> list[str]:
        """The directives against which something was tried."""
        self.page.wait_for_timeout(300)
        return sorted({one.split()[0] for one in self.page.evaluate("broken")})

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def rules_of(name: str) -> dict[str, list[str]]:
    content = POLICY.search((HTML / f"{name}.html").read_text("utf8"))[1]
    return {rule.split()[0]: rule.split()[1:] for rule in content.split("; ")}


@pytest.mark.parametrize("name", PAGES)
def test_the_policy_is_narrow(name):
    rules = rules_of(name)
    own = ["'none'"] if name in ("404", "index") else ["'self'"]
    assert rules["default-src"] == own and rules["base-uri"] == ["'none'"]
    scripts = rules.get("script-src", []) + rules.get("script-src-attr", [])
    assert not {"'unsafe-inline'", "'unsafe-eval'", "'wasm-unsafe-eval'", "data:"} & set(scripts)
    if vendor.vendored() and name != "404":
        assert not [one for rule in rules.values() for one in rule if one.startswith("http")]


def test_the_address_of_the_site_leads_to_its_first_page(chromium, site):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(site)
    page.wait_for_url(f"{site}{PAGES[0]}.html")
    context.close()


def test_searching_breaks_no_rule(chromium, site):
    with Opened(chromium, f"{site}search.html?q=attention") as opened:
        opened.page.locator("#search-results li p.context").first.wait_for()
        assert opened.broken() == [] and opened.errors == []
        opened.page.locator(FIELD).first.fill("encoder")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**/search.html?q=encoder*")


# What comes into a page later, by a fault of ours or by somebody's hand.
INJECTED = {
    "script": "document.body.append(Object.assign(document.createElement('script'),"
    " {textContent: 'window.ran = 1'}))",
    "handler": "document.body.insertAdjacentHTML('beforeend',"
    ' \'<img src="nowhere.png" onerror="window.ran = 1">\')',
    "address": "location.href = 'javascript:window.ran = 1'",
    "text": "setTimeout('window.ran = 1', 0)",
    "elsewhere": "document.body.append(Object.assign(document.createElement('script'),"
    " {src: OTHER + '_static/course.js', onload: () => { window.ran = 1; }}))",
    "picture": "document.body.append(Object.assign(new Image(),"
    " {src: OTHER + '_static/preview.png', onload: () => { window.ran = 1; }}))",
    "fetch": "fetch(OTHER + 'sitemap.xml', {mode: 'no-cors'})"
    ".then(() => { window.ran = 1; }, () => 0)",
    "frame": "document.body.append(Object.assign(document.createElement('iframe'),"
    " {src: 'book/notation.html'}))",
    "object": "document.body.append(Object.assign(document.createElement('object'),"
    " {data: 'book/notation.html'}))",
    "base": "document.head.append(Object.assign(document.createElement('base'), {href: OTHER}))",
    "form": "{ const form = document.createElement('form'); form.action = OTHER;"
    " document.body.append(form); form.submit(); }",
}
AGAINST = {
    "script": "script-src-elem",
    "handler": "script-src-attr",
    "address": "script-src-elem",
    "text": "script-src",
    "elsewhere": "script-src-elem",
    "picture": "img-src",
    "fetch": "connect-src",
    "frame": "frame-src",
    "object": "object-src",
    "base": "base-uri",
    "form": "form-action",
}


@pytest.mark.parametrize("kind", INJECTED)
def test_what_is_injected_neither_runs_nor_loads(chromium, site, kind):
    other = site.replace("127.0.0.1", "localhost")  # another site for the browser
    with Opened(chromium, f"{site}book/notation.html") as opened:
        outside = []
        opened.page.on("response", lambda answer: outside.append(answer.url))
        opened.page.evaluate(INJECTED[kind].replace("OTHER", f"'{other}'"))
        assert opened.broken() == [AGAINST[kind]]
        assert opened.page.evaluate("window.ran") is None
        assert not [one for one in outside if one.startswith(other)]
        assert opened.page.url.startswith(f"{site}book/notation.html")


def played(page) -> bool:
    """Whether the button beside a slider still starts it."""
    play = page.locator("article .am-pick > .am-control > .am-play:visible").first
    play.click()
    return play.get_attribute("aria-label") == "Pause"


def without(part: str, instead: str = ""):
    return lambda rules: re.sub(part, instead, rules)


STYLES = r"style-src 'self' 'unsafe-inline'"
# What is taken away, against which rule the page then acts, and what no longer works.
NEEDED = {
    "scripts in the page": (
        without(r"(script-src 'self')[^;]*", r"\1"),
        "script-src-elem",
        "() => document.documentElement.classList.contains('js')",
    ),
    "handlers by hash": (without(r"'unsafe-hashes' "), "script-src-attr", played),
    "hashes of handlers": (
        without(r"(script-src-attr 'unsafe-hashes')[^;]*", r"\1"),
        "script-src-attr",
        played,
    ),
    "styles in attributes": (
        without(STYLES, "style-src-elem 'self' 'unsafe-inline'; style-src-attr 'none'"),
        "style-src-attr",
        "() => !!document.querySelector('article figure [style*=width]').style.width",
    ),
    "styles in elements": (
        without(STYLES, "style-src-elem 'self'; style-src-attr 'unsafe-inline'"),
        "style-src-elem",
        "() => !!document.querySelector('style#MJX-CHTML-styles').sheet",
    ),
    "pictures as data": (
        without(r"(img-src 'self') data:", r"\1"),
        "img-src",
        """() => Promise.all([...document.querySelectorAll('article svg image')].map((one) => {
            const picture = new Image(); picture.src = one.href.baseVal; return picture.decode();
        })).then(() => true, () => false)""",
    ),
}


@pytest.mark.parametrize("exception", NEEDED)
def test_an_exception_is_needed(chromium, site, exception):
    edit, against, works = NEEDED[exception]
    address = f"{site}{PICTURES if against == 'img-src' else LESSON}.html"
    seen = []
    for change in (None, edit):
        with Opened(chromium, address, change) as opened:
            held = works(opened.page) if callable(works) else opened.page.evaluate(works)
            seen.append((held, against in opened.broken()))
    assert seen == [(True, False), (False, True)]


@pytest.mark.parametrize("name", [LESSON, "book/notation", "book/index"])
def test_a_saved_book_reads_as_the_published_one(chromium, site, name):
    with Opened(chromium, (HTML / f"{name}.html").as_uri()) as opened:
        broken, stayed = opened.page.evaluate(USE)
        assert broken == [] and opened.errors == [] and stayed
        text = opened.page.locator("article .math")
        assert text.count() == 0 or opened.page.locator("article mjx-container").count() > 0
        fonts = opened.page.evaluate("[...document.fonts].map((one) => one.status)")
        assert "loaded" in fonts and "error" not in fonts


def test_the_search_field_of_a_saved_book_leads_to_its_search(chromium, site):
    with Opened(chromium, (HTML / "search.html").as_uri()) as opened:
        opened.page.locator(FIELD).first.fill("encoder")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("file://**/search.html?q=encoder*")
        opened.page.locator("#search-results li").first.wait_for()
        assert opened.broken() == []


def test_an_address_that_does_not_exist_loads_nothing(chromium, site):
    with Opened(chromium, "about:blank") as opened:
        asked = []
        opened.page.on("request", lambda request: asked.append(request.url))
        opened.page.goto(f"{site}404.html")
        assert opened.broken() == [] and [one for one in asked if "data:" not in one] == asked[:1]
        shown = opened.page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth")
        assert shown != "none"
