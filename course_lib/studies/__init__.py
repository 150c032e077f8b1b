"""Recorded experiments: what was run, with which seeds, and what came out."""

from course_lib.studies.engine.core import Study, device, get, names
from course_lib.studies.engine.record import Record, load

__all__ = ["Record", "Study", "device", "get", "load", "names"]
