"""Curves with bands: drawn in one panel or several, said in words, and as the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.evaluation.intervals import Interval
from course_lib.figures.plots import COLORS, CYCLE, band, plt, table
from course_lib.figures.words import fill


@dataclass
class Curves:
    """Lines over common positions, an interval at each.

    Attributes:
        x: the positions, as numbers, or as texts that stand side by side.
        lines: the intervals by the name of the line.
        colors: of the lines, in order; names in `plots.COLORS`.
    """

    x: Sequence[float | str]
    lines: Mapping[str, Sequence[Interval]]
    colors: Sequence[str] = CYCLE

    @classmethod
    def read(
        cls,
        record: Any,
        metric: str,
        x: Sequence[Any],
        lines: Mapping[str, Mapping[str, Any]],
        colors: Sequence[str] = CYCLE,
        along: str = "",
    ) -> Curves:
        """Means with their t-intervals over seeds, from the `record` of a study.

        A line says what fills the fields of `metric`, and which configuration is meant:
        `accuracy.{way}.{x}` and `{"way": "frozen", "source": "letters"}`. The position fills
        `{x}`, or is the value of the key `along`.
        """
        fields = {name for _, name, *_ in Formatter().parse(metric)}

        def at(line: Mapping[str, Any], place: Any) -> Interval:
            given = {**line, along or "x": place}
            select = {key: value for key, value in given.items() if key not in {*fields, "x"}}
            return record.interval(metric.format(**given), **select)

        read = {name: [at(line, place) for place in x] for name, line in lines.items()}
        return cls(x, read, colors)

    def draw(
        self,
        axes: Axes,
        *,
        ticks: Mapping[float, str] | None = None,
        level: float | None = None,
        legend: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        """Draw into `axes`.

        Args:
            axes: where to draw.
            ticks: texts by place; without, a logarithmic axis has a number at each position.
            level: where a dotted line goes across, such as what guessing gives.
            legend: how to place it, with the arguments of Matplotlib; none by default.
            settings: labels, scales and limits, for `axes.set`.
        """
        places: Sequence[Any] = self.x
        if any(isinstance(x, str) for x in places):
            places, ticks = range(len(places)), {place: str(x) for place, x in enumerate(self.x)}
        for (name, found), color in zip(self.lines.items(), self.colors, strict=False):
            band(axes, places[: len(found)], found, name, color)
        axes.set(**settings)
        if not ticks and settings.get("xscale") == "log":
            ticks = {x: f"{x:,}" for x in places}
        if ticks:
            axes.set_xticks(list(ticks), list(ticks.values()))
            axes.minorticks_off()
        if level is not None:
            axes.axhline(level, color=COLORS["ink"], linewidth=1, linestyle=":")
        if legend is not None:
            axes.legend(**legend)

    def figure(self, width: float = 5.2, height: float = 3.2, **options: Any) -> Figure:
        """The lines in a figure of their own, with a legend; options as for `draw`."""
        figure, axes = plt.subplots(figsize=(width, height))
        self.draw(axes, **{"legend": {}, **options})
        return figure

    def said(
        self, form: str = "{name} {points}", point: str = "{mean:.2f}", sep: str = "; "
    ) -> str:
        """The lines in words.

        `form` writes a line: `{name}`, the mean at the `{first}` position and at the `{last}`
        (`{last:.2f}`), all `{means}` (`{means[2]:.2f}`) or `{points}`: each as `point` writes it,
        with its `{x}` and `{mean}`.
        """
        lines = []
        for name, found in self.lines.items():
            means = [interval.mean for interval in found]
            points = [fill(point, x=x, mean=mean) for x, mean in zip(self.x, means, strict=False)]
            ends = {"first": means[0], "last": means[-1], "means": means}
            lines.append(fill(form, name=name, points=", ".join(points), **ends))
        return sep.join(lines)

    def table(self, first: str, column: str, caption: str, form: str = ".2f") -> None:
        """Display the lines as rows; `column` writes the head of a position, `{x} labels`."""
        rows = [(name, *found) for name, found in self.lines.items()]
        table(rows, [first, *(column.format(x=x) for x in self.x)], caption, form)


def panels(
    parts: Mapping[str, Curves],
    width: float,
    height: float,
    *,
    ylabel: str,
    sharey: bool = True,
    legend: Mapping[str, Any] | None = None,
    legend_in: int = 0,
    **options: Any,
) -> Figure:
    """Several curves side by side, each under its title; options as for `Curves.draw`."""
    figure, all_axes = plt.subplots(1, len(parts), figsize=(width, height), sharey=sharey)
    for number, (axes, (title, part)) in enumerate(zip(all_axes, parts.items(), strict=True)):
        here = (legend or {}) if number == legend_in else None
        part.draw(axes, title=title, legend=here, **options)
    all_axes[0].set_ylabel(ylabel)
    return figure
