"""The built pages as files: links, what they load, what a shared link shows, and the buttons."""

import json
import posixpath
import re
import struct
from functools import cache
from xml.etree import ElementTree

import nbformat
import pytest

from course_lib.data.archives import ARCHIVES
from tools import korean_notebooks, vendor
from tools.edition import PLACE
from tools.linkcheck import Page, broken_links, loads_from_elsewhere, missing_pages
from tools.project import EXECUTED, HTML, ROOT, config, notebooks, record_path, toc_files

pytestmark = pytest.mark.book

# The folders of the two editions, and their pages.
EDITIONS = {"en": "", "ko": f"{PLACE}/"}
PAGES = [f"{folder}{name}" for folder in EDITIONS.values() for name in toc_files()]
NOTEBOOKS = [name for name in PAGES if name.removeprefix(f"{PLACE}/").startswith("notebooks/")]
BASE = config()["html"]["baseurl"]
# A Korean sentence says as much in half the letters.
DESCRIPTION = {"en": range(60, 161), "ko": range(30, 161)}
# "1 words", but not "3, 2 and 1 tokens" or "n − 1 words".
KINDS = "cases|heads|labels|layers|positions|sentences|seeds|steps|texts|times|tokens|words"
HYPHEN = re.compile(r"(?<![\w.)\]}-])-\d")  # before a number
MANY = re.compile(rf"(?<![\w.,−-])(?<!and )(?<![−-] )1 (?:more |other )?(?:{KINDS})\b")


@cache
def markup(name: str) -> str:
    return (HTML / f"{name}.html").read_text("utf8")


def language(name: str) -> str:
    return "ko" if name.startswith(f"{PLACE}/") else "en"


def english(name: str) -> str:
    """The name of a page without the folder of its edition."""
    return name.removeprefix(EDITIONS["ko"])


@pytest.mark.parametrize("folder", EDITIONS.values(), ids=EDITIONS)
def test_every_page_of_the_table_of_contents_is_built(folder):
    assert missing_pages(HTML / folder) == []


def test_internal_links_and_anchors_resolve():
    assert broken_links(HTML) == []


def test_pages_load_nothing_from_elsewhere():
    if not vendor.vendored():
        pytest.skip("the scripts were not vendored (no npm here): the pages use a CDN")
    assert loads_from_elsewhere(HTML) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_page_offers_colab_and_download(name):
    """Those of its own language."""
    page = Page(markup(name))
    repository = config()["repository"]
    path = f"{repository['url'].removeprefix('https://github.com')}/blob/{repository['branch']}"
    notebook = f"{english(name)}.ipynb"
    if language(name) == "ko":
        opened = korean_notebooks.FOLDER.relative_to(ROOT).as_posix() + notebook[len("notebooks") :]
    else:
        opened = notebook
    colab = f"{config()['launch_buttons']['colab_url']}/github{path}/{opened}"
    assert [link for link in page.links if "colab" in link and notebook[9:] in link] == [colab]
    assert any(link.endswith(f"_sources/{notebook}") for link in page.links)
    offered = HTML / EDITIONS[language(name)] / "_sources" / notebook
    assert offered.read_bytes() == (ROOT / opened).read_bytes()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_page_shows_no_error_and_no_raw_markup(name):
    for mark in ("Traceback (most recent call last)", "output stderr", "&lt;details", "&lt;figure"):
        assert mark not in markup(name), mark


@cache
def shown(notebook):
    """What the cells of a notebook have printed and shown: text by kind of output, for each."""
    cells = nbformat.read(EXECUTED / notebook.relative_to(ROOT), as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return [one.get("data", {"text/plain": one.get("text", "")}) for one in outputs]


@pytest.mark.parametrize("notebook", notebooks(), ids=lambda path: path.stem)
def test_every_picture_is_shown_by_the_book_once(notebook):
    """Matplotlib shows a figure by itself that a cell has left open: twice, and without words."""
    assert not [data for data in shown(notebook) if "image/png" in data]


@pytest.mark.parametrize("notebook", notebooks(), ids=lambda path: path.stem)
def test_one_of_a_kind_has_no_plural(notebook):
    """Where a number fills a slot before a word, it may be 1."""
    said = [text for data in shown(notebook) for kind, text in data.items() if "text/" in kind]
    assert not MANY.findall("\n".join(said))


@pytest.mark.parametrize("notebook", notebooks(), ids=lambda path: path.stem)
def test_a_number_below_zero_has_a_minus_sign(notebook):
    """In what is set as text: tables, captions, the words of a figure. Code prints a hyphen."""
    kinds = ("text/html", "text/markdown")
    said = [data[kind] for data in shown(notebook) for kind in kinds if kind in data]
    words = re.sub(r"(?s)<(script|style|pre|code|math)\b.*?</\1>", "", "\n".join(said))
    words = re.sub(r"\$[^$]*\$|`[^`]*`", "", words)
    alternatives = re.findall(r'\b(?:alt|aria-label|aria-valuetext)="([^"]*)"', words)
    for text in (*alternatives, re.sub("<[^>]*>", "|", words)):
        assert not HYPHEN.search(text), text


@pytest.mark.parametrize("chapter", range(13))
def test_a_chapter_reads_the_archives_that_name_it(chapter):
    """`make fetch CHAPTERS=…` brings what the chapter's notebooks opened, and no more."""
    read = set()
    for path in notebooks():
        if path.stem.startswith(f"{chapter:02}_"):
            record = record_path(EXECUTED / path.relative_to(ROOT))
            uses = json.loads(record.read_text("utf8"))["uses"]
            read |= {name.removeprefix("archive:") for name in uses if ":" in name}
    assert read == {one.name for one in ARCHIVES.values() if chapter in one.chapters}


@pytest.mark.parametrize("name", PAGES)
def test_a_shared_link_shows_what_the_page_is_about(name):
    text, address = markup(name), f"{BASE}{name}.html"
    meta = dict(re.findall(r'<meta (?:name|property)="([\w:]+)" content="([^"]*)"', text))
    assert f'<link rel="canonical" href="{address}"' in text and meta["og:url"] == address
    assert len(meta["description"]) in DESCRIPTION[language(name)], meta["description"]
    assert meta["og:description"] == meta["description"]
    assert meta["og:title"] and meta["og:image"] == f"{BASE}_static/preview.png"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_its_language_and_where_its_twin_is(name):
    text = markup(name)
    assert re.search(r'<html [^>]*lang="(\w+)"', text)[1] == language(name)
    alternates = re.findall(r'<link rel="alternate" hreflang="(\w+)" href="([^"]*)"', text)
    assert dict(alternates) == {
        one: f"{BASE}{folder}{english(name)}.html" for one, folder in EDITIONS.items()
    }


@pytest.mark.parametrize("name", toc_files())
def test_the_switch_leads_to_the_same_page_of_the_other_edition_and_back(name):
    twins = [f"{folder}{name}" for folder in EDITIONS.values()]
    for one, other in (twins, twins[::-1]):
        links = re.findall(r"<a [^>]*\bam-edition\b[^>]*>", markup(one))
        assert len(links) == 1 or name == "book/index"  # which offers it in its text, too
        for link in links:
            address = re.search(r'href="([^"]*)"', link)[1]
            led_to = posixpath.normpath(posixpath.join(posixpath.dirname(one), address))
            assert led_to == f"{other}.html"
            assert f'hreflang="{language(other)}"' in link and f' lang="{language(other)}"' in link
    sections = [re.findall(r'<section\b[^>]* id="([^"]*)"', markup(one)) for one in twins]
    assert sections[0] == sections[1], "the sections have other names"


@pytest.mark.parametrize("folder", EDITIONS.values(), ids=EDITIONS)
def test_descriptions_differ(folder):
    texts = [markup(f"{folder}{name}") for name in toc_files()]
    found = [re.search(r'name="description" content="([^"]*)"', text)[1] for text in texts]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("folder", EDITIONS.values(), ids=EDITIONS)
def test_every_page_in_reading_order_by_its_next_link(folder):
    seen = [f"{folder}{toc_files()[0]}"]
    while following := re.search(r'<a class="right-next"\s+href="([^"]*)"', markup(seen[-1])):
        address = posixpath.join(posixpath.dirname(seen[-1]), following[1])
        seen.append(posixpath.normpath(address).removesuffix(".html"))
    assert seen == [f"{folder}{name}" for name in toc_files()]


def test_the_preview_has_the_size_that_is_asked_for():
    head = (HTML / "_static" / "preview.png").read_bytes()[:24]
    assert struct.unpack(">II", head[16:]) == (1200, 630)


def test_the_sitemap_lists_every_page():
    tree = ElementTree.parse(HTML / "sitemap.xml")
    found = [one.text for one in tree.iter() if one.tag.endswith("}loc")]
    assert found == [f"{BASE}{name}.html" for name in PAGES]


@pytest.mark.parametrize("name", PAGES)
def test_mathjax_only_where_there_is_mathematics(name):
    shown = 'class="math notranslate' in markup(name)
    assert bool(re.search(r"<script[^>]*mathjax", markup(name))) == shown


@pytest.mark.parametrize("name", PAGES)
def test_every_page_can_be_edited(name):
    repository = config()["repository"]
    address = f"{repository['url']}/edit/{repository['branch']}/{english(name)}."
    assert address in markup(name)


@pytest.mark.parametrize("folder", EDITIONS.values(), ids=EDITIONS)
def test_counts_of_the_first_page_are_those_of_the_ledger(folder):
    from course_lib import claims

    text = markup(f"{folder}book/index")
    shown = list(map(int, re.findall(r"<li><p><strong>(\d+)</strong>", text)))
    tested = [claim.verdict for claim in claims.load() if claim.kind == "tested"]
    assert len(shown) == 3 and sum(shown) == len(tested)
    assert shown[:2] == [tested.count("reproduced"), tested.count("direction only")]


@pytest.mark.parametrize("folder", ["_static", "ko/_static"])
def test_the_korean_letters_of_an_edition_are_light(folder):
    fonts = list((HTML / folder).glob("hangul-*.woff"))
    assert sum(path.stat().st_size for path in fonts) <= 300_000
    assert fonts or not vendor.vendored()
