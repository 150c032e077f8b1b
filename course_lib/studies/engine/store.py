"""The record of a study on disk: one JSON file, rewritten in one step after every cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from course_lib.studies.engine.core import Config, Metrics, Study, key, plain
from course_lib.support.files import write_atomically

CELL_FIELDS = {"config", "seed", "metrics", "seconds", "environment"}
SMOKE_FIELDS = {"config", "seed", "metrics", "tolerance"}
TOP_FIELDS = {"study", "chapter", "title", "complete", "promised", "environments", "smoke", "cells"}


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
            self._read()

    def has(self, config: Config, seed: int) -> bool:
        return key(config, seed) in self.cells

    def has_smoke(self) -> bool:
        study, smoke = self.study, self.smoke
        return (
            smoke is not None
            and key(smoke["config"], smoke["seed"]) == key(study.smoke, study.seeds[0])
            and smoke["tolerance"] == study.tolerance
        )

    def add(
        self, config: Config, seed: int, metrics: Metrics, seconds: float, where: dict[str, Any]
    ) -> None:
        """Take in a finished cell and write the file."""
        self.cells[key(config, seed)] = {
            "config": plain(config),
            "seed": seed,
            "metrics": metrics,
            "seconds": round(seconds, 2),
            "environment": where,
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
        cells = [self.cells[name] for name in sorted(self.cells, key=self.order.__getitem__)]
        distinct = {json.dumps(c["environment"], sort_keys=True): c["environment"] for c in cells}
        places = sorted(distinct)
        top = {
            "study": self.study.name,
            "chapter": self.study.chapter,
            "title": self.study.title,
            "complete": len(cells) == len(self.order),
            "promised": len(self.order),
            "environments": [distinct[place] for place in places],
            "smoke": self.smoke,
        }
        rows = [
            {**c, "environment": places.index(json.dumps(c["environment"], sort_keys=True))}
            for c in cells
        ]
        write_atomically(self.path, _text(top, rows).encode())

    def _read(self) -> None:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            places = data["environments"]
            for cell in data["cells"]:
                name = key(cell["config"], cell["seed"])
                if name in self.order:
                    self.cells[name] = {**cell, "environment": places[cell["environment"]]}
            self.smoke = data["smoke"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ValueError(
                f"{self.path} is no record of a study ({error!r}); restore it, or delete it to "
                f"run every cell again"
            ) from error


def problems(data: dict[str, Any], study: Study) -> list[str]:
    """What is wrong with the record ``data`` of ``study``; empty when it keeps its promises."""
    wrong: list[str] = []
    if set(data) != TOP_FIELDS:
        return [f"fields {sorted(data)}; expected {sorted(TOP_FIELDS)}"]
    for field in ("chapter", "title"):
        if data[field] != getattr(study, field):
            wrong.append(f"{field} is {data[field]!r}, the study says {getattr(study, field)!r}")
    if data["study"] != study.name:
        wrong.append(f"it is the record of {data['study']!r}")
    expected = [key(config, seed) for config, seed in study.promised()]
    found: list[str] = []
    for number, cell in enumerate(data["cells"]):
        if set(cell) != CELL_FIELDS:
            wrong.append(f"cell {number} has fields {sorted(cell)}")
            continue
        found.append(key(cell["config"], cell["seed"]))
        if not (isinstance(cell["metrics"], dict) and cell["metrics"]):
            wrong.append(f"cell {number} has no metrics")
        if not cell["seconds"] >= 0 or not 0 <= cell["environment"] < len(data["environments"]):
            wrong.append(f"cell {number} has a wrong time or environment")
    wrong += [f"cell is not of the study: {name}" for name in found if name not in set(expected)]
    if found != [name for name in expected if name in set(found)]:
        wrong.append("cells are doubled or out of order")
    missing = [name for name in expected if name not in set(found)]
    if data["complete"] != (not missing) or data["promised"] != len(expected):
        wrong.append(
            f"it says complete={data['complete']} of {data['promised']} cells, but "
            f"{len(missing)} of {len(expected)} are missing, such as {missing[:1]}"
        )
    smoke = data["smoke"]
    if smoke is None or set(smoke) != SMOKE_FIELDS:
        wrong.append("it has no whole smoke cell")
    elif key(smoke["config"], smoke["seed"]) != key(study.smoke, study.seeds[0]):
        wrong.append("its smoke cell is not the study's")
    return wrong


def _text(top: dict[str, Any], cells: list[dict[str, Any]]) -> str:
    """JSON with one line a cell, so that a diff shows the cells that changed."""
    head = json.dumps(top, indent=1, ensure_ascii=False, allow_nan=False)
    rows = ",\n".join(
        "  " + json.dumps(cell, ensure_ascii=False, allow_nan=False) for cell in cells
    )
    return f'{head[:-2]},\n "cells": [\n{rows}\n ]\n}}\n'
