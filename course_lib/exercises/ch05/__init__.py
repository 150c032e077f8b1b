"""Exercises of chapter 05: self-attention, positions, and what a layer costs."""

from course_lib.exercises.ch05.cost import fit_exponent, layers_to_connect
from course_lib.exercises.ch05.layers import feed_forward, self_attention
from course_lib.exercises.ch05.positions import (
    embed,
    is_permutation_equivariant,
    sinusoidal_positions,
)

__all__ = [
    "self_attention",
    "feed_forward",
    "sinusoidal_positions",
    "is_permutation_equivariant",
    "embed",
    "fit_exponent",
    "layers_to_connect",
]
