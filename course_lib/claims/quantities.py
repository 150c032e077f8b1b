"""The two quantities of a claim, read from the records seed by seed."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib import studies
from course_lib.evaluation.intervals import t_interval
from course_lib.figures.words import say
from course_lib.studies.engine.core import RESULTS, Config, key
from course_lib.studies.engine.record import Record

LEAST_SEEDS = 3
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class LedgerError(ValueError):
    """An entry of the ledger is malformed; the message names file, entry and field."""


@dataclass(frozen=True)
class Side:
    """One of the two quantities of a comparison: a metric of a record, or a fixed value."""

    label: str
    values: tuple[float, ...]
    seeds: tuple[int, ...] = ()  # of the values; none for a fixed value

    @property
    def fixed(self) -> bool:
        return not self.seeds

    def of(self, seeds: Sequence[int]) -> Side:
        """The same quantity with some of its seeds."""
        values = dict(zip(self.seeds, self.values, strict=True))
        return Side(self.label, tuple(values[seed] for seed in seeds), tuple(seeds))

    @property
    def text(self) -> str:
        mean, low, high = self.values * 3 if self.fixed else t_interval(self.values)
        told = {"label": self.label, "mean": number(mean)}
        if low == high:  # a fixed value, or a count, the same with every seed
            return say("{label}: {mean}", **told)
        return say("{label}: {mean} [{low}, {high}]", **told, low=number(low), high=number(high))


class Records:
    """The records of the studies, each read once."""

    def __init__(self, results: Path = RESULTS) -> None:
        self._results = results
        self._read: dict[str, Record] = {}

    def get(self, name: str, where: str) -> Record:
        """The record of a study that the ledger names at the place `where`."""
        if name not in self._read:
            found = _looked_up(lambda: studies.load(name, results=self._results), where)
            self._read[name] = found
        return self._read[name]

    def has(self, name: str) -> bool:
        """Whether a study has been run to its end there."""
        try:
            return studies.load(name, results=self._results).complete
        except KeyError:
            return False

    def cells(self, name: str, select: Config) -> set[str]:
        """The configurations that `select` names, with seeds enough for a verdict, as texts."""
        seeds: Counter[str] = Counter()
        for cell in self.get(name, name).cells:
            seeds[key(cell["config"], 0)] += select.items() <= cell["config"].items()
        return {config for config, count in seeds.items() if count >= LEAST_SEEDS}


def side(entry: dict[str, Any], study: str, where: str, records: Records) -> Side:
    """The quantity that an entry of the ledger describes.

    Raises:
        LedgerError: `where` and the field at fault are named.
    """
    if "value" in entry:
        return Side(entry["label"], (float(entry["value"]),))
    seeds, values = _read(entry, study, where, records)
    if "minus" in entry:
        place = f"{where}, field 'minus'"
        others, taken = _read(entry["minus"], entry.get("study", study), place, records)
        if others != seeds:
            raise LedgerError(f"{place}: it has the seeds {others}, {where} has {seeds}")
        values = tuple(x - y for x, y in zip(values, taken, strict=True))
    if len(seeds) < LEAST_SEEDS:
        raise LedgerError(f"{where}: {len(seeds)} seeds; a verdict needs {LEAST_SEEDS} or more")
    return Side(entry["label"], values, seeds)


def _read(
    entry: dict[str, Any], study: str, where: str, records: Records
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Seeds and values of one metric, of a cell or where a cost reaches the budget."""
    study, metric, select = entry.get("study", study), entry["metric"], entry.get("select", {})
    record = records.get(study, f"{where}, field 'study'")
    if at := entry.get("at"):
        place = f"{where}, field 'at'"
        _, budget = _read(at["budget"], study, f"{place}, field 'budget'", records)
        curve = {"along": at["along"], "cost": at["cost"], "budget": statistics.fmean(budget)}
        return _looked_up(lambda: record.values_at(metric, **curve, **select), place)
    found = _looked_up(lambda: record.values(metric, **select), where)
    for value in found:
        if type(value) not in (int, float):
            raise LedgerError(f"{where}, field 'metric': {metric!r} is {value!r}, not a number")
    return tuple(record.seeds(**select)), tuple(float(value) for value in found)


def _looked_up(read: Callable[[], Any], where: str) -> Any:
    try:
        return read()
    except (LookupError, ValueError) as error:
        raise LedgerError(f"{where}: {error.args[0]}") from error


def number(value: float, sign: str = "") -> str:
    """A number as the ledger shows it: three digits or so, with `sign` "+" always signed."""
    size = abs(value)
    if size >= 1e6:
        number, power = f"{value:{sign}.2e}".split("e")
        return f"{number} · 10{str(int(power)).translate(_SUPERSCRIPTS)}".replace("-", "−")
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 or size < 5e-4 else 3
    digits = 0 if size >= 1 and value == int(value) else digits  # a count
    return f"{round(value, digits) + 0.0:{sign},.{digits}f}".replace("-", "−")
