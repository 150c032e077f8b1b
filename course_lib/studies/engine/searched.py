"""What a recorded search found best: chosen on validation data, and read from the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from course_lib.studies.engine import record
from course_lib.studies.engine.core import Config, Metrics, Study, plain


def best_setting(search: Study, score: Callable[[Metrics], float], **cell: Any) -> Config:
    """The setting with the highest mean score over the seeds of a search; of equals the first.

    Args:
        search: the study that tried the settings.
        score: reads a run's metrics; more is better.
        cell: what is given: part of a configuration of the search. The rest is the setting.

    Raises:
        ValueError: the search has not tried all settings of this cell.
    """
    cell = plain(cell)
    found: dict[str, list[float]] = {}
    for one in record.load(search.name).cells:
        if cell.items() <= one["config"].items():
            setting = {name: value for name, value in one["config"].items() if name not in cell}
            found.setdefault(json.dumps(setting), []).append(score(one["metrics"]))
    due = sum(cell.items() <= plain(one).items() for one in search.cells) * len(search.seeds)
    if not due or sum(map(len, found.values())) < due:
        runs = sum(map(len, found.values()))
        raise ValueError(f"{search.name} has {runs} of {due} runs of {cell}; run it")
    return json.loads(max(found, key=lambda setting: sum(found[setting])))
