"""An attention heat map as HTML: the map, one state for each output word, the numbers as a table.

The larger a weight, the further its color is from that of the ground, which is near black, and
white on a light page of the book. Words stay text: the reader's own fonts write them. A state does
not repeat the map. It is a line of text and a style that picks out one row, so a page can carry
many.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import torch

from course_lib.figures.plots import require_text, scrollable, unique
from course_lib.figures.words import say

LEVELS = 20  # steps of color between weight 0 and weight 1
DARK = {0.0: (27, 30, 37), 0.35: (128, 62, 12), 0.65: (226, 118, 24), 1.0: (255, 246, 222)}
LIGHT = {0.0: (238, 240, 244), 0.35: (250, 178, 100), 0.65: (214, 104, 16), 1.0: (92, 34, 0)}
_SLACK = 5e-3  # how far a row may sum from one; half precision rounds
_SAID = 3  # words that the line above the map names


@dataclass(frozen=True, eq=False)
class Alignment:
    """One sentence of an alignment figure: where each row looks.

    Attributes:
        name: what the reader picks it by.
        source: the words of the columns, S of them.
        target: the words of the rows, T of them.
        weights: (T, S), as a tensor, an array or lists; row t sums to one over the source.
        gold: links (source index, target index) to mark, or None where nobody knows them.
        languages: codes of source and target for screen readers, such as ("en", "ko").

    Raises:
        ValueError: an empty name or word, weights of another shape or that do not sum to one over
            the source, or a link outside the sentence.
    """

    name: str
    source: Sequence[str]
    target: Sequence[str]
    weights: Any
    gold: Iterable[tuple[int, int]] | None = None
    languages: tuple[str, str] = ("en", "en")

    def __post_init__(self) -> None:
        weights = torch.as_tensor(self.weights).detach().double().cpu()
        gold = None if self.gold is None else frozenset(self.gold)
        for field, value in (
            ("name", require_text(self.name, "name")),
            ("source", tuple(require_text(word, "a source word") for word in self.source)),
            ("target", tuple(require_text(word, "a target word") for word in self.target)),
            ("weights", weights),
            ("gold", gold),
        ):
            object.__setattr__(self, field, value)
        shape, wanted = tuple(weights.shape), (len(self.target), len(self.source))
        if shape != wanted:
            turned = " They look transposed." if shape == wanted[::-1] else ""
            raise ValueError(f"{self.name}: weights {shape}, expected (T, S) = {wanted}.{turned}")
        off = (weights.sum(dim=1) - 1).abs().nan_to_num(nan=1.0)  # (T,)
        if (weights < 0).any() or (off > _SLACK).any():
            columns = ((weights.sum(dim=0) - 1).abs() <= _SLACK).all()
            why = "; the columns do: softmax over the source, not over the target" * bool(columns)
            raise ValueError(
                f"{self.name}: the weights of row {int(off.argmax())} must be positive and sum to "
                f"1, not {weights[off.argmax()].sum():.3f}{why}"
            )
        if any(not (0 <= s < wanted[1] and 0 <= t < wanted[0]) for s, t in gold or ()):
            raise ValueError(
                f"{self.name}: a link lies outside {wanted[1]} source and {wanted[0]} target "
                "words; links are (source index, target index)"
            )


def level(weight: float) -> int:
    """The color of a weight as a number from 0 to LEVELS."""
    return round(LEVELS * min(1.0, weight))


Ramp = Mapping[float, tuple[int, int, int]]  # colors at some weights; between them they mix


def color(number: int, ramp: Ramp = DARK) -> tuple[int, ...]:
    """Red, green and blue of a level."""
    parts = zip(*ramp.values(), strict=True)
    return tuple(round(float(np.interp(number / LEVELS, list(ramp), part))) for part in parts)


def ink(number: int, ramp: Ramp = DARK) -> str:
    """Black or white, whichever reads better on a level."""
    shares = zip((0.2126, 0.7152, 0.0722), color(number, ramp), strict=True)
    return "#000" if sum(part * (value / 255) ** 2.2 for part, value in shares) > 0.18 else "#fff"


def _paint(number: int) -> str:
    return f"background:var(--b{number});color:var(--c{number})"


def _palette(ramp: Ramp) -> str:
    return "".join(
        f"--b{n}:#{bytes(color(n, ramp)).hex()};--c{n}:{ink(n, ramp)};" for n in range(LEVELS + 1)
    )


def style() -> str:
    """The rules that every map and legend on a page needs, once or more often."""
    levels = "".join(f".am-look .w{number}{{{_paint(number)}}}" for number in range(LEVELS + 1))
    rules = (resources.files(__package__) / "heatmap.css").read_text("utf8")
    light = f'html[data-theme="light"] :is(.am-look,.am-heads){{{_palette(LIGHT)}}}'
    return f"<style>:is(.am-look,.am-heads){{{_palette(DARK)}}}{light}{rules}{levels}</style>"


def legend(with_gold: bool) -> str:
    """What the colors and the ring mean."""
    swatches = "".join(f"<i class=w{n}></i>" for n in range(0, LEVELS + 1, 2))
    ring = '<i class="w0 g"></i><span>gold link</span>' if with_gold else ""
    return (
        f'<div class="am-look am-key"><span>0%</span>{swatches}<span>100%</span>'
        f"<span>of a row's weight</span>{ring}</div>"
    )


def name_of(example: Alignment) -> str:
    """A class name for the map of one example, which its states refer to."""
    return unique(example.name, example.source, example.target, example.weights.tolist())


def page(example: Alignment, key: str, rows: str, columns: str) -> str:
    """The map, its legend, and its numbers: all that the states have in common."""
    with_gold = legend(example.gold is not None)
    return style() + grid(example, key, rows, columns) + with_gold + numbers(example, rows, columns)


def grid(example: Alignment, key: str, rows: str, columns: str) -> str:
    """The map, as class `key`, with no row picked out."""
    foreign, own = example.languages
    head = "".join(_word(word, foreign, 'class="h w0" ') for word in example.source)
    corner = f'<span class="r k">{html.escape(columns)} →<br>{html.escape(rows)} ↓</span>'
    body = ""
    for t, word in enumerate(example.target):
        cells = "".join(
            f"<i {_shade(weight, (s, t) in (example.gold or ()))}></i>"
            for s, weight in enumerate(example.weights[t].tolist())
        )
        body += f"<div>{_word(word, own, 'class=r ')}{cells}</div>"
    alt = say(
        "Heat map: {height} rows ({rows}), {width} columns ({columns})",
        height=len(example.target), rows=rows, width=len(example.source), columns=columns,
    )  # fmt: skip
    return scrollable(
        f'<div class="am-look am-map {key}" role="img" aria-label="{html.escape(alt)}" '
        f'style="grid-template-columns:auto repeat({len(example.source)},auto)">'
        f"<div>{corner}{head}</div>{body}</div>",
        "Attention map",
    )


def state(example: Alignment, step: int, key: str) -> tuple[str, str]:
    """What picks out row `step` of map `key`: a line about it with a style, and its text."""
    weights, (foreign, own) = example.weights[step].tolist(), example.languages
    first = sorted(range(len(weights)), key=lambda s: -weights[s])[:_SAID]
    named = [s for s in first if weights[s] >= 0.05] or first[:1]
    gold = [example.source[s] for s, t in sorted(example.gold or ()) if t == step]

    # As HTML or as text, by what `word` makes of a word.
    def said(word: Callable[[str, str], str]) -> str:
        looks = ", ".join(
            f"{word(example.source[s], foreign)} {_percent(weights[s])}%" for s in named
        )
        linked = " + ".join(word(one, foreign) for one in gold) or "none"
        place = f"({step + 1} of {len(example.target)})"
        known = "" if example.gold is None else f"; gold: {linked}"
        return f"{place}: {looks}{known}"

    row, head = f".{key}>div:nth-child({step + 2})", f".{key}>div:first-child"
    rules = (
        f"{row}>*{{min-height:2.3em;font-weight:700}}{row}>i::after{{content:attr(data-p)}}"
        f"{row}>span{{background:var(--ink);color:var(--ground)}}"
    ) + "".join(
        f"{head}>:nth-child({s + 2}){{{_paint(level(weight))}}}"
        for s, weight in enumerate(weights)
        if level(weight)
    )
    word = example.target[step]
    line = f"<strong>{_word(word, own)}</strong> {said(_word)}"
    return f'<p class="am-said">{line}</p><style>{rules}</style>', f"{word} {said(lambda w, _: w)}"


def numbers(example: Alignment, rows: str, columns: str) -> str:
    """The weights as a table that folds away."""
    foreign, own = example.languages
    head = "".join(
        f'<th scope="col" lang={foreign}>{html.escape(word)}</th>' for word in example.source
    )
    body = ""
    for t, word in enumerate(example.target):
        cells = "".join(
            f"<td>{weight:.2f}{'*' * ((s, t) in (example.gold or ()))}</td>"
            for s, weight in enumerate(example.weights[t].tolist())
        )
        body += f'<tr><th scope="row" lang={own}>{html.escape(word)}</th>{cells}</tr>'
    each = say(
        "One row for each {rows}, one column for each {columns}.", rows=rows, columns=columns
    )
    gold = "" if example.gold is None else " <span>* marks a gold link.</span>"
    table = scrollable(
        f'<table class="am-numbers"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>",
        "Attention table",
    )
    return (
        "<details><summary><span>The numbers</span>: "
        f"<span>{html.escape(example.name)}</span></summary>"
        f'<p style="margin:.3em 0;white-space:normal"><span>{html.escape(each)}</span>{gold}</p>'
        f"{table}</details>"
    )


def _shade(weight: float, is_gold: bool) -> str:
    names = f'"w{level(weight)} g"' if is_gold else f"w{level(weight)}"
    return f"class={names} data-p={_percent(weight)}"


def _word(word: str, language: str, more: str = "") -> str:
    return f"<span {more}lang={language}>{html.escape(word)}</span>"


def _percent(weight: float) -> str:
    return f"{100 * weight:.0f}"
