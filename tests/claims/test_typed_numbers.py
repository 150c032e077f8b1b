"""No number of a result is typed in prose: notebooks and pages show it from a record."""

import nbformat
import pytest

from tests.claims.typed_numbers import suspects
from tools.project import ROOT, notebooks, toc_files

PAGES = [ROOT / f"{name}.md" for name in toc_files() if (ROOT / f"{name}.md").is_file()]
# Written by tools.bench.page from the records; tests/tools/test_costs_page.py holds it to them.
RENDERED = ROOT / "book" / "how_fast_is_it.md"


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_notebook(path):
    cells = nbformat.read(path, as_version=4).cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    typed = [s for text in prose if not text.startswith("### Question") for s in suspects(text)]
    assert typed == [], (
        "display it from the record, or mark it (tests/claims/typed_numbers.py says how)"
    )


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.md"], ids=lambda path: path.stem)
def test_page(path):
    if path == RENDERED:
        pytest.skip("rendered from a record")
    assert suspects(path.read_text(encoding="utf8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "The accuracy rises to 0.93 with ten labels.",
        "- One seed.\n- Attention gains 3.1 BLEU on verses.",
        "Its perplexity is 31.4,\nthat of counting 38.2.",
        "The model was trained in less than half an hour.",
        "| system | BLEU |\n|---|---|\n| ours, BLEU | 12.5 |",
        "> **Note.** It needs 310 MB of peak memory.",
    ],
)
def test_a_typed_result_is_found(text):
    assert len(suspects(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Table 7.5 shows the BLEU of three models, Figures 3.2 and 3.3 the accuracy.",
        "Accuracy is measured on torch 2.13 with Python 3.11.",
        "[Bahdanau et al. (2015)](https://arxiv.org/abs/1409.0473) report 26.75 BLEU.",
        "It rose to 22.5, one of its scores. <!-- published -->",
        "A model is right with probability 0.97. <!-- given -->",
        "The loss is $-\\log 0.5 = 0.69$ nats, `0.69` in the cell.",
        "**Run time** about half a minute on one processor core.",
        "[The exercises](x.ipynb): 7 exercises and 5 questions, about 65 minutes. Be right.",
        "It learns from 15% of what it reads, a left-to-right model from all.",
    ],
)
def test_other_numbers_are_free(text):
    assert suspects(text) == []


def test_a_mark_clears_its_own_paragraph_only():
    text = "BLEU was 28.4. <!-- published -->\n\nOurs has a BLEU of 12.1."
    assert suspects(text) == ["Ours has a BLEU of 12.1."]
