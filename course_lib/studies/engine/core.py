"""What a study is, and where the studies are. Imports nothing heavy."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
RESULTS = HERE / "results"

Config = dict[str, Any]
Metrics = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """One experiment: every configuration in `cells` is run with every seed.

    `run(config, seed)` trains and measures one cell and returns its metrics: JSON values, nested
    as you like, all numbers finite. It must be a function of a module (it is sent to another
    process by name). torch's seed is set before each cell, but `run` should depend on its
    arguments only, so that a notebook can call it as well.

    `smoke` is a configuration that takes seconds; `studies check` runs it again with the first
    seed and expects each number within `tolerance` (relative or absolute, whichever is wider),
    except a metric called "seconds". A `timing` study measures time: its cells run one at a time,
    and its smoke numbers are not compared.

    Raises:
        ValueError: a name that is no module name, no or doubled cells or seeds, a configuration
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
        for what, found in (("cells", [key(c, 0) for c in self.cells]), ("seeds", self.seeds)):
            if not found or len(set(found)) < len(found):
                raise ValueError(f"study {self.name}: {what} must be distinct and at least one")

    def promised(self) -> list[tuple[Config, int]]:
        """Every (configuration, seed) in the record's order."""
        return [(plain(config), seed) for config in self.cells for seed in self.seeds]


def modules() -> dict[str, str]:
    """The module of each study by the study's name, found without an import.

    A module of a chapter's folder may define several studies, each as `Study(name="…", …)`.
    """
    return {
        name: f"course_lib.studies.{path.parent.name}.{path.stem}"
        for path in sorted(HERE.glob("ch[0-9][0-9]/*.py"))
        for name in re.findall(r'\bStudy\(\s*name="(\w+)"', path.read_text(encoding="utf-8"))
    }


def names() -> list[str]:
    """The studies there are, in alphabetical order."""
    return sorted(modules())


def get(name: str) -> Study:
    """Import the study `name`.

    Raises:
        KeyError: there is no such study; the message lists those there are.
    """
    known = modules()
    if name not in known:
        raise KeyError(f"no study {name!r}; there are: {', '.join(sorted(known))}")
    found = vars(importlib.import_module(known[name])).values()
    return next(study for study in found if isinstance(study, Study) and study.name == name)


def device() -> str:
    """The device the runner chose for this cell; "cpu" outside the runner."""
    return os.environ.get("COURSE_DEVICE", "cpu")


def plain(value: Any) -> Any:
    """`value` as it comes back from JSON (tuples become lists); None if it cannot go there."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return None


def key(config: Config, seed: int) -> str:
    """What identifies a cell."""
    return json.dumps([plain(config), seed], sort_keys=True)


def leaves(metrics: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted path -> value of every leaf of nested dicts and lists."""
    if not isinstance(metrics, dict | list):
        return {prefix: metrics}
    children = metrics.items() if isinstance(metrics, dict) else enumerate(metrics)
    found: dict[str, Any] = {}
    for name, child in children:
        found |= leaves(child, f"{prefix}.{name}" if prefix else str(name))
    return found
