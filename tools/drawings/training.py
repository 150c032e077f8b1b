"""Chapter 07: training a Transformer decoder in parallel, and writing with what was kept."""

from __future__ import annotations

from course_lib.figures.plots import COLORS
from tools.drawings.sketch import Drawing, Sketch

_SOURCE, _TARGET, _STATE = COLORS["source"], COLORS["target"], COLORS["green"]
_QUIET = COLORS["gray"]


def shifted_target() -> Drawing:
    """Chapter 07: the decoder reads the target, and is asked for it one place later."""
    read, asked = ["<s>", "le", "chat", "dort"], ["le", "chat", "dort", "</s>"]
    sketch = Sketch(520, 268)
    places = [150 + 98 * number for number in range(4)]
    sketch.text(4, 28, "asked for", anchor="start", bold=True)
    sketch.text(4, 136, "decoder", anchor="start", bold=True)
    sketch.text(4, 232, "read", anchor="start", bold=True)
    for number, x in enumerate(places):
        sketch.box(x, 232, 66, 32, read[number], color=_SOURCE)
        sketch.box(x, 28, 66, 32, asked[number], color=_TARGET)
        sketch.box(x, 136, 66, 32, f"{number}", color=_STATE)
        sketch.arrow(x, 119, x, 46)
    for to, above in enumerate(places):
        for start, below in enumerate(places[: to + 1]):
            picked = to == 2
            sketch.arrow(
                below,
                215,
                above + 7 * (start - to / 2),
                154,
                color=_STATE if picked else _QUIET,
                width=2.2 if picked else 0.8,
            )
    sketch.text(
        299, 260, "position 2 sees <s>, le and chat, and is asked for dort", size=14, faded=True
    )
    return sketch.finish(
        "Below, the decoder reads: begin mark, le, chat, dort. Above, it is asked for: le, chat, "
        "dort, end mark. Each of the four positions between has arrows from itself and from all "
        "before it, none from those after it. Position 2 sees the begin mark, le and chat, and is "
        "asked for dort."
    )


def kv_cache() -> Drawing:
    """Chapter 07: what is computed for the fourth word, without a cache and with one."""
    sketch = Sketch(520, 238)
    words = ["<s>", "le", "chat", "dort"]
    for left, title, kept in ((0, "Without a cache", 0), (268, "With a cache", 3)):
        sketch.text(left + 4, 14, title, anchor="start", bold=True)
        places = [left + 34 + 62 * number for number in range(4)]
        for number, (x, word) in enumerate(zip(places, words, strict=True)):
            old = number < kept
            for y, name in ((154, "k"), (112, "v")):
                sketch.box(
                    x,
                    y,
                    48,
                    30,
                    name,
                    color=_QUIET if old else _STATE,
                    strength=0.1 if old else 0.35,
                    dashed=old,
                )
            if not old:
                sketch.arrow(x, 192, x, 171)
                sketch.text(x, 206, word)
            else:
                sketch.text(x, 206, word, faded=True)
        last = places[-1]
        sketch.box(last, 52, 48, 30, "q", color=_TARGET)
        for x in places:
            sketch.arrow(last if x == last else last - 10, 68, x, 95, color=_TARGET, width=1.5)
    sketch.text(127, 230, "all four are computed again", size=14)
    sketch.text(395, 230, "one is computed, three are kept", size=14)
    return sketch.finish(
        "Which keys and values are computed when the fourth word has been read. Left, without a "
        "cache: those of all four words. Right, with a cache: those of the fourth word only; the "
        "other three pairs, drawn dashed, were kept. In both, the query of the fourth word looks "
        "at all four."
    )
