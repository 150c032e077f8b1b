"""A page of the book that is open in Chromium, and what is looked for on every page."""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import pytest

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

SETTLED = """async () => {
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    await new Promise(done => setTimeout(done, 200));
}"""

# Colors change by and by.
STILL = """() => Promise.race([
    Promise.allSettled(document.getAnimations().map((one) => one.finished)),
    new Promise((done) => setTimeout(done, 1000)),
]).then(() => true)"""

LISTEN = """
window.broken = [];
document.addEventListener('securitypolicyviolation', (event) => broken.push(
    `${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""

# Whatever a reader could press or set, wherever it stands.
USE = """async () => {
    const pause = (time) => new Promise((done) => setTimeout(done, time));
    const place = location.href;
    for (const one of document.querySelectorAll('article :is(button, summary)')) {
        if (!one.closest('.bd-header-article')) one.click();
        await pause(0);
    }
    for (const one of document.querySelectorAll('article :is(input, select, textarea)')) {
        if (one.matches('[type=range]')) one.value = one.value === one.max ? one.min : one.max;
        if (one.matches('select')) one.selectedIndex = one.options.length - 1;
        for (const kind of ['input', 'change']) one.dispatchEvent(new Event(kind, {bubbles: true}));
        await pause(0);
    }
    for (const one of document.querySelectorAll('button.theme-switch-button, .am-code-switch'))
        one.click();
    await pause(800);
    return [broken, location.href === place];
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


class Visit:
    """An open page with what it complained about and asked for elsewhere."""

    def __init__(self, chromium, site: str, name: str, look: str) -> None:
        self.context = chromium.new_context(**{**LOOKS, **MORE}[look])
        self.context.set_default_timeout(120_000)  # a busy machine is not a broken page
        self.page = self.context.new_page()
        self.page.add_init_script(LISTEN)
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

    def darken(self) -> None:
        """Dark, as when the reader's system changes at night."""
        self.page.emulate_media(color_scheme="dark")
        self.themed("dark")

    def lighten(self) -> None:
        """Back from the dark, or from paper."""
        self.page.emulate_media(media="screen", color_scheme="light")
        self.page.set_viewport_size(LOOKS["light"]["viewport"])
        self.themed("light")

    def themed(self, theme: str) -> None:
        """Wait until the page has followed; one without the theme's scripts has nothing to do."""
        self.page.wait_for_function(
            "(theme) => [undefined, theme].includes(document.documentElement.dataset.theme)",
            arg=theme,
        )
        self.page.evaluate(STILL)

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def found_by(checks: Iterable[Callable], *given: object) -> list[str]:
    """Run checks on the same open page; what those that fail say, each with its name.

    Opening a page takes longer than most checks of it. One that fails keeps no other from running.
    """
    found = []
    for check in checks:
        try:
            check(*given)
        except AssertionError as error:
            found.append(f"{check.__name__}: {str(error).split(chr(10) + 'assert ')[0]}")
    return found


def tell(name: str, wrong: dict[str, list[str]]) -> None:
    """Fail with a line for each thing that was found wrong with a page, by its look."""
    said = [f"{look}: {one}" for look, found in wrong.items() for one in found]
    if said:
        pytest.fail("\n".join([name, *said]), pytrace=False)
