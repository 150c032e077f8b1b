"""What a GPT loses when its weights are stored in fewer bits.

The kept model (`gpt_models`) is scored on all validation articles as `wikipedia_gpt` scores it:
with the weights as they were kept, in 16 bits, and with its matrices quantized to 8 and to 4 bits,
a scale for each row. Nothing is drawn and nothing trained, so there is one seed. The file that the
page of chapter 10 loads to write with has the weights in 8 bits.
"""

from __future__ import annotations

from course_lib.gpt.quantized import quantized
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch10 import gpt_models
from course_lib.studies.engine.core import Config, Metrics, Study

KEPT_BITS = 16


def run(config: Config, seed: int) -> Metrics:
    """Score one of the three on the validation articles."""
    model, tokens, _ = gpt_models.load_kept()
    if config["bits"] < KEPT_BITS:
        model = quantized(model, config["bits"])
    held_out = lm.wikipedia_texts(seed)[1][: config.get("articles")]
    found = gpt_models.scored(model, held_out, tokens)
    return {name: found[name] for name in ("nats", "perplexity", "bits_per_character", "tokens")}


STUDY = Study(
    name="gpt_bits",
    chapter="10",
    title="The kept GPT with its weights in 16, 8 and 4 bits",
    cells=[{"bits": bits} for bits in (KEPT_BITS, 8, 4)],
    seeds=(0,),
    run=run,
    smoke={"bits": 8, "articles": 5},
)
