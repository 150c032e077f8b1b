"""Pre-training a small GPT on Wikipedia, beside models that count, at the text of chapter 09.

The cells read as many tokens as those of ``wikipedia_awd_lstm``: same subwords, same articles, same
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
from course_lib.studies.ch09 import wikipedia_awd_lstm
from course_lib.studies.ch10 import gpt_models
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, Metrics, Study

STEPS = sorted((cell["steps"] for cell in wikipedia_awd_lstm.STUDY.cells), reverse=True)
ORDERS = (1, 2, 3, 4)


def counted(config: Config, known: list[str], held_out: list[str], tokens) -> Metrics:
    """An interpolated n-gram that has counted all training articles."""
    ids, asked = join(known, tokens).tolist(), join(held_out, tokens).tolist()
    nats = NGram(config["order"], len(tokens)).fit(ids).nats_per_token(asked)
    found = gpt_models.summary(nats, len(asked), sum(map(len, held_out)))
    return {"validation": found, "tokens_in_corpus": len(ids)}


def run(config: Config, seed: int) -> Metrics:
    """Pre-train and score; a killed cell goes on from its last hundred steps."""
    tokens = lm.tokenizer(config.get("merges", lm.MERGES))
    known, held_out = lm.wikipedia_texts(seed)
    if "articles" in config:  # the smoke cell
        known, held_out = known[: config["articles"]], held_out[: config["articles"] // 10]
    if config["model"] == "ngram":
        return counted(config, known, held_out, tokens)
    torch.manual_seed(seed)
    model = gpt_models.build(config, len(tokens))
    file, ids = lm.resume_file(STUDY.name, config, seed), join(known, tokens)
    history = gpt_models.learn(model, ids, config["steps"], seed, checkpoint=file)
    last = history.losses[-max(1, config["steps"] // 20) :]
    metrics: Metrics = {
        "validation": gpt_models.scored(model, held_out, tokens),
        "training_nats": round(sum(last) / len(last), 5),  # with dropout, over the last twentieth
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "tokens_in_corpus": len(ids),
        "tokens_read": config["steps"] * gpt_models.BATCH * gpt_models.CONTEXT,
    }
    if config == STUDY.cells[0] and seed == STUDY.seeds[0]:
        card = {
            "what": "GPT language model of English Wikipedia introductions, for chapter 10",
            "config": config,
            "seed": seed,
            "data": "training part of the Wikipedia introductions; subwords also from reviews",
            "licence": "MIT (weights); the text is Wikipedia's, CC BY-SA 4.0",
            "scores": metrics["validation"],
            "limits": "1.1 million tokens of lower-case text, 128 at once. It makes up facts.",
        }
        artifacts.save_reader(gpt_models.KEPT, model, card, tokens)
    lm.forget(file)
    return metrics


STUDY = Study(
    name="wikipedia_gpt",
    chapter="10",
    title="Pre-training a GPT on Wikipedia: perplexity by steps, beside n-grams",
    cells=[{"model": "gpt", "steps": steps} for steps in STEPS]
    + [{"model": "ngram", "order": order} for order in ORDERS],
    seeds=(0, 1, 2),
    run=run,
    smoke={
        "model": "gpt",
        "steps": 10,
        "articles": 300,
        "merges": 300,
        "width": 24,
        "layers": 2,
        "heads": 2,
    },
    tolerance=0.05,
)
