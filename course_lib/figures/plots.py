"""One figure style for the whole book, and the functions that put a figure, sentence or table
on the page.

Every figure goes through :func:`show`: it becomes an inline SVG that takes its ink from the page
(so it reads in light and dark), with a text alternative and a caption.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.figures.svg import INK, figure_to_svg, inline

_BLUE, _ORANGE, _GREEN, _PINK, _GRAY = "#2467e6", "#e0700f", "#0fa36b", "#c050b6", "#6d737b"

# Mid-tones: each stands out by 3:1 or more on white and on near-black, and any two stay apart for
# readers with color-vision deficiencies. A name of a model always has the same color.
COLORS: dict[str, str] = {
    "blue": _BLUE,
    "orange": _ORANGE,
    "green": _GREEN,
    "pink": _PINK,
    "gray": _GRAY,
    "ink": INK,  # the page's text color, whatever it is
    "rnn": _ORANGE,
    "gru": _BLUE,
    "lstm": _GREEN,
    "fixed": _BLUE,
    "attention": _ORANGE,
    "transformer": _GREEN,
    "source": _BLUE,
    "target": _ORANGE,
    "chance": _GRAY,
}
CYCLE = (_BLUE, _ORANGE, _GREEN, _PINK, _GRAY)
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v")

_STYLE: dict[str, Any] = {
    "figure.figsize": (5.2, 3.2),
    "figure.dpi": 96,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "figure.max_open_warning": 0,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=CYCLE) + cycler(linestyle=_DASHES),
    "grid.color": INK,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.7,
    "grid.linestyle": "-",
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "image.cmap": "viridis",
    "image.interpolation": "none",
}


CAPTION = "font:inherit;color:inherit;font-size:.92em;line-height:1.5;margin:.4em 0;text-align:left"
_CELL = "padding:.25em .7em;border-bottom:1px solid rgba(128,128,128,.35)"


class _Style:
    """Restores the settings that were in force before, when used in a ``with`` statement."""

    def __init__(self) -> None:
        self._before = {name: mpl.rcParams[name] for name in _STYLE}
        mpl.rcParams.update(_STYLE)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        mpl.rcParams.update(self._before)

    def _ipython_display_(self) -> None:
        """Show nothing when the call is the last line of a cell."""


def style() -> _Style:
    """Set the book's figure style, once for a notebook or in ``with plots.style():``."""
    return _Style()


class Rich:
    """HTML where the reader's program shows it, plain text elsewhere."""

    def __init__(self, markup: str, text: str) -> None:
        self._markup, self._text = markup, text

    def _repr_html_(self) -> str:
        return self._markup

    def __repr__(self) -> str:
        return self._text


class _Prose:
    """Markdown where the reader's program shows it, plain text elsewhere."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_markdown_(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text


_seen: Counter[str] = Counter()  # how often one picture was shown, so that ids stay unique


def require_text(value: str, name: str) -> str:
    """Return ``value`` stripped.

    Raises:
        ValueError: the text is empty; ``name`` says which argument it was.
    """
    if not isinstance(value, str) or not value.strip():
        advice = {
            "alt": "say in one or two sentences what the picture shows",
            "caption": "name the figure and say what to see in it, '**Figure 3.1** …'",
        }.get(name, "write a short text")
        raise ValueError(f"{name} is empty: {advice}")
    return " ".join(value.split())


def markdown_light(text: str) -> str:
    """HTML of one line with ``**bold**``, ``*italic*``, code in backticks and ``[links](…)``."""
    pieces = re.split(r"(`[^`]+`)", text)
    for number, piece in enumerate(pieces):
        escaped = html.escape(piece, quote=False)
        if number % 2:
            pieces[number] = f"<code>{escaped[1:-1]}</code>"
            continue
        escaped = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escaped)
        escaped = re.sub(r"\*(\S(?:.*?\S)??)\*", r"<em>\1</em>", escaped)
        pieces[number] = re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", r'<a href="\2">\1</a>', escaped)
    return "".join(pieces)


def plain(text: str) -> str:
    """The words of a Markdown line, without its marks."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text).replace("**", "").replace("`", "")


def picture(figure: Figure | str, *, alt: str, key: str = "", tight: bool = False) -> str:
    """One inline ``<svg>`` of a figure or of SVG text, named ``alt``, with ids of its own.

    Closes the figure. ``key`` tells apart pictures that would otherwise be the same.
    """
    alt = require_text(alt, "alt")
    svg = figure_to_svg(figure, tight=tight) if isinstance(figure, Figure) else figure
    if isinstance(figure, Figure):
        plt.close(figure)
    digest = hashlib.sha256(f"{svg}\n{alt}\n{key}".encode()).hexdigest()[:8]
    _seen[digest] += 1
    again = f"-{_seen[digest]}" if _seen[digest] > 1 else ""
    return scrollable(inline(svg, prefix=f"am{digest}{again}", alt=alt))


def scrollable(svg: str) -> str:
    """Wrap a picture that a phone cannot hold in a box that scrolls, also by keyboard."""
    least = int(re.search(r"min-width:(\d+)px", svg)[1])
    focus = ' tabindex="0" role="group" aria-label="Wide figure, scrolls sideways"'
    wide = focus if least > 340 else ""
    return f'<div class="am-scroll" style="overflow-x:auto;padding:2px"{wide}>{svg}</div>'


def frame(inside: str, caption: str = "") -> str:
    """The ``<figure>`` around a picture, with its caption."""
    below = (
        f'<figcaption style="{CAPTION}">{markdown_light(caption)}</figcaption>' if caption else ""
    )
    style = "margin:.6em 0;padding:0;text-align:left"
    return f'<figure class="am-figure" style="{style}">{inside}{below}</figure>'


def show(figure: Figure | str, *, alt: str, caption: str) -> None:
    """Display a Matplotlib figure, or a drawing given as SVG text, as a captioned ``<figure>``.

    Args:
        figure: the figure, which is closed afterwards, or a string that holds an ``<svg>``.
        alt: what the picture shows, for a reader who cannot see it.
        caption: one paragraph with light Markdown; begin it with ``**Figure 3.1**``.

    Raises:
        ValueError: ``alt`` or ``caption`` is empty, or the SVG text is broken.
    """
    caption = require_text(caption, "caption")
    alt = require_text(alt, "alt")
    markup = frame(picture(figure, alt=alt, key=caption, tight=True), caption)
    display(Rich(markup, f"{plain(caption)}\n[{alt}]"))


def sentence(markdown_text: str) -> None:
    """Display a sentence, or any Markdown, whose numbers the cell has just computed."""
    if not markdown_text.strip():
        raise ValueError("the sentence is empty: pass the Markdown text to display")
    display(_Prose(markdown_text))


def table(rows: Sequence[Sequence[object]], header: Sequence[str], caption: str) -> None:
    """Display rows under a header as a captioned table; numbers are set to the right.

    Cells may be strings with light Markdown or numbers (floats are shown with three digits).

    Raises:
        ValueError: the caption is empty, or a row and the header differ in length.
    """
    caption = require_text(caption, "caption")
    for number, row in enumerate(rows):
        if len(row) != len(header):
            message = f"row {number} has {len(row)} cells, the header has {len(header)}"
            raise ValueError(f"{message}: give every row one cell per column")
    cells = [[_cell(value) for value in row] for row in rows]
    right = [
        bool(rows) and all(re.match(r"^[-−+<>≤≥≈]?\s?\d", row[column]) for row in cells)
        for column in range(len(header))
    ]
    nowrap = {"right": ";white-space:nowrap", "left": ""}
    align = ["right" if numeric else "left" for numeric in right]
    head = "".join(
        f'<th scope="col" style="text-align:{side};{_CELL}">{markdown_light(name)}</th>'
        for name, side in zip(header, align, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{side};{_CELL}{nowrap[side]}">{markdown_light(value)}</td>'
            for value, side in zip(row, align, strict=True)
        )
        + "</tr>"
        for row in cells
    )
    widest = max((sum(map(len, row)) for row in [list(header), *cells]), default=0)
    focus = ' tabindex="0" role="group" aria-label="Wide table, scrolls sideways"'
    markup = (
        f'<div class="am-table" style="overflow-x:auto"'
        f"{focus if widest > 30 else ''}>"
        '<table style="border-collapse:collapse;margin:.6em 0">'
        '<caption style="caption-side:top;text-align:left;padding:.3em 0">'
        f"{markdown_light(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    text = "\n".join(" | ".join(row) for row in [[plain(name) for name in header], *cells])
    display(Rich(markup, f"{plain(caption)}\n{text}"))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def band(
    axes: Axes, x: Sequence[float], intervals: Sequence[Any], label: str, color: str | None = None
) -> None:
    """Draw the means of ``intervals`` as a marked line and their ends as a band around it.

    Args:
        axes: where to draw; several bands on one axes differ in color, dashes and marker.
        x: one position per interval.
        intervals: objects with ``mean``, ``low`` and ``high``, or buckets with an ``interval``.
        label: the name in the legend.
        color: a name in :data:`COLORS` or any Matplotlib color; by default the next of the cycle.

    Raises:
        ValueError: ``x`` and ``intervals`` differ in length, or an interval is upside down.
    """
    if len(x) != len(intervals):
        raise ValueError(f"{len(x)} positions for {len(intervals)} intervals: they must match")
    ends = [getattr(interval, "interval", interval) for interval in intervals]
    for position, end in zip(x, ends, strict=True):
        if end.low > end.high:
            raise ValueError(f"the interval at x = {position} has low {end.low} above {end.high}")
    count = len([line for line in axes.lines if line.get_gid() == "band"]) % len(CYCLE)
    color = COLORS.get(color, color) if color else CYCLE[count]
    low, high = [end.low for end in ends], [end.high for end in ends]
    axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
    axes.plot(
        x,
        [end.mean for end in ends],
        color=color,
        linestyle=_DASHES[count],
        marker=_MARKERS[count],
        label=label,
        gid="band",
    )
