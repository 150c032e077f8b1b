"""The two quantities of a claim, read from the records seed by seed."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib import studies
from course_lib.evaluation.intervals import t_interval
from course_lib.studies.engine.core import RESULTS, Record

LEAST_SEEDS = 3
_READ = {"metric", "select", "study", "at"}
_ALLOWED = _READ | {"label", "value", "minus"}
_CURVE = {"along", "cost", "budget"}
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

    @property
    def text(self) -> str:
        if self.fixed:
            return f"{self.label}: {number(self.values[0])}"
        mean, low, high = t_interval(self.values)
        if low == high:  # a count, the same with every seed
            return f"{self.label}: {number(mean)}"
        return f"{self.label}: {number(mean)} [{number(low)}, {number(high)}]"


class Records:
    """The records of the studies, each read once."""

    def __init__(self, results: Path = RESULTS) -> None:
        self._results = results
        self._read: dict[str, Record] = {}

    def __getitem__(self, name: str) -> Record:
        if name not in self._read:
            self._read[name] = studies.load(name, results=self._results)
        return self._read[name]


def side(entry: Any, study: str, where: str, records: Records) -> Side:
    """The quantity that an entry of the ledger describes.

    Raises:
        LedgerError: ``where`` and the field at fault are named.
    """
    _require_fields(entry, _ALLOWED, {"label"}, where)
    if ("value" in entry) == ("metric" in entry):
        raise LedgerError(f"{where}: expected either value, or metric with select")
    if "value" in entry:
        if extra := sorted(set(entry) - {"label", "value"}):
            raise LedgerError(f"{where}: a fixed value has no {', '.join(extra)}")
        if isinstance(entry["value"], bool) or not isinstance(entry["value"], int | float):
            raise LedgerError(f"{where}, field 'value': {entry['value']!r} is no number")
        return Side(entry["label"], (float(entry["value"]),))
    seeds, values = _read(entry, study, where, records)
    if "minus" in entry:
        less, place = entry["minus"], f"{where}, field 'minus'"
        _require_fields(less, _READ, {"metric"}, place)
        others, taken = _read(less, entry.get("study", study), place, records)
        if others != seeds:
            raise LedgerError(f"{place}: it has the seeds {others}, {where} has {seeds}")
        values = tuple(x - y for x, y in zip(values, taken, strict=True))
    if len(seeds) < LEAST_SEEDS:
        raise LedgerError(f"{where}: {len(seeds)} seeds; a verdict needs {LEAST_SEEDS} or more")
    return Side(entry["label"], values, seeds)


def _read(
    entry: dict[str, Any], study: str, where: str, records: Records
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Seeds and values of one metric."""
    select = entry.get("select", {})
    if not isinstance(select, dict):
        raise LedgerError(f"{where}, field 'select': {select!r} is no mapping of keys to values")
    study = entry.get("study", study)
    record = _looked_up(lambda: records[study], f"{where}, field 'study'")
    if "at" in entry:
        return _on_curve(entry, record, study, where, records)
    found = _looked_up(lambda: record.values(entry["metric"], **select), where)
    for value in found:
        if isinstance(value, bool) or not isinstance(value, int | float):
            message = f"{entry['metric']!r} is {value!r}, not a number"
            raise LedgerError(f"{where}, field 'metric': {message}")
    return tuple(record.seeds(**select)), tuple(float(value) for value in found)


def _on_curve(
    entry: dict[str, Any], record: Record, study: str, where: str, records: Records
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Seeds and values of a metric where a cost reaches the budget."""
    place = f"{where}, field 'at'"
    at, select = entry["at"], entry.get("select", {})
    _require_fields(at, _CURVE, _CURVE, place)
    _require_fields(at["budget"], _READ, {"metric"}, f"{place}, field 'budget'")
    _, budget = _read(at["budget"], study, f"{place}, field 'budget'", records)
    return _looked_up(
        lambda: record.values_at(
            entry["metric"],
            along=at["along"],
            cost=at["cost"],
            budget=statistics.fmean(budget),
            **select,
        ),
        place,
    )


def _looked_up(read: Callable[[], Any], where: str) -> Any:
    try:
        return read()
    except (LookupError, ValueError) as error:
        if isinstance(error, LedgerError):
            raise
        raise LedgerError(f"{where}: {error.args[0]}") from error


def _require_fields(entry: Any, allowed: set[str], needed: set[str], where: str) -> None:
    if not isinstance(entry, dict):
        raise LedgerError(f"{where}: {entry!r} is no mapping; it has the fields {sorted(allowed)}")
    if missing := sorted(needed - set(entry)):
        raise LedgerError(f"{where} misses {', '.join(missing)}")
    if unknown := sorted(set(entry) - allowed):
        raise LedgerError(f"{where} does not know {', '.join(unknown)}; expected {sorted(allowed)}")


def number(value: float, sign: str = "") -> str:
    """A number as the ledger shows it: three digits or so, with ``sign`` "+" always signed."""
    size = abs(value)
    if size >= 1e6:
        digits, power = f"{value:{sign}.2e}".split("e")
        return f"{digits} · 10{str(int(power)).translate(_SUPERSCRIPTS)}".replace("-", "−")
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 or size < 5e-4 else 3
    digits = 0 if size >= 1 and value == int(value) else digits  # a count
    return f"{round(value, digits) + 0.0:{sign},.{digits}f}".replace("-", "−")
