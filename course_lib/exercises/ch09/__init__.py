"""Exercises of chapter 09: forgetting on purpose, pooling, a slanted triangle, honest corpora."""

from course_lib.exercises.ch09.corpora import bits_per_character, domain_corpus
from course_lib.exercises.ch09.dropouts import drop_words, locked_dropout
from course_lib.exercises.ch09.tuning import pool_three_ways, slanted_triangle
from course_lib.exercises.ch09.weight_drop import weight_dropped_rnn

__all__ = [
    "drop_words",
    "locked_dropout",
    "weight_dropped_rnn",
    "pool_three_ways",
    "slanted_triangle",
    "bits_per_character",
    "domain_corpus",
]
