"""Exercises of chapter 08: the parts of a residual network, rates, freezing, unfreezing."""

from course_lib.exercises.ch08.freezing import frozen_features, make_optimizer
from course_lib.exercises.ch08.network import normalize, residual_block
from course_lib.exercises.ch08.rates import discriminative_rates, trained_at

__all__ = [
    "residual_block",
    "normalize",
    "discriminative_rates",
    "trained_at",
    "frozen_features",
    "make_optimizer",
]
