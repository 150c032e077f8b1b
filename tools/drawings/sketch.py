"""Boxes, arrows and texts as SVG: the pencil with which the drawings are drawn.

Lengths are CSS pixels at full size. Ink is the page's text color; fills are translucent mid-tones,
so that one drawing reads on white and on black.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

TEXT = 14.0
_STROKE = 1.5
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def indexed(letter: str, number: int) -> str:
    """A letter with a number below it: h₃."""
    return letter + str(number).translate(_SUBSCRIPTS)


class Drawing(str):
    """SVG text that carries its own text alternative."""

    alt: str

    def __new__(cls, svg: str, alt: str) -> Drawing:
        drawing = super().__new__(cls, svg)
        drawing.alt = alt
        return drawing


class Sketch:
    """A canvas of `width` by `height` pixels; y grows downward."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = TEXT,
        anchor: str = "middle",
        color: str = "currentColor",
        bold: bool = False,
        faded: bool = False,
    ) -> None:
        """Write `text`, its lines centered on `y`; `anchor` is start, middle or end."""
        lines = text.split("\n")
        first = y + 0.35 * size - 0.6 * size * (len(lines) - 1)
        for number, line in enumerate(lines):
            weight = ' font-weight="600"' if bold else ""
            opacity = ' opacity="0.75"' if faded else ""
            self._parts.append(
                f'<text x="{x:g}" y="{first + 1.2 * size * number:.1f}" font-size="{size:g}" '
                f'text-anchor="{anchor}" fill="{color}"{weight}{opacity}>'
                f"{html.escape(line, quote=False)}</text>"
            )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        text: str = "",
        *,
        color: str = "currentColor",
        size: float = TEXT,
        strength: float = 0.18,
        dashed: bool = False,
        bold: bool = False,
    ) -> None:
        """A rounded box centered on (x, y)."""
        if color == "currentColor":
            strength = min(strength, 0.06)
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        self._parts.append(
            f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" '
            f'height="{height:g}" rx="5" fill="{color}" fill-opacity="{strength:g}" '
            f'stroke="{color}" stroke-width="{_STROKE}"{dashes}/>'
        )
        if text:
            self.text(x, y, text, size=size, bold=bold)

    def node(
        self, x: float, y: float, text: str, *, radius: float = 13, color: str = "currentColor"
    ) -> None:
        """A circle for an operation, such as + or ⊙."""
        self._parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{color}" fill-opacity="0.06" '
            f'stroke="{color}" stroke-width="{_STROKE}"/>'
        )
        self.text(x, y, text, size=15)

    def vector(
        self, x: float, y: float, cells: Sequence[float], *, color: str, size: float = 13
    ) -> None:
        """A column of cells centered on (x, y); each number from 0 to 1 is a cell's strength."""
        top = y - size * len(cells) / 2
        for number, strength in enumerate(cells):
            self._parts.append(
                f'<rect x="{x - size / 2:g}" y="{top + size * number:g}" width="{size:g}" '
                f'height="{size:g}" fill="{color}" fill-opacity="{0.1 + 0.75 * strength:.2f}" '
                f'stroke="{color}"/>'
            )

    def wedge(self, points: Sequence[tuple[float, float]], *, color: str) -> None:
        """A pale filled polygon."""
        text = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._parts.append(f'<polygon points="{text}" fill="{color}" fill-opacity="0.14"/>')

    def arrow(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        *,
        color: str = "currentColor",
        width: float = _STROKE,
        dashed: bool = False,
        bend: float = 0.0,
        head: bool = True,
    ) -> None:
        """An arrow; `bend` moves its middle sideways (to the left of its direction)."""
        length = math.hypot(x2 - x1, y2 - y1)
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        middle_x, middle_y = (x1 + x2) / 2 + 2 * bend * uy, (y1 + y2) / 2 - 2 * bend * ux
        end = math.hypot(x2 - middle_x, y2 - middle_y)
        ux, uy = (x2 - middle_x) / end, (y2 - middle_y) / end
        size = 5 + 1.6 * width if head else 0.0
        tail_x, tail_y = x2 - 0.8 * size * ux, y2 - 0.8 * size * uy
        path = f"M{x1:.1f} {y1:.1f}Q{middle_x:.1f} {middle_y:.1f} {tail_x:.1f} {tail_y:.1f}"
        if not bend:
            path = f"M{x1:.1f} {y1:.1f}L{tail_x:.1f} {tail_y:.1f}"
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{width:g}"{dashes}/>'
        )
        if head:
            back_x, back_y = x2 - size * ux, y2 - size * uy
            side_x, side_y = 0.45 * size * uy, 0.45 * size * ux
            self._parts.append(
                f'<path d="M{x2:.1f} {y2:.1f}L{back_x + side_x:.1f} {back_y - side_y:.1f}'
                f'L{back_x - side_x:.1f} {back_y + side_y:.1f}Z" fill="{color}"/>'
            )

    def line(self, x1: float, y1: float, x2: float, y2: float, **options) -> None:
        """An arrow without a head."""
        self.arrow(x1, y1, x2, y2, head=False, **options)

    def finish(self, alt: str) -> Drawing:
        """The drawing, described by `alt`."""
        return Drawing(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} '
            f'{self.height:g}">{"".join(self._parts)}</svg>',
            alt,
        )
