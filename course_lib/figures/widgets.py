"""Interactive figures that need no kernel: every state is drawn beforehand, and a control in the
reader's browser picks the one to show.

The same call works in the static book, JupyterLab and VS Code, where the controls are ipywidgets
joined by ``jslink``. Colab ships an older ipywidgets without ``Stack``; there the same frames come
with a plain HTML control.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Sequence

import ipywidgets
from IPython.display import display
from matplotlib.figure import Figure

from course_lib.figures import heatmap
from course_lib.figures.heatmap import Alignment
from course_lib.figures.plots import (
    CAPTION,
    Rich,
    frame,
    markdown_light,
    picture,
    plain,
    require_text,
)

MOST_BYTES = 1_500_000  # of all frames together; the static page carries every one of them
_MOST_BUTTONS = 30  # characters on the buttons of a choice, all labels together


def slider_figure(
    frames: Sequence[Figure | str],
    *,
    label: str,
    alts: Sequence[str],
    caption: str,
    values: Sequence[object] | None = None,
) -> None:
    """Display frames one at a time, with a slider and a play button to move through them.

    Args:
        frames: Matplotlib figures of one size (closed afterwards), SVG texts, or HTML texts. Fix
            the axis limits, so that nothing but the data moves between frames.
        label: what the slider sets, for example "time step".
        alts: one text alternative per frame.
        caption: one paragraph with light Markdown; begin it with ``**Figure 3.1**``.
        values: what the slider says at each frame; by default the frame's number from 0.

    Raises:
        ValueError: fewer than two frames, a text is missing, or the frames are too heavy.
    """
    label, caption = require_text(label, "label"), require_text(caption, "caption")
    shown = _render(frames, alts, caption)
    names = [str(value) for value in values] if values is not None else None
    _same_length("values", names, shown)
    if _lacks_stack():
        names = names or [str(number) for number in range(len(shown))]
        markups, said = zip(*shown, strict=True)
        _display_plain(_range_input(label, names), _hidden_but_one(markups), said, caption)
        return
    controls, source = _slider(label, names, len(shown))
    _display_interactive(controls, _stack(source, _frames(shown)), caption)


def choice_figure(
    frames: Sequence[Figure | str],
    *,
    label: str,
    choices: Sequence[str],
    alts: Sequence[str],
    caption: str,
) -> None:
    """Display one of several frames, picked by name: with buttons, or a list when names are long.

    Arguments and errors as for :func:`slider_figure`; ``choices`` names each frame.
    """
    label, caption = require_text(label, "label"), require_text(caption, "caption")
    shown = _render(frames, alts, caption)
    names = [require_text(choice, "choice") for choice in choices]
    _same_length("choices", names, shown)
    _distinct("choices", names)
    if _lacks_stack():
        markups, said = zip(*shown, strict=True)
        _display_plain(_select_input(label, names), _hidden_but_one(markups), said, caption)
        return
    control = _choice(label, names)
    _display_interactive([control], _stack((control, "index"), _frames(shown)), caption)


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
        examples: one or more; see :class:`~course_lib.figures.heatmap.Alignment`.
        caption: one paragraph with light Markdown; begin it with ``**Figure 4.1**``.
        label: what the choice of an example is called.
        rows: what a row is; the slider bears this name.
        columns: what a column is.

    Raises:
        ValueError: no examples, two of one name, an empty text, or more than the page can carry.
    """
    label, caption = require_text(label, "label"), require_text(caption, "caption")
    rows, columns = require_text(rows, "rows"), require_text(columns, "columns")
    names = [example.name for example in examples]
    if not names:
        raise ValueError("an alignment figure needs one example at least")
    _distinct("names of examples", names)
    keys = [heatmap.name_of(example) for example in examples]
    shown = [
        [heatmap.state(example, step, key) for step in range(len(example.target))]
        for example, key in zip(examples, keys, strict=True)
    ]
    below = [
        heatmap.style()
        + heatmap.grid(example, key, rows, columns)
        + heatmap.legend(example.gold is not None)
        + heatmap.numbers(example, rows, columns)
        for example, key in zip(examples, keys, strict=True)
    ]
    _require_light([*below, *(markup for states in shown for markup, _ in states)])
    steps = [
        [f"{number}. {word}" for number, word in enumerate(example.target, 1)]
        for example in examples
    ]
    if _lacks_stack():
        parts = [
            f"<div>{_range_input(rows, words)}</div>"
            + _hidden_but_one([markup for markup, _ in states])
            + under
            for words, states, under in zip(steps, shown, below, strict=True)
        ]
        alts = [alt for states in shown for _, alt in states]
        control = _select_input(label, names, "data-part") if len(names) > 1 else ""
        _display_plain(control, _hidden_but_one(parts, "data-part"), alts, caption)
        return
    pages = []
    for words, states, under in zip(steps, shown, below, strict=True):
        controls, source = _slider(rows, words, len(words), interval=1500)
        parts = [
            _row(controls),
            _stack(source, _frames(states)),
            ipywidgets.HTML(under, layout=_narrow()),
        ]
        pages.append(ipywidgets.VBox(parts))
    control = [_choice(label, names)] if len(pages) > 1 else []
    body = _stack((control[0], "index"), pages) if control else pages[0]
    _display_interactive(control, body, caption)


def _render(
    frames: Sequence[Figure | str], alts: Sequence[str], caption: str
) -> list[tuple[str, str]]:
    """(HTML, alt) of every frame."""
    if len(frames) < 2:
        raise ValueError(f"an interactive figure needs two frames or more, got {len(frames)}")
    _same_length("alts", alts, frames)
    shown = []
    for number, (content, alt) in enumerate(zip(frames, alts, strict=True)):
        alt = require_text(alt, "alt")
        if isinstance(content, str) and not content.lstrip().startswith(("<svg", "<?xml")):
            markup = f'<div role="group" aria-label="{html.escape(alt)}">{content}</div>'
        else:
            markup = picture(content, alt=alt, key=f"{caption} {number}")
        shown.append((markup, alt))
    _require_light([markup for markup, _ in shown])
    return shown


def _require_light(markups: Sequence[str]) -> None:
    weight = sum(len(markup.encode()) for markup in markups)
    if weight > MOST_BYTES:
        message = f"the frames weigh {weight // 1000} kB, the most is {MOST_BYTES // 1000} kB"
        raise ValueError(f"{message}: draw fewer frames, or less in each")


def _distinct(what: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{what} must differ from one another, got {list(names)}")


def _same_length(name: str, texts: Sequence[object] | None, frames: Sequence[object]) -> None:
    if texts is not None and len(texts) != len(frames):
        raise ValueError(f"{len(texts)} {name} for {len(frames)} frames: give one per frame")


def _lacks_stack() -> bool:
    return "google.colab" in sys.modules or not hasattr(ipywidgets, "Stack")


def _slider(
    label: str, names: list[str] | None, count: int, interval: int = 700
) -> tuple[list[ipywidgets.Widget], tuple[ipywidgets.Widget, str]]:
    """A play button and a slider over ``count`` places, and the trait that holds the place."""
    layout = ipywidgets.Layout(width="24em", max_width="100%")
    common = {"description": label, "style": {"description_width": "initial"}, "layout": layout}
    if names is None:
        slider = ipywidgets.IntSlider(min=0, max=count - 1, **common)
        source = (slider, "value")
    else:
        options = list(zip(names, range(count), strict=True))
        slider = ipywidgets.SelectionSlider(options=options, **common)
        source = (slider, "index")
    play = ipywidgets.Play(min=0, max=count - 1, interval=interval)
    ipywidgets.jslink((play, "value"), source)
    return [play, slider], source


def _choice(label: str, names: list[str]) -> ipywidgets.Widget:
    options = list(zip(names, range(len(names)), strict=True))
    common = {"options": options, "description": label, "index": 0}
    if sum(map(len, names)) <= _MOST_BUTTONS:
        style = {"description_width": "initial", "button_width": "auto"}
        return ipywidgets.ToggleButtons(style=style, **common)
    style = {"description_width": "initial"}
    layout = ipywidgets.Layout(width="auto", max_width="calc(100% - 4px)")
    return ipywidgets.Dropdown(style=style, layout=layout, **common)


def _frames(shown: list[tuple[str, str]]) -> list[ipywidgets.Widget]:
    # All frames share one layout and one style: each would add half a kilobyte to the page.
    first = ipywidgets.HTML(frame(shown[0][0]), layout=_narrow())
    common = {"layout": first.layout, "style": first.style}
    return [first, *(ipywidgets.HTML(frame(markup), **common) for markup, _ in shown[1:])]


def _narrow() -> ipywidgets.Layout:
    """No wider than the page: what is wide scrolls inside."""
    return ipywidgets.Layout(max_width="calc(100% - 4px)")


def _stack(
    source: tuple[ipywidgets.Widget, str], pages: list[ipywidgets.Widget]
) -> ipywidgets.Widget:
    stack = ipywidgets.Stack(pages, selected_index=0)
    ipywidgets.jslink(source, (stack, "selected_index"))
    return stack


def _row(controls: list[ipywidgets.Widget]) -> ipywidgets.Widget:
    layout = ipywidgets.Layout(flex_flow="row wrap", grid_gap="0 12px")
    return ipywidgets.HBox(controls, layout=layout)


def _display_interactive(
    controls: list[ipywidgets.Widget], body: ipywidgets.Widget, caption: str
) -> None:
    below = ipywidgets.HTML(
        f'<div class="am-caption" style="{CAPTION}">{markdown_light(caption)}</div>'
    )
    box = ipywidgets.VBox([_row(controls), body, below])
    box.add_class("am-interactive")
    display(box)


# The plain control. It finds its frames by their place in the page, so it needs no identifiers.
def _pick(kind: str = "data-frame") -> str:
    return (
        "const f=this.closest('figure,[data-part]');"
        f"f.querySelectorAll('[{kind}]').forEach((e,i)=>e.hidden=i!=this.value);"
        "f.querySelectorAll('[data-frame]>style').forEach("
        "e=>e.media=e.parentNode.hidden?'not all':'all');"
    )


def _range_input(label: str, names: list[str]) -> str:
    say = "const t=this.dataset.names.split('|')[this.value];"
    say += "f.querySelector('output').textContent=t;this.setAttribute('aria-valuetext',t)"
    joined = html.escape("|".join(name.replace("|", "¦") for name in names))
    return (
        f'<label>{html.escape(label)} <input type="range" min="0" max="{len(names) - 1}" '
        f'value="0" aria-valuetext="{html.escape(names[0])}" data-names="{joined}" '
        f'oninput="{_pick()}{say}"></label> <output>{html.escape(names[0])}</output>'
    )


def _select_input(label: str, names: list[str], kind: str = "data-frame") -> str:
    options = "".join(
        f'<option value="{number}">{html.escape(name)}</option>'
        for number, name in enumerate(names)
    )
    choose = f'<select onchange="{_pick(kind)}">{options}</select>'
    return f"<label>{html.escape(label)} {choose}</label>"


def _hidden_but_one(markups: Sequence[str], kind: str = "data-frame") -> str:
    """All markups, the first one to be seen and its own style in force."""
    first, *others = markups
    off = "" if kind == "data-part" else ' media="not all"'
    hidden = (markup.replace("<style>", f"<style{off}>") for markup in others)
    return f"<div {kind}>{first}</div>" + "".join(
        f"<div {kind} hidden>{markup}</div>" for markup in hidden
    )


def _display_plain(control: str, inside: str, alts: Sequence[str], caption: str) -> None:
    words = "\n".join(f"[{alt}]" for alt in alts)
    markup = frame(f'<div style="margin:.3em 0">{control}</div>{inside}', caption)
    display(Rich(markup, f"{plain(caption)}\n{words}"))
