"""The built pages as files: links, what they load, and the buttons of a notebook page."""

import pytest

from tools import vendor
from tools.linkcheck import Page, broken_links, loads_from_elsewhere, missing_pages
from tools.project import HTML, ROOT, config, notebooks

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
