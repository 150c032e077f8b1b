"""Chapter 11: a hidden word seen from one side and from both, and what BERT reads."""

from __future__ import annotations

from course_lib.figures.plots import COLORS
from tools.drawings.sketch import Drawing, Sketch

_WORD, _ASKED, _STATE = COLORS["blue"], COLORS["orange"], COLORS["green"]
_QUIET = COLORS["gray"]


def both_sides() -> Drawing:
    """Chapter 11: the word before "chat", guessed from the left and guessed from both sides."""
    sketch = Sketch(520, 330)
    words = ["je", "vois", "…", "vieux", "chat"]
    places = [92 + 94 * number for number in range(5)]
    for top, title, seen, asked, told in (
        (0, "Left to right", range(2), 1, "un or une?"),
        (172, "Both sides", range(5), 2, "un"),
    ):
        sketch.text(4, top + 14, title, anchor="start", bold=True)
        for number, (x, word) in enumerate(zip(places, words, strict=True)):
            hidden = number == 2
            shown = "[MASK]" if hidden and top else word
            later = not top and number >= 2
            color = _ASKED if hidden and top else _QUIET if later else _WORD
            sketch.box(x, top + 130, 74, 30, shown, color=color, dashed=later, size=14)
        x = places[asked]
        for number in seen:
            sketch.arrow(
                places[number], top + 114, x + 5 * (number - asked), top + 88, color=_STATE
            )
        sketch.box(x, top + 72, 74, 30, "state", color=_STATE, size=14)
        sketch.arrow(x, top + 56, x, top + 44)
        sketch.text(x, top + 34, told, color=_ASKED, bold=True)
    return sketch.finish(
        "Two sketches of the French words je vois, one more, vieux chat. Above, left to right: the "
        "state at vois sees je and vois and must guess the next word, un or une. Below, both "
        "sides: the word is replaced by [MASK], its state sees all five places, and answers un."
    )


def pair_input() -> Drawing:
    """Chapter 11: a pair of texts as the sum of three vectors, and what is read off on top."""
    sketch = Sketch(520, 318)
    tokens = ["[CLS]", "it", "is", "[MASK]", "[SEP]", "but", "fun", "[SEP]"]
    segments = [0, 0, 0, 0, 0, 1, 1, 1]
    places = [90 + 57 * number for number in range(8)]
    rows = (
        (212, "token", tokens, _WORD),
        (250, "segment", [str(one) for one in segments], _ASKED),
        (288, "position", [str(number) for number in range(8)], _STATE),
    )
    for y, name, shown, color in rows:
        sketch.text(4, y, name, anchor="start", size=14)
        for number, (x, text) in enumerate(zip(places, shown, strict=True)):
            strength = 0.1 + 0.3 * segments[number] if name == "segment" else 0.18
            sketch.box(x, y, 52, 28, text, color=color, size=14, strength=strength)
    for x in places:
        sketch.text(x, 231, "+", size=14, faded=True)
        sketch.text(x, 269, "+", size=14, faded=True)
        sketch.arrow(x, 196, x, 152)
        sketch.vector(x, 84, [0.7, 0.3, 0.9], color=_STATE, size=10)
        sketch.arrow(x, 116, x, 101)
    middle = (places[0] + places[-1]) / 2
    sketch.box(middle, 134, 452, 34, "BERT: every place sees every place", strength=0.06, size=14)
    sketch.arrow(places[0], 67, places[0], 44, color=_ASKED)
    sketch.text(places[0], 24, "does B\nfollow A?", size=14, color=_ASKED, bold=True)
    sketch.arrow(places[3], 67, places[3], 44, color=_ASKED)
    sketch.text(places[3], 30, "which word?", size=14, color=_ASKED, bold=True)
    return sketch.finish(
        "Eight tokens: [CLS] it is [MASK] [SEP] but fun [SEP]. Below each token stand its segment, "
        "0 for the first five and 1 for the last three, and its position, 0 to 7; the three are "
        "added. BERT reads all eight, every place sees every place, and gives a state for each. "
        "The state of [CLS] is asked whether B follows A, the state of [MASK] which word it hides."
    )
