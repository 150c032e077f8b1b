"""One figure style for the whole book, and the functions that put a figure, sentence or table
on the page.

Every figure goes through `show`: it becomes an inline SVG that takes its ink from the page
(so it reads in light and dark), with a text alternative and a caption.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.evaluation.intervals import Bucket, Interval, decimal
from course_lib.figures.svg import INK, figure_to_svg, inline
from course_lib.figures.words import say

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

_STYLE: dict[Any, Any] = {
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
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "image.cmap": "viridis",
    "image.interpolation": "none",
}


CAPTION = "font:inherit;color:inherit;font-size:.92em;line-height:1.5;margin:.4em 0;text-align:left"
_CELL = "padding:.25em .7em;border-bottom:1px solid rgba(128,128,128,.35)"


def style() -> None:
    """Set the book's figure style."""
    mpl.rcParams.update(_STYLE)


def emit(markup: str, text: str) -> None:
    """Display HTML where the reader's program shows it, plain text elsewhere."""
    display({"text/html": markup, "text/plain": text}, raw=True)


_seen: Counter[str] = Counter()  # how often one thing was shown, so that names stay unique


def unique(*parts: object) -> str:
    """A name for use in a page that depends on `parts`, and on how often they came before."""
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:8]
    _seen[digest] += 1
    return f"am{digest}" + (f"-{_seen[digest]}" if _seen[digest] > 1 else "")


def require_text(value: str, name: str) -> str:
    """`value` on one line; a `ValueError` where it is empty, as `name` says."""
    if not isinstance(value, str) or not value.strip():
        advice = {
            "alt": "say in one or two sentences what the picture shows",
            "caption": "name the figure and say what to see in it, '**Figure 3.1** …'",
        }.get(name, "write a short text")
        raise ValueError(f"{name} is empty: {advice}")
    return " ".join(value.split())


def markdown_light(text: str) -> str:
    """HTML of one line with `**bold**`, `*italic*`, code in backticks and `[links](…)`."""
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


def scrollable(inside: str, what: str = "", kind: str = "am-scroll") -> str:
    """A box around what a phone cannot hold; named `what`, it scrolls by keyboard, too."""
    focus = f' tabindex="0" role="group" aria-label="{what}, scrolls sideways"' if what else ""
    padding = ";padding:2px" if kind == "am-scroll" else ""  # room for the ring around a focus
    return f'<div class="{kind}" style="overflow-x:auto{padding}"{focus}>{inside}</div>'


def picture(figure: Figure | str, *, alt: str, key: str = "", tight: bool = False) -> str:
    """One inline `<svg>` of a figure or of SVG text, named `alt`, with ids of its own.

    Closes the figure. `key` tells apart pictures that would otherwise be the same.
    """
    alt = require_text(alt, "alt")
    if isinstance(figure, Figure):
        svg = figure_to_svg(figure, tight=tight)
        plt.close(figure)
    else:
        svg = figure
    svg = inline(svg, prefix=unique(svg, alt, key), alt=alt)
    least = int(re.findall(r"min-width:(\d+)px", svg)[0])
    return scrollable(svg, "Wide figure" if least > 366 else "")


def frame(inside: str, caption: str = "") -> str:
    """The `<figure>` around a picture, with its caption."""
    if caption:
        caption = f'<figcaption style="{CAPTION}">{markdown_light(caption)}</figcaption>'
    style = "margin:.6em 0;padding:0;text-align:left"
    return f'<figure class="am-figure" style="{style}">{inside}{caption}</figure>'


def show(figure: Figure | str, *, alt: str, caption: str) -> None:
    """Display a Matplotlib figure, or a drawing given as SVG text, as a captioned `<figure>`.

    Args:
        figure: the figure, which is closed afterwards, or a string that holds an `<svg>`.
        alt: what the picture shows, for a reader who cannot see it.
        caption: one paragraph with light Markdown; begin it with `**Figure 3.1**`.
    """
    alt, caption = require_text(alt, "alt"), require_text(caption, "caption")
    markup = frame(picture(figure, alt=alt, key=caption, tight=True), caption)
    emit(markup, f"{plain(caption)}\n[{alt}]")


def sentence(template: str, /, **values: object) -> None:
    """Display Markdown whose numbers the cell has just computed: what `say` gives, on the page.

    Without values the text is taken as it stands. A line break inside a paragraph is a space, so
    the text may be a string over several lines.
    """
    text = say(template, **values) if values else template
    text = re.sub(r"(?<!\n)\n(?!\n|- )", " ", text)
    display({"text/markdown": text, "text/plain": text}, raw=True)


def table(
    rows: Iterable[Sequence[object]], header: Sequence[str], caption: str, form: str = ".3f"
) -> None:
    """Display rows under a header as a captioned table; numbers are set to the right.

    Args:
        rows: cells are texts with light Markdown, whole numbers, or floats and intervals.
        header: the names of the columns.
        caption: one paragraph with light Markdown; begin it with `**Table 3.1**`.
        form: how floats and intervals are written: `.2f` two digits, `+.2f` with their sign.
    """
    caption, names = require_text(caption, "caption"), list(header)
    cells = [[written(value, form) for value in row] for row in rows]
    text = "\n".join(" | ".join(row) for row in [[plain(name) for name in names], *cells])
    emit(grid(cells, names, caption), f"{plain(caption)}\n{text}")


def grid(
    cells: Sequence[Sequence[str]],
    names: Sequence[str],
    caption: str = "",
    *,
    narrow_box: bool = False,
) -> str:
    """A table as HTML, in a box that scrolls by keyboard where it is wide, or the box is narrow."""
    number = re.compile(r"[-−+<>≤≥≈]?\s?\d")
    columns = list(zip(names, *cells, strict=True))
    right = [bool(cells) and all(map(number.match, column[1:])) for column in columns]
    sides = [f"text-align:{'right' if numeric else 'left'};{_CELL}" for numeric in right]
    head = "".join(
        f'<th scope="col" style="{side}">{markdown_light(name)}</th>'
        for name, side in zip(names, sides, strict=True)
    )
    sides = [f"{s};white-space:nowrap" if r else s for s, r in zip(sides, right, strict=True)]
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{side}">{markdown_light(value)}</td>'
            for value, side in zip(row, sides, strict=True)
        )
        + "</tr>"
        for row in cells
    )
    if caption:
        above = "caption-side:top;text-align:left;padding:.3em 0"
        caption = f'<caption style="{above}">{markdown_light(caption)}</caption>'
    wide = narrow_box or max(sum(map(len, row)) for row in [names, *cells]) > 30
    return scrollable(
        f'<table style="border-collapse:collapse;margin:.6em 0">{caption}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
        "Wide table" * wide,
        "am-table",
    )


def written(value: object, form: str) -> str:
    """A float as `form` says, an interval as its mean with its ends in brackets."""
    if isinstance(value, Interval):
        return format(value, form)
    return decimal(value, form) if isinstance(value, float) else str(value)


def bucket_rows(buckets: Iterable[Bucket], form: str = ".2f") -> list[tuple[object, ...]]:
    """Rows of a table by length: which lengths, how many, their mean, and its interval."""
    return [
        (
            f"{bucket.low} to {bucket.high - 1}",
            bucket.count,
            format(bucket.mean, form),
            f"[{bucket.interval.low:{form}}, {bucket.interval.high:{form}}]",
        )
        for bucket in buckets
    ]


def band(
    axes: Axes, x: Sequence[float], intervals: Sequence[Interval], label: str, color: str = ""
) -> None:
    """Draw a marked line with a band around it.

    Args:
        axes: where to draw; several bands on one axes differ in color, dashes and marker.
        x: one position per interval.
        intervals: their means are the line, their ends the band.
        label: the name in the legend.
        color: a name in `COLORS` or any Matplotlib color; by default the next of the cycle.
    """
    count = len([line for line in axes.lines if line.get_gid() == "band"]) % len(CYCLE)
    color = COLORS.get(color, color) or CYCLE[count]
    mean, low, high = zip(*intervals, strict=True)
    axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
    line: Any = {"color": color, "linestyle": _DASHES[count], "marker": _MARKERS[count]}
    axes.plot(x, mean, **line, label=label, gid="band")
