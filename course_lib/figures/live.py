"""Figures that compute on the page, in the reader's browser, from what the reader sets.

A figure names the script that brings it to life: `book/_static/live/NAME.js`, of which
`tools/pages.py` loads the ones that a page needs. Where no script runs, in Jupyter and Colab, on
paper, or with scripts switched off, the figure is what stands in it: the picture of one state,
its numbers as a table, and the caption.
"""

import html
import json
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from course_lib.figures.plots import emit, frame, grid, plain, require_text
from course_lib.figures.widgets import named


def live_figure(name: str, static: Figure | str, **given: Any) -> None:
    """Display a figure that the script `name` takes over: what `live_markup` makes of it."""
    emit(*live_markup(name, static, **given))


def live_markup(
    name: str,
    static: Figure | str,
    *,
    alt: str,
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    stays: bool = False,
    **values: object,
) -> tuple[str, str]:
    """What `live_figure` displays, as HTML and as plain text.

    Args:
        name: of the script, without folder and ending.
        static: the picture of one state: a Matplotlib figure (closed afterwards), SVG text, or
            HTML such as `widgets.choice_body` gives.
        alt: what that picture shows, for a reader who cannot see it.
        caption: one paragraph with light Markdown; begin it with `**Figure 3.1**`.
        header: names of the columns of the table of numbers.
        rows: its rows, as texts.
        stays: whether the picture stays above what is computed, as a schematic drawing does.
        values: what the script is given; must fit into JSON.
    """
    alt, caption = require_text(alt, "alt"), require_text(caption, "caption")
    given = html.escape(json.dumps(values, ensure_ascii=False, allow_nan=False))
    numbers = grid([list(map(str, row)) for row in rows], list(header))
    kind = "am-live am-stays" if stays else "am-live"
    body = (
        f'<div class="{kind}" data-live="{html.escape(name)}" data-values="{given}">'
        f"{named(static, alt, caption)}"
        f"<details><summary>Numbers of this figure</summary>{numbers}</details></div>"
    )
    lines = [plain(caption), f"[{alt}]", " | ".join(map(plain, header))]
    lines += [" | ".join(plain(str(value)) for value in row) for row in rows]
    return frame(body, caption), "\n".join(lines)
