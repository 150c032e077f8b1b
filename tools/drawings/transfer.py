"""Part IV, chapters 08 and 09: a body and a head, and what is carried from task to task."""

from __future__ import annotations

from course_lib.figures.plots import COLORS
from tools.drawings.sketch import Drawing, Sketch

_BODY, _HEAD, _NEW = COLORS["blue"], COLORS["green"], COLORS["orange"]


def body_and_head() -> Drawing:
    """Chapter 08: the body turns an image into features, the head turns features into a name."""
    sketch = Sketch(520, 250)
    sketch.box(226, 122, 292, 128, color=_BODY, strength=0.06, dashed=True)
    sketch.text(226, 36, "body", bold=True)
    sketch.text(226, 206, "from general to special", size=14, faded=True)
    _image(sketch, 10, 98)
    sketch.text(34, 206, "image", size=14)
    sketch.arrow(62, 122, 90, 122)
    for number, (name, strength) in enumerate(
        (("stem", 0.1), ("block 1", 0.2), ("block 2", 0.3), ("block 3", 0.4))
    ):
        x = 120 + 70 * number
        sketch.box(x, 122, 58, 88, name, color=_BODY, strength=strength, size=14)
        if number < 3:
            sketch.arrow(x + 30, 122, x + 41, 122)
    sketch.arrow(360, 122, 390, 122, color=_BODY, width=2.5)
    sketch.vector(398, 122, [0.9, 0.2, 0.6, 0.4, 1.0, 0.1], color=_BODY)
    sketch.text(398, 206, "features", size=14)
    sketch.arrow(408, 122, 426, 122)
    sketch.box(454, 122, 54, 88, "linear", color=_HEAD, strength=0.3, size=14)
    sketch.text(454, 36, "head", bold=True)
    sketch.arrow(482, 122, 498, 122)
    sketch.text(508, 122, "7", bold=True)
    sketch.text(260, 236, "keep the body, change the head", size=14, faded=True)
    return sketch.finish(
        "An image passes a stem and three blocks, together the body, and comes out as a vector of "
        "features. A linear layer, the head, turns the features into a name: 7. For a new task "
        "the body is kept and the head is changed."
    )


def supervised_and_transfer() -> Drawing:
    """Chapter 08: learning a task from its few labels alone, or after a task with many."""
    sketch = Sketch(520, 344)
    sketch.text(4, 16, "Supervised learning", anchor="start", bold=True)
    _row(sketch, 72, "few digits", _NEW, "new body", _NEW, "new head", "digits")
    sketch.text(4, 136, "Transfer learning", anchor="start", bold=True)
    _row(sketch, 192, "many letters", _BODY, "body", _BODY, "old head", "letters")
    sketch.arrow(262, 218, 262, 270, color=_BODY, width=3)
    sketch.text(274, 244, "copy the weights", size=14, anchor="start", faded=True)
    _row(sketch, 298, "few digits", _NEW, "body", _BODY, "new head", "digits")
    return sketch.finish(
        "Above, supervised learning: a new body and a new head learn from a few digits alone. "
        "Below, transfer learning: a body and a head first learn many letters; the weights of the "
        "body are copied, and with a new head it learns the few digits."
    )


def _row(
    sketch: Sketch, y: float, data: str, data_color: str, body: str, color: str, head: str, out: str
) -> None:
    many = data.startswith("many")
    sketch.box(66, y, 118, 44, data, color=data_color, strength=0.35 if many else 0.1, size=14)
    sketch.arrow(127, y, 190, y, width=3 if many else 1.5)
    sketch.box(262, y, 138, 44, body, color=color, strength=0.25)
    sketch.arrow(333, y, 362, y)
    sketch.box(402, y, 76, 44, head, color=_BODY if head.startswith("old") else _NEW, size=14)
    sketch.arrow(442, y, 460, y)
    sketch.text(490, y, out, size=14)


def _image(sketch: Sketch, left: float, top: float) -> None:
    """A seven of 7 × 7 pixels, column by column."""
    ink = {(c, 1) for c in range(1, 6)} | {(5, 2), (4, 3), (4, 4), (3, 5), (3, 6)}
    for column in range(7):
        cells = [0.9 if (column, row) in ink else 0.0 for row in range(7)]
        sketch.vector(left + 4 + 7 * column, top + 24, cells, color=_NEW, size=7)
