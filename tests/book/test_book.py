"""The built pages as files: links, what they load, what a shared link shows, and the buttons."""

import json
import re
import struct
from xml.etree import ElementTree

import pytest

from course_lib.data.archives import ARCHIVES
from tools import vendor
from tools.linkcheck import Page, broken_links, loads_from_elsewhere, missing_pages
from tools.project import EXECUTED, HTML, ROOT, config, notebooks, record_path, toc_files

pytestmark = pytest.mark.book


def test_every_page_of_the_table_of_contents_is_built():
    assert missing_pages(HTML) == []


def test_internal_links_and_anchors_resolve():
    assert broken_links(HTML) == []


def test_pages_load_nothing_from_elsewhere():
    if not vendor.vendored():
        pytest.skip("the scripts were not vendored (no npm here): the pages use a CDN")
    assert loads_from_elsewhere(HTML) == []


@pytest.mark.parametrize("notebook", notebooks(), ids=lambda path: path.stem)
def test_notebook_page_offers_colab_and_download(notebook):
    relative = notebook.relative_to(ROOT)
    page = Page((HTML / relative).with_suffix(".html").read_text("utf8"))
    repository = config()["repository"]
    path = f"{repository['url'].removeprefix('https://github.com')}/blob/{repository['branch']}"
    colab = f"{config()['launch_buttons']['colab_url']}/github{path}/{relative.as_posix()}"
    assert colab in page.links
    assert any(link.endswith(f"_sources/{relative.as_posix()}") for link in page.links)


@pytest.mark.parametrize("notebook", notebooks(), ids=lambda path: path.stem)
def test_notebook_page_shows_no_error_and_no_raw_markup(notebook):
    text = (HTML / notebook.relative_to(ROOT)).with_suffix(".html").read_text("utf8")
    for mark in ("Traceback (most recent call last)", "output stderr", "&lt;details", "&lt;figure"):
        assert mark not in text, mark


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


@pytest.mark.parametrize("name", toc_files())
def test_a_shared_link_shows_what_the_page_is_about(name):
    text = (HTML / f"{name}.html").read_text("utf8")
    meta = dict(re.findall(r'<meta (?:name|property)="([\w:]+)" content="([^"]*)"', text))
    address = f"{config()['html']['baseurl']}{name}.html"
    assert f'<link rel="canonical" href="{address}"' in text and meta["og:url"] == address
    assert 60 <= len(meta["description"]) <= 160 and meta["og:description"] == meta["description"]
    assert meta["og:title"] and meta["og:image"].endswith("_static/preview.png")


def test_descriptions_differ():
    texts = [(HTML / f"{name}.html").read_text("utf8") for name in toc_files()]
    found = [re.search(r'name="description" content="([^"]*)"', text)[1] for text in texts]
    assert len(set(found)) == len(found)


def test_the_preview_has_the_size_that_is_asked_for():
    head = (HTML / "_static" / "preview.png").read_bytes()[:24]
    assert struct.unpack(">II", head[16:]) == (1200, 630)


def test_the_sitemap_lists_every_page():
    tree = ElementTree.parse(HTML / "sitemap.xml")
    found = [one.text for one in tree.iter() if one.tag.endswith("}loc")]
    assert found == [f"{config()['html']['baseurl']}{name}.html" for name in toc_files()]


@pytest.mark.parametrize("name", toc_files())
def test_mathjax_only_where_there_is_mathematics(name):
    text = (HTML / f"{name}.html").read_text("utf8")
    shown = 'class="math notranslate' in text
    assert bool(re.search(r"<script[^>]*mathjax", text)) == shown


@pytest.mark.parametrize("name", toc_files())
def test_every_page_can_be_edited(name):
    text = (HTML / f"{name}.html").read_text("utf8")
    assert (
        f"{config()['repository']['url']}/edit/{config()['repository']['branch']}/{name}." in text
    )


def test_counts_of_the_first_page_are_those_of_the_ledger():
    from course_lib import claims

    text = (HTML / "book/index.html").read_text("utf8")
    shown = list(map(int, re.findall(r"<li><p><strong>(\d+)</strong>", text)))
    tested = [claim.verdict for claim in claims.load() if claim.kind == "tested"]
    assert len(shown) == 3 and sum(shown) == len(tested)
    assert shown[:2] == [tested.count("reproduced"), tested.count("direction only")]
