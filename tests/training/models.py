"""Small models and samplers that the tests of training share."""

import time
from functools import partial

import torch
from torch import nn

from course_lib.data.batching import Batch
from course_lib.training.losses import sequence_loss, translation_loss
from course_lib.transformer.model import Transformer, TransformerConfig


class Sampler:
    """Random sentences; the batch depends on the step alone."""

    batch_size = 4

    def __init__(self, seed=0, pause=0.0):
        self.seed, self.pause = seed, pause

    def batch(self, step):
        time.sleep(self.pause)
        generator = torch.Generator().manual_seed(1000 * self.seed + step % 3)
        return torch.randint(1, 12, (4, 7), generator=generator)


class Tagger(nn.Module):
    """Small, with dropout (so the random state matters) and tied weights."""

    def __init__(self, width=8):
        super().__init__()
        self.embedding = nn.Embedding(12, width)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(width, 12)
        self.output.weight = self.embedding.weight

    def forward(self, tokens):
        return self.output(self.dropout(self.rnn(self.embedding(tokens))[0]))


def loss_fn(model, batch):
    return sequence_loss(model(batch[:, :-1]), batch[:, 1:])


def tagger(seed=0):
    torch.manual_seed(seed)
    return Tagger()


class Pairs(Sampler):
    """Random sentence pairs, some of them padded."""

    def batch(self, step):
        lengths = torch.tensor([[7], [5], [6], [4]])
        ids = super().batch(step).masked_fill(torch.arange(7) >= lengths, 0)
        return Batch(ids, ids.index_fill(1, torch.tensor([0]), 1))


smoothed_loss = partial(translation_loss, label_smoothing=0.1)


def transformer(seed=0, dropout=0.3):
    torch.manual_seed(seed)
    return Transformer(TransformerConfig.tiny(12, 12, dropout=dropout, tie="all"))


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
