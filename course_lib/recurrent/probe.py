"""Linear probes: what can be read from a vector by one linear map, and no more.

A probe (탐침) is a classifier trained on frozen states. If it finds a word, the word is there in a
form that a linear layer can use. If it fails, the word may be gone, or written in a form that no
linear map can read: a probe gives a lower bound on what a state knows (Alain & Bengio 2016).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LinearProbe(nn.Module):
    """One softmax regression for each of P positions, on the same D features.

    Args:
        width: D.
        positions: P, how many words are asked for.
        classes: V, how many different words there are.
    """

    def __init__(self, width: int, positions: int, classes: int) -> None:
        super().__init__()
        self.positions, self.classes = positions, classes
        self.output = nn.Linear(width, positions * classes)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) -> logits (N, P, V)."""
        standard = (features - self.mean) / self.scale
        return self.output(standard).unflatten(-1, (self.positions, self.classes))

    def fit(self, features: Tensor, labels: Tensor, *, l2: float = 1e-3, steps: int = 40) -> None:
        """Minimize cross-entropy + l2·‖W‖² by L-BFGS on all examples at once.

        The problem is convex: the start does not matter and no seed is needed.

        Args:
            features: (N, D), detached states.
            labels: (N, P) class indices.
            l2: weight of the penalty.
            steps: L-BFGS iterations.
        """
        self._check(features, labels)
        self.mean = features.mean(0)
        self.scale = features.std(0).clamp_min(1e-6)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        optimizer = torch.optim.LBFGS(
            self.output.parameters(), max_iter=steps, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            optimizer.zero_grad()
            logits = self(features)  # (N, P, V)
            value = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
            value = value / len(features) + l2 * self.output.weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)

    @torch.no_grad()
    def accuracy(self, features: Tensor, labels: Tensor) -> Tensor:
        """Share of right words at each position: (N, D), (N, P) -> (P,)."""
        self._check(features, labels)
        return (self(features).argmax(-1) == labels).float().mean(0)

    def _check(self, features: Tensor, labels: Tensor) -> None:
        if labels.shape != (len(features), self.positions):
            raise ValueError(
                f"labels have shape {tuple(labels.shape)}, "
                f"expected ({len(features)}, {self.positions}): one word a position"
            )


def majority_accuracy(train_labels: Tensor, test_labels: Tensor) -> Tensor:
    """The baseline: always guess the position's most frequent word. (N, P), (M, P) -> (P,)."""
    most_frequent = train_labels.mode(dim=0).values  # (P,)
    return (test_labels == most_frequent).float().mean(0)
