"""The Korean edition in Chromium: each page in one visit, and what a reader does, in Korean.

What a page is built from is that of the English edition, which test_pages.py looks at more closely.
"""

import re
from urllib.parse import unquote

import pytest

from course_lib import claims
from course_lib.exercises import all_exercises
from course_lib.exercises.engine.codes import code_of
from tests.browser.test_guess import seen
from tests.browser.test_live_figures import MOVE
from tests.browser.test_pages import (
    colors_can_be_read,
    figures_fit_a_wide_window,
    is_accessible,
    is_not_wider_than_its_window,
    is_quiet_and_at_home,
    nothing_is_cut_without_a_sign,
    predictions_and_notes_are_dressed,
)
from tests.browser.visit import LOOKS, SETTLED, Visit, found_by, tell
from tools import catalogs
from tools.project import toc_files
from tools.vendor import FONTS

pytestmark = pytest.mark.browser

PAGES = [f"ko/{name}" for name in (*toc_files(), "search", "genindex")]
HANGUL = re.compile("[가-힣]")
LESSON = "ko/notebooks/04_attention"
EXERCISES = "ko/notebooks/03_the_bottleneck_exercises"

# The text on show, block by block, without what is English on purpose: code, formulas, links
# to elsewhere, titles and words in italics, entries of the bibliography, quotations, and what is
# marked as of another language.
TEXT = """() => {
    const apart = 'em, i, code, pre, kbd, samp, script, style, .math, mjx-container, a.external, ' +
        '.citation, .bibliography, q, cite, blockquote:not(.predict, .note, .breaks), ' +
        '[translate=no], .notranslate';
    const inline = 'a, abbr, b, em, i, small, span, strong, sub, sup, tspan';
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const blocks = [];
    let last = null;
    while (walk.nextNode()) {
        const node = walk.currentNode, parent = node.parentElement;
        if (!node.data.trim() || !parent.checkVisibility()) continue;
        let block = parent;
        while (block.matches(inline) && block.parentElement) block = block.parentElement;
        const other = parent.closest('[lang]').lang !== 'ko' || parent.closest(apart);
        if (block !== last) blocks.push('');
        blocks[blocks.length - 1] += other ? ' ¶ ' : node.data;
        last = block;
    }
    return blocks;
}"""
QUOTED = re.compile("“[^”]*”|‘[^’]*’")
WORD = "[A-Za-z][A-Za-z'’-]*"
ENGLISH = re.compile(rf"{WORD}(?:[\s,:;]+{WORD}){{4,}}")

# Where Korean on show is not drawn by the font of the pages.
OTHER_FONTS = """() => {
    const found = new Set();
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const node = walk.currentNode, parent = node.parentElement;
        if (!/[가-힣]/.test(node.data) || !parent.checkVisibility()) continue;
        if (!getComputedStyle(parent).fontFamily.includes('Course Hangul'))
            found.add(`${parent.tagName}: ${node.data.trim().slice(0, 40)}`);
    }
    return [...found];
}"""
FACES = """async () => {
    await document.fonts.ready;
    return [...document.fonts].filter((one) => one.family.includes('Course Hangul'))
        .map((one) => one.status);
}"""


def no_english_sentence_is_left(visit, name, axe):
    """Five Latin words in a row are one."""
    if catalogs.whole(name.removeprefix("ko/")):
        found = english_of(visit.page)
        assert not found, found


def english_of(page) -> list[str]:
    blocks = [" ".join(QUOTED.sub("¶", text).split()) for text in page.evaluate(TEXT)]
    return [found[0] for text in blocks if (found := ENGLISH.search(text))]


def its_letters_are_ours(visit, name, axe):
    if FONTS.is_dir():
        faces = visit.page.evaluate(FACES)
        assert "loaded" in faces and "error" not in faces, faces
    others = visit.page.evaluate(OTHER_FONTS)
    assert not others, others


@pytest.mark.parametrize("name", PAGES)
def test_page(chromium, site, axe, name):
    """A page in one visit: by day, in the dark, and read again on a phone."""
    wrong = {}
    fits = [is_not_wider_than_its_window, nothing_is_cut_without_a_sign]
    with Visit(chromium, site, name, "light") as visit:
        wrong["at first"] = found_by(
            [
                is_quiet_and_at_home,
                is_accessible,
                *fits,
                figures_fit_a_wide_window,
                predictions_and_notes_are_dressed,
                no_english_sentence_is_left,
                its_letters_are_ours,
            ],
            *(visit, name, axe),
        )
        visit.darken()
        wrong["in the dark"] = found_by([colors_can_be_read], visit, name, axe)
        visit.lighten()
        visit.page.set_viewport_size(LOOKS["phone"]["viewport"])
        visit.page.reload()
        visit.page.evaluate(SETTLED)
        wrong["on a phone"] = found_by([*fits, is_quiet_and_at_home], visit, name, axe)
    tell(name, wrong)


def test_the_switch_opens_the_section_that_is_read(chromium, site):
    with Visit(chromium, site, LESSON, "phone") as visit:
        page = visit.page
        for language in ("en", "ko"):
            page.locator("#by-hand").evaluate("one => one.scrollIntoView()")
            page.locator(".am-edition").evaluate("one => one.focus({preventScroll: true})")
            page.keyboard.press("Enter")
            page.wait_for_url("**/notebooks/04_attention.html#by-hand")
            assert page.locator("html").get_attribute("lang") == language
            assert ("/ko/" in page.url) == (language == "ko")
            page.wait_for_function(
                "Math.abs(document.getElementById('by-hand').getBoundingClientRect().top) < 120"
            )
        assert visit.errors == []


def test_a_search_in_korean_finds_korean_pages(chromium, site):
    with Visit(chromium, site, "ko/search", "light") as visit:
        visit.page.goto(f"{site}ko/search.html?q=어텐션을")
        results = visit.page.locator("#search-results li a")
        results.first.wait_for()
        visit.page.locator(".search-summary", has_text="찾은 페이지").wait_for()
        assert HANGUL.search(results.first.inner_text())
        visit.page.locator("#search-results li p.context").first.wait_for()
        excerpts = visit.page.locator("#search-results li p.context").all_inner_texts()
        assert any("어텐션" in text for text in excerpts)
        results.first.click()
        visit.page.wait_for_url("**/ko/**")
        assert visit.page.locator("html").get_attribute("lang") == "ko"
        assert visit.errors == []


def test_a_guess(chromium, site):
    context = chromium.new_context(storage_state=None)
    page = context.new_page()
    page.goto(f"{site}ko/notebooks/02_encoder_decoder.html")
    one = page.locator("blockquote.predict", has=page.locator("[data-number]")).first
    figure = page.locator("article .tag_answer").first
    assert not seen(figure)
    one.get_by_role("button", name="비교하기").click()
    assert one.locator(".am-status").inner_text() == "먼저 예측을 적거나 ‘답 보기’를 누르세요."
    for number, field in enumerate(one.get_by_role("textbox").all()):
        field.fill(str(490 + number))
    page.keyboard.press("Enter")
    said = one.locator(".am-guessed-said").inner_text()
    assert re.fullmatch(r"내 예측: 신경망.*: 490개; 사전.*: 491개", said), said
    one.get_by_role("button", name="다시 예측하기").click()
    assert one.get_by_role("textbox").first.input_value() == ""
    context.close()


def test_a_live_figure(chromium, site):
    with Visit(chromium, site, LESSON, "light") as visit:
        stage = visit.page.locator(".am-alive > .am-stage:has(.am-invite)").first
        assert stage.evaluate(MOVE)
        for part in (".am-invite", ".am-result"):
            assert HANGUL.search(stage.locator(part).first.inner_text())
        assert visit.errors == []


def test_filters_of_the_ledger(chromium, site):
    with Visit(chromium, site, "ko/notebooks/12_what_we_measured", "light") as visit:
        ledger = visit.page.locator(".am-ledger")
        labels = ledger.locator(".am-controls label").all()
        assert all(HANGUL.search(label.inner_text()) for label in labels)
        assert not re.search("[A-Za-z]", " ".join(label.inner_text() for label in labels))
        ledger.locator("[data-filter=chapter]").select_option("04")
        rows = ledger.locator("tbody tr:visible")
        wanted = len(claims.load(chapter="04"))
        assert rows.count() == wanted
        status = ledger.locator("[aria-live=polite]").inner_text()
        assert {str(wanted), str(len(claims.load()))} <= set(re.findall(r"\d+", status))
        assert HANGUL.search(status) and not re.search("[A-Za-z]", status)
        assert visit.errors == []


def test_answers_and_codes_of_exercises_and_their_progress(chromium, site):
    one = next(one for one in all_exercises() if one.startswith("ch03"))
    with Visit(chromium, site, EXERCISES, "light") as visit:
        page = visit.page
        page.locator("#question-3-1 summary").nth(1).click()
        said = page.locator("#question-3-1 .am-did").inner_text()
        assert said == "✓ 처음 고른 답이 맞았습니다."
        page.locator(".am-code-box input").fill(code_of(one))
        page.keyboard.press("Enter")
        assert page.locator(".am-code-box p").inner_text() == f"푼 것으로 기록했습니다: {one}."

        page.goto(f"{site}ko/book/your_progress.html")
        row = page.locator("tr[data-chapter='03'] td").all_inner_texts()
        assert row == ["6개 가운데 1개", "5개 가운데 1개, 처음 고른 답이 맞은 것 1개"]

        page.goto(f"{site}ko/book/exercises.html")
        page.get_by_role("button", name="아직 풀지 않은 문제").click()
        left = len(all_exercises()) - 1
        status = page.locator(".am-exercises > [role=status]").inner_text()
        assert status == f"연습 문제 {left + 1}개 가운데 {left}개가 나와 있습니다."
        assert page.locator("tr[data-id]:visible").count() == left

        page.goto(f"{site}book/your_progress.html")  # the editions share what they remember
        assert page.locator("tr[data-chapter='03'] td").first.inner_text() == "1 of 6"
        assert visit.errors == []


def test_addresses_with_korean_words_in_them_are_read(chromium, site):
    """The search field sends what was typed, and the page shows it again."""
    with Visit(chromium, site, "ko/search", "light") as visit:
        field = visit.page.locator("form.bd-search input[name=q]:visible").first
        field.fill("정렬")
        field.press("Enter")
        visit.page.wait_for_url(lambda url: "q=정렬" in unquote(url))
        visit.page.locator("#search-results li").first.wait_for()
        assert visit.errors == []
