"""First uses of terms lead to the glossary."""

import re

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from tools import glossary
from tools.project import ROOT


@pytest.mark.parametrize(
    ("name", "text", "used"),
    [
        ("heat map", "The Heat maps show", "Heat maps"),
        ("heat map", "a heatmap", None),
        ("weight decay", "with weight-decay", "weight-decay"),
        ("BLEU", "in BLEU", "BLEU"),
        ("BLEU", "in bleu", None),
        ("attention", "of self-attention", None),
        ("[CLS]", "at [CLS].", "[CLS]"),
    ],
)
def test_a_use_is_the_term_in_its_own_words(name, text, used):
    found = re.search(glossary.pattern(name), text)
    assert (found and found[0]) == used


def test_texts_of_paragraphs_are_searched_but_not_links_titles_or_code():
    doctree = publish_doctree(
        "Title\n=====\n\nA *state* in a paragraph, ``code`` and `a link <x>`_.\n\n- In a list.\n"
    )
    found = [text.astext() for text in glossary.uses(doctree)]
    assert found == ["A ", "state", " in a paragraph, ", " and ", ".", "In a list."]


def test_a_link_takes_the_place_of_the_words_and_says_what_they_mean():
    paragraph = nodes.paragraph("", "A heat map of weights.")
    match = re.search("heat map", paragraph.astext())
    glossary.linked(paragraph[0], match, "term-heat-map", "What it is.", "../book/glossary.html")
    assert paragraph.astext() == "A heat map of weights."
    link = paragraph[1]
    assert (link["refuri"], link["reftitle"]) == (
        "../book/glossary.html#term-heat-map",
        "What it is.",
    )


def test_everyday_words_are_terms_of_the_glossary():
    text = (ROOT / "book" / "glossary.md").read_text("utf8")
    assert {word for word in glossary.EVERYDAY if f"\n{word} (" not in text} == set()


def test_every_letter_has_its_terms_and_the_terms_are_in_order():
    text = (ROOT / "book" / "glossary.md").read_text("utf8")
    parts = re.findall(r"(?m)^## (.)\n+```\{glossary\}\n(.*?)^```", text, re.DOTALL)
    assert len(parts) > 15
    for letter, part in parts:
        names = [name.lstrip("[").lower() for name in re.findall(r"(?m)^(\S.*)$", part)]
        assert names == sorted(names)
        assert {name[0].upper() for name in names} == {letter}
        assert f"[{letter}](#letter-{letter.lower()})" in text
