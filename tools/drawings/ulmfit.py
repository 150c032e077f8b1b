"""Part IV, chapter 09: three stages of training, noise in an LSTM, and a text as one vector."""

from __future__ import annotations

from course_lib.figures.plots import COLORS
from tools.drawings.sketch import Drawing, Sketch

_BODY, _HEAD, _NEW = COLORS["blue"], COLORS["green"], COLORS["orange"]
_NOISE = COLORS["pink"]


def three_stages() -> Drawing:
    """Chapter 09: the body reads Wikipedia, then reviews, then learns to judge them."""
    sketch = Sketch(520, 356)
    for number, (title, data, width, head, answer) in enumerate(
        (
            ("1. Pre-training", "Wikipedia,\nno labels", 4.0, "next word", "“… was born in”"),
            ("2. Domain adaptation", "reviews,\nno labels", 2.5, "next word", "“a film that”"),
            ("3. Fine-tuning", "few reviews,\nlabels", 1.5, "new head", "fresh, rotten"),
        )
    ):
        y = 66 + 122 * number
        new = number == 2
        sketch.text(4, y - 46, title, anchor="start", bold=True)
        sketch.box(58, y, 106, 48, data, color=_NEW if new else _BODY, size=14)
        sketch.arrow(113, y, 150, y, width=width)
        sketch.box(212, y, 114, 48, "body", color=_BODY, strength=0.16 + 0.12 * number)
        sketch.arrow(271, y, 298, y)
        sketch.box(340, y, 78, 48, head, color=_HEAD if new else _BODY, size=14)
        sketch.arrow(381, y, 399, y)
        sketch.text(461, y, answer, size=14)
        if number < 2:
            sketch.arrow(212, y + 28, 212, y + 92, color=_BODY, width=3)
            word = "copy body and head" if number == 0 else "copy the body"
            sketch.text(224, y + 58, word, size=14, anchor="start", faded=True)
    return sketch.finish(
        "Three rows. Pre-training: much of Wikipedia, without labels, goes into a body and a head "
        "that predicts the next word. Domain adaptation: the copied body and head go on reading "
        "reviews, without labels. Fine-tuning: the copied body gets a new head and learns from a "
        "few labeled reviews to say fresh or rotten."
    )


def noise_places() -> Drawing:
    """Chapter 09: the five places of an AWD-LSTM where numbers or weights are dropped."""
    sketch = Sketch(520, 330)
    columns, rows = (70, 190, 310), (258, 196, 134)
    for step, x in enumerate(columns):
        sketch.text(x, 306, ("the", "film", "drags")[step])
        sketch.arrow(x, 294, x, 277, color=_NOISE if step == 1 else "currentColor")
        for row, (y, word) in enumerate(zip(rows, ("embedding", "LSTM 1", "LSTM 2"), strict=True)):
            color = "currentColor" if row == 0 else _BODY
            sketch.box(x, y, 92, 36, word, color=color, size=14)
            if row < 2:
                sketch.arrow(x, y - 20, x, y - 42, color=_NOISE, dashed=True)
            if row > 0 and step < 2:
                sketch.arrow(x + 48, y, x + 72, y, color=_NOISE, width=2.5)
        sketch.arrow(x, 114, x, 92, color=_NOISE, dashed=True)
        sketch.text(x, 78, ("film", "drags", "on")[step], faded=True)
    sketch.text(372, 40, "What is dropped", anchor="start", size=14, bold=True)
    for y, words in (
        (103, "outputs"),
        (134, "recurrent weights"),
        (165, "between layers"),
        (196, "recurrent weights"),
        (227, "inputs"),
        (286, "whole words"),
    ):
        sketch.text(372, y, words, size=14, anchor="start")
    sketch.text(
        24, 40, "dashed: the same numbers at all steps", anchor="start", size=14, faded=True
    )
    return sketch.finish(
        "An LSTM of two layers reads the film drags, one word after the other. Noise acts in five "
        "places: on whole words, on the inputs of the first layer, between the layers, on the "
        "outputs, each with one mask for all steps, and on the weights from state to state, with "
        "one mask for the whole pass."
    )


def concat_pooling() -> Drawing:
    """Chapter 09: the last state, the maximum and the mean over time become one vector."""
    sketch = Sketch(520, 236)
    states = (
        (0.1, 0.7, 0.3),
        (0.9, 0.2, 0.3),
        (0.2, 0.4, 0.6),
        (0.4, 0.3, 0.2),
    )
    words = ("a", "dull", "film", ".")
    for step, (word, cells) in enumerate(zip(words, states, strict=True)):
        x = 34 + 46 * step
        sketch.text(x, 190, word)
        sketch.arrow(x, 176, x, 146)
        sketch.vector(x, 118, cells, color=_BODY, size=16)
    sketch.text(218, 190, "pad", faded=True)
    sketch.vector(218, 118, (0.0, 0.0, 0.0), color=COLORS["gray"], size=16)
    sketch.text(120, 220, "states of the last layer", size=14, faded=True)
    highest = [max(column) for column in zip(*states, strict=True)]
    mean = [sum(column) / len(states) for column in zip(*states, strict=True)]
    for place, (name, cells) in enumerate(
        (("last", states[-1]), ("maximum", highest), ("mean", mean))
    ):
        y = 46 + 72 * place
        sketch.arrow(244, 118, 300, y, color=_BODY)
        sketch.text(306, y, name, size=14, anchor="start")
        sketch.vector(394, y, cells, color=_BODY, size=16)
        sketch.arrow(410, y, 428, 118 + 18 * (place - 1))
    sketch.box(470, 118, 80, 56, "head", color=_HEAD, strength=0.3)
    sketch.text(470, 190, "rotten", bold=True)
    sketch.arrow(470, 148, 470, 176)
    return sketch.finish(
        "Four words give four states of three numbers each; a padded place is left out. The last "
        "state, the maximum and the mean of each number stand side by side, nine numbers in all. "
        "The head turns them into a class: rotten."
    )
