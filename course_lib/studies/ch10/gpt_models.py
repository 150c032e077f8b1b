"""What the studies of chapter 10 share: the language model, how it is trained, scored and kept.

Subwords, articles and their order are those of chapter 09 (`language_models`), and a step reads
as many tokens, so that the two language models compare at equal text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from course_lib.gpt import model as gpt_model
from course_lib.gpt.model import GPT, GPTConfig
from course_lib.gpt.windows import WindowSampler, token_nats, window_loss
from course_lib.recurrent.streams import join
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, Metrics, device
from course_lib.text.bpe import BPE
from course_lib.training import loop, resumable, schedules

CONTEXT = 128
BATCH = lm.STREAMS * lm.LENGTH // CONTEXT  # 12: as many tokens a step as in chapter 09
RATE = 5e-3  # of 1e-3 to 5e-3; on validation articles, 3,900 steps, seed 100
STRIDE = 32  # of the windows that score a text
SMALL = {"merges": 300, "width": 24, "layers": 2, "heads": 2}  # of smoke cells
BORDERS = (1, 2, 4, 8, 16, 32, 64, 128)  # of the figure "how much does context help"
KEPT = artifacts.KeptWeights(
    name="wikipedia_gpt",
    config={"model": "gpt", "steps": 10_000},
    what="GPT language model of English Wikipedia introductions, for chapter 10",
    data="training part of the Wikipedia introductions; subwords also from reviews",
    licence="MIT (weights); the text is Wikipedia's, CC BY-SA 4.0",
    limits="1.1 million tokens of lower-case text, 128 at once. It makes up facts.",
)


def build(config: Config, vocabulary: int) -> GPT:
    """A new language model: our sizes, unless the cell says otherwise."""
    names = ("width", "layers", "heads", "dropout")
    sizes = {name: config[name] for name in names if name in config}
    return GPT(GPTConfig.course(vocabulary, context=CONTEXT, **sizes)).to(device())


def learn(
    model: GPT,
    ids: Tensor,
    steps: int,
    seed: int,
    *,
    checkpoint: Path | None = None,
) -> loop.History:
    """Train a language model on a text, in place: AdamW, warm-up, half a cosine, clipped."""
    return resumable.fit_resumable(
        model,
        window_loss,
        WindowSampler(ids, BATCH, CONTEXT, seed),
        steps,
        optimizer=gpt_model.adamw(model, RATE),
        schedule=schedules.cosine(steps, warmup=min(200, steps // 5), floor=0.02),
        clip=1.0,
        checkpoint=checkpoint,
        every=100,
        bf16=True,  # a third of the time on a processor that was built for it
    )


def scored(model: GPT, texts: Sequence[str], tokens: BPE) -> Metrics:
    """How well held-out texts are predicted.

    The main numbers come from overlapping windows: each token is predicted from at least 97 of the
    tokens before it and at most 128 (the first 128 of all from fewer). "cut" has windows side by
    side, where the first token of each has one token to go by; "by_context" is the mean nats there
    by how many tokens were read, from each of `BORDERS` up to the next.
    """
    ids = join(texts, tokens)
    overlapping = token_nats(model, ids, CONTEXT, STRIDE).mean().item()
    whole = ids[: (len(ids) - 1) // CONTEXT * CONTEXT + 1]
    cut = token_nats(model, whole, CONTEXT, CONTEXT).view(-1, CONTEXT)  # (windows, C)
    steps = zip(BORDERS, (*BORDERS[1:], CONTEXT + 1), strict=True)
    return {
        **lm.summary(overlapping, len(ids), texts),
        "cut": lm.summary(cut.mean().item(), len(ids), texts),
        "by_context": [round(cut[:, a - 1 : b - 1].mean().item(), 5) for a, b in steps],
    }


def load_kept(*, folder: Path = artifacts.CHECKPOINTS) -> tuple[GPT, BPE, dict]:
    """The kept language model, its subwords and its card."""
    tokens = KEPT.tokenizer(BPE, folder=folder)
    model = build({}, len(tokens))
    card = KEPT.load(model, folder=folder)
    return model.eval(), tokens, card
