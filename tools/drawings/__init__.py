"""What draws the course's own schematic drawings, a function each, in a file for each part of the
book. `python -m tools.drawings` writes them to `course_lib/figures/drawings/NAME.svg`, and the map
of the book to `book/_static/arc.svg`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from course_lib.figures.drawings import papers
from course_lib.figures.svg import inline
from tools.drawings import (
    attentive,
    blocks,
    generative,
    hidden,
    recurrent,
    story,
    timeline,
    training,
    transfer,
    ulmfit,
)
from tools.drawings.sketch import Drawing
from tools.project import ROOT

FOLDER = ROOT / "course_lib" / "figures" / "drawings"
DRAWINGS: dict[str, Callable[[], Drawing]] = {
    function.__name__: function
    for function in (
        recurrent.state_passing,
        recurrent.gradient_back,
        recurrent.gru_cell,
        recurrent.lstm_cell,
        recurrent.encoder_decoder,
        recurrent.teacher_forcing,
        recurrent.padding_and_packing,
        recurrent.bottleneck,
        recurrent.linear_probe,
        recurrent.reversed_source,
        attentive.attention,
        attentive.one_step,
        attentive.self_attention,
        attentive.paths,
        blocks.heads,
        blocks.residual_stream,
        blocks.transformer,
        training.shifted_target,
        training.kv_cache,
        transfer.body_and_head,
        transfer.supervised_and_transfer,
        ulmfit.three_stages,
        ulmfit.noise_places,
        ulmfit.concat_pooling,
        generative.decoder_only,
        generative.task_inputs,
        hidden.both_sides,
        hidden.pair_input,
    )
}
DRAWINGS |= {
    f"time_line_{place:02}": partial(timeline.time_line, place) for place in range(len(papers()))
}


def files() -> dict[Path, str]:
    """Every file, with the text that belongs in it."""
    drawn = {FOLDER / f"{name}.svg": draw() for name, draw in DRAWINGS.items()}
    drawn[ROOT / "book" / "_static" / "arc.svg"] = story.arc()
    return {
        path: inline(drawing, prefix=path.stem, alt=drawing.alt, standalone=True) + "\n"
        for path, drawing in drawn.items()
    }
