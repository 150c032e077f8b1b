"""The attention of every head of a Transformer: an overview of all maps, and one of them large.

A kernel-free figure without any script. Two groups of radio buttons, of which the second is the
overview itself, and style rules that show the chosen map. So it works with mouse and keyboard in
the static book, JupyterLab, VS Code and Colab alike. A browser that does not know the rule
`:has()` shows all maps below one another.

Colors, the large map and its numbers come from `heatmap`.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from typing import Any, NamedTuple

import torch
from torch import Tensor

from course_lib.figures import heatmap
from course_lib.figures.heatmap import Alignment
from course_lib.figures.plots import emit, frame, plain, require_text, scrollable
from course_lib.figures.widgets import require_light

_LEAST_SHARE = 0.05  # a word is said to look somewhere only with this weight


class Heads(NamedTuple):
    """All heads of one kind of attention on one sentence."""

    name: str  # what the reader picks it by, such as "encoder"
    rows: Sequence[str]  # the words that look, T of them
    columns: Sequence[str]  # the words looked at, S of them
    weights: Any  # (L, H, T, S), for each layer and head; each row sums to one
    gold: Iterable[tuple[int, int]] | None = None  # links (column, row) to mark
    languages: tuple[str, str] = ("en", "en")  # of columns and rows, for screen readers

    def maps(self) -> list[Alignment]:
        """One map for each head, layer by layer; what `Alignment` refuses is refused."""
        return [
            Alignment(
                f"{require_text(self.name, 'name')}, {place(layer, head)}",
                self.columns,
                self.rows,
                weights,
                self.gold,
                self.languages,
            )
            for layer, heads in enumerate(torch.as_tensor(self.weights), 1)
            for head, weights in enumerate(heads, 1)
        ]


def place(layer: int, head: int) -> str:
    """How a head is called; both count from 1."""
    return f"layer {layer}, head {head}"


def heads_figure(kinds: Sequence[Heads], *, caption: str) -> None:
    """Display every head of one sentence: pick a kind of attention, then a map of the overview.

    Each map is said in words as well, and unfolds as a table of numbers.

    Args:
        kinds: one or more, with equally many layers and heads.
        caption: one paragraph with light Markdown; begin it with `**Figure 6.1**`.
    """
    caption = require_text(caption, "caption")
    maps = [kind.maps() for kind in kinds]
    sizes = {tuple(torch.as_tensor(kind.weights).shape[:2]) for kind in kinds}
    if len(sizes) > 1:
        raise ValueError(f"kinds differ in (layers, heads): {sorted(sizes)}; show them apart")
    [(layers, heads)] = sizes
    key = heatmap.name_of(maps[0][0])
    names = [html.escape(kind.name) for kind in kinds]
    buttons = "".join(
        f"<label>{_radio('k', k, key)}> {name}</label>" for k, name in enumerate(names)
    )
    across = "".join(f'<span class="top">head {h + 1}</span>' for h in range(heads))
    cells = f'<span class="top"></span>{across}'
    for layer in range(layers):
        cells += f"<span>layer {layer + 1}</span>"
        for number in range(layer * heads, (layer + 1) * heads):
            pictures = "".join(thumbnail(each[number].weights) for each in maps)
            label = place(layer + 1, number % heads + 1)
            cells += f'<label>{pictures}{_radio("h", number, key)} aria-label="{label}"></label>'
    overview = (
        f'<div class="all" style="grid-template-columns:auto repeat({heads},auto)">{cells}</div>'
    )
    large = lambda one: heatmap.grid(one, heatmap.name_of(one), "word", "looks at")  # noqa: E731
    body = (
        heatmap.style()
        + _style(key, len(kinds), layers * heads)
        + f'<div class="am-heads {key}">'
        + f'<fieldset class="kinds"><legend>attention</legend>{buttons}</fieldset>'
        + f"<fieldset><legend>layer and head</legend>{scrollable(overview)}</fieldset>"
        + heatmap.legend(any(kind.gold is not None for kind in kinds))
        + '<div aria-live="polite">'
        + _each(maps, lambda one: f'<p class="am-said">{said(one)[0]}</p>')
        + "</div>"
        + _each(maps, lambda one: large(one) + heatmap.numbers(one, "word", "word looked at"))
        + "</div>"
    )
    require_light([body])
    words = "\n".join(f"[{said(one)[1]}]" for each in maps for one in each)
    emit(frame(body, caption), f"{plain(caption)}\n{words}")


def said(one: Alignment) -> tuple[str, str]:
    """Where each row of a map looks most, as HTML and as text."""
    foreign, own = one.languages
    looks, texts = [], []
    for word, row in zip(one.target, one.weights, strict=True):
        share, best = row.max(0)
        if share >= _LEAST_SHARE:
            seen, share = one.source[int(best)], f"{100 * share:.0f}%"
            looks.append(
                f"<span lang={own}>{html.escape(word)}</span> → "
                f"<span lang={foreign}>{html.escape(seen)}</span> {share}"
            )
            texts.append(f"{word} → {seen} {share}")
    nowhere = ["nowhere in particular"]
    return (
        f"<strong>{html.escape(one.name)}</strong>: {', '.join(looks or nowhere)}",
        f"{one.name}: {', '.join(texts or nowhere)}",
    )


def thumbnail(weights: Tensor) -> str:
    """A small picture of weights (T, S), without words, for eyes only."""
    rows, columns = weights.shape
    runs: dict[int, list[str]] = {}
    for t, row in enumerate(weights.tolist()):
        levels = [heatmap.level(weight) for weight in row]
        start = 0
        for s in range(1, columns + 1):
            if s == columns or levels[s] != levels[start]:
                runs.setdefault(levels[start], []).append(f"M{start} {t}h{s - start}v1h{start - s}")
                start = s
    paths = "".join(
        f'<path style="fill:var(--b{level})" d="{"".join(parts)}"/>'
        for level, parts in sorted(runs.items())
    )
    return (
        f'<svg viewBox="0 0 {columns} {rows}" aria-hidden="true" preserveAspectRatio="none" '
        f'shape-rendering="crispEdges">{paths}</svg>'
    )


def _style(key: str, kinds: int, heads: int) -> str:
    """The rules of this figure; those that hide need `:has()`."""
    shown = "".join(
        f".{key}:has(.k{k}:checked):has(.h{h}:checked) .one.k{k}.h{h}{{display:block}}"
        for k in range(kinds)
        for h in range(heads)
    ) + "".join(
        f".{key}:has(.k{k}:checked) .all svg:nth-of-type({k + 1}){{display:block}}"
        for k in range(kinds)
    )
    hidden = f"@supports selector(:has(*)){{.{key} .one,.{key} .all svg{{display:none}}{shown}}}"
    rules = (resources.files(__package__) / "headmaps.css").read_text("utf8")
    return f"<style>{rules}{hidden}</style>"


def _radio(group: str, number: int, key: str) -> str:
    """The open tag of a radio button; the first of its group is chosen."""
    checked = " checked" * (number == 0)
    return f'<input type="radio" class="{group}{number}" name="{key}-{group}"{checked}'


def _each(maps: Sequence[Sequence[Alignment]], draw: Callable[[Alignment], str]) -> str:
    return "".join(
        f'<div class="one k{k} h{h}">{draw(one)}</div>'
        for k, each in enumerate(maps)
        for h, one in enumerate(each)
    )
