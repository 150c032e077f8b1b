"""What a real generative model makes of our reviews: asked, shown examples, or read out.

SmolLM2 (`gpt.smollm`) is never trained here. "asked": a prompt and two endings, zero-shot.
"examples": the same after four or eight labeled reviews (in-context learning, Brown et al. 2020);
the seed draws them. "states": logistic regression on the state of one layer at the last token of a
review; the layer is chosen on the validation reviews. "text": bits a character of the validation
articles, scored as our own models' are.

An answer is the difference of two endings' log-probabilities, fresh less rotten. It is judged in
three ways: as it "stands", above 0 or not; with the "prior" taken out, which is the difference
without a review; and against the "middle", the median over the validation reviews, half of which
are fresh: that looks at no label.

What SmolLM2 has read holds all of the web's encyclopedias and perhaps these very reviews. No number
here can tell knowledge from memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.data import reviews, wikipedia
from course_lib.data.reviews import FRESH, Review
from course_lib.data.splits import TextTask
from course_lib.gpt.model import GPTState
from course_lib.gpt.smollm import SmolLM2, smollm2
from course_lib.gpt.windows import token_nats
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.engine.core import Config, Metrics, Study

BATCH = 32
LAYERS = (5, 10, 15, 20, 25, 30)
LABELS = (100, 500, 5000)
CONTEXT, STRIDE = 512, 128  # tokens, of the windows that score the articles


class Prompt(NamedTuple):
    """What stands before and after a review, the endings, rotten and fresh, and what closes one.

    The three are written as one text, which ends where an ending begins: a space before a word
    belongs to the word.
    """

    before: str
    after: str
    endings: tuple[str, str]
    close: str = "\n\n"


USER, ASSISTANT = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
PROMPTS = {  # the first is the course's own wording, of chapter 10
    "overall": Prompt("", " Overall, the film is", (" bad", " good")),
    "it was": Prompt("", " It was", (" terrible", " great")),
    "sentiment": Prompt("Review: ", "\nSentiment:", (" negative", " positive")),
    "good or bad": Prompt("Movie review: ", "\nGood or bad?", (" Bad", " Good")),
    "critic": Prompt("A critic wrote: ", "\nThe critic", (" hated", " loved")),
    "see it": Prompt("", "\nShould I see this film?", (" No", " Yes")),
    "chat": Prompt(
        f"{USER}Is this movie review positive or negative?\n",
        ASSISTANT,
        ("Negative", "Positive"),
        "<|im_end|>\n",
    ),
    "chat, see it": Prompt(
        f"{USER}A critic writes: ",
        f"\nDoes the critic like the film? Answer with yes or no.{ASSISTANT}",
        ("No", "Yes"),
        "<|im_end|>\n",
    ),
}
BEST = "sentiment"  # as it stands, on validation reviews: the record of `smollm_asked`


@cache
def _load() -> SmolLM2:
    """Matrices in 16 bits, for speed; sums, norms and the last product stay in 32."""
    found = smollm2()
    for part in found.model.modules():
        if isinstance(part, nn.Linear):
            part.to(torch.bfloat16)
    return found


def _read(found: SmolLM2, tokens: Tensor, state: GPTState) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return found.model.body.read(tokens, state)[0].float()


def differences(
    found: SmolLM2, prompt: Prompt, texts: Sequence[str], examples: Sequence[Review] = ()
) -> Tensor:
    """Fresh less rotten, in nats: the log-probabilities of the endings' first tokens, (N,).

    The examples are read once; their keys and values serve all texts.
    """
    model, tokens, _ = found
    rotten, fresh = (tokens.encode(ending).ids[0] for ending in prompt.endings)
    shown = [
        token
        for one in examples
        for token in tokens.encode(
            f"{prompt.before}{one.text}{prompt.after}{prompt.endings[one.label]}{prompt.close}"
        ).ids
    ]
    with torch.autocast("cpu", torch.bfloat16):
        state = model.init_state(torch.tensor([shown], dtype=torch.long))
    scores = torch.empty(len(texts))
    for rows, batch, last in batches(found, [f"{prompt.before}{t}{prompt.after}" for t in texts]):
        seen = _read(found, batch, model.reorder(state, torch.zeros_like(last)))
        log_probs = model.head(seen[torch.arange(len(last)), last]).log_softmax(-1)  # (B, V)
        scores[rows] = log_probs[:, fresh] - log_probs[:, rotten]
    return scores


def batches(found: SmolLM2, texts: Sequence[str]) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """The numbers of B texts of like length, their token ids (B, T), filled up on the right, and
    the place of each one's last token (B,).
    """
    ids = [found.tokens.encode(text).ids for text in texts]
    by_length = sorted(range(len(ids)), key=lambda n: len(ids[n]))
    for start in range(0, len(ids), BATCH):
        rows = by_length[start : start + BATCH]
        part = [torch.tensor(ids[n]) for n in rows]
        last = torch.tensor([len(row) - 1 for row in part])
        yield rows, torch.nn.utils.rnn.pad_sequence(part, batch_first=True), last


def states(found: SmolLM2, texts: Sequence[str]) -> Tensor:
    """The residual stream after each of `LAYERS` at the last token, (N, layers, D), 16 bits."""
    kept: list[Tensor] = []
    hooks = [
        found.model.body.h[layer - 1].register_forward_hook(
            lambda block, given, out: kept.append(out[0])
        )
        for layer in LAYERS
    ]
    seen = torch.empty(len(texts), len(LAYERS), found.model.config.width, dtype=torch.half)
    try:
        for rows, batch, last in batches(found, texts):
            _read(found, batch, found.model.body.start())
            seen[rows] = torch.stack([x[torch.arange(len(last)), last] for x in kept], 1).half()
            kept.clear()
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def judged(scores: Tensor, items: Sequence[Review], prior: float, middle: float) -> Metrics:
    """Accuracy by the three ways to judge, and the share of "fresh" answers as they stand."""
    fresh = torch.tensor([item.label == FRESH for item in items])
    cuts = {"stands": 0.0, "prior": prior, "middle": middle}
    right = {name: ((scores > cut) == fresh).double().mean().item() for name, cut in cuts.items()}
    return {**right, "says_fresh": (scores > 0).double().mean().item()}


@torch.inference_mode()
def run_asked(config: Config, seed: int) -> Metrics:
    """A prompt without examples, or the bits a character."""
    found = _load()
    if config["way"] == "text":
        return bits(found, config.get("articles"))
    task, prompt, few = (
        reviews.task(reviews.load(), seed),
        PROMPTS[config["prompt"]],
        config.get("few"),
    )
    return both_parts(found, prompt, task, (), few)


def both_parts(
    found: SmolLM2,
    prompt: Prompt,
    task: TextTask[Review],
    examples: Sequence[Review],
    few: int | None,
) -> Metrics:
    """Validation and test; the middle is the validation's."""
    asked = {
        part: differences(found, prompt, [item.text for item in items[:few]], examples)
        for part, items in (("validation", task.validation), ("test", task.test))
    }
    prior = differences(found, prompt, [""], examples).item()
    middle = asked["validation"].median().item()
    return {
        "validation": judged(asked["validation"], task.validation[:few], prior, middle),
        "test": judged(asked["test"], task.test[:few], prior, middle),
    }


def bits(found: SmolLM2, count: int | None) -> Metrics:
    """The validation articles as they are written, not in lower case: it reads such text best."""
    texts = [article.text for article in wikipedia.split(wikipedia.load()).validation][:count]
    ids = torch.tensor([token for text in texts for token in found.tokens.encode(text + "\n").ids])
    with torch.autocast("cpu", torch.bfloat16):
        nats = token_nats(found.model, ids, CONTEXT, STRIDE, batch_size=2).mean().item()
    return lm.summary(nats, len(ids), texts)


_seen: dict[str, Tensor] = {}


def features(texts: Sequence[str]) -> Tensor:
    """`states`, kept: the seeds share most of their reviews."""
    new = [text for text in dict.fromkeys(texts) if text not in _seen]
    if new:
        _seen.update(zip(new, states(_load(), new), strict=True))
    return torch.stack([_seen[text] for text in texts]).float()


@torch.inference_mode()
def run_shown(config: Config, seed: int) -> Metrics:
    """Examples in the prompt, or labels for a regression on states."""
    task, few = reviews.task(reviews.load(), seed), config.get("few")
    if config["way"] == "examples":
        return both_parts(
            _load(), PROMPTS[BEST], _fewer(task), task.labeled[: config["count"]], few
        )
    return on_states(task, config["labels"], few)


def _fewer(task: TextTask[Review]) -> TextTask[Review]:
    """A quarter of the validation reviews, half of them fresh: enough for a median."""
    halves = [[one for one in task.validation if one.label == label][:125] for label in (0, 1)]
    return task._replace(validation=halves[0] + halves[1])


def on_states(task: TextTask[Review], count: int, few: int | None) -> Metrics:
    """Logistic regression on each layer's states; the layer with the best validation accuracy."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    parts = {"labeled": task.labeled[:count], "validation": task.validation, "test": task.test}
    parts |= {part: parts[part][:few] for part in ("validation", "test")}
    seen = {part: features([item.text for item in items]) for part, items in parts.items()}
    labels = {part: [item.label for item in items] for part, items in parts.items()}
    by_layer = {}
    for place, layer in enumerate(LAYERS):
        scaler = StandardScaler().fit(seen["labeled"][:, place])
        # Rows of length about 1, as TF-IDF has them, so that the same regularization fits.
        rows = {p: scaler.transform(x[:, place]) / x.shape[-1] ** 0.5 for p, x in seen.items()}
        judge = LogisticRegression(max_iter=1000).fit(rows["labeled"], labels["labeled"])
        by_layer[str(layer)] = {
            part: judge.score(rows[part], labels[part]) for part in ("validation", "test")
        }
    best = max(by_layer, key=lambda layer: by_layer[layer]["validation"])
    return {"accuracy": by_layer[best]["test"], "layer": int(best), "by_layer": by_layer}


ASKED = Study(
    name="smollm_asked",
    chapter="10",
    title="SmolLM2 asked about reviews without an example, by prompt; its bits per character",
    cells=[*({"way": "asked", "prompt": name} for name in PROMPTS), {"way": "text"}],
    seeds=(0,),
    run=run_asked,
    smoke={"way": "asked", "prompt": BEST, "few": 12},
    tolerance=0.1,
)
SHOWN = Study(
    name="smollm_shown",
    chapter="10",
    title="SmolLM2 with examples in the prompt, and a regression on its states",
    cells=[
        *({"way": "states", "labels": count} for count in LABELS),
        *({"way": "examples", "count": count} for count in (4, 8)),
    ],
    seeds=(0, 1, 2, 3, 4),
    run=run_shown,
    smoke={"way": "states", "labels": 20, "few": 12},
    tolerance=0.1,
)
