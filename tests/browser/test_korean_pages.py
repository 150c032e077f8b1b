"""A small Korean book in Chromium, under the policy of the pages: its search, its letters."""

import shutil

import pytest
from sphinx import locale
from sphinx.application import Sphinx

from tests.browser.conftest import missing, served
from tools import korean_font, policy
from tools.catalogs import PROSE
from tools.project import ROOT, VENDOR
from tools.vendor import FONTS

pytestmark = pytest.mark.browser

PAGES = {
    "index": "# 책\n\n```{toctree}\none\ntwo\nthree\n```\n",
    "one": "# 첫째\n\nLSTM은 정렬을 모릅니다. 어텐션은 압니다.\n",
    "two": "# 둘째\n\n어텐션 가중치에서 정렬의 오류율을 쟀습니다. BLEU는 **나중에** 잽니다.\n",
    "three": "# 셋째\n\n길이가 길면 빔 서치(beam search)로 씁니다. `attention`의 값입니다.\n",
}


@pytest.fixture(scope="module")
def korean(tmp_path_factory):
    """Address of the small book."""
    source = tmp_path_factory.mktemp("source")
    for name, text in PAGES.items():
        (source / f"{name}.md").write_text(text, "utf8")
    messages = source / "locale" / "ko" / "LC_MESSAGES"
    messages.mkdir(parents=True)
    for name in ("sphinx.po", "sphinx.js"):
        shutil.copy(PROSE / name, messages)
    settings = {
        "extensions": ["myst_parser", "tools.korean_search", "tools.korean_theme"],
        "language": "ko",
        "locale_dirs": [str(source / "locale")],
        "html_theme": "sphinx_book_theme",
        "html_static_path": [str(ROOT / "book" / "_static" / "korean.css")],
        "html_css_files": ["hangul.css", "korean.css"],
    }
    folder = source / "_build"
    before = dict(locale.translators)
    Sphinx(source, None, folder, folder / ".doctrees", "html", settings, status=None).build()
    locale.translators.clear()
    locale.translators.update(before)
    korean_font.write(folder)
    policy.guard(folder)
    with served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def page(chromium, korean):
    """A page of the browser; what its scripts may not do, they throw."""
    page = chromium.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    page.close()
    assert not wrong


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("정렬", {"첫째", "둘째"}),
        ("정렬은", {"첫째", "둘째"}),
        ("어텐션 가중치", {"둘째"}),
        ("정렬 가중치", {"둘째"}),
        ("빔 서치", {"셋째"}),
        ("lstm", {"첫째"}),
        ("BLEU는", {"둘째"}),
        ("attention", {"셋째"}),
        ("빔 정렬", set()),
    ],
)
def test_a_query_finds_its_pages(page, korean, query, found):
    page.goto(f"{korean}search.html?q={query}")
    page.wait_for_function("document.querySelector('.search-summary')?.innerText")
    said = "찾은 페이지" if found else "찾은 페이지가 없습니다"
    assert said in page.locator(".search-summary").inner_text()
    assert set(page.locator("ul.search li a").all_inner_texts()) == found


def test_an_excerpt_shows_the_word(page, korean):
    page.goto(f"{korean}search.html?q=오류율은")
    excerpt = page.locator("ul.search p.context")
    excerpt.wait_for()
    assert "정렬의 오류율을" in excerpt.inner_text()


def test_korean_is_drawn_with_the_letters_of_the_pages(page, korean):
    if not FONTS.is_dir() or not VENDOR.is_dir():
        missing("the font was not fetched: `make vendor` needs npm")
    page.goto(f"{korean}two.html")
    page.evaluate("document.fonts.ready")
    faces = page.evaluate(
        "[...document.fonts].filter((one) => one.family.includes('Hangul'))"
        ".map((one) => [one.weight, one.status])"
    )
    assert sorted(faces) == [["400", "loaded"], ["700", "loaded"]]
