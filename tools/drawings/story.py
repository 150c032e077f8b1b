"""The map of the whole book."""

from __future__ import annotations

from course_lib.figures.plots import COLORS
from tools.drawings.sketch import Drawing, Sketch


def arc() -> Drawing:
    """The map of the book: what led to what, and the chapters that measure it."""
    sketch = Sketch(520, 404)
    recurrent, attentive, transfer = COLORS["source"], COLORS["target"], COLORS["green"]
    left, middle, right = 81, 260, 439
    first, second, third, fourth = 40, 148, 256, 364
    for x, y, title, year, chapters, color in (
        (left, first, "RNN, LSTM", 1997, (1,), recurrent),
        (middle, first, "Encoder–decoder", 2014, (2, 3), recurrent),
        (right, first, "Attention", 2015, (4,), attentive),
        (right, second, "Self-attention", 2017, (5,), attentive),
        (middle, third, "Transfer in vision", 2014, (8,), transfer),
        (right, third, "Transformer", 2017, (6, 7), attentive),
        (left, fourth, "ULMFiT", 2018, (9,), transfer),
        (middle, fourth, "GPT", 2018, (10,), attentive),
        (right, fourth, "BERT", 2018, (11,), attentive),
    ):
        sketch.box(x, y, 156, 62, color=color, strength=0.28)
        sketch.text(x, y - 11, title, bold=True)
        name = f"chapter{'s' * (len(chapters) > 1)} {', '.join(map(str, chapters))}"
        sketch.text(x, y + 13, f"{year} · {name}", size=14)
    for x in (left, middle):
        sketch.arrow(x + 79, first, x + 100, first)
        sketch.arrow(x + 79, fourth, x + 100, fourth)
    sketch.arrow(left, first + 32, left, fourth - 32)
    for y in (first, second, third):
        sketch.arrow(right, y + 32, right, y + 76)
    sketch.arrow(middle - 40, third + 32, left + 40, fourth - 32)
    sketch.arrow(right - 40, third + 32, middle + 40, fourth - 32)
    return sketch.finish(
        "Map of the course. Recurrent networks lead to the encoder–decoder, to attention, to "
        "self-attention, to the Transformer. Recurrent language models and transfer in vision lead "
        "to ULMFiT, ULMFiT and the Transformer to GPT, GPT and the Transformer to BERT."
    )
