"""Answers to the exercises of chapter 03: more right ones and more wrong ones."""

import math

import numpy as np
import torch
from torch import nn

from course_lib.exercises.ch03 import (
    NonlinearProbe,
    accuracy_by_length,
    bootstrap_interval,
    chance_of_no_mistake,
    majority_baseline,
    reverse_source,
)


def shares_by_loop(correct, lengths, edges):
    shares = []
    for low, high in zip(edges, edges[1:], strict=False):
        hits = [c for c, n in zip(correct, lengths, strict=True) if low <= n < high]
        shares.append(sum(hits) / len(hits) if hits else float("nan"))
    return shares


def shares_by_bucketize(correct, lengths, edges):
    place = torch.bucketize(lengths, torch.tensor(edges), right=True) - 1
    shares = []
    for bucket in range(len(edges) - 1):
        inside = place == bucket
        shares.append((correct & inside).sum() / inside.sum())
    return shares


def interval_by_numpy(values, draws, confidence=0.95):
    means = values.numpy()[draws.numpy()].mean(1)
    tail = 50 * (1 - confidence)
    return torch.from_numpy(np.percentile(means.astype(float), [tail, 100 - tail]))


def interval_by_rank(values, draws, confidence=0.95):
    means = torch.stack([values[row].mean() for row in draws]).sort().values
    low = int((1 - confidence) / 2 * len(means))
    return torch.stack([means[low], means[-low - 1]])


def interval_by_rank_above(values, draws, confidence=0.95):
    means = values.gather(0, draws.flatten()).view_as(draws).mean(-1).sort()[0]
    ends = ((1 - confidence) / 2, (1 + confidence) / 2)
    return torch.stack([means[min(math.ceil(end * len(means)), len(means) - 1)] for end in ends])


def reversed_row_by_row(source, pad=0):
    out = source.clone()
    for row in out:
        count = int((row != pad).sum())
        row[:count] = row[:count].flip(0)
    return out


def reversed_and_sorted(source, pad=0):
    flipped = source.flip(1)
    order = (flipped == pad).int().argsort(dim=1, stable=True)
    return flipped.gather(1, order)


def reversed_and_rolled(source, pad=0):
    counts = (source != pad).sum(1).tolist()
    rows = [row.flip(0).roll(n, 0) for row, n in zip(source, counts, strict=True)]
    return torch.stack(rows)


def baseline_by_counting(train_labels, test_labels):
    shares = []
    for p in range(train_labels.shape[1]):
        guess = torch.bincount(train_labels[:, p]).argmax()
        shares.append((test_labels[:, p] == guess).float().mean())
    return torch.stack(shares)


class Heads(nn.Module):
    def __init__(self, width, hidden, positions, classes):
        super().__init__()
        self.hidden = nn.Linear(width, hidden)
        self.heads = nn.ModuleList(nn.Linear(hidden, classes) for _ in range(positions))

    def forward(self, features):
        inside = self.hidden(features.detach()).tanh()
        return torch.stack([head(inside) for head in self.heads], dim=1)


class OwnWeights(nn.Module):
    def __init__(self, width, hidden, positions, classes):
        super().__init__()
        self.first = nn.Parameter(torch.randn(width, hidden) / width**0.5)
        self.second = nn.Parameter(torch.randn(positions, hidden, classes) / hidden**0.5)

    def forward(self, features):
        inside = nn.functional.gelu(features.data @ self.first)
        return torch.einsum("nh,phc->npc", inside, self.second)


class Regularized(nn.Module):
    def __init__(self, width, hidden, positions, classes):
        super().__init__()
        self.classes = classes
        self.net = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            nn.SiLU(),
            nn.Dropout(0.2),
            nn.Linear(hidden, classes * positions),
        )

    def forward(self, features):
        with torch.no_grad():
            features = features * 1
        return self.net(features).view(len(features), -1, self.classes)


RIGHT = {
    chance_of_no_mistake: [
        lambda accuracy: accuracy.log().sum().exp(),
        lambda accuracy: math.prod(accuracy.tolist()),
        lambda accuracy: accuracy.cumprod(0)[-1],
    ],
    accuracy_by_length: [
        shares_by_loop,
        shares_by_bucketize,
        "correct[inside].float().mean().item() -> correct[inside].float().mean()",
        lambda *given: [np.float32(share) for share in shares_by_loop(*given)],
    ],
    bootstrap_interval: [
        interval_by_numpy,
        interval_by_rank,
        interval_by_rank_above,
        "1 - tail])) -> 1 - tail]), interpolation='nearest')",
        "torch.quantile(means, torch.tensor([tail, 1 - tail])) -> "
        "torch.stack([torch.quantile(means, tail), means.quantile(1 - tail)])",
    ],
    reverse_source: [
        reversed_row_by_row,
        reversed_and_sorted,
        reversed_and_rolled,
        "source.gather(1, index) -> source[torch.arange(len(source))[:, None], index]",
    ],
    majority_baseline: [
        baseline_by_counting,
        "train_labels.mode(dim=0).values -> torch.mode(train_labels, 0)[0].unsqueeze(0)",
    ],
    NonlinearProbe: [
        Heads,
        OwnWeights,
        Regularized,
        "nn.ReLU() -> nn.Sigmoid()",
        "nn.Linear(width, hidden) -> nn.Linear(width, hidden, bias=False)",
        "features.detach() -> features.clone().detach()",
    ],
}


def spoils_the_values(values, draws, confidence=0.95):
    values -= values.mean()
    return bootstrap_interval.answer(values, draws, confidence)


class ListOfLayers(nn.Module):
    def __init__(self, width, hidden, positions, classes):
        super().__init__()
        self.first = nn.Linear(width, hidden)
        self.heads = [nn.Linear(hidden, classes) for _ in range(positions)]

    def forward(self, features):
        inside = self.first(features.detach()).relu()
        return torch.stack([head(inside) for head in self.heads], 1)


WRONG = {
    chance_of_no_mistake: [
        ".prod() -> .cumprod(0)",
        "accuracy.prod() -> accuracy.unique().prod()",
        "return accuracy.prod() -> accuracy.log_()\n    return accuracy.sum().exp()",
        ".prod() -> .prod(dim=0, keepdim=True)",
    ],
    accuracy_by_length: [
        "zip(edges, edges[1:], strict=False) -> zip(edges, [*edges[1:], 10**6])",
        "(lengths >= low) -> ((lengths >= low) | (low == edges[0]))",
        "correct[inside].float().mean().item() -> round(correct[inside].float().mean().item(), 1)",
        "shares.append -> if inside.any(): shares.append",
        "return shares -> lengths.copy_(lengths.sort().values)\n    return shares",
        ".item()) -> .item() or torch.nan)",
    ],
    bootstrap_interval: [
        ".mean(1)  # (R,) -> .mean(1).mul(100).round() / 100  # (R,)",
        "(1 - confidence) / 2 -> 0.025",
        spoils_the_values,
        lambda values, draws, confidence=0.9: bootstrap_interval.answer(values, draws, confidence),
        "torch.quantile(means, torch.tensor([tail, 1 - tail])) -> ",
    ],
    reverse_source: [
        lambda source, pad=0: torch.tensor([sorted(row, reverse=True) for row in source.tolist()]),
        "source.gather(1, index) -> source.copy_(source.gather(1, index))",
        "source.gather(1, index) -> source.gather(1, index).masked_fill(position >= lengths, 0)",
        "source != pad -> source > pad",
    ],
    majority_baseline: [
        "train_labels.mode(dim=0).values -> train_labels.median(dim=0).values",
        "train_labels.mode(dim=0).values -> torch.cat([train_labels, test_labels]).mode(0).values",
        "train_labels.mode(dim=0).values -> train_labels[:, :1].mode(dim=0).values",
        "train_labels.mode(dim=0).values -> train_labels[:5].mode(dim=0).values",
        "return (test -> test_labels -= guess\n    guess = 0\n    return (test",
    ],
    NonlinearProbe: [
        "return self.net(features.detach()).unflatten(-1, self.shape) -> "
        "found = self.net(features.detach()).unflatten(-1, self.shape); "
        "return found if self.training else found.softmax(-1)",
        ListOfLayers,
        "unflatten(-1, self.shape) -> unflatten(-1, self.shape).transpose(1, 2)",
        "unflatten(-1, self.shape) -> unflatten(-1, self.shape).relu()",
        "unflatten(-1, self.shape) -> view(self.shape[0], -1, self.shape[1]).transpose(0, 1)",
        "nn.ReLU(), -> nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),",
        "features.detach() -> features.detach_()",
        "return -> torch.set_grad_enabled(False)\n        return",
    ],
}
