"""Korean words of the English pages are marked as Korean, and the text stays what it is."""

import re

import pytest
from sphinx import locale
from sphinx.application import Sphinx

PAGE = """# Attention (어텐션)

The decoder reads *alignment (정렬)* and a **linear probe (선형 탐침)**.

`코드` stays, and so does this:

```
한국어
```
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    (source / "index.md").write_text(PAGE, "utf8")
    settings = {"extensions": ["myst_parser", "tools.korean_words"]}
    before = dict(locale.translators)
    folder = source / "_build"
    Sphinx(source, None, folder, folder / ".doctrees", "html", settings, status=None).build()
    yield (folder / "index.html").read_text("utf8")
    locale.translators.clear()
    locale.translators.update(before)


def test_words_of_the_text_are_marked(page):
    marked = re.findall(r'<span lang="ko">([^<]+)</span>', page)
    assert marked == ["어텐션", "정렬", "선형 탐침"]
    assert '<em>alignment (<span lang="ko">정렬</span>)</em>' in page


def test_code_and_the_title_of_the_page_are_left_alone(page):
    assert "<title>Attention (어텐션)" in page
    assert '<span class="pre">코드</span>' in page
    assert '<span lang="ko">한국어' not in page
