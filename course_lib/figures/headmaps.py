"""The attention of every head of a Transformer: an overview of all maps, and one of them large.

A kernel-free figure without any script. Two groups of radio buttons, of which the second is the
overview itself, and style rules that show the chosen map. So it works with mouse and keyboard in
the static book, JupyterLab, VS Code and Colab alike. A browser that does not know the rule
``:has()`` shows all maps below one another.

Colors, the large map and its numbers come from :mod:`course_lib.figures.heatmap`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from IPython.display import display
from torch import Tensor

from course_lib.figures import heatmap
from course_lib.figures.heatmap import Alignment
from course_lib.figures.plots import Rich, frame, plain, require_text
from course_lib.figures.widgets import MOST_BYTES

_LEAST_SHARE = 0.05  # a word is said to look somewhere only with this weight


@dataclass(frozen=True, eq=False)
class Heads:
    """All heads of one kind of attention on one sentence.

    Attributes:
        name: what the reader picks it by, such as "encoder".
        rows: the words that look, T of them, two at least.
        columns: the words looked at, S of them.
        weights: (L, H, T, S), for each layer and head; each row sums to one.
        gold: links (column, row) to mark, or None.
        languages: codes of columns and rows for screen readers, such as ("en", "fr").

    Raises:
        ValueError: weights that are not (L, H, T, S), or whatever
            :class:`~course_lib.figures.heatmap.Alignment` refuses.
    """

    name: str
    rows: Sequence[str]
    columns: Sequence[str]
    weights: Any
    gold: Iterable[tuple[int, int]] | None = None
    languages: tuple[str, str] = ("en", "en")

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", require_text(self.name, "name"))
        weights = torch.as_tensor(self.weights).detach().double().cpu()
        if weights.dim() != 4 or 0 in weights.shape:
            raise ValueError(
                f"{self.name}: weights {tuple(weights.shape)}, expected (L, H, T, S): layers, "
                "heads, words that look, words looked at"
            )
        object.__setattr__(self, "weights", weights)
        gold = None if self.gold is None else frozenset(self.gold)
        object.__setattr__(self, "gold", gold)
        for _ in self.maps():  # each map checks its own weights and words
            pass

    def maps(self) -> Iterable[Alignment]:
        """One map for each head, layer by layer."""
        for layer, heads in enumerate(self.weights, 1):
            for head, weights in enumerate(heads, 1):
                name = f"{self.name}, {place(layer, head)}"
                yield Alignment(name, self.columns, self.rows, weights, self.gold, self.languages)


def place(layer: int, head: int) -> str:
    """How a head is called; both count from 1."""
    return f"layer {layer}, head {head}"


def heads_figure(kinds: Sequence[Heads], *, caption: str) -> None:
    """Display every head of one sentence: pick a kind of attention, then a map of the overview.

    Brighter is stronger. Each map is said in words as well, and unfolds as a table of numbers.

    Args:
        kinds: one or more, with equally many layers and heads.
        caption: one paragraph with light Markdown; begin it with ``**Figure 6.1**``.

    Raises:
        ValueError: no kinds, two of one name, different numbers of layers or heads, an empty
            caption, or more than the page can carry.
    """
    caption = require_text(caption, "caption")
    names = [kind.name for kind in kinds]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"expected kinds of attention with different names, got {names}")
    sizes = {tuple(kind.weights.shape[:2]) for kind in kinds}
    if len(sizes) > 1:
        raise ValueError(f"kinds differ in (layers, heads): {sorted(sizes)}; show them apart")
    maps = [list(kind.maps()) for kind in kinds]
    key = heatmap.name_of(maps[0][0])
    body = (
        heatmap.style()
        + _style(key, len(kinds), len(maps[0]))
        + f'<div class="am-heads {key}">'
        + _kind_buttons(names, key)
        + _overview(kinds, key)
        + heatmap.legend(any(kind.gold is not None for kind in kinds))
        + '<div aria-live="polite">'
        + _each(maps, lambda one: f'<p class="am-said">{said(one)[0]}</p>')
        + "</div>"
        + _each(maps, _large)
        + "</div>"
    )
    if len(body.encode()) > MOST_BYTES:
        raise ValueError(
            f"the maps weigh {len(body.encode()) // 1000} kB, the most is {MOST_BYTES // 1000} kB:"
            " take a shorter sentence, or fewer layers"
        )
    words = "\n".join(f"[{said(one)[1]}]" for each in maps for one in each)
    display(Rich(frame(body, caption), f"{plain(caption)}\n{words}"))


def said(one: Alignment) -> tuple[str, str]:
    """Where each row of a map looks most, as HTML and as text."""
    foreign, own = one.languages
    looks, texts = [], []
    for word, row in zip(one.target, one.weights.tolist(), strict=True):
        best = max(range(len(row)), key=row.__getitem__)
        share = f"{100 * row[best]:.0f} %"
        if row[best] < _LEAST_SHARE:
            continue
        looks.append(
            f"<span lang={own}>{html.escape(word)}</span> → "
            f"<span lang={foreign}>{html.escape(one.source[best])}</span> {share}"
        )
        texts.append(f"{word} → {one.source[best]} {share}")
    listed = ", ".join(looks) or "nowhere in particular"
    return (
        f"<strong>{html.escape(one.name)}</strong>: {listed}",
        f"{one.name}: {', '.join(texts) or 'nowhere in particular'}",
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
        f'<path fill="#{bytes(heatmap.color(level)).hex()}" d="{"".join(parts)}"/>'
        for level, parts in sorted(runs.items())
    )
    return (
        f'<svg viewBox="0 0 {columns} {rows}" aria-hidden="true" preserveAspectRatio="none" '
        f'shape-rendering="crispEdges">{paths}</svg>'
    )


def _style(key: str, kinds: int, heads: int) -> str:
    """The rules of this figure; those that hide need ``:has()``."""
    shown = "".join(
        f".{key}:has(.k{k}:checked):has(.h{h}:checked) .one.k{k}.h{h}{{display:block}}"
        for k in range(kinds)
        for h in range(heads)
    )
    shown += "".join(
        f".{key}:has(.k{k}:checked) .all svg:nth-of-type({k + 1}){{display:block}}"
        for k in range(kinds)
    )
    return (
        "<style>"
        ".am-heads fieldset{border:1px solid rgba(128,128,128,.5);border-radius:6px;margin:.4em 0;"
        "padding:.2em .7em .5em;min-width:0}"
        ".am-heads legend{float:none;width:auto;margin:0;padding:0 .4em;font-size:1em}"
        ".am-heads .kinds label{margin-right:1.2em;display:inline-block;padding:.25em 0}"
        ".am-heads .all{display:grid;gap:6px;align-items:center;width:max-content}"
        ".am-heads .all span{text-align:center;font-size:.9em}"
        ".am-heads .all label{position:relative;display:block;margin:0;padding:4px;"
        "border-radius:4px;background:#0b0d11;border:1px solid #6d737b;cursor:pointer;"
        "forced-color-adjust:none}"
        ".am-heads .all svg{width:88px;height:88px;vertical-align:top}"
        ".am-heads .all input{position:absolute;opacity:0;inset:0;margin:0;width:100%;height:100%;"
        "cursor:pointer}"
        ".am-heads .all label:has(:checked){outline:3px solid #e0700f}"
        ".am-heads .all label:has(:focus-visible){outline:3px solid #2467e6;outline-offset:3px}"
        ".am-heads .am-map i:not([data-p='0'])::after{content:attr(data-p);font-size:12px}"
        "@media (max-width:600px){.am-heads .all svg{width:54px;height:54px}}"
        f"@supports selector(:has(*)){{.{key} .one,.{key} .all svg{{display:none}}{shown}}}"
        "</style>"
    )


def _kind_buttons(names: Sequence[str], key: str) -> str:
    buttons = "".join(
        f'<label><input type="radio" class="k{k}" name="{key}-k"{" checked" * (not k)}> '
        f"{html.escape(name)}</label>"
        for k, name in enumerate(names)
    )
    return f'<fieldset class="kinds"><legend>attention</legend>{buttons}</fieldset>'


def _overview(kinds: Sequence[Heads], key: str) -> str:
    layers, heads = kinds[0].weights.shape[:2]
    cells = "<span></span>" + "".join(f"<span>head {h + 1}</span>" for h in range(heads))
    for layer in range(layers):
        cells += f"<span>layer {layer + 1}</span>"
        for head in range(heads):
            number = layer * heads + head
            pictures = "".join(thumbnail(kind.weights[layer, head]) for kind in kinds)
            cells += (
                f'<label>{pictures}<input type="radio" class="h{number}" name="{key}-h"'
                f'{" checked" * (not number)} aria-label="{place(layer + 1, head + 1)}"></label>'
            )
    return (
        '<fieldset><legend>layer and head</legend><div style="overflow-x:auto;padding:6px" '
        'class="am-scroll"><div class="all" '
        f'style="grid-template-columns:auto repeat({heads},auto)">{cells}</div></div></fieldset>'
    )


def _each(maps: Sequence[Sequence[Alignment]], draw) -> str:
    return "".join(
        f'<div class="one k{k} h{h}">{draw(one)}</div>'
        for k, each in enumerate(maps)
        for h, one in enumerate(each)
    )


def _large(one: Alignment) -> str:
    """The map with its words and percentages, and the numbers folded away."""
    key = heatmap.name_of(one)
    rows, columns = "word", "looks at"
    return heatmap.grid(one, key, rows, columns) + heatmap.numbers(one, rows, "word looked at")
