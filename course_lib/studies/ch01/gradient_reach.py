"""How far back in time does the gradient of a recurrent language model reach?

The loss is taken at the last word of a stretch of text only. The gradient of that loss with
respect to the whole state k words earlier says how much the prediction would change with that
state (Bengio et al. 1994, section 4; Pascanu et al. 2013, section 2). For an LSTM the state is
the pair (h, c). Measured three times: at torch's own start, after a little training on Wikipedia,
and in a network that was trained to recall a symbol after 20 distractors (`copy_memory`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from course_lib.data.batching import StreamSampler
from course_lib.recurrent.cells import GRUCell, LSTMCell, RNNCell
from course_lib.recurrent.language_model import RNNLanguageModel
from course_lib.studies.ch01 import copy_memory
from course_lib.studies.ch01.copy_memory import CELLS
from course_lib.studies.ch01.wikipedia_lm import corpus
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.studies.engine.measure import last_loss
from course_lib.training import loop
from course_lib.training.losses import StreamLoss

VOCABULARY, WIDTH = 1_000, 64
STREAMS, LENGTH, STEPS = 16, 64, 250
RECALL_DELAY, RECALL_STEPS = 20, 600
STRETCH, ROWS = 101, 32  # words of a stretch, and how many stretches are averaged
DISTANCES = (0, 1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 40, 50, 60, 80, 100)
BY_HAND = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}


def gradient_norms(model: RNNLanguageModel, tokens: Tensor, target: Tensor) -> Tensor:
    """‖∂L/∂state‖ at every distance from the end, mean over rows.

    Args:
        model: one layer.
        tokens: (B, T) words read.
        target: (B,) the word to predict after the last one.

    Returns:
        (T,); entry k belongs to the state k words before the last.
    """
    cell = BY_HAND[model.config.cell](model.config.width, model.config.width)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in model.rnn.state_dict().items()})
    embedded = model.embedding(tokens).detach()  # (B, T, D)
    state, states = None, []
    for step in range(tokens.shape[1]):
        state = cell(embedded[:, step], state)
        parts = state if isinstance(state, tuple) else (state,)
        states.append(parts)
    losses = functional.cross_entropy(model.output(parts[0]), target, reduction="none")  # (B,)
    flat = [part for parts in states for part in parts]
    # A state that nothing reads any more, such as the last c, has no gradient: zeros.
    found = torch.autograd.grad(losses.sum(), flat, allow_unused=True, materialize_grads=True)
    width = len(parts)
    norms = [
        torch.cat(found[i : i + width], dim=-1).norm(dim=-1).mean()
        for i in range(0, len(found), width)
    ]
    return torch.stack(norms).flip(0).detach()  # (T,)


def reach(norms: Tensor, share: float = 0.01) -> int:
    """The largest distance up to which the norm stays at or above `share` of its start."""
    below = (norms < share * norms[0]).nonzero()
    return int(below[0]) - 1 if len(below) else len(norms) - 1


def describe(norms: Tensor) -> Metrics:
    """log10 of the norms relative to distance 0, and the reach."""
    relative = (norms / norms[0]).tolist()
    distances = [k for k in DISTANCES if k < len(norms)]
    # Below the smallest number of single precision the gradient is exactly 0; -38 stands for it.
    logs = {str(k): round(math.log10(max(relative[k], 1e-38)), 4) for k in distances}
    return {"log10": logs, "reach": reach(norms)}


def run(config: Config, seed: int) -> Metrics:
    """Gradient norms by distance: at the start, after language, after recall."""
    words = corpus(seed, VOCABULARY)
    torch.manual_seed(seed)
    model = copy_memory.build(config, len(words.tokenizer), WIDTH)
    stretches = words.validation[: ROWS * (STRETCH + 1)].view(ROWS, STRETCH + 1)
    tokens, target = stretches[:, :-1], stretches[:, -1]
    start = describe(gradient_norms(model, tokens, target))
    model.to(device())
    sampler = StreamSampler(words.train, STREAMS, LENGTH)
    steps = config.get("steps", STEPS)
    history = loop.fit(model, StreamLoss(), sampler, steps, lr=5e-3)
    language = describe(gradient_norms(model.cpu(), tokens, target))
    language["loss"] = round(last_loss(history.losses, 20), 4)
    taught = copy_memory.train(config, seed, RECALL_DELAY, config.get("steps", RECALL_STEPS))
    right = copy_memory.accuracy(taught, RECALL_DELAY)
    tokens, answers = copy_memory.RecallSampler(RECALL_DELAY, 200, seed=999).batch(0)
    recall = describe(gradient_norms(taught.cpu(), tokens, answers))
    recall["accuracy"] = round(right, 4)
    return {"start": start, "language": language, "recall": recall}


STUDY = Study(
    name="gradient_reach",
    chapter="01",
    title="Gradient of the loss with respect to earlier states, by distance",
    cells=list(CELLS),
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke={"cell": "lstm", "forget_bias": 1, "steps": 10},
    tolerance=0.1,
)
