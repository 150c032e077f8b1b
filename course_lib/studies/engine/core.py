"""What a study is, and how its record is read. Imports nothing heavy."""

from __future__ import annotations

import importlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_lib.evaluation.intervals import Interval

HERE = Path(__file__).parents[1]
RESULTS = HERE / "results"

Config = dict[str, Any]
Metrics = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """One experiment: every configuration in ``cells`` is run with every seed.

    ``run(config, seed)`` trains and measures one cell and returns its metrics: JSON values,
    nested as you like, all numbers finite. It must be a function of the study's module (it is
    sent to another process by name). torch's seed is set before each cell, but ``run`` should
    depend on its arguments only, so that a notebook can call it as well.

    ``smoke`` is a configuration that takes seconds; ``studies check`` runs it again with the
    first seed and expects each number within ``tolerance`` (relative or absolute, whichever is
    wider). A ``timing`` study measures time: its cells run one at a time, and its smoke numbers
    are not compared.

    Raises:
        ValueError: a name that is no module name, no or double cells or seeds, a configuration
            that is not JSON or uses the key "seed".
    """

    name: str
    chapter: str
    title: str
    cells: list[Config]
    seeds: tuple[int, ...]
    run: Callable[[Config, int], Metrics]
    smoke: Config
    tolerance: float = 0.05
    timing: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ValueError(f"study name {self.name!r}; expected lower case, digits and _")
        for config in (*self.cells, self.smoke):
            if not isinstance(config, dict) or plain(config) is None or "seed" in config:
                raise ValueError(
                    f"study {self.name}: configuration {config!r} must be a dict of JSON values "
                    f"without the key 'seed'"
                )
        keys = [key(config, 0) for config in self.cells]
        if not keys or len(set(keys)) < len(keys):
            raise ValueError(f"study {self.name}: cells must be distinct and at least one")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"study {self.name}: seeds must be distinct and at least one")

    def promised(self) -> list[tuple[Config, int]]:
        """Every (configuration, seed) in the record's order."""
        return [(plain(config), seed) for config in self.cells for seed in self.seeds]


class Record:
    """The recorded result of a study.

    Attributes: study, chapter, title, complete, promised (number of cells), cells (dicts with
    config, seed, metrics, seconds, environment), environments, smoke.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.study: str = data["study"]
        self.chapter: str = data.get("chapter", "")
        self.title: str = data["title"]
        self.complete: bool = data["complete"]
        self.promised: int = data["promised"]
        self.cells: list[dict[str, Any]] = data["cells"]
        self.environments: list[dict[str, Any]] = data["environments"]
        self.smoke: dict[str, Any] | None = data["smoke"]

    @property
    def seconds(self) -> float:
        """Wall time of all cells added up."""
        return sum(cell["seconds"] for cell in self.cells)

    @property
    def device(self) -> str:
        """The kinds of device the cells ran on."""
        return ", ".join(sorted({entry["device"] for entry in self.environments}))

    @property
    def versions(self) -> dict[str, str]:
        """Versions of Python and packages; several are joined by " / "."""
        names = sorted({name for entry in self.environments for name in entry["versions"]})
        return {
            name: " / ".join(sorted({e["versions"].get(name, "?") for e in self.environments}))
            for name in names
        }

    @property
    def configs(self) -> list[Config]:
        """The distinct configurations, in the study's order."""
        return list({key(cell["config"], 0): cell["config"] for cell in self.cells}.values())

    def seeds(self, **select: Any) -> list[int]:
        """The seeds recorded for one configuration, in order."""
        return [cell["seed"] for cell in self._select(select)]

    def values(self, metric: str, **select: Any) -> list[Any]:
        """One value per seed of the configuration that ``select`` names.

        ``metric`` is a dotted path into the metrics ("exact_match.long"; a number picks from a
        list). ``select`` needs only the keys that tell the configuration from the others.

        Raises:
            KeyError: no such metric or configuration key; the message lists those there are.
            LookupError: no cell, or cells of several configurations, match.
        """
        return [self._metric(cell["metrics"], metric) for cell in self._select(select)]

    def interval(self, metric: str, *, confidence: float = 0.95, **select: Any) -> Interval:
        """Mean over seeds with Student's t interval; arguments as for ``values``."""
        from course_lib.evaluation.intervals import t_interval

        return t_interval(self.values(metric, **select), confidence=confidence)

    def values_at(
        self, metric: str, *, along: str, cost: str, budget: float, **select: Any
    ) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Seeds, and for each the metric where the cost reaches ``budget``, read off a curve.

        The curve goes through the configurations that ``select`` names and that differ in the key
        ``along``, in the order of their costs; between two of them it is straight over the
        logarithm of the cost.

        Raises:
            KeyError, LookupError: as for ``values``; or the configurations differ in their seeds.
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
        columns = [zip(*(self.values(m, **p) for p in points), strict=True) for m in (cost, metric)]
        return seeds[0], tuple(
            self._between(costs, found, budget, cost) for costs, found in zip(*columns, strict=True)
        )

    def _between(
        self, costs: tuple[float, ...], found: tuple[float, ...], budget: float, cost: str
    ) -> float:
        points = sorted(zip(costs, found, strict=True))
        if not points[0][0] <= budget <= points[-1][0]:
            raise ValueError(
                f"study {self.study}: {cost} runs from {points[0][0]:.3g} to {points[-1][0]:.3g}; "
                f"{budget:.3g} lies outside"
            )
        place = max(i for i, (value, _) in enumerate(points[:-1]) if value <= budget)
        (low, left), (high, right) = points[place], points[place + 1]
        return left + (right - left) * math.log(budget / low) / math.log(high / low)

    def _select(self, select: Config) -> list[dict[str, Any]]:
        known = sorted({name for cell in self.cells for name in cell["config"]} | {"seed"})
        unknown = [name for name in select if name not in known]
        if unknown:
            raise KeyError(
                f"study {self.study} has no configuration key {', '.join(unknown)}; "
                f"it has: {', '.join(known)}"
            )
        wanted = plain(select).items()
        cells = [
            cell
            for cell in self.cells
            if wanted <= {**cell["config"], "seed": cell["seed"]}.items()
        ]
        if not cells:
            there = {name: self._recorded(name) for name in select} or "no cells at all"
            raise LookupError(
                f"study {self.study}: nothing recorded for {select}; recorded: {there}"
            )
        configs = {key(cell["config"], 0): cell["config"] for cell in cells}
        if len(configs) > 1:
            rows = list(configs.values())
            names = sorted({name for row in rows for name in row})
            open_keys = [n for n in names if len({json.dumps(row.get(n)) for row in rows}) > 1]
            raise LookupError(
                f"study {self.study}: {select} matches {len(rows)} configurations; "
                f"they differ in {', '.join(open_keys)}: name one of each"
            )
        return cells

    def _recorded(self, name: str) -> list[Any]:
        found = [
            cell["seed"] if name == "seed" else cell["config"][name]
            for cell in self.cells
            if name == "seed" or name in cell["config"]
        ]
        return list({json.dumps(value): value for value in found}.values())

    def _metric(self, metrics: Metrics, path: str) -> Any:
        value: Any = metrics
        for part in path.split("."):
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                raise KeyError(
                    f"study {self.study} has no metric {path!r}; "
                    f"it has: {', '.join(sorted(leaves(metrics)))}"
                )
        return value


def names() -> list[str]:
    """The studies there are: modules of the chapters' folders that define STUDY (none is
    imported).
    """
    return sorted(_modules())


def _modules() -> dict[str, str]:
    """The module of each study by its name."""
    return {
        path.stem: f"course_lib.studies.{path.parent.name}.{path.stem}"
        for path in HERE.glob("ch[0-9][0-9]/[a-z]*.py")
        if re.search(r"^STUDY\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def get(name: str) -> Study:
    """Import the study ``name``.

    Raises:
        KeyError: there is no such study; the message lists those there are.
    """
    if name not in names():
        raise KeyError(f"no study {name!r}; there are: {', '.join(names()) or 'none yet'}")
    study = importlib.import_module(_modules()[name]).STUDY
    if study.name != name:
        raise ValueError(f"study file {name}.py names its study {study.name!r}; make them equal")
    return study


def load(name: str, *, results: Path = RESULTS) -> Record:
    """Read the recorded result of the study ``name``; imports no study.

    Raises:
        KeyError: nothing is recorded under that name; the message lists what is.
    """
    path = Path(results) / f"{name}.json"
    if not path.is_file():
        recorded = sorted(file.stem for file in Path(results).glob("*.json"))
        raise KeyError(
            f"no record of study {name!r}; recorded: {', '.join(recorded) or 'none yet'}. "
            f"Make it with: python -m course_lib.studies run {name}"
        )
    return Record(json.loads(path.read_text(encoding="utf-8")))


def device() -> str:
    """The device the runner chose for this cell; "cpu" outside the runner."""
    return os.environ.get("COURSE_DEVICE", "cpu")


def plain(value: Any) -> Any:
    """``value`` as it comes back from JSON (tuples become lists); None if it cannot go there."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return None


def key(config: Config, seed: int) -> str:
    """What identifies a cell."""
    return json.dumps([plain(config), seed], sort_keys=True)


def leaves(metrics: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted path -> value of every leaf of nested dicts and lists."""
    if isinstance(metrics, dict):
        children: Iterator[tuple[Any, Any]] = iter(metrics.items())
    elif isinstance(metrics, list):
        children = iter(enumerate(metrics))
    else:
        return {prefix: metrics}
    found: dict[str, Any] = {}
    for name, child in children:
        found.update(leaves(child, f"{prefix}.{name}" if prefix else str(name)))
    return found
