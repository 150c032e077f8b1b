"""A linear probe on frozen states: what does the body know before it is tuned?

Language models of Wikipedia with more and more reading, from none to what the kept one has read:
1.1 million subwords, 14 times. Each reads the texts of both targets in evaluation mode; concat
pooling makes one vector of each text, and logistic regression on the standardized vectors is fitted
to the first labels. Nothing in the body changes. Where the probe rises with reading, the body has
learned what the task needs; where a tuned body does worse than the probe, the tuning has lost it.

Every model up to three million subwords is trained anew with the seed and a schedule of its own
length; the longest is the kept one, so its seeds differ in the labeled texts only. There are three
bodies for each shorter amount, and five draws of labeled texts. The strength of the regression is
chosen among six on validation texts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.data.batching import read_by_length
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import tasks
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.support.modes import evaluating
from course_lib.text.bpe import BPE
from course_lib.text.words import PAD
from course_lib.ulmfit.classifier import concat_pool
from course_lib.ulmfit.model import AWDBody

COUNTS = {"topics": (60, 300, 1200), "reviews": (100, 500, 5000), "order": (500,)}
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # scikit-learn's C
KEPT_STEPS = lm.WIKIPEDIA.config["steps"]


def states(body: AWDBody, texts: tasks.Texts) -> Tensor:
    """One vector a text, (N, 3E), from a body that is not changed."""

    def read(tokens: Tensor) -> Tensor:
        return concat_pool(body(tokens)[0], tokens != PAD)

    with evaluating(body), torch.no_grad():
        return read_by_length(read, texts.ids, 100, PAD)


def probe(known: Tensor, labels: list[int], held_out: dict[str, tuple[Tensor, list[int]]]) -> float:
    """Test accuracy of the regression that is best on the validation texts."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = known.mean(0), known.std(0) + 1e-6

    def right(judge: LogisticRegression, part: str) -> float:
        vectors, wanted = held_out[part]
        guesses = judge.predict(((vectors - mean) / spread).numpy())
        return tasks.averaged(guesses.tolist(), wanted)

    inputs = ((known - mean) / spread).numpy()
    judges = [LogisticRegression(C=c, max_iter=1000).fit(inputs, labels) for c in STRENGTHS]
    return right(max(judges, key=lambda judge: right(judge, "validation")), "test")


def body_of(config: Config, seed: int) -> tuple[lm.AWDLanguageModel, BPE]:
    """The language model after so many steps, and its subwords."""
    steps = config["steps"]
    if steps == KEPT_STEPS:
        return lm.load_kept(lm.WIKIPEDIA)[:2]
    if steps:
        return lm.pretrained(steps, seed % 3), lm.tokenizer()
    torch.manual_seed(seed % 3)
    return lm.build(config).eval(), lm.tokenizer(config.get("merges", lm.MERGES))


def run(config: Config, seed: int) -> Metrics:
    """One amount of reading: perplexity, and the probe's accuracy by task and number of labels."""
    model, tokens = body_of(config, seed)
    metrics: Metrics = {"tokens_read": config["steps"] * lm.STREAMS * lm.LENGTH}
    metrics |= {"validation": lm.scored(model, lm.wikipedia_texts(seed)[1], tokens)}
    for task in config.get("tasks", COUNTS):
        parts = tuning.parts(task, tokens, seed)
        held_out = {
            part: (states(model.body, parts[part]), parts[part].labels)
            for part in ("validation", "test")
        }
        few = parts["labeled"].first(max(COUNTS[task]))
        known = states(model.body, few)
        metrics[task] = {
            str(count): probe(known[:count], few.labels[:count], held_out)
            for count in COUNTS[task]
            if count <= config.get("labels", count)
        }
    return metrics


STUDY = Study(
    name="body_probe",
    chapter="09",
    title="A linear probe on frozen states, by what the body has read",
    cells=[{"steps": n} for n in (0, 2, 20, 195, lm.SHORT_STEPS, KEPT_STEPS)],
    seeds=tuple(range(5)),
    run=run,
    smoke={"steps": 0, "tasks": ["topics"], "labels": 60, **lm.SMALL},
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
