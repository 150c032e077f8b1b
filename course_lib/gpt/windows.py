"""Text for a model with a fixed context: windows to train on, and scoring with a stride.

A recurrent model carries its state from piece to piece and never runs out of context. A GPT sees
one window and nothing before it. Two things follow. In training the cuts should not always be at
the same places, or some tokens are never seen with a context. And in scoring, a cut at every C
tokens would judge the first tokens of each window with nothing to go by; so windows overlap.

There is no padding in a window. So every token counts, whatever its id.

Shapes: N tokens of the text, B windows a batch, C tokens of a window, V vocabulary.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.data.batching import StreamBatch
from course_lib.support.modes import evaluating


class WindowSampler:
    """Batches of windows from one long row of ids; a function of seed and step.

    A pass reads the text once, in windows that follow each other without a gap, shuffled. Each pass
    begins at another place among the first C tokens, so that the cuts fall elsewhere.

    Args:
        ids: (N,) token ids, see `streams.join`.
        batch_size: windows B.
        length: tokens C.
        seed: number of the shuffles.
    """

    def __init__(self, ids: Tensor, batch_size: int, length: int, seed: int) -> None:
        self.ids, self.batch_size, self.length, self.seed = ids, batch_size, length, seed
        # Up to C - 1 tokens are skipped, and one is a target only.
        self._windows = (len(ids) - length) // length
        if self._windows < batch_size:
            raise ValueError(
                f"{len(ids)} tokens are too few for batches of {batch_size} windows of {length}; "
                f"{(batch_size + 1) * length} are needed. Give more text or lower the sizes."
            )

    def __len__(self) -> int:
        """Batches a pass; windows that do not fill a batch are left for another pass."""
        return self._windows // self.batch_size

    def batch(self, step: int) -> StreamBatch:
        """The batch of training step 0, 1, 2, …: inputs (B, C) and targets one token later."""
        epoch, place = divmod(step, len(self))
        generator = np.random.default_rng((self.seed, epoch))
        start = int(generator.integers(self.length))
        order = generator.permutation(self._windows)
        chosen = order[place * self.batch_size : (place + 1) * self.batch_size]
        firsts = torch.from_numpy(start + chosen * self.length).unsqueeze(1)  # (B, 1)
        rows = self.ids[firsts + torch.arange(self.length + 1)]  # (B, C + 1)
        return StreamBatch(rows[:, :-1], rows[:, 1:], fresh=True)


def window_loss(model: nn.Module, batch: StreamBatch) -> Tensor:
    """Mean cross-entropy in nats of the next token; `model(inputs)` gives logits (B, C, V)."""
    device = next(model.parameters()).device
    logits = model(batch.inputs.to(device))
    return F.cross_entropy(logits.flatten(0, 1), batch.targets.to(device).flatten())


def token_nats(
    model: nn.Module, ids: Tensor, length: int, stride: int, batch_size: int = 16
) -> Tensor:
    """−log p of every token of a text but the first, in evaluation mode: (N,) -> (N - 1,).

    Windows of `length` tokens begin every `stride` tokens, and of each only the last `stride`
    predictions count (of the first window, all). So every token but those of the first window is
    predicted from at least `length - stride` + 1 tokens and at most `length`. A smaller stride
    gives more context and takes more time.
    """
    if not 1 <= stride <= length:
        raise ValueError(f"length={length}, stride={stride}; expected 1 <= stride <= length")
    device = next(model.parameters()).device
    inputs, targets = ids[:-1], ids[1:]
    length = min(length, len(inputs))
    last = len(inputs) - length  # this window ends with the text
    firsts = [*range(0, last, stride), last]
    found = torch.full((len(inputs),), torch.nan)
    with evaluating(model):
        for at in range(0, len(firsts), batch_size):
            some = firsts[at : at + batch_size]
            rows = torch.stack([inputs[first : first + length] for first in some]).to(device)
            asked = torch.stack([targets[first : first + length] for first in some]).to(device)
            logits = model(rows)  # (B, C, V)
            nats = F.cross_entropy(logits.flatten(0, 1), asked.flatten(), reduction="none")
            for first, row in zip(some, nats.float().cpu().view(len(some), -1), strict=True):
                skipped = 0 if first == 0 else length - stride
                found[first + skipped : first + length] = row[skipped:]
    return found


def nats_per_token(
    model: nn.Module, ids: Tensor, length: int, stride: int, batch_size: int = 16
) -> float:
    """Mean −log p of a text but its first token; exp() is the perplexity. See `token_nats`."""
    return token_nats(model, ids, length, stride, batch_size).mean().item()
