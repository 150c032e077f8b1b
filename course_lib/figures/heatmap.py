"""An attention heat map as HTML: the map, one state for each output word, the numbers as a table.

The map lies on a ground of its own, near black in every theme, so that brighter means stronger on
a white page and on a dark one. Words stay text: the reader's own fonts write them. A state does not
repeat the map. It is a line of text and a style that picks out one row, so a page can carry many.
"""

from __future__ import annotations

import hashlib
import html
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle
from torch import Tensor

from course_lib.figures.plots import require_text

LEVELS = 20  # steps of brightness between weight 0 and weight 1
_GROUND = "#0b0d11"
_RAMP = ((0.0, (27, 30, 37)), (0.35, (128, 62, 12)), (0.65, (226, 118, 24)), (1.0, (255, 246, 222)))
_SLACK = 5e-3  # how far a row may sum from one; half precision rounds
_SAID = 3  # words that the line above the map names


_seen: Counter[str] = Counter()  # how often one map was drawn, so that its class stays its own


@dataclass(frozen=True, eq=False)
class Alignment:
    """One sentence of an alignment figure: where each row looks.

    Attributes:
        name: what the reader picks it by.
        source: the words of the columns, S of them.
        target: the words of the rows, T of them, two at least.
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
        object.__setattr__(self, "name", require_text(self.name, "name"))
        for side in ("source", "target"):
            if isinstance(getattr(self, side), str):
                raise ValueError(f"{self.name}: {side} is one string, expected a list of words")
            words = tuple(require_text(word, f"a {side} word") for word in getattr(self, side))
            object.__setattr__(self, side, words)
        if not self.source or len(self.target) < 2:
            message = f"{len(self.source)} source and {len(self.target)} target words"
            raise ValueError(f"{self.name}: {message}, expected one and two at least")
        object.__setattr__(self, "weights", self._checked_weights())
        if self.gold is not None:
            object.__setattr__(self, "gold", self._checked_gold(set(self.gold)))

    def _checked_weights(self) -> Tensor:
        try:
            weights = torch.as_tensor(self.weights).detach().double().cpu()
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{self.name}: the weights are no matrix: {error}") from error
        shape, wanted = tuple(weights.shape), (len(self.target), len(self.source))
        if shape != wanted:
            turned = " They look transposed." if shape == wanted[::-1] else ""
            raise ValueError(f"{self.name}: weights {shape}, expected (T, S) = {wanted}.{turned}")
        if not bool(torch.isfinite(weights).all()) or bool((weights < 0).any()):
            raise ValueError(f"{self.name}: a weight is negative, NaN or infinite")
        sums = weights.sum(dim=1)  # (T,)
        worst = int((sums - 1).abs().argmax())
        if abs(float(sums[worst]) - 1) > _SLACK:
            columns = bool(((weights.sum(dim=0) - 1).abs() <= _SLACK).all())
            why = "; the columns do: softmax over the source, not over the target" * columns
            raise ValueError(
                f"{self.name}: the weights of row {worst} ({self.target[worst]}) sum to "
                f"{float(sums[worst]):.3f}, not 1{why}"
            )
        return weights

    def _checked_gold(self, links: set[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        for s, t in sorted(links):
            if not (0 <= s < len(self.source) and 0 <= t < len(self.target)):
                raise ValueError(
                    f"{self.name}: link {(s, t)} lies outside {len(self.source)} source and "
                    f"{len(self.target)} target words; links are (source index, target index)"
                )
        return frozenset(links)


def level(weight: float) -> int:
    """The brightness of a weight, from 0 to LEVELS."""
    return round(LEVELS * min(1.0, weight))


def color(number: int) -> tuple[int, int, int]:
    """Red, green and blue of a brightness level."""
    if not 0 <= number <= LEVELS:
        raise ValueError(f"level {number}, expected 0 to {LEVELS}")
    stops = [stop for stop, _ in _RAMP]
    parts = zip(*(color for _, color in _RAMP), strict=True)
    return tuple(round(float(np.interp(number / LEVELS, stops, part))) for part in parts)


def ink(number: int) -> str:
    """Black or white, whichever reads better on a level."""
    light = sum(
        part * (value / 255) ** 2.2
        for part, value in zip((0.2126, 0.7152, 0.0722), color(number), strict=True)
    )
    return "#000" if light > 0.18 else "#fff"


def style() -> str:
    """The rules that every map and legend on a page needs, once or more often."""
    ring = "box-shadow:inset 0 0 0 1.5px #9db8e8,inset 0 0 0 3px #000"
    levels = "".join(f".am-look .w{number}{{{_paint(number)}}}" for number in range(LEVELS + 1))
    return (
        "<style>"
        f".am-look{{background:{_GROUND};color:#f2f2f2;border:1px solid #6d737b;border-radius:6px;"
        "padding:8px;gap:2px;width:max-content;font-size:14px;line-height:1.25;"
        "forced-color-adjust:none;print-color-adjust:exact}"
        ".am-map{display:grid}.am-map>div{display:contents}"
        ".am-key>*,.am-map>div>*{display:flex;align-items:center;justify-content:center;"
        "box-sizing:border-box;min-width:2.1em;min-height:1.6em;padding:0 .3em;border-radius:2px;"
        "font-style:normal;font-weight:400;white-space:nowrap}"
        f".am-map .r{{justify-content:flex-end;padding:0 .5em;position:sticky;left:0;"
        f"background:{_GROUND}}}"
        ".am-map .k{color:#c9ced6;font-size:12px;text-align:right}"
        f".am-look .g{{{ring}}}"
        ".am-key{display:flex;flex-wrap:wrap;margin:.4em 0;width:auto;max-width:max-content}"
        ".am-said{margin:.3em 0;white-space:normal;min-height:1.6em}"
        ".am-key>*{min-width:1.3em}"
        "table.am-numbers{border-collapse:collapse;margin:.4em 0;color:inherit;"
        "font-variant-numeric:tabular-nums}"
        "table.am-numbers td,table.am-numbers th{padding:.25em .6em;text-align:right;"
        "border-bottom:1px solid rgba(128,128,128,.35)}"
        f"{levels}"
        "@media (max-width:600px){.am-map .h{writing-mode:vertical-rl;padding:.4em 0}"
        ".am-said{min-height:3em}}"
        "</style>"
    )


def legend(with_gold: bool) -> str:
    """What the brightness and the ring mean."""
    swatches = "".join(f"<i class=w{n}></i>" for n in range(0, LEVELS + 1, 2))
    ring = '<i class="w0 g"></i><span>gold link</span>' if with_gold else ""
    return (
        f'<div class="am-look am-key"><span>0 %</span>{swatches}<span>100 %</span>'
        f"<span>brighter is stronger</span>{ring}</div>"
    )


def name_of(example: Alignment) -> str:
    """A class name for the map of one example, which its states refer to."""
    seen = f"{example.name}\n{example.source}\n{example.target}\n{example.weights.tolist()}"
    digest = hashlib.sha256(seen.encode()).hexdigest()[:8]
    _seen[digest] += 1
    return f"am{digest}-{_seen[digest]}"


def grid(example: Alignment, key: str, rows: str, columns: str) -> str:
    """The map, as class ``key``, with no row picked out."""
    foreign, own = example.languages
    head = "".join(
        f'<span class="h w0" lang={foreign}>{html.escape(word)}</span>' for word in example.source
    )
    corner = f'<span class="r k">{html.escape(columns)} →<br>{html.escape(rows)} ↓</span>'
    body = ""
    for t, word in enumerate(example.target):
        cells = "".join(
            f"<i {_shade(weight, (s, t) in (example.gold or ()))}></i>"
            for s, weight in enumerate(example.weights[t].tolist())
        )
        body += f"<div><span class=r lang={own}>{html.escape(word)}</span>{cells}</div>"
    alt = (
        f"Heat map: {len(example.target)} rows ({rows}), {len(example.source)} columns ({columns})"
    )
    return _sideways(
        f'<div class="am-look am-map {key}" role="img" aria-label="{html.escape(alt)}" '
        f'style="grid-template-columns:auto repeat({len(example.source)},auto)">'
        f"<div>{corner}{head}</div>{body}</div>",
        "map",
    )


def state(example: Alignment, step: int, key: str) -> tuple[str, str]:
    """What picks out row ``step`` of map ``key``: a line about it with a style, and its text."""
    word, weights = example.target[step], example.weights[step].tolist()
    first = sorted(range(len(weights)), key=lambda s: -weights[s])[:_SAID]
    named = [s for s in first if weights[s] >= 0.05] or first[:1]
    foreign, own = example.languages
    looks = [(example.source[s], f" {_percent(weights[s])} %") for s in named]
    gold = [(example.source[s], "") for s, t in sorted(example.gold or ()) if t == step] or [
        ("none", "")
    ] * (example.gold is not None)
    place = f"({step + 1} of {len(example.target)})"
    said = f"<strong>{_word(word, own)}</strong> {place}: {_listed(looks, ', ', foreign)}"
    alt = f"{word} {place}: {', '.join(word + share for word, share in looks)}"
    if gold:
        said += f"; gold: {_listed(gold, ' + ', foreign)}"
        alt += f"; gold: {' + '.join(word for word, _ in gold)}"
    row, head = f".{key}>div:nth-child({step + 2})", f".{key}>div:first-child"
    rules = [
        f"{row}>*{{min-height:2.3em;font-weight:700}}",
        f"{row}>i::after{{content:attr(data-p)}}",
        f"{row}>span{{background:#f2f2f2;color:#000}}",
    ]
    rules += [
        f"{head}>:nth-child({s + 2}){{{_paint(level(weight))}}}"
        for s, weight in enumerate(weights)
        if level(weight)
    ]
    return f'<p class="am-said">{said}</p><style>{"".join(rules)}</style>', alt


def _shade(weight: float, is_gold: bool) -> str:
    names = f'"w{level(weight)} g"' if is_gold else f"w{level(weight)}"
    return f"class={names} data-p={_percent(weight)}"


def _paint(number: int) -> str:
    return f"background:#{bytes(color(number)).hex()};color:{ink(number)}"


def _listed(words: Sequence[tuple[str, str]], comma: str, language: str) -> str:
    return comma.join(_word(word, language) + share for word, share in words)


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
        header = f'<th scope="row" lang={own}>{html.escape(word)}</th>'
        body += f"<tr>{header}{cells}</tr>"
    gold = "" if example.gold is None else " * marks a gold link."
    return (
        f"<details><summary>The numbers: {html.escape(example.name)}</summary>"
        f'<p style="margin:.3em 0;white-space:normal">One row for each {html.escape(rows)}, one '
        f"column for each {html.escape(columns)}.{gold}</p>"
        + _sideways(
            f'<table class="am-numbers"><thead><tr><td></td>{head}</tr>'
            f"</thead><tbody>{body}</tbody></table>",
            "table",
        )
        + "</details>"
    )


def draw(
    axes: Axes,
    weights: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    gold: Iterable[tuple[int, int]] | None = None,
) -> None:
    """Draw one map with Matplotlib, for a figure of several; words in the Latin script only.

    Args:
        axes: where to draw; its grid goes, and row 0 is on top.
        weights: (T, S), each row sums to one.
        rows: T words.
        columns: S words.
        gold: links (column, row) to outline.

    Raises:
        ValueError: as :class:`Alignment`.
    """
    example = Alignment("heat map", columns, rows, weights, gold)
    colors = ListedColormap([[part / 255 for part in color(n)] for n in range(LEVELS + 1)])
    shown = [[level(weight) for weight in row] for row in example.weights.tolist()]
    axes.grid(visible=False)
    axes.pcolormesh(shown, cmap=colors, vmin=0, vmax=LEVELS, edgecolors=_GROUND, linewidth=0.8)
    for s, t in sorted(example.gold or ()):
        for inset, ink_color, width in ((0.06, "#9db8e8", 1.5), (0.14, "#000001", 1.0)):
            side = 1 - 2 * inset
            place = (s + inset, t + inset)
            ring = Rectangle(place, side, side, fill=False, edgecolor=ink_color, linewidth=width)
            axes.add_patch(ring)
    axes.set_xticks([s + 0.5 for s in range(len(columns))], columns, rotation=60, ha="left")
    axes.set_yticks([t + 0.5 for t in range(len(rows))], rows)
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)
    axes.invert_yaxis()


def _sideways(inside: str, what: str) -> str:
    return (
        f'<div class="am-scroll" style="overflow-x:auto;padding:2px" tabindex="0" role="group" '
        f'aria-label="Attention {what}, scrolls sideways">{inside}</div>'
    )


def _word(word: str, language: str) -> str:
    return f"<span lang={language}>{html.escape(word)}</span>"


def _percent(weight: float) -> str:
    return f"{100 * weight:.0f}"
