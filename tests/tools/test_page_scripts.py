import json
import re
from types import SimpleNamespace

from docutils import nodes
from docutils.utils import new_document
from sphinx.transforms.i18n import Locale

from tools import catalogs, pages


def test_a_page_loads_the_parts_of_its_live_figures_once_and_before_them(monkeypatch):
    monkeypatch.setattr(pages, "PARTS", {"b": ("tensors",), "c": ("tensors", "grammar")})
    body = '<div data-live="a"></div><div data-live="c"></div><div data-live="b"></div>'
    names = ["live", "controls", "chart", "a", "tensors", "grammar", "c", "b"]
    assert pages.live_scripts(body) == [f"live/{name}.js" for name in names]
    assert pages.live_scripts("<p>no figure</p>") == []


def test_markdown_cells_that_answer_get_the_classes_of_code_cells():
    app = SimpleNamespace(env=SimpleNamespace(doc2path=lambda name: f"{name}.ipynb"))
    tagged = {"tags": ["hide-input", "answer", "answer-length"]}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["A question"]},
        {"cell_type": "markdown", "metadata": tagged, "source": ["The\n", "answer"]},
        {"cell_type": "code", "metadata": tagged, "source": ["1 + 1"]},
    ]
    source = [json.dumps({"cells": cells})]
    pages.frame_answers(app, "lesson", source)
    first, framed, code = json.loads(source[0])["cells"]
    assert (first, code) == (cells[0], cells[2])
    assert framed["source"] == "::::{container} tag_answer tag_answer-length\nThe\nanswer\n::::"
    document = nodes.Element()
    document += nodes.container(classes=["tag-answer", "tag-answer-length", "am-other"])
    pages.name_answers(app, document)
    assert document[0]["classes"] == ["tag_answer", "tag_answer-length", "am-other"]


def test_a_box_has_its_class_by_the_word_that_opens_it():
    """Before a translation, so that the class does not depend on the language."""
    opened = ("Predict.", "Note.", "What breaks.", "Something else.", "예측.")
    document = new_document("page")
    for word in opened:
        document += nodes.block_quote("", nodes.paragraph("", "", nodes.strong("", word)))
    document += nodes.block_quote("", nodes.paragraph("", "Say it: ", nodes.strong("", "Note.")))
    pages.MarkBoxes(document).apply()
    kinds = [quote["classes"] for quote in document.findall(nodes.block_quote)]
    assert kinds == [["predict"], ["note"], ["breaks"], [], ["predict"], []]
    assert pages.MarkBoxes.default_priority < Locale.default_priority
    assert pages.PREDICT.search('<blockquote class="predict"><div><p>')
    assert not pages.PREDICT.search("<p><strong>Predict.</strong> How many? <blockquote>")


def test_the_word_that_opens_a_box_is_the_same_in_every_catalog():
    """What a cell shows is translated before its boxes are told apart."""
    found = 0
    for path in [*catalogs.PROSE.rglob("*.po"), *catalogs.SPOKEN.glob("*.po")]:
        for message in catalogs.read(path):
            opened = re.match(r"(?:> )?\*\*(.*?)\*\*", str(message.id))
            kind = opened and pages.BOXES.get(opened[1])
            if kind and message.string and not message.fuzzy:
                word = re.match(r"(?:> )?\*\*(.*?)\*\*", str(message.string))
                assert word and pages.BOXES.get(word[1]) == kind, f"{path.name}: {message.string}"
                found += 1
    assert found > 100
