"""Exercises of chapter 12: intervals, verdicts, and what a test set is for."""

from course_lib.exercises.ch12.intervals import bootstrap_gain, paired_gain, t_interval
from course_lib.exercises.ch12.protocol import choose_and_report, score_at_cost
from course_lib.exercises.ch12.verdicts import verdict

__all__ = [
    "t_interval",
    "paired_gain",
    "bootstrap_gain",
    "verdict",
    "choose_and_report",
    "score_at_cost",
]
