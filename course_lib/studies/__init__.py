"""Recorded experiments: what was run, with which seeds, and what came out."""

from course_lib.studies.engine.core import Record, Study, device, get, load, names

__all__ = ["Record", "Study", "device", "get", "load", "names"]
