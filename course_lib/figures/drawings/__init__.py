"""The course's own schematic drawings, one function each, in a file for each part of the book.

Each function returns a :class:`~course_lib.figures.sketch.Drawing`, SVG text with its text
alternative::

    drawing = drawings.state_passing()
    plots.show(drawing, alt=drawing.alt, caption="**Figure 1.1** …")
"""

from course_lib.figures.drawings.attentive import attention, one_step, paths, self_attention
from course_lib.figures.drawings.blocks import heads, residual_stream, transformer
from course_lib.figures.drawings.generative import decoder_only, task_inputs
from course_lib.figures.drawings.hidden import both_sides, pair_input
from course_lib.figures.drawings.recurrent import (
    bottleneck,
    encoder_decoder,
    gradient_back,
    gru_cell,
    linear_probe,
    lstm_cell,
    padding_and_packing,
    reversed_source,
    state_passing,
    teacher_forcing,
)
from course_lib.figures.drawings.story import arc
from course_lib.figures.drawings.timeline import time_line
from course_lib.figures.drawings.training import kv_cache, shifted_target
from course_lib.figures.drawings.transfer import body_and_head, supervised_and_transfer
from course_lib.figures.drawings.ulmfit import concat_pooling, noise_places, three_stages

__all__ = [
    "arc",
    "attention",
    "body_and_head",
    "both_sides",
    "bottleneck",
    "concat_pooling",
    "decoder_only",
    "encoder_decoder",
    "gradient_back",
    "gru_cell",
    "heads",
    "kv_cache",
    "linear_probe",
    "lstm_cell",
    "noise_places",
    "one_step",
    "padding_and_packing",
    "pair_input",
    "paths",
    "residual_stream",
    "reversed_source",
    "self_attention",
    "shifted_target",
    "state_passing",
    "supervised_and_transfer",
    "task_inputs",
    "teacher_forcing",
    "three_stages",
    "time_line",
    "transformer",
]
