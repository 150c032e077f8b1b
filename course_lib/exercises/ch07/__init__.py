"""Exercises of chapter 07: what a Transformer is trained on, how, and how it writes."""

from course_lib.exercises.ch07.beam import best_hypothesis
from course_lib.exercises.ch07.cache import cached_attention, embed_next
from course_lib.exercises.ch07.loss import process_loss, smoothed_loss
from course_lib.exercises.ch07.schedule import noam_rate
from course_lib.exercises.ch07.targets import decoder_mask, teacher_forcing

__all__ = [
    "teacher_forcing",
    "decoder_mask",
    "smoothed_loss",
    "noam_rate",
    "process_loss",
    "embed_next",
    "cached_attention",
    "best_hypothesis",
]
