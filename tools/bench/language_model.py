"""Training of the AWD-LSTM of chapter 09 against the same LSTM without its noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_lib.data.batching import StreamBatch, StreamSampler
from course_lib.training.loop import fit
from course_lib.training.losses import StreamLoss
from course_lib.ulmfit.model import AWDConfig, AWDLanguageModel
from tools.bench.pairs import Result, compare

STEPS = 2  # training steps in one half of a pair
STREAMS, LENGTH = 32, 48
VOCABULARY = 6000
TARGET = 1 / 0.9  # at least 0.9 × the tokens a second


class BareLanguageModel(nn.Module):
    """The model of ``course_lib.ulmfit.model`` at its plainest: no noise, no checks."""

    def __init__(self, config: AWDConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.embedding)
        self.layers = nn.ModuleList(nn.LSTM(*size, batch_first=True) for size in config.sizes())
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, tokens: Tensor, states: list) -> tuple[Tensor, list]:
        """(B, T) -> logits (B, T, V), states of the layers."""
        x, after = self.embedding(tokens), []
        for layer, state in zip(self.layers, states, strict=True):
            x, state = layer(x, state)
            after.append(state)
        return functional.linear(x, self.embedding.weight, self.bias), after


def bare_steps(
    model: BareLanguageModel, optimizer: torch.optim.Optimizer, batches: list[StreamBatch]
) -> None:
    """The loop everybody writes by hand."""
    model.train()
    states: list = [None] * len(model.layers)
    for batch in batches:
        logits, states = model(batch.inputs, states)
        states = [(h.detach(), c.detach()) for h, c in states]
        loss = functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def training(pairs: int, config: AWDConfig | None = None) -> Result:
    """All five kinds of noise and the loop of ``fit``, against none and the bare loop."""
    config = config or AWDConfig(VOCABULARY)
    torch.manual_seed(0)
    ours, bare = AWDLanguageModel(config), BareLanguageModel(config)
    ids = torch.randint(4, config.vocab_size, (STEPS * STREAMS * LENGTH + STREAMS,))
    sampler = StreamSampler(ids, STREAMS, LENGTH)
    batches = [sampler.batch(step) for step in range(STEPS)]
    optimizers = [torch.optim.Adam(model.parameters(), lr=1e-3) for model in (ours, bare)]

    def train_ours() -> None:
        fit(ours, StreamLoss(), sampler, STEPS, optimizer=optimizers[0], progress=False)

    def train_bare() -> None:
        bare_steps(bare, optimizers[1], batches)

    name = "language model with noise / bare torch.nn"
    return compare(name, train_ours, train_bare, pairs, STEPS, TARGET)
