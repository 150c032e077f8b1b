"""The live translators as a reader plays them: by keyboard, on a phone, without weights."""

import re

import pytest

from course_lib.data import lab
from tests.browser.accessible import violations
from tools.project import HTML

pytestmark = pytest.mark.browser

PAGE = "notebooks/03_the_bottleneck.html"
WEIGHTS = "**/live/lab_french.js*"
LONG = next(
    pair
    for pair in lab.generate(20, seed=3, lengths=(24, 24), split="test")
    if "and" in pair.source
)


def opened(context, address: str):
    """The figure of a page, its weights not asked for yet."""
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(address)
    return page, page.locator(".am-talk").first


def loaded(context, address: str):
    page, figure = opened(context, address)
    figure.get_by_role("button", name="Load the translators").click()
    finished(figure)
    return page, figure


def finished(figure) -> None:
    """Wait until all three have written, and have been judged."""
    figure.locator(".am-results:not([aria-busy])").wait_for()
    for row in ("fixed", "attention", "transformer"):
        figure.locator(f".am-row.{row} .verdict", has_text=re.compile("mistake")).wait_for()


SOURCE = """(text) => [...document.querySelectorAll('.am-talk .am-src')]
    .map((one) => one.firstChild.data).join(' ') === text"""


def write(figure, text: str) -> None:
    """Type a sentence and wait for its translations."""
    figure.get_by_role("combobox", name="Your sentence").fill(text)
    figure.page.wait_for_function(SOURCE, arg=text)
    finished(figure)


def message(figure) -> str:
    figure.page.wait_for_timeout(400)
    return figure.locator(".am-message").inner_text()


@pytest.fixture(scope="module")
def laptop(chromium, site):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page, figure = loaded(context, site + PAGE)
    yield figure
    assert page.problems == []
    context.close()


def test_a_sentence_is_written_with_the_keyboard_alone(chromium, site):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page, figure = opened(context, site + PAGE)
    asked = []
    page.on("request", lambda one: asked.append(one.url) if "/live/" in one.url else None)
    assert figure.locator("xpath=..").locator(".am-still").is_visible()
    assert not asked
    figure.get_by_role("button", name="Load the translators").focus()
    page.keyboard.press("Enter")
    finished(figure)
    box = figure.get_by_role("combobox", name="Your sentence")
    assert box.evaluate("(one) => one === document.activeElement")
    assert not figure.locator("xpath=..").locator(".am-still").is_visible()
    page.keyboard.press("Control+A")
    page.keyboard.type("the gi")
    offered = figure.get_by_role("listbox").get_by_role("option")
    assert offered.all_inner_texts() == ["girl", "girls"]
    page.keyboard.press("ArrowDown")
    assert box.get_attribute("aria-activedescendant") == offered.first.get_attribute("id")
    page.keyboard.press("Enter")
    assert box.input_value() == "the girl "
    page.keyboard.type("sin")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert box.input_value() == "the girl sings "
    assert not offered.first.is_visible()  # the sentence is whole: nothing covers its translations
    page.keyboard.press("ArrowDown")
    assert offered.all_inner_texts() == ["and"]
    page.keyboard.press("Escape")
    assert box.get_attribute("aria-expanded") == "false"
    page.wait_for_function(SOURCE, arg="the girl sings")
    page.wait_for_timeout(300)
    finished(figure)
    for row in figure.locator(".am-row .words").all():
        assert row.inner_text().split() == ["la", "fille", "chante"]
    page.keyboard.press("Tab")  # the first word of the first row
    assert "could not look" in figure.locator(".am-looking").inner_text()
    context.close()
    assert {url.rsplit("/", 1)[1] for url in asked} == {"lab_french.js"}
    assert page.problems == []


def test_a_word_that_does_not_fit_is_explained_and_repaired(laptop):
    box = laptop.get_by_role("combobox", name="Your sentence")
    box.fill("the cta sleeps")
    assert "does not know the word “cta”" in message(laptop)
    laptop.locator(".am-message").get_by_role("button", name="cat", exact=True).click()
    assert box.input_value() == "the cat sleeps"
    box.fill("a old cat sleep ")
    assert "“an”" in message(laptop)
    laptop.locator(".am-message button").click()
    assert "does not agree" in message(laptop)
    laptop.locator(".am-message button").click()
    assert message(laptop) == "4 words."
    box.fill("the cat that")
    assert "not finished" in message(laptop)
    box.fill("the ca")  # still being written
    assert "not finished" in message(laptop)


def test_longer_and_surprise_and_clear(laptop):
    write(laptop, "my dog sleeps")
    box = laptop.get_by_role("combobox", name="Your sentence")
    words = [3]
    for _ in range(3):
        laptop.get_by_role("button", name="Longer").click()
        words.append(len(box.input_value().split()))
        assert words[-1] > words[-2]
    laptop.get_by_role("button", name="Surprise me").click()
    text = box.input_value()
    assert len(text.split()) >= 5
    assert "words." in message(laptop)
    laptop.get_by_role("button", name="Clear", exact=True).click()
    assert box.input_value() == ""
    assert not laptop.locator(".am-results").is_visible()


def test_what_is_wrong_is_marked(laptop):
    write(laptop, " ".join(LONG.source))
    assert laptop.locator(".am-row.reference .words").inner_text() == lab.detokenize(LONG.target)
    fixed = laptop.locator(".am-row.fixed")
    assert fixed.locator("button.wrong").count() > 0
    assert "✗" in fixed.locator(".verdict").inner_text()
    assert fixed.locator("button.wrong").first.inner_text().endswith("wrong")  # for the ear
    attention = laptop.locator(".am-row.attention")
    right = [one.inner_text() for one in attention.locator("button.right").all()]
    if right == list(LONG.target):
        assert attention.locator(".verdict").inner_text() == "✓ without a mistake"
        assert attention.locator("button.wrong").count() == 0


def test_comparing_finds_what_is_wrong_and_what_is_missing(laptop):
    cases = [
        (["a", "b", "c"], ["a", "b", "c"], ["right"] * 3, 0),
        (["a", "x", "c"], ["a", "b", "c"], ["right", "wrong", "missing", "right"], 1),
        (["a", "c"], ["a", "b", "c"], ["right", "missing", "right"], 1),
        (["a", "b", "b"], ["a", "b"], ["right", "right", "wrong"], 1),
        ([], ["a", "b"], ["missing", "missing"], 2),
    ]
    for written, wanted, kinds, mistakes in cases:
        found = laptop.page.evaluate(
            """([written, wanted]) => {
                const marks = AM.translation.compare(written, wanted);
                return [marks.map((mark) => mark.kind), AM.translation.mistakes(marks)];
            }""",
            [written, wanted],
        )
        assert found[1] == mistakes
        assert sorted(found[0]) == sorted(kinds)


def test_the_source_shows_where_the_model_looked(laptop):
    write(laptop, "the cat near the bridge sees my small dog")
    shares = laptop.locator(".am-src small")
    looking = laptop.locator(".am-looking")
    assert not "".join(shares.all_inner_texts()).strip()
    words = laptop.locator(".am-row.attention .words")
    words.get_by_role("button", name="chat").hover()
    assert "%" in "".join(shares.all_inner_texts())
    assert "looked at “" in looking.inner_text()
    laptop.locator(".am-row.reference").hover()
    words.get_by_role("button").first.focus()
    assert "Writing “le”" in looking.inner_text()
    laptop.page.keyboard.press("ArrowRight")
    assert "Writing “chat”" in looking.inner_text()
    laptop.page.keyboard.press("End")
    assert "Writing “chien”" in looking.inner_text()
    laptop.locator(".am-row.transformer button").first.click()
    assert "mean over its heads" in looking.inner_text()
    laptop.locator(".am-row.fixed button").first.click()
    assert "could not look" in looking.inner_text()
    assert not "".join(shares.all_inner_texts()).strip()


def test_the_curve_collects(laptop):
    laptop.get_by_role("button", name="Clear the curve").click()
    sum_up = laptop.locator(".am-tally .am-result")
    laptop.page.wait_for_timeout(400)  # leaving the text field does not count its sentence again
    assert sum_up.inner_text().startswith("No sentence")
    for text in ("the cat sleeps", "the dog sleeps", "the cat sleeps"):  # each counts once
        write(laptop, text)
        laptop.page.wait_for_timeout(100)
    assert sum_up.inner_text().startswith("2 sentences")
    # The page answers while it works, and "Stop" stops it: pressed in the page, at once after the
    # second ten, since a fast machine is soon through.
    longest = laptop.get_by_role("button", name="Ten of each length").evaluate(
        """async (button) => {
            const running = button.closest(".am-curve").querySelector(".am-running");
            let longest = 0, before = performance.now();
            button.click();
            while (!(parseInt(running.textContent) >= 20)) {
                await new Promise((go) => setTimeout(go));
                longest = Math.max(longest, performance.now() - before);
                before = performance.now();
            }
            if (button.textContent !== "Stop") throw new Error(button.textContent);
            button.click();
            return longest;
        }"""
    )
    assert longest < 400
    laptop.page.wait_for_timeout(300)
    assert laptop.get_by_role("button", name="Ten of each length").is_visible()
    rows = laptop.locator(".am-tally tbody tr")
    assert rows.count() == 10
    counts = [int(cell.text_content()) for cell in rows.locator("td:nth-child(2)").all()]
    assert 22 <= sum(counts) < 100
    assert min(counts) >= 2
    picture = laptop.locator(".am-tally svg[role=img]").get_attribute("aria-label")
    assert "Fixed vector:" in picture
    assert "at 28–30 words" in picture


def test_a_sentence_may_be_too_long(laptop):
    def chain(clauses: int) -> str:
        return " and ".join(["the cat sleeps"] * clauses)

    box = laptop.get_by_role("combobox", name="Your sentence")
    box.fill(chain(8))  # 31 words
    assert "beyond all that they have seen" in message(laptop)
    box.fill(chain(16))  # 63 words
    assert "stops at 60" in message(laptop)
    assert laptop.get_by_role("button", name="Longer").is_disabled()


def test_into_korean(laptop):
    write(laptop, "the cat does not sleep")
    laptop.get_by_label("Translate into").select_option("korean")
    laptop.locator(".am-row.fixed .words[lang=ko]").wait_for()
    finished(laptop)
    assert laptop.locator(".am-row.reference .words").inner_text() == "고양이는 자지 않는다"
    for row in ("attention", "transformer"):
        words = laptop.locator(f".am-row.{row} .words")
        assert words.inner_text().split() == ["고양이", "는", "자지", "않는다"]
    laptop.get_by_label("Translate into").select_option("french")
    laptop.locator(".am-row.fixed .words[lang=fr]").wait_for()
    finished(laptop)


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)]
)
def test_it_fits_and_is_accessible(chromium, site, axe, scheme, width):
    context = chromium.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 844}, has_touch=width == 390
    )
    page, figure = loaded(context, site + PAGE)
    write(figure, " ".join(LONG.source))
    figure.locator(".am-row.transformer button").nth(2).click()

    def broken() -> dict:
        found = violations(page, axe, ".am-talk")
        return {rule["id"]: [node["target"][-1] for node in rule["nodes"]] for rule in found}

    assert broken() == {}
    figure.get_by_role("combobox", name="Your sentence").fill("the ")  # with its list open
    assert figure.get_by_role("listbox").is_visible()
    assert broken() == {}
    sizes = "() => [document.scrollingElement.scrollWidth, document.documentElement.clientWidth]"
    wide, room = page.evaluate(sizes)
    assert wide <= room
    context.close()


def test_from_a_folder(chromium):
    context = chromium.new_context()
    page, figure = loaded(context, (HTML / PAGE).as_uri())
    write(figure, "the cat sleeps")
    assert figure.locator(".am-row.transformer .words").inner_text().split()[-1] == "dort"
    assert page.problems == []
    context.close()


def test_weights_that_do_not_arrive(chromium, site):
    context = chromium.new_context()
    page, figure = opened(context, site + PAGE)
    news = figure.locator(".am-news")
    page.route(WEIGHTS, lambda route: route.abort())
    figure.get_by_role("button", name="Load the translators").click()
    again = figure.get_by_role("button", name="Try again")
    again.wait_for()
    assert "did not arrive" in news.inner_text()
    assert figure.locator("xpath=..").locator(".am-still").is_visible()
    page.unroute(WEIGHTS)

    def half(route) -> None:
        body = route.fetch().text()
        start, text, end = re.fullmatch(r'(.*, ")([^"]*)("\);\s*)', body, re.DOTALL).groups()
        route.fulfill(body=start + text[: len(text) // 2] + end, content_type="text/javascript")

    page.route(WEIGHTS, half)
    again.click()
    figure.locator(".am-news", has_text="damaged").wait_for()
    page.unroute(WEIGHTS)
    figure.get_by_role("button", name="Try again").click()
    finished(figure)
    assert not news.is_visible()
    assert page.problems == []
    context.close()


def test_without_scripts_it_is_a_picture(chromium, site):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site + PAGE)
    place = page.locator("[data-live=translator]")
    assert place.locator("svg").first.is_visible()
    assert place.locator("table").count() == 1
    assert place.locator("input, button").count() == 0
    context.close()


def test_the_small_one_on_the_first_page(chromium, site):
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page, figure = loaded(context, f"{site}book/index.html")
    assert figure.locator("select, .am-tally").count() == 0
    assert page.locator("figure:has(.am-talk) a[href*='04_attention']").count()
    write(figure, "my cat loves the old house")
    assert figure.locator(".am-row.attention .words").inner_text().split()[-1] == "maison"
    assert page.problems == []
    context.close()
