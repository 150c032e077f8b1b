"""Exercises that check themselves: a file for each chapter.

    from course_lib.exercises import ch00
    ch00.softmax.check(softmax)
    ch00.softmax.hint(1)
    ch00.softmax.solution()

`engine/core.py` says how to add an exercise.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from course_lib.exercises.engine.core import Exercise


def all_exercises() -> dict[str, Exercise]:
    """Every exercise of every chapter by id, in the order of the chapters."""
    from course_lib.exercises.engine.core import REGISTRY

    for module in sorted(one.name for one in pkgutil.iter_modules(__path__)):
        if module.startswith("ch") and module[2:].isdigit():
            importlib.import_module(f"{__name__}.{module}")
    # A chapter that was imported before the others stands first in the registry.
    return dict(sorted(REGISTRY.items(), key=lambda item: item[0].partition(".")[0]))
