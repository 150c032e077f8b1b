"""The built pages as one PDF."""

import io

import pytest
from pypdf import PdfReader

from tools import paper

pytestmark = pytest.mark.browser


def test_pages_are_joined_with_an_outline_and_links_to_the_published_book(chromium, site):
    names = ["book/notation", "book/glossary"]
    out = io.BytesIO()
    paper.joined(paper.printed(chromium, names, "https://example.org/course/")).write(out)
    book = PdfReader(out)
    assert [item.title for item in book.outline] == ["Notation", "Glossary"]
    assert "TF-IDF" in "".join(page.extract_text() for page in book.pages)
    links = [
        note.get_object()["/A"].get("/URI", "")
        for page in book.pages
        for note in page.get("/Annots", [])
        if "/A" in note.get_object()
    ]
    assert "https://example.org/course/notebooks/04_attention.html" in links
    assert not [link for link in links if link.startswith("file:")]
