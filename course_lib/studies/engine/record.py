"""The record of a study: one JSON file, written in one step after every cell."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.studies.engine import forms
from course_lib.studies.engine.core import RESULTS, Config, Metrics, Study, key, leaves, plain
from course_lib.support.files import write_atomically

if TYPE_CHECKING:
    from course_lib.evaluation.intervals import Interval

SCHEMA = Path(__file__).with_name("record.schema.yml")


@dataclass
class Record:
    """The recorded result of a study, with the fields of its file.

    `promised` is the number of cells of the whole study. Each cell has its `config`, `seed`,
    `metrics`, wall time in `seconds` and the place of its `environment` in `environments`.
    """

    study: str
    chapter: str
    title: str
    complete: bool
    promised: int
    environments: list[dict[str, Any]]
    smoke: dict[str, Any] | None
    cells: list[dict[str, Any]]

    @property
    def seconds(self) -> float:
        """Wall time of all cells added up."""
        return sum(cell["seconds"] for cell in self.cells)

    @property
    def configs(self) -> list[Config]:
        """The distinct configurations, in the study's order."""
        return _distinct(cell["config"] for cell in self.cells)

    def seeds(self, **select: Any) -> list[int]:
        """The seeds recorded for one configuration, in order."""
        return [cell["seed"] for cell in self._select(select)]

    def values(self, metric: str, **select: Any) -> list[Any]:
        """One value per seed of the configuration that `select` names.

        `metric` is a dotted path into the metrics ("exact_match.long"; a number picks from a
        list). `select` needs only the keys that tell the configuration from the others.

        Raises:
            KeyError: no such metric or configuration key; the message lists those there are.
            LookupError: no cell, or cells of several configurations, match.
        """
        return [self._metric(cell["metrics"], metric) for cell in self._select(select)]

    def interval(self, metric: str, *, confidence: float = 0.95, **select: Any) -> Interval:
        """Mean over seeds with Student's t interval; arguments as for `values`."""
        from course_lib.evaluation.intervals import t_interval

        return t_interval(self.values(metric, **select), confidence=confidence)

    def values_at(
        self, metric: str, *, along: str, cost: str, budget: float, **select: Any
    ) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Seeds, and for each the metric where the cost reaches `budget`, read off a curve.

        The curve goes through the configurations that `select` names and that differ in the key
        `along`, in the order of their costs; between two of them it is straight over the
        logarithm of the cost.

        Raises:
            KeyError, LookupError: as for `values`; or the configurations differ in their seeds.
            ValueError: the budget lies outside the costs of some seed.
        """
        chosen = [c for c in self.configs if select.items() <= c.items() and along in c]
        points = [{**select, along: value} for value in dict.fromkeys(c[along] for c in chosen)]
        if len(points) < 2:
            message = f"{select} leaves {len(points)} configurations that differ in {along!r}"
            raise LookupError(f"study {self.study}: {message}; a curve needs two or more")
        seeds = [tuple(self.seeds(**point)) for point in points]
        if len(set(seeds)) > 1:
            raise LookupError(f"study {self.study}: along {along!r} the seeds differ: {seeds}")
        costs, values = (
            zip(*(self.values(name, **point) for point in points), strict=True)
            for name in (cost, metric)
        )
        read = [self._on_curve(cost, budget, *row) for row in zip(costs, values, strict=True)]
        return seeds[0], tuple(read)

    def _on_curve(
        self, name: str, budget: float, costs: tuple[float, ...], values: tuple[float, ...]
    ) -> float:
        points = sorted(zip(costs, values, strict=True))
        if not points[0][0] <= budget <= points[-1][0]:
            raise ValueError(
                f"study {self.study}: {name} runs from {points[0][0]:.3g} to {points[-1][0]:.3g}; "
                f"{budget:.3g} lies outside"
            )
        place = max(i for i, (value, _) in enumerate(points[:-1]) if value <= budget)
        (low, left), (high, right) = points[place], points[place + 1]
        return left + (right - left) * math.log(budget / low) / math.log(high / low)

    def _select(self, select: Config) -> list[dict[str, Any]]:
        """The cells of the one configuration that `select` names."""
        rows = [{**cell["config"], "seed": cell["seed"]} for cell in self.cells]
        known = sorted({name for row in rows for name in row} | {"seed"})
        if unknown := [name for name in select if name not in known]:
            raise KeyError(
                f"study {self.study} has no configuration key {', '.join(unknown)}; "
                f"it has: {', '.join(known)}"
            )
        wanted = plain(select).items()
        cells = [c for c, row in zip(self.cells, rows, strict=True) if wanted <= row.items()]
        if not cells:
            there = {name: _distinct(row[name] for row in rows if name in row) for name in select}
            raise LookupError(
                f"study {self.study}: nothing recorded for {select}; "
                f"recorded: {there or 'no cells at all'}"
            )
        configs = _distinct(cell["config"] for cell in cells)
        if len(configs) > 1:
            keys = sorted({name for config in configs for name in config})
            differ = [name for name in keys if len(_distinct(c.get(name) for c in configs)) > 1]
            raise LookupError(
                f"study {self.study}: {select} matches {len(configs)} configurations; "
                f"they differ in {', '.join(differ)}: name one of each"
            )
        return cells

    def _metric(self, metrics: Metrics, path: str) -> Any:
        value: Any = metrics
        try:
            for part in path.split("."):
                value = value[int(part) if isinstance(value, list) else part]
        except (LookupError, TypeError, ValueError):
            raise KeyError(
                f"study {self.study} has no metric {path!r}; "
                f"it has: {', '.join(sorted(leaves(metrics)))}"
            ) from None
        return value


def _distinct(values: Any) -> list[Any]:
    """The values in their order, each once."""
    return list({json.dumps(value, sort_keys=True): value for value in values}.values())


def load(name: str, *, results: Path = RESULTS) -> Record:
    """Read the recorded result of the study `name`; imports no study.

    Raises:
        KeyError: nothing is recorded under that name; the message lists what is.
        ValueError: the file is no record of a study; the message names file and field.
    """
    path = Path(results) / f"{name}.json"
    if not path.is_file():
        recorded = sorted(file.stem for file in Path(results).glob("*.json"))
        raise KeyError(
            f"no record of study {name!r}; recorded: {', '.join(recorded) or 'none yet'}. "
            f"Make it with: python -m course_lib.studies run {name}"
        )
    remedy = "Restore the file, or delete it to run every cell again"
    record = Record(**forms.read(path, SCHEMA, remedy))
    for place, cell in enumerate(record.cells):
        if cell["environment"] >= len(record.environments):
            raise ValueError(f"{path}: field cells.{place}.environment: no such place. {remedy}")
    return record


def problems(record: Record, study: Study) -> list[str]:
    """What the record lacks of what its study promises; empty when nothing."""
    wrong = [
        f"{field} is {there!r}, the study says {said!r}"
        for field, there, said in (
            ("study", record.study, study.name),
            ("chapter", record.chapter, study.chapter),
            ("title", record.title, study.title),
        )
        if there != said
    ]
    expected = [key(config, seed) for config, seed in study.promised()]
    found = [key(cell["config"], cell["seed"]) for cell in record.cells]
    wrong += [f"cell is not of the study: {name}" for name in found if name not in expected]
    if found != [name for name in expected if name in found]:
        wrong.append("cells are doubled or out of order")
    missing = [name for name in expected if name not in found]
    if record.complete != (not missing) or record.promised != len(expected):
        wrong.append(
            f"it says complete={record.complete} of {record.promised} cells, but "
            f"{len(missing)} of {len(expected)} are missing, such as {missing[:1]}"
        )
    smoke = record.smoke or {"config": {}, "seed": None}
    if key(smoke["config"], smoke["seed"]) != key(study.smoke, study.seeds[0]):
        wrong.append("its smoke cell is missing or not the study's")
    return wrong


class Store:
    """Cells done so far. A cell is known by its configuration and seed, so a change of one
    configuration drops that one's cells and no other's.
    """

    def __init__(self, study: Study, results: Path) -> None:
        self.study = study
        self.path = Path(results) / f"{study.name}.json"
        self.order = {key(config, seed): n for n, (config, seed) in enumerate(study.promised())}
        self.cells: dict[str, dict[str, Any]] = {}
        self.smoke: dict[str, Any] | None = None
        if self.path.exists():
            record = load(study.name, results=results)
            self.smoke = record.smoke
            for cell in record.cells:
                name = key(cell["config"], cell["seed"])
                if name in self.order:
                    place = record.environments[cell["environment"]]
                    self.cells[name] = {**cell, "environment": place}

    def has(self, config: Config, seed: int) -> bool:
        return key(config, seed) in self.cells

    def has_smoke(self) -> bool:
        """Whether the recorded smoke cell is the study's, with its tolerance."""
        there = self.smoke or {"config": {}, "seed": None, "tolerance": None}
        study = self.study
        return (key(there["config"], there["seed"]), there["tolerance"]) == (
            key(study.smoke, study.seeds[0]),
            study.tolerance,
        )

    def add(
        self, config: Config, seed: int, metrics: Metrics, seconds: float, place: dict[str, Any]
    ) -> None:
        """Take in a finished cell, with a description of what it ran on, and write the file."""
        self.cells[key(config, seed)] = {
            "config": plain(config),
            "seed": seed,
            "metrics": metrics,
            "seconds": round(seconds, 2),
            "environment": place,
        }
        self.write()

    def add_smoke(self, metrics: Metrics) -> None:
        self.smoke = {
            "config": plain(self.study.smoke),
            "seed": self.study.seeds[0],
            "metrics": metrics,
            "tolerance": self.study.tolerance,
        }
        self.write()

    def write(self) -> None:
        """Rewrite the file: one line a cell, so that a diff shows the cells that changed."""
        cells = [self.cells[name] for name in sorted(self.cells, key=self.order.__getitem__)]
        places = _distinct(cell["environment"] for cell in cells)
        places.sort(key=lambda place: json.dumps(place, sort_keys=True))
        top = {
            "study": self.study.name,
            "chapter": self.study.chapter,
            "title": self.study.title,
            "complete": len(cells) == len(self.order),
            "promised": len(self.order),
            "environments": places,
            "smoke": self.smoke,
        }
        rows = [{**cell, "environment": places.index(cell["environment"])} for cell in cells]
        head = json.dumps(top, indent=1, ensure_ascii=False, allow_nan=False)
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
        text = f'{head[:-2]},\n "cells": [\n' + ",\n".join(f"  {line}" for line in lines)
        write_atomically(self.path, f"{text}\n ]\n}}\n".encode())
