"""How long can a recurrent network remember one symbol?

A sequence shows one of eight symbols, then some distractors, then a question mark; at the
question mark the network must name the symbol (after Hochreiter & Schmidhuber 1997, section 5,
and Bengio et al. 1994, section 2). One network is trained for each number of distractors.
Chance is 1/8.

**copy_search** comes first: five rates for each kind of cell, one seed that **copy_memory** does
not use, sequences of their own to judge on. The rate with the best mean over all delays is used.
"""

from __future__ import annotations

from statistics import fmean

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_lib.recurrent.cells import init_uniform_, open_forget_gate_
from course_lib.recurrent.language_model import RNNLanguageModel, RNNLanguageModelConfig
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.studies.engine.searched import best_setting
from course_lib.training import loop

SYMBOLS, DISTRACTORS = 8, 8
QUESTION = SYMBOLS + DISTRACTORS
WIDTH, BATCH, STEPS, TEST = 32, 32, 600, 1000
DELAYS = (2, 5, 10, 20, 40, 80)
RATES = (1e-3, 2.5e-3, 5e-3, 1e-2, 2e-2)
TEST_SEED, VALIDATION_SEED = 999, 998
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
def accuracy(model: RNNLanguageModel, delay: int, seed: int = TEST_SEED) -> float:
    """Share of `TEST` fresh sequences answered rightly; the same sequences for every model."""
    tokens, right = RecallSampler(delay, TEST, seed).batch(0)
    return (answers(model, tokens).argmax(-1).cpu() == right).float().mean().item()


def train(config: Config, seed: int, delay: int, steps: int, lr: float = 5e-3) -> RNNLanguageModel:
    """A network that has learned to recall after one number of distractors."""
    torch.manual_seed(seed)
    model = build(config).to(device())
    loop.fit(model, loss, RecallSampler(delay, BATCH, seed), steps, lr=lr)
    return model


def by_delay(config: Config, seed: int, lr: float, asked: int) -> dict[str, float]:
    """The accuracy of one network for each delay, on the sequences of the seed `asked`."""
    steps, delays = config.get("steps", STEPS), config.get("delays", DELAYS)
    return {
        str(delay): round(accuracy(train(config, seed, delay, steps, lr), delay, asked), 4)
        for delay in delays
    }


def search(config: Config, seed: int) -> Metrics:
    """One rate for one kind of cell."""
    return {"accuracy": by_delay(config, seed, config["lr"], VALIDATION_SEED)}


def mean_accuracy(metrics: Metrics) -> float:
    """Over all delays."""
    return fmean(metrics["accuracy"].values())


def run(config: Config, seed: int) -> Metrics:
    """Train one network per delay, at the rate of its kind; the accuracy at each."""
    setting = config if "lr" in config else best_setting(SEARCH, mean_accuracy, **config)
    lr = setting["lr"]
    found = by_delay(config, seed, lr, TEST_SEED)
    solved = max([int(delay) for delay in found if found[delay] > 0.9] or [0])
    return {"accuracy": found, "solved": solved, "lr": lr}


SMOKE: Config = {"cell": "gru", "forget_bias": 0, "lr": 5e-3, "steps": 150, "delays": [2]}
SEARCH = Study(
    name="copy_search",
    chapter="01",
    title="A rate for each kind of cell in the recall task, on sequences of its own",
    cells=[{**cell, "lr": rate} for cell in CELLS for rate in RATES],
    seeds=(100,),
    run=search,
    smoke=SMOKE,
    tolerance=0.15,
)
STUDY = Study(
    name="copy_memory",
    chapter="01",
    title="Recall of one symbol after distractors, for RNN, GRU and LSTM",
    cells=list(CELLS),
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke=SMOKE,
    tolerance=0.15,
)
