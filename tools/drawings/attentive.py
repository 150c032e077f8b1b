"""Part II, chapters 04 and 05: attention, and attention without recurrence."""

from __future__ import annotations

import math

from course_lib.figures.plots import COLORS
from tools.drawings.sketch import Drawing, Sketch, indexed

_SOURCE, _TARGET, _STATE = COLORS["source"], COLORS["target"], COLORS["green"]
_QUIET = COLORS["gray"]
_CELLS = [0.9, 0.2, 0.6, 0.4, 1.0, 0.1]


def attention() -> Drawing:
    """Chapter 04: for each word the decoder looks back at all states of the encoder."""
    sketch = Sketch(520, 316)
    weights = [0.04, 0.9, 0.06]
    places = [44, 118, 192]
    for number, (x, word) in enumerate(zip(places, ["the", "cat", "sleeps"], strict=True)):
        weight = weights[number]
        sketch.text(x, 302, word)
        sketch.arrow(x, 288, x, 262)
        sketch.box(x, 240, 46, 40, indexed("h", number + 1), color=_SOURCE)
        if number < 2:
            sketch.arrow(x + 24, 240, x + 50, 240)
        sketch.arrow(x, 219, x, 178, color=_STATE, width=1 + 4 * weight)
        sketch.box(x, 162, 54, 28, f"{weight:.2f}", color=_STATE, strength=0.06 + 0.6 * weight)
        end = 118 + 13 * (number - 1)
        sketch.arrow(x, 147, end, 98 - 3 * (number == 1), color=_STATE, width=1 + 4 * weight)
    sketch.node(118, 80, "+")
    sketch.arrow(132, 80, 206, 80, color=_STATE, width=2.5)
    sketch.vector(214, 80, _CELLS, color=_STATE, size=11)
    sketch.text(214, 32, indexed("c", 2), bold=True)
    sketch.text(98, 80, "weighted\nsum", size=14, anchor="end", faded=True)
    for number, (fed, said) in enumerate([("<s>", "le"), ("le", "chat"), ("chat", "dort")]):
        x, now = 306 + 80 * number, number == 1
        sketch.text(x, 302, fed)
        sketch.arrow(x, 288, x, 262)
        strength = 0.4 if now else 0.12
        sketch.box(
            x, 240, 50, 40, indexed("s", number + 1), color=_TARGET, strength=strength, bold=now
        )
        sketch.arrow(x, 219, x, 188)
        sketch.text(x, 172, said, bold=True)
        if number < 2:
            sketch.arrow(x + 26, 240, x + 54, 240)
    sketch.line(222, 80, 362, 80, color=_STATE, width=2.5)
    sketch.arrow(362, 79, 362, 219, color=_STATE, width=2.5)
    sketch.line(280, 240, 250, 240, color=_TARGET, dashed=True)
    sketch.line(250, 240, 250, 162, color=_TARGET, dashed=True)
    sketch.arrow(250, 162, 222, 162, color=_TARGET, dashed=True)
    sketch.text(256, 140, f"{indexed('s', 1)} asks", size=14, faded=True)
    sketch.text(376, 54, "the same again for every word,\nwith new weights", size=14, faded=True)
    return sketch.finish(
        "Three encoder states for the cat sleeps, with weights 0.04, 0.90 and 0.06. The decoder "
        "state before the word asks for them. The weighted sum of all encoder states goes into "
        "the decoder state that writes chat. Each word gets weights of its own."
    )


def one_step() -> Drawing:
    """Chapter 04: query, scores, softmax and weighted sum, with numbers."""
    sketch = Sketch(520, 252)
    scores = [0.5, 3.0, 1.0, -0.5]
    total = sum(math.exp(score) for score in scores)
    for x, title in ((38, "query"), (138, "states"), (226, "1 scores"), (326, "2 softmax")):
        sketch.text(x, 16, title, bold=True)
    sketch.text(516, 16, "3 weighted sum", bold=True, anchor="end")
    sketch.vector(38, 126, _CELLS[::-1], color=_TARGET)
    sketch.text(38, 186, indexed("s", 1))
    for number, score in enumerate(scores):
        y, weight = 54 + 48 * number, math.exp(score) / total
        sketch.arrow(48, 126 + 6 * (number - 1.5), 112, y, color=_TARGET)
        sketch.box(138, y, 44, 32, indexed("h", number + 1), color=_SOURCE)
        sketch.arrow(162, y, 198, y)
        sketch.text(226, y, f"{score:.1f}".replace("-", "−"))
        sketch.arrow(252, y, 292, y)
        sketch.box(326, y, 62, 32, f"{weight:.2f}", color=_STATE, strength=0.06 + 0.6 * weight)
        end = 126 + 9 * (number - 1.5)
        sketch.arrow(359, y, 424, end, color=_STATE, width=1 + 3.5 * weight)
    sketch.node(440, 126, "+")
    sketch.arrow(454, 126, 482, 126, color=_STATE, width=2.5)
    sketch.vector(492, 126, _CELLS, color=_STATE)
    sketch.text(492, 186, indexed("c", 2))
    sketch.text(226, 236, "any numbers", size=14, faded=True)
    sketch.text(326, 236, "sum: 1", size=14, faded=True)
    sketch.text(456, 236, "weights × states", size=14, faded=True)
    return sketch.finish(
        "From left to right: a query meets four states and gives the scores 0.5, 3.0, 1.0 and "
        "−0.5. The softmax turns them into positive weights that sum to 1, the largest for the "
        "second state. The states times their weights add up to the context vector."
    )


def self_attention() -> Drawing:
    """Chapter 05: who waits for whom, in a recurrent layer and in self-attention."""
    sketch = Sketch(520, 236)
    words = ["the", "cat", "sleeps", "."]
    sketch.text(4, 14, "Recurrence", anchor="start", bold=True)
    sketch.text(274, 14, "Self-attention", anchor="start", bold=True)
    for number, word in enumerate(words):
        left, right = 32 + 62 * number, 302 + 62 * number
        for x in (left, right):
            sketch.text(x, 192, word)
        sketch.arrow(left, 178, left, 86)
        sketch.box(left, 66, 40, 36, indexed("h", number + 1), color=_SOURCE)
        if number < 3:
            sketch.arrow(left + 21, 66, left + 41, 66, color=_SOURCE, width=2.5)
        sketch.text(left, 38, f"step {number + 1}", size=14, faded=True)
        sketch.box(right, 66, 40, 36, indexed("y", number + 1), color=_TARGET)
        sketch.text(right, 38, "step 1", size=14, faded=True)
    for to in (0, 2, 3, 1):  # the picked-out one last, on top
        for start in range(4):
            picked = to == 1
            sketch.arrow(
                302 + 62 * start,
                178,
                302 + 62 * to + 5 * (start - 1.5),
                86,
                color=_TARGET if picked else _QUIET,
                width=2.2 if picked else 0.8,
            )
    sketch.text(125, 222, "each waits for the one before it", size=14)
    sketch.text(395, 222, "none waits for another", size=14)
    return sketch.finish(
        "Left, a recurrent layer: four states in a chain, ready at steps 1, 2, 3 and 4. Right, "
        "self-attention: four outputs, each with arrows from all four words, all ready at step 1. "
        "No output waits for another."
    )


def paths() -> Drawing:
    """Chapter 05: through how many layers or steps word 1 reaches word 9."""
    sketch = Sketch(520, 330)
    places = [152 + 43 * number for number in range(9)]
    stacks = (
        (36, "Recurrence", "8 steps", [[(n, n + 1) for n in range(8)]], False),
        (158, "Convolution", "4 layers", [[(2 * n, 2 * n + 2)] for n in range(4)], True),
        (236, "dilated", "2 layers", [[(0, 2)], [(2, 8)]], True),
        (294, "Self-attention", "1 layer", [[(0, 8)]], True),
    )
    for base, name, count, layers, upward in stacks:
        sketch.text(4, base - 20, name, anchor="start", bold=name != "dilated")
        sketch.text(4, base - 2, count, anchor="start", size=14)
        height = 20
        for row in range(len(layers) + 1 if upward else 1):
            for place in places:
                y = base - height * row
                sketch.line(place - 4, y, place + 4, y, color=_QUIET, width=8)
        for row, hops in enumerate(layers):
            for start, end in hops:
                y = base - height * row
                if upward:
                    ends = (places[start] + 4, y - 7, places[end] - 5, y - height + 6)
                else:
                    ends = (places[start] + 8, y, places[end] - 7, y)
                sketch.arrow(*ends, color=_TARGET, width=2.2)
    for x, word in ((places[0], "word 1"), (places[8] - 6, "word 9")):
        sketch.text(x, 318, word, size=14, faded=True)
    return sketch.finish(
        "The way from word 1 to word 9. Recurrence: 8 steps through every word between. A stack "
        "of causal convolutions of width 3: 4 layers, or 2 when they are dilated. Self-attention: "
        "1 layer, straight from word 1 to word 9."
    )
