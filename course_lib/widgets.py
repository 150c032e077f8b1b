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

from course_lib.plots import CAPTION, Rich, frame, markdown_light, picture, plain, require_text

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
        _display_plain(_range_input(label, names), shown, caption)
        return
    layout = ipywidgets.Layout(width="24em", max_width="100%")
    common = {"description": label, "style": {"description_width": "initial"}, "layout": layout}
    if names is None:
        slider = ipywidgets.IntSlider(min=0, max=len(shown) - 1, **common)
        position = "value"
    else:
        options = list(zip(names, range(len(names)), strict=True))
        slider = ipywidgets.SelectionSlider(options=options, **common)
        position = "index"
    play = ipywidgets.Play(min=0, max=len(shown) - 1, interval=700)
    ipywidgets.jslink((play, "value"), (slider, position))
    _display_stack([play, slider], (slider, position), shown, caption)


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
    if len(set(names)) < len(names):
        raise ValueError(f"choices must differ from one another, got {names}")
    if _lacks_stack():
        _display_plain(_select_input(label, names), shown, caption)
        return
    options = list(zip(names, range(len(names)), strict=True))
    common = {"options": options, "description": label, "index": 0}
    if sum(map(len, names)) <= _MOST_BUTTONS:
        style = {"description_width": "initial", "button_width": "auto"}
        control = ipywidgets.ToggleButtons(style=style, **common)
    else:
        style = {"description_width": "initial"}
        layout = ipywidgets.Layout(width="auto", max_width="calc(100% - 4px)")
        control = ipywidgets.Dropdown(style=style, layout=layout, **common)
    _display_stack([control], (control, "index"), shown, caption)


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
    weight = sum(len(markup.encode()) for markup, _ in shown)
    if weight > MOST_BYTES:
        message = f"the frames weigh {weight // 1000} kB, the most is {MOST_BYTES // 1000} kB"
        raise ValueError(f"{message}: draw fewer frames, or fewer points in each")
    return shown


def _same_length(name: str, texts: Sequence[object] | None, frames: Sequence[object]) -> None:
    if texts is not None and len(texts) != len(frames):
        raise ValueError(f"{len(texts)} {name} for {len(frames)} frames: give one per frame")


def _lacks_stack() -> bool:
    return "google.colab" in sys.modules or not hasattr(ipywidgets, "Stack")


def _display_stack(
    controls: list[ipywidgets.Widget],
    source: tuple[ipywidgets.Widget, str],
    shown: list[tuple[str, str]],
    caption: str,
) -> None:
    # All frames share one layout and one style: each would add half a kilobyte to the page.
    first = ipywidgets.HTML(frame(shown[0][0]))
    common = {"layout": first.layout, "style": first.style}
    rest = [ipywidgets.HTML(frame(markup), **common) for markup, _ in shown[1:]]
    stack = ipywidgets.Stack([first, *rest], selected_index=0)
    ipywidgets.jslink(source, (stack, "selected_index"))
    below = ipywidgets.HTML(
        f'<div class="am-caption" style="{CAPTION}">{markdown_light(caption)}</div>'
    )
    row = ipywidgets.HBox(
        controls, layout=ipywidgets.Layout(flex_flow="row wrap", grid_gap="0 12px")
    )
    box = ipywidgets.VBox([row, stack, below])
    box.add_class("am-interactive")
    display(box)


# The plain control. It finds its frames by their place in the page, so it needs no identifiers.
_PICK = (
    "const f=this.closest('figure');"
    "f.querySelectorAll('[data-frame]').forEach((e,i)=>e.hidden=i!=this.value);"
)


def _range_input(label: str, names: list[str]) -> str:
    say = "const t=this.dataset.names.split('|')[this.value];"
    say += "f.querySelector('output').textContent=t;this.setAttribute('aria-valuetext',t)"
    joined = html.escape("|".join(name.replace("|", "¦") for name in names))
    return (
        f'<label>{html.escape(label)} <input type="range" min="0" max="{len(names) - 1}" '
        f'value="0" aria-valuetext="{html.escape(names[0])}" data-names="{joined}" '
        f'oninput="{_PICK}{say}"></label> <output>{html.escape(names[0])}</output>'
    )


def _select_input(label: str, names: list[str]) -> str:
    options = "".join(
        f'<option value="{number}">{html.escape(name)}</option>'
        for number, name in enumerate(names)
    )
    return f'<label>{html.escape(label)} <select onchange="{_PICK}">{options}</select></label>'


def _display_plain(control: str, shown: list[tuple[str, str]], caption: str) -> None:
    pictures = "".join(
        f"<div data-frame{' hidden' if number else ''}>{markup}</div>"
        for number, (markup, _) in enumerate(shown)
    )
    words = "\n".join(f"[{alt}]" for _, alt in shown)
    display(
        Rich(
            frame(f'<div style="margin:.3em 0">{control}</div>{pictures}', caption),
            f"{plain(caption)}\n{words}",
        )
    )
