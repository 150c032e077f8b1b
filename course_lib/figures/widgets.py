"""Interactive figures that need no kernel: every state is drawn beforehand, and a control in the
reader's browser picks the one to show.

Plain HTML, the same in the static book, JupyterLab, VS Code and Colab. Each control carries its
few words of script, so a saved page needs nothing else; without any script, or on paper, the
figure is its first state with its caption.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence

from matplotlib.figure import Figure

from course_lib.figures import heatmap
from course_lib.figures.heatmap import Alignment
from course_lib.figures.plots import emit, frame, picture, plain, require_text

MOST_BYTES = 1_500_000  # of all states together; the static page carries every one of them
_OFF = '<style media="not all">'
_MOST_BUTTONS = 30  # characters on the buttons of a choice, all labels together

Frame = tuple[object, Figure | str, str]  # what the control says, a picture, its text alternative


def slider_figure(frames: Iterable[Frame], *, label: str, caption: str, start: int = 0) -> None:
    """Display pictures one at a time, with a slider and a play button to move through them.

    Args:
        frames: for each state what the slider says, a picture, and its text alternative. The
            picture is a Matplotlib figure (all of one size; closed afterwards), or a text with
            SVG or HTML. Fix the axis limits, so that nothing but the data moves.
        label: what the slider sets, for example "time step".
        caption: one paragraph with light Markdown; begin it with `**Figure 3.1**`.
        start: the state on show at first, and the only one on paper.
    """
    markup, text = slider_markup(frames, label=label, caption=caption, start=start)
    emit(markup, text)


def slider_markup(
    frames: Iterable[Frame], *, label: str, caption: str, start: int = 0
) -> tuple[str, str]:
    """What `slider_figure` displays, as HTML and as plain text."""
    return _figure(_slider, frames, label, caption, start)


def choice_figure(frames: Iterable[Frame], *, label: str, caption: str, start: int = 0) -> None:
    """Display one of several pictures, picked by name: with buttons, or a list when names are
    long. Arguments as for `slider_figure`.
    """
    emit(*_figure(_choice, frames, label, caption, start))


def choice_body(frames: Iterable[Frame], *, label: str, key: str) -> str:
    """The inside of a `choice_figure`, for `live.live_figure`; `key` is its caption."""
    return _body(_choice, frames, label, key, 0)[0]


def alignment_figure(
    examples: Sequence[Alignment],
    *,
    caption: str,
    label: str = "sentence",
    rows: str = "output word",
    columns: str = "source word",
    start: int = 0,
) -> None:
    """Display where attention looks: pick a sentence, then step through its output words.

    Below the map its numbers unfold as a table. Every state describes itself, so no text
    alternatives are asked for.

    Args:
        examples: one or more; see `heatmap.Alignment`.
        caption: one paragraph with light Markdown; begin it with `**Figure 4.1**`.
        label: what the choice of an example is called.
        rows: what a row is; the slider bears this name.
        columns: what a column is.
        start: the row that is shown first, where the first one has nothing to say.
    """
    texts, pages, alts = [], [], []
    for example in examples:
        key = heatmap.name_of(example)
        states = [heatmap.state(example, step, key) for step in range(len(example.target))]
        below = heatmap.page(example, key, rows, columns)
        words = [f"{number}. {word}" for number, word in enumerate(example.target, 1)]
        pictures = [markup for markup, _ in states]
        steps = _pick(_slider(rows, words, start, interval=1500, data=True), pictures, start)
        pages.append(steps + below)
        texts += [below, *(markup for markup, _ in states)]
        alts += [alt for _, alt in states]
    require_light(texts)
    names = [example.name for example in examples]
    body = _pick(_choice(label, names), pages) if len(pages) > 1 else pages[0]
    emit(*_whole(body, caption, alts))


def require_light(markups: Sequence[str]) -> None:
    """Raise a `ValueError` where a page cannot carry all of it."""
    weight = sum(len(markup.encode()) for markup in markups)
    if weight > MOST_BYTES:
        message = f"the frames weigh {weight // 1000} kB, the most is {MOST_BYTES // 1000} kB"
        raise ValueError(f"{message}: draw fewer frames, or less in each")


def _figure(
    control: Callable[[str, list[str], int], str],
    frames: Iterable[Frame],
    label: str,
    caption: str,
    start: int,
) -> tuple[str, str]:
    body, alts = _body(control, frames, label, caption, start)
    return _whole(body, caption, alts)


def _body(
    control: Callable[[str, list[str], int], str],
    frames: Iterable[Frame],
    label: str,
    key: str,
    start: int,
) -> tuple[str, Sequence[str]]:
    """The control with its pages, and the text alternative of each."""
    names, pictures, alts = zip(*frames, strict=True)
    markups = [
        named(content, require_text(alt, "alt"), f"{key} {number}")
        for number, (content, alt) in enumerate(zip(pictures, alts, strict=True))
    ]
    require_light(markups)
    start = range(len(names))[start]
    chosen = control(require_text(label, "label"), list(map(str, names)), start)
    return _pick(chosen, markups, start), alts


def named(content: Figure | str, alt: str, key: str) -> str:
    """A picture as in `plots.picture`, or HTML as a group with a name; both are called `alt`."""
    if isinstance(content, str) and not content.lstrip().startswith(("<svg", "<?xml")):
        return f'<div role="group" aria-label="{html.escape(alt)}">{content}</div>'
    return picture(content, alt=alt, key=key)


def _whole(body: str, caption: str, alts: Iterable[str]) -> tuple[str, str]:
    caption = require_text(caption, "caption")
    return frame(body, caption), "\n".join([plain(caption), *(f"[{alt}]" for alt in alts)])


# What a control does: it finds its pages by their place, so it needs no identifiers.
_SHOW = (
    "const f=this.closest('.am-pick');[...f.children].slice(1).forEach((e,i)=>{"
    "e.hidden=i!=this.value;for(const s of e.querySelectorAll(':scope>style'))"
    "s.media=e.hidden?'not all':'all'});"
)
_SAY = (
    "const t=this.dataset.names.split('|')[this.value];"
    "this.parentNode.nextElementSibling.textContent=t;this.setAttribute('aria-valuetext',t)"
)
# Moves the slider beside it to its end, from the start if it is there already; again: pauses. The
# button's data-label is what it is called next, so that the script itself holds no words.
_PLAY = (
    "const b=this,r=b.nextElementSibling.querySelector('input'),"
    "go=v=>{r.value=v;r.dispatchEvent(new Event('input'))},"
    "turn=t=>{b.textContent=t;[b.ariaLabel,b.dataset.label]=[b.dataset.label,b.ariaLabel]},"
    "end=()=>{clearInterval(b.t);b.t=0;turn('▶')};"
    "if(b.t)return end();if(+r.value==+r.max)go(0);turn('❚❚');"
    "b.t=setInterval(()=>{go(+r.value+1);if(+r.value==+r.max)end()},%d)"
)
_PRESS = (
    "for(const b of this.parentNode.querySelectorAll('button'))b.ariaPressed=String(b==this);"
    + _SHOW
)


def _slider(
    label: str, names: list[str], start: int = 0, interval: int = 700, *, data: bool = False
) -> str:
    """A slider over places with names; `data`: these are words of an example, not texts of ours."""
    kept = ' translate="no"' * data
    joined = html.escape("|".join(name.replace("|", "¦") for name in names))
    said, last = html.escape(names[start]), len(names) - 1
    play = (
        '<button type="button" class="am-play" aria-label="Play" data-label="Pause" '
        f'onclick="{_PLAY % interval}">'
    )
    return (
        f"{play}▶</button> <label>{html.escape(label)} "
        f'<input type="range"{kept} min="0" max="{last}" value="{start}" '
        f'aria-valuetext="{said}" data-names="{joined}" oninput="{_SHOW}{_SAY}"></label> '
        f"<output{kept}>{said}</output>"
    )


def _choice(label: str, names: list[str], start: int = 0) -> str:
    label, texts = html.escape(label), [html.escape(name) for name in names]
    if sum(map(len, names)) <= _MOST_BUTTONS:
        buttons = "".join(
            f'<button type="button" value="{number}" aria-pressed="{str(number == start).lower()}" '
            f'onclick="{_PRESS}">{text}</button>'
            for number, text in enumerate(texts)
        )
        return f'<span role="group" aria-label="{label}">{label} {buttons}</span>'
    options = "".join(
        f'<option value="{number}"{" selected" * (number == start)}>{text}</option>'
        for number, text in enumerate(texts)
    )
    return f'<label>{label} <select onchange="{_SHOW}">{options}</select></label>'


def _pick(control: str, pages: Sequence[str], start: int = 0) -> str:
    """The control, and below it the page that it picks."""
    # The style of a hidden page is not in force; pages with a control see to their own.
    shown = "".join(
        f"<div>{page}</div>"
        if number == start
        else f"<div hidden>{page if 'am-pick' in page else page.replace('<style>', _OFF)}</div>"
        for number, page in enumerate(pages)
    )
    return f'<div class="am-pick"><div class="am-control">{control}</div>{shown}</div>'
