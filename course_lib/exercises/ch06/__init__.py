"""Exercises of chapter 06: heads, norms, masks, and what a Transformer costs."""

from course_lib.exercises.ch06.counts import encoder_layer_flops, parameter_count
from course_lib.exercises.ch06.heads import multi_head_attention, split_heads
from course_lib.exercises.ch06.masks import decoder_masks
from course_lib.exercises.ch06.norms import layer_norm, pre_norm

__all__ = [
    "split_heads",
    "multi_head_attention",
    "layer_norm",
    "pre_norm",
    "decoder_masks",
    "parameter_count",
    "encoder_layer_flops",
]
