"""Exercises of chapter 04: scores, weights, masks, alignment, and one step of the decoder."""

from course_lib.exercises.ch04.alignment import alignment_error_rate
from course_lib.exercises.ch04.decoder import AttentionStep, look
from course_lib.exercises.ch04.scores import additive_scores, dot_scores
from course_lib.exercises.ch04.weights import attend, source_weights

__all__ = [
    "dot_scores",
    "additive_scores",
    "attend",
    "source_weights",
    "alignment_error_rate",
    "look",
    "AttentionStep",
]
