"""Can one layer of self-attention tell the order of words, and how is it told?

The task cannot be done without order: name, at every position, the word that stands before it.
A sequence is a few of 80 words, none twice, in random order. So a model that sees which words are
there but not in which order can only guess among the other words of the sequence: its accuracy is
1 / (n - 1) at best (`chance`). One layer, one head, no mask; trained on short sequences,
tested on longer ones as well. Cells differ in how positions come in: not at all, sinusoidal or
learned vectors added to the embeddings, or rotated queries and keys.

Learned positions have vectors for the longest test sequence. Those beyond the training lengths
were never trained.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.attention.attend import attend
from course_lib.attention.positions import LearnedPositions, SinusoidalPositions, rotate
from course_lib.studies.engine import measure as measure_of
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.training import loop, schedules
from course_lib.transformer.feed_forward import FeedForward

WORDS, WIDTH, HIDDEN = 80, 64, 128
LENGTHS = (4, 20)  # of training sequences
TEST_LENGTHS = (5, 10, 15, 20, 22, 25, 30, 40, 60, 80)
BATCH, STEPS, LEARNING_RATE = 64, 2000, 3e-3
TEST = 200  # sequences of each length
TEST_SEED = 1_000_003
POSITIONS = ("none", "sinusoidal", "learned", "rotary")


def sequences(count: int, length: int, generator: torch.Generator) -> Tensor:
    """Words in random order, none twice: (count, length)."""
    order = torch.rand(count, WORDS, generator=generator).argsort(dim=1)
    return order[:, :length]


def chance(length: int) -> float:
    """The best accuracy without order: a guess among the other words of the sequence."""
    return 1 / (length - 1)


class OrderSampler:
    """Batches of sequences; the length of a step is drawn from `LENGTHS`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def batch(self, step: int) -> Tensor:
        """(B, T) words of a step."""
        generator = torch.Generator().manual_seed(1_000_000 * self.seed + step)
        low, high = LENGTHS
        length = int(torch.randint(low, high + 1, (), generator=generator))
        return sequences(BATCH, length, generator)


class OrderModel(nn.Module):
    """Embedding, positions, one head of self-attention, a feed-forward net, scores of the words.

    What is added to the stream is added to its input (residual connections), nothing is
    normalized.
    """

    def __init__(self, positions: str) -> None:
        super().__init__()
        self.rotary = positions == "rotary"
        self.embedding = nn.Embedding(WORDS, WIDTH)
        self.query, self.key, self.value, self.mix = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.feed_forward = FeedForward(WIDTH, HIDDEN)
        self.output = nn.Linear(WIDTH, WORDS)
        # Last, so that the same seed gives the other weights the same start.
        positions_of: dict[str, Callable[[], nn.Module]] = {
            "none": nn.Identity,
            "rotary": nn.Identity,
            "sinusoidal": lambda: SinusoidalPositions(WIDTH),
            "learned": lambda: LearnedPositions(max(TEST_LENGTHS), WIDTH),
        }
        self.positions = positions_of[positions]()

    def forward(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T) words -> scores of the word before each (B, T, WORDS), weights (B, T, T)."""
        x = self.positions(self.embedding(words))  # (B, T, D)
        queries, keys = self.query(x), self.key(x)  # (B, T, D)
        if self.rotary:
            queries, keys = rotate(queries), rotate(keys)
        looked, weights = attend(queries, keys, self.value(x))  # (B, T, D), (B, T, T)
        x = x + self.mix(looked)
        x = x + self.feed_forward(x)
        return self.output(x), weights


def loss(model: OrderModel, words: Tensor) -> Tensor:
    """Cross-entropy of the word before, at every position but the first."""
    words = words.to(next(model.parameters()).device)
    scores, _ = model(words)
    return F.cross_entropy(scores[:, 1:].flatten(0, 1), words[:, :-1].flatten())


@torch.no_grad()
def measure(model: OrderModel, length: int) -> tuple[Tensor, Tensor]:
    """Accuracy and weight on the word before, at each position but the first: twice (T - 1,).

    Means over `TEST` sequences, the same for every model.
    """
    generator = torch.Generator().manual_seed(TEST_SEED + length)
    words = sequences(TEST, length, generator).to(next(model.parameters()).device)  # (N, T)
    scores, weights = model(words)
    right = scores[:, 1:].argmax(-1) == words[:, :-1]  # (N, T - 1)
    before = weights.diagonal(offset=-1, dim1=1, dim2=2)  # (N, T - 1)
    return right.float().mean(0).cpu(), before.mean(0).cpu()


@torch.no_grad()
def changed_by_order(model: OrderModel, length: int = LENGTHS[1]) -> float:
    """Share of words whose answer is another one when the sequence is shuffled.

    The answers are put back in the first order before they are compared. 0 for a layer that is
    permutation equivariant.
    """
    generator = torch.Generator().manual_seed(TEST_SEED)
    words = sequences(TEST, length, generator).to(next(model.parameters()).device)
    order = torch.randperm(length, generator=generator).to(words.device)
    answers = model(words)[0].argmax(-1)  # (N, T)
    shuffled = model(words[:, order])[0].argmax(-1)
    return (answers[:, order] != shuffled).float().mean().item()


def run(config: Config, seed: int) -> Metrics:
    """Train one model; accuracy and weight on the word before, by length.

    "trained" and "beyond" are the accuracy at positions that training sequences have, and at the
    later ones, in test sequences that are longer.
    """
    steps = config.get("steps", STEPS)
    torch.manual_seed(seed)
    model = OrderModel(config["positions"]).to(device())
    schedule = schedules.cosine(steps, warmup=50)
    batches = OrderSampler(seed)
    history = loop.fit(model, loss, batches, steps, lr=LEARNING_RATE, schedule=schedule)
    model.eval()
    accuracy, weight, trained, beyond = {}, {}, {}, {}
    for length in TEST_LENGTHS:
        right, before = measure(model, length)  # (T - 1,): positions 1 to T - 1
        accuracy[str(length)] = round(right.mean().item(), 4)
        weight[str(length)] = round(before.mean().item(), 4)
        if length > LENGTHS[1]:
            known = LENGTHS[1] - 1
            trained[str(length)] = round(right[:known].mean().item(), 4)
            beyond[str(length)] = round(right[known:].mean().item(), 4)
    return {
        "accuracy": accuracy,
        "trained": trained,
        "beyond": beyond,
        "weight_on_word_before": weight,
        "changed_by_order": round(changed_by_order(model), 4),
        "training_loss": round(measure_of.last_loss(history.losses), 4),
        "parameters": measure_of.size(model),
    }


STUDY = Study(
    name="word_order",
    chapter="05",
    title="The word before, told by one layer of self-attention with and without positions",
    cells=[{"positions": positions} for positions in POSITIONS],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke={"positions": "rotary", "steps": 60},
    tolerance=0.15,
)
