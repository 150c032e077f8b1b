"""Exercises of chapter 11: WordPiece, pairs, hidden words and their loss, masks, pooling."""

from course_lib.exercises.ch11.hidden import choose_places, corrupt, masked_loss
from course_lib.exercises.ch11.pieces import encode_pair, longest_match
from course_lib.exercises.ch11.reading import both_ways, text_vector

__all__ = [
    "longest_match",
    "encode_pair",
    "corrupt",
    "masked_loss",
    "both_ways",
    "text_vector",
    "choose_places",
]
