"""Interactive figures that need no kernel: every state is drawn beforehand, and a control in the
reader's browser picks the one to show.

The same call works in the static book, JupyterLab and VS Code, where the controls are ipywidgets
joined by `jslink`. Colab ships an older ipywidgets without `Stack`; there the same states come
with a plain HTML control.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Iterable, Sequence
from functools import partial

import ipywidgets
from IPython.display import display
from matplotlib.figure import Figure

from course_lib.figures import heatmap
from course_lib.figures.heatmap import Alignment
from course_lib.figures.plots import (
    CAPTION,
    emit,
    frame,
    markdown_light,
    picture,
    plain,
    require_text,
)

MOST_BYTES = 1_500_000  # of all states together; the static page carries every one of them
_OFF = '<style media="not all">'
_MOST_BUTTONS = 30  # characters on the buttons of a choice, all labels together

Frame = tuple[object, Figure | str, str]  # what the control says, a picture, its text alternative
Node = ipywidgets.Widget | str  # a part of the figure; plain HTML where there is no `Stack`


def slider_figure(frames: Iterable[Frame], *, label: str, caption: str) -> None:
    """Display pictures one at a time, with a slider and a play button to move through them.

    Args:
        frames: for each state what the slider says, a picture, and its text alternative. The
            picture is a Matplotlib figure (all of one size; closed afterwards), or a text with
            SVG or HTML. Fix the axis limits, so that nothing but the data moves.
        label: what the slider sets, for example "time step".
        caption: one paragraph with light Markdown; begin it with `**Figure 3.1**`.
    """
    _figure(_slider, frames, label, caption)


def choice_figure(frames: Iterable[Frame], *, label: str, caption: str) -> None:
    """Display one of several pictures, picked by name: with buttons, or a list when names are
    long. Arguments as for `slider_figure`.
    """
    _figure(_choice, frames, label, caption)


def alignment_figure(
    examples: Sequence[Alignment],
    *,
    caption: str,
    label: str = "sentence",
    rows: str = "output word",
    columns: str = "source word",
) -> None:
    """Display where attention looks: pick a sentence, then step through its output words.

    Brighter is stronger, on a light page and on a dark one. Below the map its numbers unfold as a
    table. Every state describes itself, so no text alternatives are asked for.

    Args:
        examples: one or more; see `heatmap.Alignment`.
        caption: one paragraph with light Markdown; begin it with `**Figure 4.1**`.
        label: what the choice of an example is called.
        rows: what a row is; the slider bears this name.
        columns: what a column is.
    """
    texts, pages, alts = [], [], []
    for example in examples:
        key = heatmap.name_of(example)
        states = [heatmap.state(example, step, key) for step in range(len(example.target))]
        below = heatmap.page(example, key, rows, columns)
        words = [f"{number}. {word}" for number, word in enumerate(example.target, 1)]
        steps = _pick(_slider(rows, words, 1500), _pages([markup for markup, _ in states]))
        pages.append(_column([steps, _page(below)]))
        texts += [below, *(markup for markup, _ in states)]
        alts += [alt for _, alt in states]
    require_light(texts)
    names = [example.name for example in examples]
    _display(_pick(_choice(label, names), pages) if len(pages) > 1 else pages[0], caption, alts)


def require_light(markups: Sequence[str]) -> None:
    """Raise a `ValueError` where a page cannot carry all of it."""
    weight = sum(len(markup.encode()) for markup in markups)
    if weight > MOST_BYTES:
        message = f"the frames weigh {weight // 1000} kB, the most is {MOST_BYTES // 1000} kB"
        raise ValueError(f"{message}: draw fewer frames, or less in each")


def _figure(control, frames: Iterable[Frame], label: str, caption: str) -> None:
    names, pictures, alts = zip(*frames, strict=True)
    markups = [
        _named(content, require_text(alt, "alt"), f"{caption} {number}")
        for number, (content, alt) in enumerate(zip(pictures, alts, strict=True))
    ]
    require_light(markups)
    chosen = control(require_text(label, "label"), list(map(str, names)))
    _display(_pick(chosen, _pages(markups)), caption, alts)


def _named(content: Figure | str, alt: str, key: str) -> str:
    if isinstance(content, str) and not content.lstrip().startswith(("<svg", "<?xml")):
        return f'<div role="group" aria-label="{html.escape(alt)}">{content}</div>'
    return picture(content, alt=alt, key=key)


def _display(body: Node, caption: str, alts: Iterable[str]) -> None:
    caption = require_text(caption, "caption")
    if isinstance(body, str):
        emit(frame(body, caption), "\n".join([plain(caption), *(f"[{alt}]" for alt in alts)]))
        return
    below = f'<div class="am-caption" style="{CAPTION}">{markdown_light(caption)}</div>'
    box = ipywidgets.VBox([body, ipywidgets.HTML(below)])
    box.add_class("am-interactive")
    display(box)


# The parts of a figure, each as a widget or as plain HTML.


def _is_plain() -> bool:
    return "google.colab" in sys.modules or not hasattr(ipywidgets, "Stack")


_narrow = partial(ipywidgets.Layout, max_width="calc(100% - 4px)")  # what is wide scrolls inside


def _page(markup: str) -> Node:
    return markup if _is_plain() else ipywidgets.HTML(markup, layout=_narrow())


def _pages(markups: Sequence[str]) -> list[Node]:
    if _is_plain():
        return list(markups)
    # All pages share one layout and one style: each would add half a kilobyte to the page.
    first = ipywidgets.HTML(frame(markups[0]), layout=_narrow())
    common = {"layout": first.layout, "style": first.style}
    return [first, *(ipywidgets.HTML(frame(markup), **common) for markup in markups[1:])]


def _column(parts: list[Node]) -> Node:
    return "".join(parts) if _is_plain() else ipywidgets.VBox(parts)


def _slider(label: str, names: list[str], interval: int = 700) -> str | list[ipywidgets.Widget]:
    if _is_plain():
        joined = html.escape("|".join(name.replace("|", "¦") for name in names))
        first, last = html.escape(names[0]), len(names) - 1
        say = (
            "const t=this.dataset.names.split('|')[this.value];"
            "f.querySelector('output').textContent=t;this.setAttribute('aria-valuetext',t)"
        )
        return (
            f'<label>{html.escape(label)} <input type="range" min="0" max="{last}" value="0" '
            f'aria-valuetext="{first}" data-names="{joined}" oninput="{_SHOW}{say}"></label> '
            f"<output>{first}</output>"
        )
    slider = ipywidgets.SelectionSlider(
        options=_numbered(names),
        description=label,
        style={"description_width": "initial"},
        layout={"width": "24em", "max_width": "100%"},
    )
    play = ipywidgets.Play(min=0, max=len(names) - 1, interval=interval)
    ipywidgets.jslink((play, "value"), (slider, "index"))
    return [play, slider]


def _choice(label: str, names: list[str]) -> str | list[ipywidgets.Widget]:
    if _is_plain():
        options = "".join(
            f'<option value="{n}">{html.escape(o)}</option>' for o, n in _numbered(names)
        )
        return f'<label>{html.escape(label)} <select onchange="{_SHOW}">{options}</select></label>'
    common = {"options": _numbered(names), "description": label, "index": 0}
    style = {"description_width": "initial"}
    if sum(map(len, names)) <= _MOST_BUTTONS:
        return [ipywidgets.ToggleButtons(style=style | {"button_width": "auto"}, **common)]
    return [ipywidgets.Dropdown(style=style, layout=_narrow(width="auto"), **common)]


def _numbered(names: list[str]) -> list[tuple[str, int]]:
    return list(zip(names, range(len(names)), strict=True))


# What a plain control does: it finds its pages by their place, so it needs no identifiers.
_SHOW = (
    "const f=this.closest('.am-pick');[...f.children].slice(1).forEach((e,i)=>{"
    "e.hidden=i!=this.value;for(const s of e.querySelectorAll(':scope>style'))"
    "s.media=e.hidden?'not all':'all'});"
)


def _pick(control: str | list[ipywidgets.Widget], pages: list[Node]) -> Node:
    """The control, and below it the page that it picks."""
    if isinstance(control, str):
        first, *others = (
            # The style of a hidden page is not in force; pages with a control see to their own.
            page if number == 0 or "am-pick" in page else page.replace("<style>", _OFF)
            for number, page in enumerate(pages)
        )
        hidden = "".join(f"<div hidden>{page}</div>" for page in others)
        control = f'<div style="margin:.3em 0">{control}</div>'
        return f'<div class="am-pick">{control}<div>{first}</div>{hidden}</div>'
    stack = ipywidgets.Stack(pages, selected_index=0)
    ipywidgets.jslink((control[-1], "index"), (stack, "selected_index"))
    row = ipywidgets.HBox(control, layout={"flex_flow": "row wrap", "grid_gap": "0 12px"})
    return ipywidgets.VBox([row, stack])
