"""Chapter 12: the papers of 2014 to 2018 in the order in which they appeared."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib.figures.plots import COLORS
from course_lib.figures.sketch import Drawing, Sketch

_LANES = {
    "recurrence": (154, COLORS["source"]),
    "attention": (302, COLORS["target"]),
    "transfer": (450, COLORS["green"]),
}
_TOP, _STEP = 58, 34


@dataclass(frozen=True)
class _Paper:
    """One paper: the month of its first version, its lane, and what was new in our words."""

    month: str
    name: str  # in the drawing
    lane: str
    key: str  # in the bibliography
    citation: str
    url: str
    new: str
    chapters: tuple[int, ...]


PAPERS = (
    _Paper(
        "Jun 2014",
        "encoder–decoder",
        "recurrence",
        "cho2014learning",
        "Cho et al. (2014a)",
        "https://arxiv.org/abs/1406.1078",
        "One recurrent network reads a sentence into a vector, another one writes from it. The "
        "gated cell that does it becomes known as the GRU.",
        (1, 2),
    ),
    _Paper(
        "Sep 2014",
        "attention",
        "attention",
        "bahdanau2015",
        "Bahdanau et al. (2015)",
        "https://arxiv.org/abs/1409.0473",
        "The decoder looks back at every state of the encoder, with weights that it computes anew "
        "for each word.",
        (3, 4),
    ),
    _Paper(
        "Sep 2014",
        "deep LSTMs",
        "recurrence",
        "sutskever2014",
        "Sutskever et al. (2014)",
        "https://arxiv.org/abs/1409.3215",
        "Deep LSTMs with one vector between them, and a source that is read from its end.",
        (2, 3),
    ),
    _Paper(
        "Nov 2014",
        "copied layers",
        "transfer",
        "yosinski2014",
        "Yosinski et al. (2014)",
        "https://arxiv.org/abs/1411.1792",
        "Layers of a network that sees are copied into a network for another task, and it is "
        "measured which of them are of use.",
        (8,),
    ),
    _Paper(
        "Aug 2015",
        "other scores",
        "attention",
        "luong2015",
        "Luong et al. (2015)",
        "https://arxiv.org/abs/1508.04025",
        "Simpler scores for attention, and alignments that are judged against gold links.",
        (4,),
    ),
    _Paper(
        "Dec 2015",
        "residual network",
        "transfer",
        "he2016",
        "He et al. (2016)",
        "https://arxiv.org/abs/1512.03385",
        "A layer computes what to add to its input. Very deep networks become trainable, and one "
        "of them the usual body for vision.",
        (6, 8),
    ),
    _Paper(
        "Sep 2016",
        "GNMT",
        "recurrence",
        "wu2016",
        "Wu et al. (2016)",
        "https://arxiv.org/abs/1609.08144",
        "Recurrence with attention at its largest, in a translation service that many people use.",
        (7,),
    ),
    _Paper(
        "May 2017",
        "convolutions",
        "attention",
        "gehring2017",
        "Gehring et al. (2017)",
        "https://arxiv.org/abs/1705.03122",
        "Translation without recurrence: convolutions, attention, and learned positions.",
        (5,),
    ),
    _Paper(
        "Jun 2017",
        "Transformer",
        "attention",
        "vaswani2017",
        "Vaswani et al. (2017)",
        "https://arxiv.org/abs/1706.03762",
        "Neither recurrence nor convolution: every word attends to every other word.",
        (5, 6, 7),
    ),
    _Paper(
        "Aug 2017",
        "AWD-LSTM",
        "recurrence",
        "merity2018",
        "Merity et al. (2018)",
        "https://arxiv.org/abs/1708.02182",
        "An ordinary LSTM with five kinds of noise against overfitting, as a language model.",
        (9,),
    ),
    _Paper(
        "Jan 2018",
        "ULMFiT",
        "transfer",
        "howard2018",
        "Howard and Ruder (2018)",
        "https://arxiv.org/abs/1801.06146",
        "A language model is trained on much text, adapted to the texts of a task, and fine-tuned "
        "on few labels.",
        (9,),
    ),
    _Paper(
        "Jun 2018",
        "GPT",
        "transfer",
        "radford2018",
        "Radford et al. (2018)",
        "https://cdn.openai.com/research-covers/language-unsupervised/"
        "language_understanding_paper.pdf",
        "The same with the decoder of the Transformer, and one body for many tasks.",
        (10,),
    ),
    _Paper(
        "Oct 2018",
        "BERT",
        "transfer",
        "devlin2019",
        "Devlin et al. (2019)",
        "https://arxiv.org/abs/1810.04805",
        "The same with the encoder: it fills in hidden words and reads in both directions.",
        (11,),
    ),
)


def time_line(chosen: int | None = None) -> Drawing:
    """Chapter 12: all papers, one of them marked.

    Raises:
        IndexError: ``chosen`` is no place in :data:`PAPERS`.
    """
    sketch = Sketch(520, _TOP + _STEP * (len(PAPERS) - 1) + 24)
    for lane, (x, _) in _LANES.items():
        sketch.text(x, 16, lane, bold=True)
    last_year = ""
    for place, paper in enumerate(PAPERS):
        y, (x, color) = _TOP + _STEP * place, _LANES[paper.lane]
        marked = chosen is not None and PAPERS[chosen] is paper
        if paper.month[-4:] != last_year:
            last_year = paper.month[-4:]
            sketch.line(2, y - 17, 518, y - 17, width=0.8, dashed=True)
        sketch.text(4, y, paper.month, size=13, anchor="start", bold=marked)
        sketch.box(
            x, y, 136, 26, paper.name, color=color, strength=0.6 if marked else 0.16, bold=marked
        )
    if chosen is None:
        told = "from the encoder–decoder in June 2014 to BERT in October 2018"
    else:
        paper = PAPERS[chosen]
        told = f"marked is {paper.name}, {paper.month}, by {paper.citation}"
    return sketch.finish(
        f"{len(PAPERS)} papers from top to bottom in the order of their first versions, in three "
        f"columns, recurrence, attention and transfer: {told}."
    )
