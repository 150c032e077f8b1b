"""Pre-training a small GPT on Wikipedia, beside models that count, at the text of chapter 09.

The cells read as many tokens as those of `wikipedia_awd_lstm`: same subwords, same articles, same
number of tokens a step, same numbers of steps, a schedule of its own length for each. The longest
of the first seed is kept. All are scored on the same validation articles, one after the other as
one text. How much of it a model has before its eyes when it predicts a token differs: the n-gram
one to four tokens, the LSTM all of its stream through its state, the GPT 97 to 128 tokens.
"""

from __future__ import annotations

import torch

from course_lib.recurrent.ngram import NGram
from course_lib.recurrent.streams import join
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch10 import gpt_models
from course_lib.studies.engine import artifacts, measure
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.text.bpe import BPE

STEPS = (10_000, 3_900, 650)
ORDERS = (1, 2, 3, 4)


def counted(order: int, known: list[str], held_out: list[str], tokens: BPE) -> Metrics:
    """An interpolated n-gram that has counted all training articles."""
    ids, asked = join(known, tokens).tolist(), join(held_out, tokens).tolist()
    nats = NGram(order, len(tokens)).fit(ids).nats_per_token(asked)
    return {"validation": lm.summary(nats, len(asked), held_out), "tokens_in_corpus": len(ids)}


def run(config: Config, seed: int) -> Metrics:
    """Pre-train and score; a killed cell goes on from its last hundred steps."""
    tokens = lm.tokenizer(config.get("merges", lm.MERGES))
    known, held_out = lm.wikipedia_texts(seed)
    if "articles" in config:  # the smoke cell
        known, held_out = known[: config["articles"]], held_out[: config["articles"] // 10]
    if config["model"] == "ngram":
        return counted(config["order"], known, held_out, tokens)
    torch.manual_seed(seed)
    model, steps = gpt_models.build(config, len(tokens)), config["steps"]
    ids = join(known, tokens)
    with artifacts.resume_file(STUDY.name, config, seed) as file:
        history = gpt_models.learn(model, ids, steps, seed, checkpoint=file)
        metrics: Metrics = {
            "validation": gpt_models.scored(model, held_out, tokens),
            # with dropout, over the last twentieth
            "training_nats": round(measure.last_loss(history.losses, max(1, steps // 20)), 5),
            "parameters": measure.size(model),
            "tokens_in_corpus": len(ids),
            "tokens_read": steps * gpt_models.BATCH * gpt_models.CONTEXT,
        }
        gpt_models.KEPT.keep(config, seed, model, metrics["validation"], tokens=tokens)
    return metrics


STUDY = Study(
    name="wikipedia_gpt",
    chapter="10",
    title="Pre-training a GPT on Wikipedia: perplexity by steps, beside n-grams",
    cells=[
        *({"model": "gpt", "steps": steps} for steps in STEPS),
        *({"model": "ngram", "order": order} for order in ORDERS),
    ],
    seeds=(0, 1, 2),
    run=run,
    smoke={"model": "gpt", "steps": 10, "articles": 300, **gpt_models.SMALL},
)
