"""Part IV, chapter 10: what is left of a Transformer, and tasks written as text."""

from __future__ import annotations

from course_lib.figures.plots import COLORS
from tools.drawings.sketch import Drawing, Sketch

_KEPT, _MARK, _TEXT, _HEAD = COLORS["blue"], COLORS["orange"], COLORS["gray"], COLORS["green"]


def decoder_only() -> Drawing:
    """Chapter 10: the Transformer of chapter 06 and, of its decoder, what a GPT keeps."""
    sketch = Sketch(480, 330)
    sketch.text(124, 14, "Transformer", bold=True)
    sketch.text(394, 14, "GPT", bold=True)
    sketch.box(60, 184, 106, 216, dashed=True)
    sketch.text(60, 94, "encoder")
    sketch.box(60, 226, 92, 40, "self-attention", size=13)
    sketch.box(60, 150, 92, 40, "network", size=13)
    sketch.arrow(60, 206, 60, 172)
    sketch.text(60, 314, "source", size=14)
    sketch.arrow(60, 302, 60, 248)
    _column(sketch, 194, with_source=True)
    sketch.line(60, 130, 60, 112, dashed=True)
    sketch.line(60, 112, 124, 112, dashed=True)
    sketch.line(124, 112, 124, 190, dashed=True)
    sketch.arrow(124, 190, 142, 190, dashed=True)
    sketch.text(194, 314, "target so far", size=14)
    sketch.arrow(252, 184, 326, 184, color=_KEPT, width=2.5)
    sketch.text(289, 164, "leave out", size=13, faded=True)
    sketch.text(289, 204, "the source", size=13, faded=True)
    _column(sketch, 394, with_source=False)
    sketch.text(394, 314, "text so far", size=14)
    return sketch.finish(
        "Left, a Transformer: an encoder reads the source; each layer of the decoder has "
        "self-attention over the target so far, attention to the source, and a network. Right, a "
        "GPT: without a source, each layer keeps self-attention over the text so far and the "
        "network. Both give the next token."
    )


def _column(sketch: Sketch, x: float, *, with_source: bool) -> None:
    sketch.box(x, 184, 116, 216, color=_KEPT, strength=0.05, dashed=True)
    rows = [("self-attention", 252, _KEPT), ("network", 116, _KEPT)]
    if with_source:
        rows.insert(1, ("to the source", 190, "currentColor"))
    for name, y, color in rows:
        sketch.box(x, y, 100, 40, name, color=color, strength=0.25, size=13)
    for (_, below, _), (_, above, _) in zip(rows, rows[1:], strict=False):
        sketch.arrow(x, below - 20, x, above + 22)
    sketch.arrow(x, 302, x, 274)
    sketch.arrow(x, 96, x, 56)
    sketch.text(x, 42, "next token", size=14)


def task_inputs() -> Drawing:
    """Chapter 10: one text or two, as one row of tokens, read at its last mark."""
    sketch = Sketch(480, 300)
    _task(sketch, 60, "which class?", (("start", 52, _MARK), ("text", 150, _TEXT)))
    _task(
        sketch,
        200,
        "is the first sentence first?",
        (
            ("start", 52, _MARK),
            ("sentence A", 96, _TEXT),
            ("delimiter", 68, _MARK),
            ("sentence B", 96, _TEXT),
        ),
    )
    return sketch.finish(
        "Two tasks as rows of tokens. One text: start mark, text, extract mark. Two sentences: "
        "start, sentence A, delimiter, sentence B, extract. A GPT reads each row, and one linear "
        "layer decides from its state at the extract mark."
    )


def _task(sketch: Sketch, y: float, asks: str, row: tuple[tuple[str, float, str], ...]) -> None:
    sketch.text(4, y - 46, asks, anchor="start", bold=True)
    left = 4.0
    for name, width, color in (*row, ("extract", 58, _MARK)):
        sketch.box(left + width / 2, y, width, 34, name, color=color, size=13)
        left += width + 4
    middle = left - 4 - 29
    sketch.arrow(middle, y + 17, middle, y + 44, color=_KEPT, width=2)
    sketch.box((left - 4) / 2 + 2, y + 60, left - 8, 30, "GPT", color=_KEPT, strength=0.2)
    sketch.arrow(left - 4, y + 60, left + 18, y + 60, color=_KEPT, width=2)
    sketch.box(left + 46, y + 60, 54, 30, "linear", color=_HEAD, strength=0.3, size=13)
