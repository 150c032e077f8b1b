"""Part I, chapters 01 to 03: recurrence, the encoder–decoder and its bottleneck."""

from __future__ import annotations

from course_lib.figures.plots import COLORS
from tools.drawings.sketch import Drawing, Sketch, indexed

_SOURCE, _TARGET, _STATE = COLORS["source"], COLORS["target"], COLORS["green"]
_WRONG, _QUIET = COLORS["pink"], COLORS["gray"]


def state_passing() -> Drawing:
    """Chapter 01: one cell, used at every time step, hands its state to itself."""
    words, after = ["the", "small", "cat", "sleeps"], ["small", "cat", "sleeps", "."]
    sketch = Sketch(520, 232)
    sketch.text(8, 112, indexed("h", 0), anchor="start")
    sketch.arrow(28, 112, 60, 112, color=_STATE, width=2.5)
    for number, (word, following) in enumerate(zip(words, after, strict=True)):
        x = 96 + 118 * number
        sketch.text(x, 216, word)
        sketch.arrow(x, 202, x, 136)
        sketch.box(x, 112, 70, 46, "cell", color=_SOURCE)
        sketch.arrow(x, 88, x, 40)
        sketch.text(x, 24, f"{following}?", bold=True)
        end = x + 82 if number < 3 else x + 66
        sketch.arrow(x + 36, 112, end, 112, color=_STATE, width=2.5)
        sketch.text(x + 58, 94, indexed("h", number + 1))
    sketch.text(104, 172, "xₜ", anchor="start", faded=True)
    sketch.text(104, 64, "p(next word)", size=14, anchor="start", faded=True)
    return sketch.finish(
        "Four copies of one cell in a row. Each takes a word from below and the state h from its "
        "left, passes a new state to its right, and predicts the next word above."
    )


def gradient_back() -> Drawing:
    """Chapter 01: the gradient goes back through every state and shrinks on the way."""
    sketch = Sketch(520, 178)
    widths = [0.8, 1.3, 2.2, 3.8]
    for number in range(5):
        x = 42 + 92 * number
        sketch.box(x, 56, 46, 36, indexed("h", number + 1), color=_SOURCE)
        if number < 4:
            sketch.arrow(x + 24, 56, x + 68, 56)
            sketch.arrow(x + 84, 80, x + 8, 80, color=_TARGET, width=widths[number], bend=20)
            label = f"∂{indexed('h', number + 2)}/∂{indexed('h', number + 1)}"
            sketch.text(x + 46, 128, label, size=14)
    sketch.arrow(434, 56, 470, 56)
    sketch.box(494, 56, 40, 36, "loss", size=14)
    sketch.text(42, 20, "time step 1", size=14, faded=True)
    sketch.text(410, 20, "time step 5", size=14, faded=True)
    sketch.text(226, 160, "backward: one factor for every step; the product shrinks", size=14)
    return sketch.finish(
        "Five states in a row with the loss behind the last. Arrows run back from the loss, one "
        "for each step, and become thinner: the gradient is a product of one factor per step."
    )


def gru_cell() -> Drawing:
    """Chapter 01: the two gates of a gated recurrent unit (Cho et al. 2014)."""
    sketch = Sketch(520, 268)
    _road(sketch, 36, "hₜ₋₁", "hₜ", 110, 410)
    _gates(sketch, [(110, "z", "update"), (260, "r", "reset"), (410, "n", "candidate")])
    sketch.arrow(110, 160, 110, 50)
    sketch.text(98, 126, "z", anchor="end")
    sketch.arrow(110, 96, 396, 96, color=_QUIET)
    sketch.text(260, 80, "1 − z")
    sketch.node(410, 96, "⊙")
    sketch.arrow(410, 160, 410, 110)
    sketch.arrow(410, 82, 410, 50)
    sketch.arrow(300, 182, 370, 182, color=_TARGET)
    sketch.text(334, 150, "r scales hₜ₋₁", size=14, faded=True)
    return sketch.finish(
        "The old state runs along a road at the top. The update gate z multiplies it, one minus z "
        "multiplies the candidate n, and their sum is the new state. The reset gate r scales the "
        "old state inside the candidate. Both gates and the candidate read input and old state."
    )


def lstm_cell() -> Drawing:
    """Chapter 01: the gates of a long short-term memory (Hochreiter & Schmidhuber 1997)."""
    sketch = Sketch(520, 268)
    _road(sketch, 36, "cₜ₋₁", "cₜ", 80, 230)
    gates = [
        (80, "f", "forget"),
        (180, "i", "input"),
        (280, "g", "candidate"),
        (390, "o", "output"),
    ]
    _gates(sketch, gates)
    sketch.arrow(80, 160, 80, 50)
    sketch.node(230, 108, "⊙")
    sketch.arrow(186, 160, 221, 119)
    sketch.arrow(274, 160, 239, 119)
    sketch.arrow(230, 94, 230, 50)
    sketch.arrow(390, 37, 390, 60)
    sketch.text(400, 50, "tanh", size=14, anchor="start", faded=True)
    sketch.node(390, 74, "⊙")
    sketch.arrow(390, 160, 390, 88)
    sketch.arrow(404, 74, 484, 74, color=_STATE, width=2.5)
    sketch.text(490, 74, "hₜ", anchor="start")
    return sketch.finish(
        "The memory c runs along a road at the top. The forget gate f multiplies it, then the "
        "input gate i times the candidate g is added. The output gate o times tanh of the new "
        "memory is the new state h. The three gates and the candidate read input and old state."
    )


def _road(sketch: Sketch, y: float, old: str, new: str, keep: float, add: float) -> None:
    sketch.text(30, y, old, anchor="end")
    ends = [(36, keep - 14), (keep + 14, add - 14), (add + 14, 484)]
    for start, end in ends:
        sketch.arrow(start, y, end, y, color=_STATE, width=2.5)
    sketch.node(keep, y, "⊙")
    sketch.node(add, y, "+")
    sketch.text(490, y, new, anchor="start")


def _gates(sketch: Sketch, gates: list[tuple[float, str, str]]) -> None:
    last = max(x for x, _, _ in gates)
    sketch.text(4, 246, "xₜ, hₜ₋₁", anchor="start")
    sketch.line(66, 246, last, 246)
    for x, name, meaning in gates:
        color = _SOURCE if meaning == "candidate" else _TARGET
        sketch.box(x, 182, 78, 44, f"{name}\n{meaning}", color=color, size=14)
        sketch.arrow(x, 246, x, 206)


def encoder_decoder() -> Drawing:
    """Chapter 02: everything the decoder learns about the source goes through one vector."""
    sketch = Sketch(520, 240)
    for number, word in enumerate(["the", "cat", "sleeps"]):
        x = 36 + 62 * number
        sketch.text(x, 222, word)
        sketch.arrow(x, 208, x, 162)
        sketch.box(x, 142, 42, 38, indexed("h", number + 1), color=_SOURCE)
        sketch.arrow(x + 22, 142, x + 40, 142, color=_STATE, width=2.5)
    sketch.vector(214, 142, [0.9, 0.2, 0.6, 0.4, 1.0, 0.1], color=_STATE)
    sketch.text(214, 196, "c", bold=True)
    sketch.arrow(222, 142, 258, 142, color=_STATE, width=2.5)
    inputs, outputs = ["<s>", "le", "chat", "dort"], ["le", "chat", "dort", "</s>"]
    for number, (fed, said) in enumerate(zip(inputs, outputs, strict=True)):
        x = 282 + 66 * number
        sketch.text(x, 222, fed)
        sketch.arrow(x, 208, x, 162)
        sketch.box(x, 142, 44, 38, indexed("s", number + 1), color=_TARGET)
        sketch.arrow(x, 122, x, 44)
        sketch.text(x, 28, said, bold=True)
        if number < 3:
            sketch.arrow(x + 23, 142, x + 42, 142)
        sketch.line(x - 16, 84, x - 16, 84.1, color=_STATE)
        sketch.arrow(x - 12, 84, x - 12, 122, color=_STATE)
    sketch.line(214, 102, 214, 84, color=_STATE)
    sketch.line(214, 84, 468, 84, color=_STATE)
    sketch.text(98, 100, "encoder", faded=True)
    sketch.text(240, 68, "c at every step", size=14, anchor="end", faded=True)
    sketch.text(447, 184, "decoder", size=14, faded=True)
    return sketch.finish(
        "Three encoder states read the source words one after the other. The last becomes the "
        "vector c. Four decoder states start from c, receive c again at every step, read the "
        "target word before, and say the next one."
    )


def teacher_forcing() -> Drawing:
    """Chapter 02: in training the decoder reads the true words, later it reads its own."""
    sketch = Sketch(520, 356)
    said = ["le", "chien", "dort", "</s>"]
    for top, forced in ((0, True), (184, False)):
        name = (
            "Teacher forcing: it reads the reference" if forced else "Free running: it reads itself"
        )
        sketch.text(4, top + 14, name, anchor="start", bold=True)
        read = ["<s>", "le", "chat", "dort"] if forced else ["<s>", *said[:3]]
        for number in range(4):
            x = 70 + 126 * number
            wrong = said[number] == "chien"
            sketch.box(x, top + 96, 56, 36, indexed("s", number + 1), color=_SOURCE)
            sketch.arrow(x, top + 78, x, top + 58)
            sketch.text(
                x, top + 44, said[number], bold=True, color=_WRONG if wrong else "currentColor"
            )
            sketch.arrow(x, top + 136, x, top + 116)
            color = _WRONG if read[number] == "chien" else "currentColor"
            sketch.text(x, top + 150, read[number], color=color)
            if number < 3:
                sketch.arrow(x + 29, top + 96, x + 96, top + 96)
                if not forced:
                    fed = _WRONG if wrong else _TARGET
                    sketch.arrow(x + 28, top + 48, x + 102, top + 142, color=fed, dashed=True)
    return sketch.finish(
        "Two rows of four decoder states. Above, with teacher forcing, the decoder says chien "
        "instead of chat, and still reads chat at the next step. Below, running free, each word "
        "it says is read at the next step, and so is the wrong word chien."
    )


def padding_and_packing() -> Drawing:
    """Chapter 02: a padded batch, and the same tokens packed step by step."""
    rows = [["the", "old", "man", "sings", "."], ["she", "left", "."], ["go", "!"]]
    sketch = Sketch(520, 196)
    sketch.text(4, 14, "padded: 15 cells", anchor="start", bold=True)
    sketch.text(270, 14, "packed: 10 tokens", anchor="start", bold=True)
    for row, words in enumerate(rows):
        y = 50 + 38 * row
        for column in range(5):
            x = 26 + 49 * column
            if column < len(words):
                sketch.box(x, y, 46, 32, words[column], color=_SOURCE, size=14)
                sketch.box(x + 266, y, 46, 32, words[column], color=_SOURCE, size=14)
            else:
                sketch.box(x, y, 46, 32, "pad", color=_QUIET, size=14, strength=0.1, dashed=True)
    for column in range(5):
        present = sum(len(words) > column for words in rows)
        sketch.text(292 + 49 * column, 158, str(present), bold=True)
    sketch.text(389, 182, "rows still alive at each step", size=14, faded=True)
    sketch.text(124, 182, "every row as long as the longest", size=14, faded=True)
    return sketch.finish(
        "Left: three sentences of 5, 3 and 2 tokens filled up with padding to 5 columns. Right: "
        "the same sentences without padding; the five steps hold 3, 3, 2, 1 and 1 tokens."
    )


def bottleneck() -> Drawing:
    """Chapter 03: the vector has the same size, whatever the length of the sentence."""
    sketch = Sketch(520, 324)
    cells = [0.9, 0.3, 0.7, 0.1, 1.0, 0.5]
    for y, words in ((44, 4), (220, 16)):
        half = 12 * words / 2
        for number in range(words):
            at = y - half + 12 * number + 6
            fade = 0.45 if words == 4 else 0.45 * (1 - number / words) + 0.02
            sketch.box(112, at, 74, 9, color=_SOURCE, strength=0.45)
            sketch.box(408, at, 74, 9, color=_TARGET, strength=fade, dashed=fade < 0.2)
        sketch.wedge(
            [(152, y - half), (246, y - 33), (246, y + 33), (152, y + half)], color=_SOURCE
        )
        sketch.wedge(
            [(274, y - 33), (368, y - half), (368, y + half), (274, y + 33)], color=_TARGET
        )
        sketch.vector(260, y, cells, color=_STATE, size=11)
        sketch.text(64, y, f"{words}\nwords", anchor="end")
    sketch.text(260, 92, "128 numbers", size=14)
    sketch.text(260, 268, "128 numbers", size=14)
    sketch.text(456, 44, "all\nback", anchor="start")
    sketch.text(456, 220, "what\nis left", anchor="start")
    return sketch.finish(
        "Above, four source words are squeezed into one vector and four words come back. Below, "
        "sixteen words are squeezed into a vector of the same size; of the words that come back, "
        "each is fainter than the one before."
    )


def linear_probe() -> Drawing:
    """Chapter 03: read the words from the final state without the decoder."""
    sketch = Sketch(520, 232)
    words = ["the", "small", "cat", "sleeps"]
    sketch.box(118, 128, 228, 96, color=_QUIET, strength=0.06, dashed=True)
    sketch.text(118, 66, "encoder, frozen", size=14, faded=True)
    for number, word in enumerate(words):
        x = 34 + 56 * number
        sketch.text(x, 214, word, size=14)
        sketch.arrow(x, 202, x, 150)
        sketch.box(x, 128, 36, 36, indexed("h", number + 1), color=_SOURCE)
        if number < 3:
            sketch.arrow(x + 19, 128, x + 37, 128)
    sketch.arrow(222, 128, 258, 128, color=_STATE, width=2.5)
    sketch.vector(266, 128, [0.9, 0.2, 0.6, 0.4, 1.0, 0.1], color=_STATE)
    for number in range(4):
        y = 38 + 58 * number
        sketch.arrow(276, 128 + 8 * (number - 1.5), 320, y, color=_TARGET)
        sketch.box(368, y, 94, 36, f"probe {number}", color=_TARGET)
        sketch.arrow(417, y, 443, y)
        sketch.text(448, y, f"{words[number]}?", anchor="start", bold=True)
    return sketch.finish(
        "A frozen encoder reads four words into its last state. From this one vector four linear "
        "probes, one for each position, try to say which word stood there. No decoder is involved."
    )


def reversed_source() -> Drawing:
    """Chapter 03: reversing the source moves the first words close and the last words apart."""
    sketch = Sketch(520, 330)
    target = ["A", "B", "C", "D"]
    for top, source in ((0, ["a", "b", "c", "d"]), (166, ["d", "c", "b", "a"])):
        distances = [4 + index - source.index(letter) for index, letter in enumerate("abcd")]
        name = "in order" if source[0] == "a" else "reversed"
        listed = ", ".join(map(str, distances))
        title = f"Source {name}: steps apart {listed}; mean {sum(distances) / 4:g}"
        sketch.text(4, top + 14, title, anchor="start", bold=True)
        y = top + 132
        for index, word in enumerate([*source, *target]):
            x = 36 + 64 * index
            sketch.box(x, y, 44, 32, word, color=_SOURCE if index < 4 else _TARGET)
        for index, letter in enumerate("abcd"):
            start, end = 36 + 64 * source.index(letter), 36 + 64 * (4 + index)
            first = letter == "a"
            rise = 44.0 if source[0] == "a" else 10 + 10.5 * distances[index] / 2 * 1.15
            color = _STATE if first else _QUIET
            width = 3.0 if first else 1.5
            sketch.arrow(start, y - 18, end, y - 18, color=color, width=width, bend=rise)
    return sketch.finish(
        "Two rows of four source and four target words with arcs between the words that belong "
        "together. In order, each pair is 4 steps apart. Reversed, the pairs are 1, 3, 5 and 7 "
        "steps apart: the mean is 4 in both, but the first pair has become neighbors."
    )
