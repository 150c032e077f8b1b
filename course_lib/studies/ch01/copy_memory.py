"""How long can a recurrent network remember one symbol?

A sequence shows one of eight symbols, then some distractors, then a question mark; at the
question mark the network must name the symbol (after Hochreiter & Schmidhuber 1997, section 5,
and Bengio et al. 1994, section 2). One network is trained for each number of distractors.
Chance is 1/8.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_lib.recurrent.cells import init_uniform_, open_forget_gate_
from course_lib.recurrent.language_model import RNNLanguageModel, RNNLanguageModelConfig
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.training import loop

SYMBOLS, DISTRACTORS = 8, 8
QUESTION = SYMBOLS + DISTRACTORS
WIDTH, BATCH, STEPS, TEST = 32, 32, 600, 1000
DELAYS = (2, 5, 10, 20, 40, 80)
CELLS = (
    {"cell": "rnn", "forget_bias": 0},
    {"cell": "gru", "forget_bias": 0},
    {"cell": "lstm", "forget_bias": 0},
    {"cell": "lstm", "forget_bias": 1},
)


class RecallSampler:
    """Batches of the task: a symbol, `delay` distractors, a question mark, and the answer."""

    def __init__(self, delay: int, batch_size: int, seed: int) -> None:
        self.delay, self.batch_size, self.seed = delay, batch_size, seed

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Tokens (B, delay + 2) and answers (B,) of a step."""
        generator = torch.Generator().manual_seed(1_000_000 * self.seed + step)
        shape = (self.batch_size, self.delay)
        answers = torch.randint(SYMBOLS, (self.batch_size, 1), generator=generator)
        noise = SYMBOLS + torch.randint(DISTRACTORS, shape, generator=generator)
        question = torch.full((self.batch_size, 1), QUESTION)
        return torch.cat([answers, noise, question], dim=1), answers[:, 0]


def build(config: Config, vocabulary: int = QUESTION + 1, width: int = WIDTH) -> RNNLanguageModel:
    """A network with torch's own start, normal embeddings, and the forget bias asked for."""
    model = RNNLanguageModel(RNNLanguageModelConfig(vocabulary, width, config["cell"]))
    nn.init.normal_(model.embedding.weight)
    init_uniform_(model.rnn)
    if config["forget_bias"]:
        open_forget_gate_(model.rnn, config["forget_bias"])
    return model


def answers(model: RNNLanguageModel, tokens: Tensor) -> Tensor:
    """Scores of the eight symbols after the question mark, (B, 8)."""
    states, _ = model.states(tokens.to(model.output.weight.device))  # (B, delay + 2, D)
    return model.output(states[:, -1])[:, :SYMBOLS]


def loss(model: RNNLanguageModel, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy of the answer."""
    scores = answers(model, batch[0])
    return functional.cross_entropy(scores, batch[1].to(scores.device))


@torch.no_grad()
def accuracy(model: RNNLanguageModel, delay: int) -> float:
    """Share of `TEST` fresh sequences answered rightly; the same sequences for every model."""
    tokens, right = RecallSampler(delay, TEST, seed=999).batch(0)
    return (answers(model, tokens).argmax(-1).cpu() == right).float().mean().item()


def train(config: Config, seed: int, delay: int, steps: int) -> RNNLanguageModel:
    """A network that has learned to recall after one number of distractors."""
    torch.manual_seed(seed)
    model = build(config).to(device())
    loop.fit(model, loss, RecallSampler(delay, BATCH, seed), steps, lr=5e-3)
    return model


def run(config: Config, seed: int) -> Metrics:
    """Train one network per delay; the accuracy at each."""
    steps, delays = config.get("steps", STEPS), config.get("delays", DELAYS)
    found = {
        str(delay): round(accuracy(train(config, seed, delay, steps), delay), 4) for delay in delays
    }
    return {"accuracy": found, "solved": max([d for d in delays if found[str(d)] > 0.9] or [0])}


STUDY = Study(
    name="copy_memory",
    chapter="01",
    title="Recall of one symbol after distractors, for RNN, GRU and LSTM",
    cells=list(CELLS),
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke={"cell": "gru", "forget_bias": 0, "steps": 150, "delays": [2]},
    tolerance=0.15,
)
