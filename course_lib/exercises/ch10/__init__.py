"""Exercises of chapter 10: labels, sampling, likelihoods, inputs for tasks, real weights."""

from course_lib.exercises.ch10.likelihood import continuation_nats, next_token_loss
from course_lib.exercises.ch10.sampling import keep_top_k, keep_top_p, temper
from course_lib.exercises.ch10.weights import decayed, from_conv1d, write_pair

__all__ = [
    "temper",
    "keep_top_k",
    "keep_top_p",
    "decayed",
    "write_pair",
    "from_conv1d",
    "continuation_nats",
    "next_token_loss",
]
