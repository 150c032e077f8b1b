"""What the theme says around a Korean page is Korean: no English is left, and no script is new."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sphinx
import sphinx_book_theme
import yaml

from tools import korean, korean_theme
from tools.catalogs import LOCALE, PROSE, read
from tools.project import ROOT

CATALOG = PROSE / "sphinx.po"
SCRIPT = PROSE / "sphinx.js"

BUILD = """
import json, sys
from sphinx.application import Sphinx
source, folder, settings = sys.argv[1:]
app = Sphinx(source, None, folder, f"{folder}/d", "html", json.loads(settings), status=None)
app.build()
"""
PAGES = {
    "index.md": "# The book\n\nBegin with {doc}`one`.\n",
    "one.md": "# 1. First\n\nA paragraph.\n\n## Second\n\n```python\nx = 1\n```\n",
    "_toc.yml": yaml.safe_dump(
        {
            "format": "jb-book",
            "root": "index",
            "parts": [{"caption": "Part I", "chapters": [{"file": "one", "title": "Exercises"}]}],
        }
    ),
}
PARAGRAPH = (
    "**정렬**(alignment)은 [식](x)(2)를 `f(x)`를 **97**%로, 4–6단어 “거의”라고 $h$는 씁니다."
)
KOREAN = {
    "index": {"The book": "책", "Part I": "1부"},
    "one": {"1. First": "1. 첫 장", "Second": "둘째 절", "A paragraph.": PARAGRAPH},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A small Korean book in this theme."""
    source = tmp_path_factory.mktemp("source")
    for name, text in PAGES.items():
        (source / name).write_text(text, "utf8")
    for page, messages in KOREAN.items():
        path = source / "locale" / "ko" / "LC_MESSAGES" / f"{page}.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
        text = "\n\n".join(f'msgid "{one}"\nmsgstr "{two}"' for one, two in messages.items())
        path.write_text(header + text + "\n", "utf8")
    shutil.copy(CATALOG, source / "locale" / "ko" / "LC_MESSAGES")
    settings = {
        "extensions": [
            *("myst_parser", "sphinx_external_toc", "sphinx_copybutton", "sphinx_togglebutton"),
            *("sphinx_book_theme", "tools.korean_search", "tools.korean_theme"),
        ],
        "language": "ko",
        "locale_dirs": ["locale"],
        "gettext_compact": False,
        "myst_enable_extensions": ["dollarmath"],
        "html_theme": "sphinx_book_theme",
        "html_theme_options": {
            "repository_url": "https://github.com/example/book",
            "use_repository_button": True,
            "use_issues_button": True,
            "use_edit_page_button": True,
            "search_bar_text": "Search this book...",
        },
        "project": "책",
        "html_title": "책",
        "author": "글쓴이",
    }
    folder = source / "_build"
    # In a process of its own: Sphinx keeps a language, and looks at every object that there is.
    given = [str(source), str(folder), json.dumps(settings)]
    subprocess.run([sys.executable, "-W", "ignore", "-c", BUILD, *given], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def page(site) -> str:
    return (site / "one.html").read_text("utf8")


def test_titles_of_the_table_of_contents_are_korean(page):
    assert ">1부</span>" in page
    assert re.search(r"toctree-l1[^>]*><a[^>]*>\s*연습 문제", page)


def test_a_title_that_opens_with_a_number_is_korean(page):
    assert re.search(r"<h1>1\. 첫 장<a", page)
    assert "First" not in re.sub(r'"[^"]*"', "", page)


def test_no_english_is_left_around_the_text(site):
    for path in (site / "one.html", site / "index.html", site / "search.html"):
        text = re.sub(r"(?s)<!--.*?-->|<(script|style|article).*?</\1>", "", path.read_text("utf8"))
        said = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', text)
        said += re.findall(r">([^<]+)<", text)
        left = {one.strip() for one in said if re.search("[A-Za-z]{2}", one)}
        left = {one for one in left if not re.search("[가-힣]", one)}
        assert left <= {"Ctrl", "GitHub", ".md", ".pdf"}, path.name


def test_a_particle_stays_on_the_line_of_its_word(page):
    text = re.sub("<[^>]+>", "", re.search(r"<p><strong>정렬.*?</p>", page)[0])
    said = text.replace(korean_theme.JOINER, "~")
    written = "정렬(alignment)~은 식(2)~를 f(x)~를 97%~로, 4–~6단어 “거의”~라고 \\(h\\)~는 씁니다."
    assert said == written


def test_copy_buttons_speak_korean(site):
    script = (site / "_static" / "copybutton.js").read_text("utf8")
    assert """'ko': {"copy": "복사",""" in script


def test_every_message_of_the_theme_has_our_korean():
    theme = Path(sphinx_book_theme.__file__).parent
    text = "".join(
        path.read_text("utf8") for path in theme.rglob("*") if path.suffix in (".py", ".html")
    )
    used = set(re.findall(r"""translat(?:e|ion)\(["']([^"']+)["']\)""", text))
    assert len(used) > 10
    ours = {message.id for message in read(CATALOG)}
    assert used - ours <= {"Launch Thebe", "Live Code"}, "buttons that the book does not have"


def test_the_korean_keeps_the_rules_of_the_book():
    for message in read(CATALOG):
        if message.id:
            assert message.string
            assert not korean.problems(message.id, message.string), message.id


def test_the_scripts_of_sphinx_find_each_message_and_compile_nothing():
    scripts = (Path(sphinx.__file__).parent / "themes/basic/static").glob("*.js")
    text = "".join(path.read_text("utf8") for path in scripts)
    found = re.findall(r'(?:\b_|gettext)\(\s*"((?:[^"\\]|\\.)*)"', text)
    assert len(found) > 5
    korean_script = SCRIPT.read_text("utf8")
    for message in found:
        assert json.dumps(message) in korean_script
    assert "addTranslations" not in korean_script
    assert "Function(" not in korean_script


def test_the_script_is_the_one_that_sphinx_takes():
    assert SCRIPT == LOCALE / "LC_MESSAGES" / "sphinx.js"
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not to be had here")
    said = "console.log(Documentation.TRANSLATIONS['Search'], Documentation.PLURAL_EXPR(2));"
    text = f"const Documentation = {{ TRANSLATIONS: {{}} }};{SCRIPT.read_text('utf8')}{said}"
    done = subprocess.run([node, "-"], input=text, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["검색", "0"]
