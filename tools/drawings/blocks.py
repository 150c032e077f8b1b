"""Part II, chapter 06: several heads, the residual stream, and the whole Transformer."""

from __future__ import annotations

from course_lib.figures.plots import COLORS
from tools.drawings.sketch import Drawing, Sketch

_SOURCE, _TARGET, _STATE = COLORS["source"], COLORS["target"], COLORS["green"]
_QUIET = COLORS["gray"]


def heads() -> Drawing:
    """Chapter 06: a vector is cut into pieces, each head attends with its own, and they join."""
    sketch = Sketch(520, 300)
    colors = (_SOURCE, _TARGET, _STATE, COLORS["pink"])
    sketch.text(4, 14, "one word, D = 8", anchor="start", bold=True)
    for number in range(8):
        sketch.box(150 + 30 * number, 42, 28, 24, color=colors[number // 2], strength=0.3)
    sketch.text(400, 42, "its query", anchor="start", size=14, faded=True)
    for number, color in enumerate(colors):
        x = 66 + 130 * number
        sketch.arrow(165 + 60 * number, 58, x, 96, color=color)
        sketch.box(x, 134, 112, 72, color=color, strength=0.08)
        sketch.text(x, 112, f"head {number + 1}", bold=True)
        sketch.text(x, 134, "own scores,", size=14)
        sketch.text(x, 154, "own softmax", size=14)
        sketch.arrow(x, 172, 165 + 60 * number, 210, color=color)
    for number in range(8):
        sketch.box(150 + 30 * number, 224, 28, 24, color=colors[number // 2], strength=0.3)
    sketch.text(4, 224, "joined", anchor="start", bold=True)
    sketch.arrow(255, 238, 255, 264)
    sketch.box(255, 280, 230, 28, "Wₒ mixes the heads")
    return sketch.finish(
        "The query of one word, eight numbers, is cut into four pieces of two. Each piece goes to "
        "a head of its own, with its own scores and its own softmax. The four results of two "
        "numbers each are joined to eight numbers again, and one matrix mixes them."
    )


def residual_stream() -> Drawing:
    """Chapter 06: the LayerNorm stands beside the road or on it."""
    sketch = Sketch(520, 336)
    _stream(sketch, 70, "pre-norm", on_road=False)
    _stream(sketch, 350, "post-norm", on_road=True)
    return sketch.finish(
        "Two roads from bottom to top with two side tracks each, attention and feed-forward, "
        "whose results are added to the road. Left, pre-norm: a LayerNorm at the start of each "
        "side track, the road itself is free. Right, post-norm: the LayerNorms stand on the road, "
        "one after each addition."
    )


def _stream(sketch: Sketch, x: float, title: str, *, on_road: bool) -> None:
    side = x + 96
    sketch.text(x + 50, 14, title, bold=True)
    sketch.text(x, 326, "x")
    bottom = 312.0
    for base, name in ((282, "attention"), (158, "feed-forward")):
        plus = base - 64 if on_road else base - 92
        sketch.line(x, bottom, x, plus + 13, color=_STATE, width=3)
        sketch.line(x, base, side, base)
        if on_road:
            sketch.arrow(side, base, side, base - 16)
            sketch.box(side, base - 32, 104, 32, name, color=_TARGET)
            sketch.line(side, base - 48, side, plus)
            sketch.arrow(x, plus - 13, x, plus - 24, color=_STATE, width=2)
            sketch.box(x, plus - 38, 92, 28, "LayerNorm", color=_SOURCE)
            bottom = plus - 52
        else:
            sketch.box(side, base - 24, 104, 28, "LayerNorm", color=_SOURCE)
            sketch.box(side, base - 60, 104, 32, name, color=_TARGET)
            sketch.line(side, base, side, base - 10)
            sketch.line(side, base - 38, side, base - 44)
            sketch.line(side, base - 76, side, plus)
            bottom = plus - 13
        sketch.arrow(side, plus, x + 13, plus)
        sketch.node(x, plus, "+")
    sketch.arrow(x, bottom, x, 28, color=_STATE, width=3)


def transformer() -> Drawing:
    """Chapter 06: encoder, decoder, and the three places of attention."""
    sketch = Sketch(520, 430)
    left, right, wide = 124, 392, 196
    for x, words, foot in ((left, "source words", 1), (right, "target words so far", 2)):
        sketch.text(x, 420, words)
        sketch.arrow(x, 408, x, 390)
        sketch.box(x, 372, wide, 34, "embedding · √D + position", size=14)
        sketch.arrow(x, 354, x, 328 if foot == 2 else 276)
    sketch.box(left, 218, wide + 30, 150, color=_QUIET, strength=0.06, dashed=True)
    sketch.text(24, 159, "encoder × L", size=14, anchor="start", bold=True)
    _sublayer(sketch, left, 256, "self-attention", "source asks source", _SOURCE)
    sketch.arrow(left, 234, left, 218)
    _sublayer(sketch, left, 196, "feed-forward", "each word alone", _STATE)
    sketch.box(right, 220, wide + 30, 240, color=_QUIET, strength=0.06, dashed=True)
    sketch.text(292, 114, "decoder × L", size=14, anchor="start", bold=True)
    _sublayer(sketch, right, 308, "self-attention", "target asks its past", _TARGET)
    sketch.arrow(right, 286, right, 258)
    _sublayer(sketch, right, 236, "source attention", "target asks source", _SOURCE)
    sketch.arrow(right, 214, right, 186)
    _sublayer(sketch, right, 164, "feed-forward", "each word alone", _STATE)
    sketch.line(left, 175, left, 92, color=_SOURCE, width=2.5)
    sketch.line(left, 92, 258, 92, color=_SOURCE, width=2.5)
    sketch.line(258, 92, 258, 236, color=_SOURCE, width=2.5)
    sketch.arrow(258, 236, right - wide / 2, 236, color=_SOURCE, width=2.5)
    sketch.text(left - 24, 78, "states: keys and values", size=14, anchor="start")
    sketch.arrow(right, 142, right, 76)
    sketch.box(right, 58, wide, 34, "linear map, softmax", size=14)
    sketch.arrow(right, 40, right, 26)
    sketch.text(right, 12, "next word", bold=True)
    return sketch.finish(
        "Left, the encoder: source words are embedded, then pass L layers of self-attention and "
        "feed-forward. Right, the decoder: the target words so far are embedded, then pass L "
        "layers of self-attention to their past, attention to the states of the encoder, and "
        "feed-forward. A linear map and a softmax give the next word."
    )


def _sublayer(sketch: Sketch, x: float, y: float, name: str, what: str, color: str) -> None:
    sketch.box(x, y, 196, 42, color=color)
    sketch.text(x, y - 9, name, bold=True)
    sketch.text(x, y + 10, what, size=14)
