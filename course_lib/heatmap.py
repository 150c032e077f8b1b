"""An attention heat map as HTML: one state for each output word, and the numbers as a table.

The map lies on a ground of its own, near black in every theme, so that brighter means stronger on
a white page and on a dark one. Words stay text: the reader's own fonts write them.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_lib.plots import require_text

LEVELS = 20  # steps of brightness between weight 0 and weight 1
_GROUND = "#0b0d11"
_RAMP = ((0.0, (27, 30, 37)), (0.35, (128, 62, 12)), (0.65, (226, 118, 24)), (1.0, (255, 246, 222)))
_SLACK = 1e-3  # how far a row may sum from one
_SAID = 3  # words that the line above the map names
_CELL = "padding:.25em .6em;border-bottom:1px solid rgba(128,128,128,.35);text-align:right"


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
                f"{float(sums[worst]):.3f}, expected 1{why}"
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
    at = number / LEVELS
    for (start, low), (end, high) in zip(_RAMP, _RAMP[1:], strict=False):
        if at <= end:
            share = (at - start) / (end - start)
            return tuple(round(a + share * (b - a)) for a, b in zip(low, high, strict=True))
    raise ValueError(f"level {number}, expected 0 to {LEVELS}")


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
    levels = "".join(
        f".am-look .w{n}{{background:#{bytes(color(n)).hex()};color:{ink(n)}}}"
        for n in range(LEVELS + 1)
    )
    return (
        "<style>"
        f".am-look{{background:{_GROUND};color:#f2f2f2;border:1px solid #6d737b;border-radius:6px;"
        "padding:8px;gap:2px;width:max-content;font-size:14px;line-height:1.25;"
        "forced-color-adjust:none;print-color-adjust:exact}"
        ".am-map{display:grid}"
        ".am-look>*{display:flex;align-items:center;justify-content:center;box-sizing:border-box;"
        "min-width:2.1em;min-height:1.6em;padding:0 .3em;border-radius:2px;font-style:normal;"
        "font-weight:400;white-space:nowrap}"
        f".am-map>.r{{justify-content:flex-end;padding:0 .5em;position:sticky;left:0;"
        f"background:{_GROUND}}}"
        ".am-map>.now{min-height:2.3em;font-weight:700}"
        ".am-map>.r.now{background:#f2f2f2;color:#000}"
        ".am-map>.k{color:#c9ced6;font-size:12px;text-align:right}"
        f".am-look>.g{{{ring}}}"
        ".am-key{display:flex;flex-wrap:wrap;margin:.4em 0;width:auto;max-width:max-content}"
        ".am-key>*{min-width:1.3em}"
        f"{levels}"
        "@media (max-width:600px){.am-map>.h{writing-mode:vertical-rl;padding:.4em 0}"
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


def state(example: Alignment, step: int, rows: str, columns: str) -> tuple[str, str]:
    """The map with row ``step`` picked out, and its text alternative."""
    word, weights = example.target[step], example.weights[step].tolist()
    first = sorted(range(len(weights)), key=lambda s: -weights[s])[:_SAID]
    named = [s for s in first if weights[s] >= 0.05] or first[:1]
    foreign, own = example.languages
    looks = ", ".join(f"{_word(example.source[s], foreign)} {_percent(weights[s])}" for s in named)
    said = f"<strong>{_word(word, own)}</strong> ({step + 1} of {len(example.target)}): {looks}"
    if example.gold is not None:
        links = [_word(example.source[s], foreign) for s, t in sorted(example.gold) if t == step]
        said += f"; gold: {' + '.join(links) or 'none'}"
    alt = (
        f"Heat map of {len(example.target)} rows ({rows}) and {len(weights)} columns ({columns}); "
        f"row {step + 1}, {word}, is picked out and is brightest at "
        f"{example.source[first[0]]}, {_percent(weights[first[0]])}."
    )
    head = "".join(
        f'<span class="h w{level(weight)}" lang={foreign}>{html.escape(source)}</span>'
        for source, weight in zip(example.source, weights, strict=True)
    )
    body = "".join(_row(example, t, t == step) for t in range(len(example.target)))
    corner = f'<span class="r k">{html.escape(columns)} →<br>{html.escape(rows)} ↓</span>'
    grid = (
        f'<div class="am-look am-map" role="img" aria-label="{html.escape(alt)}" '
        f'style="grid-template-columns:auto repeat({len(weights)},auto)">{corner}{head}{body}</div>'
    )
    line = f'<p class="am-said" style="margin:.3em 0;white-space:normal">{said}</p>'
    return line + _sideways(grid, "map"), alt


def _row(example: Alignment, t: int, now: bool) -> str:
    mark = " now" if now else ""
    cells = [
        f'<span class="r{mark}" lang={example.languages[1]}>{html.escape(example.target[t])}</span>'
    ]
    for s, weight in enumerate(example.weights[t].tolist()):
        names = f"w{level(weight)}" + " g" * ((s, t) in (example.gold or ())) + mark
        names = f'"{names}"' if " " in names else names
        cells.append(f"<i class={names}>{_percent(weight)[:-2] if now else ''}</i>")
    return "".join(cells)


def numbers(example: Alignment, rows: str, columns: str) -> str:
    """The weights as a table that folds away."""
    foreign, own = example.languages
    head = "".join(
        f'<th scope="col" lang={foreign} style="{_CELL}">{html.escape(word)}</th>'
        for word in example.source
    )
    body = ""
    for t, word in enumerate(example.target):
        cells = "".join(
            f'<td style="{_CELL}">{weight:.2f}{"*" * ((s, t) in (example.gold or ()))}</td>'
            for s, weight in enumerate(example.weights[t].tolist())
        )
        header = f'<th scope="row" lang={own} style="{_CELL}">{html.escape(word)}</th>'
        body += f"<tr>{header}{cells}</tr>"
    gold = "" if example.gold is None else " * marks a gold link."
    return (
        f"<details><summary>The numbers: {html.escape(example.name)}</summary>"
        f'<p style="margin:.3em 0;white-space:normal">One row for each {html.escape(rows)}, one '
        f"column for each {html.escape(columns)}.{gold}</p>"
        + _sideways(
            '<table style="border-collapse:collapse;margin:.4em 0;color:inherit;'
            f'font-variant-numeric:tabular-nums"><thead><tr><td style="{_CELL}"></td>{head}</tr>'
            f"</thead><tbody>{body}</tbody></table>",
            "table",
        )
        + "</details>"
    )


def _sideways(inside: str, what: str) -> str:
    return (
        f'<div class="am-scroll" style="overflow-x:auto;padding:2px" tabindex="0" role="group" '
        f'aria-label="Attention {what}, scrolls sideways">{inside}</div>'
    )


def _word(word: str, language: str) -> str:
    return f"<span lang={language}>{html.escape(word)}</span>"


def _percent(weight: float) -> str:
    return f"{100 * weight:.0f} %"
