"""The course's own schematic drawings: SVG files that take the page's ink, each with its text
alternative as `aria-label`. `python -m tools.drawings` writes them.
"""

import html
import json
import re
from importlib import resources
from types import SimpleNamespace

from course_lib.figures import plots


def show(name: str, caption: str) -> None:
    """Display the drawing `name` as a captioned figure."""
    svg, alt = load(name)
    plots.show(svg, alt=alt, caption=caption)


def load(name: str) -> tuple[str, str]:
    """The SVG of a drawing and its text alternative."""
    svg = _read(f"{name}.svg")
    return svg, html.unescape(re.findall(r'aria-label="([^"]+)"', svg)[0])


def papers() -> list[SimpleNamespace]:
    """The papers of the drawings `time_line_00`, `time_line_01`, …, which mark one each.

    Each has the `month` of its first version, its `name` and `lane` in the drawing, `key` and
    `citation` as in the bibliography, `url`, what was `new` in our words, and our `chapters`.
    """
    return json.loads(_read("papers.json"), object_hook=lambda paper: SimpleNamespace(**paper))


def _read(name: str) -> str:
    return (resources.files(__name__) / name).read_text("utf8").strip()
