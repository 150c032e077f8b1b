"""Chapter 12: the papers of 2014 to 2018 in the order in which they appeared."""

from __future__ import annotations

from course_lib.figures.drawings import papers
from course_lib.figures.plots import COLORS
from tools.drawings.sketch import Drawing, Sketch

_LANES = {
    "recurrence": (154, COLORS["source"]),
    "attention": (302, COLORS["target"]),
    "transfer": (450, COLORS["green"]),
}
_TOP, _STEP = 58, 34


def time_line(chosen: int) -> Drawing:
    """Chapter 12: all papers, one of them marked."""
    listed = papers()
    sketch = Sketch(520, _TOP + _STEP * (len(listed) - 1) + 24)
    for lane, (x, _) in _LANES.items():
        sketch.text(x, 16, lane, bold=True)
    last_year = ""
    for place, paper in enumerate(listed):
        y, (x, color) = _TOP + _STEP * place, _LANES[paper.lane]
        marked = place == chosen
        if paper.month[-4:] != last_year:
            last_year = paper.month[-4:]
            sketch.line(2, y - 17, 518, y - 17, width=0.8, dashed=True)
        sketch.text(4, y, paper.month, size=14, anchor="start", bold=marked)
        sketch.box(
            x, y, 136, 26, paper.name, color=color, strength=0.6 if marked else 0.16, bold=marked
        )
    paper = listed[chosen]
    return sketch.finish(
        f"{len(listed)} papers from top to bottom in the order of their first versions, in three "
        f"columns, recurrence, attention and transfer: marked is {paper.name}, {paper.month}, by "
        f"{paper.citation}."
    )
