"""The record of `layer_cost`, read for the pages: times by size, and where two layers meet.

Times are compared within one repeat, so what the machine did in those minutes is on both sides.
"""

from __future__ import annotations

from course_lib.evaluation.intervals import Interval, geometric, t_interval
from course_lib.studies.ch05.layer_cost import LENGTHS, crossing, crossings, series
from course_lib.studies.engine.record import Record


def by_size(record: Record, metric: str, **select: object) -> dict[int, Interval]:
    """Milliseconds on one core by size, with an interval over repeats; as for `series`."""
    grid, rows = series(record, metric, measure="time", threads=1, **select)
    return dict(zip(grid, map(geometric, zip(*rows, strict=True)), strict=True))


def ratios(record: Record, mode: str, width: int, threads: int = 1) -> dict[int, Interval]:
    """By number of words, how many times as long the LSTM takes as self-attention."""
    select = {"measure": "time", "along": "n", "width": width, "threads": threads}
    grid, slow = series(record, f"{mode}.lstm", **select)
    _, fast = series(record, f"{mode}.attention", **select)
    by_seed = [[a / b for a, b in zip(*pair, strict=True)] for pair in zip(slow, fast, strict=True)]
    return dict(zip(grid, map(geometric, zip(*by_seed, strict=True)), strict=True))


def meetings(record: Record, mode: str, width: int, threads: int = 1) -> list[float | None]:
    """The number of words from which on the LSTM is faster, by repeat; None if they do not meet.

    With 0 threads each layer takes one or two, whichever is faster at that length.
    """
    select = {"measure": "time", "along": "n", "width": width}
    if threads:
        return crossings(record, mode, "attention", "lstm", **select, threads=threads)
    best = []
    for key in ("attention", "lstm"):
        both = [series(record, f"{mode}.{key}", threads=t, **select)[1] for t in (1, 2)]
        best.append([list(map(min, *rows)) for rows in zip(*both, strict=True)])
    return [crossing(LENGTHS, a, b) for a, b in zip(*best, strict=True)]


def meeting(record: Record, mode: str, width: int, threads: int = 1) -> str:
    """The mean of `meetings` with its interval, as a table shows it."""
    found = meetings(record, mode, width, threads)
    known = [place for place in found if place is not None]
    if len(known) == len(found):
        return f"{t_interval(known):,.0f}"
    factors = [one.mean for one in ratios(record, mode, width, threads).values()] if threads else []
    if factors and min(factors) > 1:
        return f"> {LENGTHS[-1]:,}"
    return f"< {LENGTHS[0]:,}" if factors and max(factors) < 1 else "?"
