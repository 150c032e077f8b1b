"""How BERT is pre-trained: guess hidden tokens, and say whether one text follows another.

Source: Devlin et al. (2019), section 3.1 and appendix A.1. Of each text 15 % of the tokens are
*chosen*. The model is asked for all of them and for no other. What it sees at a chosen place is
``[MASK]`` (80 %), a random token (10 %) or the token itself (10 %).

Samplers are functions of (seed, step), as in ``course_lib.data.batching``.

Shapes: B batch, S tokens of the longest text, n chosen places in the batch, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.bert.model import BertForPreTraining
from course_lib.data.batching import pad
from course_lib.text.wordpiece import Marked, WordPiece
from course_lib.text.words import PAD

SHARE = 0.15  # of the tokens are chosen
MIX = (0.8, 0.1, 0.1)  # of the chosen: [MASK], a random token, unchanged


class Marks(Protocol):
    """What masking must know of a tokenizer: ``course_lib.text.wordpiece.WordPiece`` has it."""

    mask: int
    specials: Collection[int]

    def __len__(self) -> int: ...


def choose(
    tokens: Tensor, specials: Collection[int], generator: torch.Generator, share: float = SHARE
) -> Tensor:
    """The places that the model will be asked for: (B, S) ids -> (B, S) bool.

    In each row ``share`` of the ordinary tokens, rounded, but one at least where there is one.
    Special tokens and padding are never chosen.

    Raises:
        ValueError: the share is outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}, expected above 0 and at most 1")
    ordinary = ~torch.isin(tokens, torch.tensor(sorted(specials)))  # (B, S)
    count = (share * ordinary.sum(1)).round().clamp(min=1)  # (B,)
    draw = torch.rand(tokens.shape, generator=generator).masked_fill(~ordinary, 2.0)
    rank = draw.argsort(1).argsort(1)  # (B, S), 0 for the smallest draw of the row
    return (rank < count[:, None]) & ordinary


def corrupt(
    tokens: Tensor,
    chosen: Tensor,
    marks: Marks,
    generator: torch.Generator,
    mix: tuple[float, float, float] = MIX,
) -> Tensor:
    """What the model sees: at chosen places ``[MASK]``, a random ordinary token, or the true one.

    Args:
        tokens: (B, S) ids; not changed.
        chosen: (B, S) bool.
        marks: the tokenizer.
        generator: where the draws come from.
        mix: shares of the three, which sum to one.

    Raises:
        ValueError: shares that are negative or do not sum to one.
    """
    if min(mix) < 0 or abs(sum(mix) - 1) > 1e-9:
        raise ValueError(f"mix is {mix}, expected three shares that sum to 1")
    masked, random, _ = mix
    draw = torch.rand(tokens.shape, generator=generator)  # (B, S)
    ordinary = torch.tensor([id for id in range(len(marks)) if id not in marks.specials])
    others = ordinary[torch.randint(len(ordinary), tokens.shape, generator=generator)]
    seen = torch.where(chosen & (draw < masked), torch.tensor(marks.mask), tokens)
    return torch.where(chosen & (draw >= masked) & (draw < masked + random), others, seen)


@dataclass(frozen=True, eq=False)
class MaskedBatch:
    """Texts with hidden tokens.

    Attributes:
        tokens: (B, S) what the model sees.
        segments: (B, S).
        chosen: (B, S) bool, n of them True.
        targets: (n,) the true tokens there, row by row.
        follows: (B,) class of each pair, 0 = the second text follows the first, 1 = it does not;
            None without pairs.
    """

    tokens: Tensor
    segments: Tensor
    chosen: Tensor
    targets: Tensor
    follows: Tensor | None = None


def hide(
    texts: Sequence[Marked],
    marks: Marks,
    generator: torch.Generator,
    *,
    share: float = SHARE,
    mix: tuple[float, float, float] = MIX,
    follows: Sequence[int] | None = None,
) -> MaskedBatch:
    """Texts as `WordPiece.text` gives them, padded, with hidden tokens.

    Raises:
        ValueError: no text, or see `choose` and `corrupt`.
    """
    tokens = pad([text.ids for text in texts], PAD)
    segments = pad([text.segments for text in texts], 0)
    chosen = choose(tokens, marks.specials, generator, share)
    seen = corrupt(tokens, chosen, marks, generator, mix)
    pairs = None if follows is None else torch.tensor(follows)
    return MaskedBatch(seen, segments, chosen, tokens[chosen], pairs)


class MaskedSampler:
    """Random batches of texts with hidden tokens, a new shuffle each pass and new places each step.

    Args:
        texts: as `WordPiece.text` gives them.
        marks: the tokenizer.
        batch_size: texts a batch B; never more than there are.
        seed: number of all draws.
        share, mix: see `choose` and `corrupt`.

    Raises:
        ValueError: no texts, or a batch size below 1.
    """

    def __init__(
        self,
        texts: Sequence[Marked],
        marks: Marks,
        batch_size: int,
        seed: int,
        *,
        share: float = SHARE,
        mix: tuple[float, float, float] = MIX,
    ) -> None:
        if not texts or batch_size < 1:
            raise ValueError(f"{len(texts)} texts, batch_size={batch_size}; expected 1 at least")
        self.texts, self.marks, self.seed = texts, marks, seed
        self.batch_size = min(batch_size, len(texts))
        self.share, self.mix = share, mix

    def __len__(self) -> int:
        """Batches in one pass; what does not fill a batch is left for another pass."""
        return len(self.texts) // self.batch_size

    def batch(self, step: int) -> MaskedBatch:
        """The batch of training step 0, 1, 2, …; the same step always gives the same batch."""
        chosen = [self.texts[i] for i in batch_places(self, step)]
        return hide(
            chosen, self.marks, generator_of(self.seed, step), share=self.share, mix=self.mix
        )


class NextSampler:
    """The same texts and shuffles for a left-to-right model: nothing is hidden, and each place is
    asked for the token after it. Its batches fit ``masked_loss`` and a model whose configuration
    is ``causal``; any other would read the answers off its input.

    Args, errors: see `MaskedSampler`.
    """

    def __init__(self, texts: Sequence[Marked], batch_size: int, seed: int) -> None:
        if not texts or batch_size < 1:
            raise ValueError(f"{len(texts)} texts, batch_size={batch_size}; expected 1 at least")
        self.texts, self.seed = texts, seed
        self.batch_size = min(batch_size, len(texts))

    def __len__(self) -> int:
        """Batches in one pass."""
        return len(self.texts) // self.batch_size

    def batch(self, step: int) -> MaskedBatch:
        """The batch of training step 0, 1, 2, …; the same step always gives the same batch."""
        texts = [self.texts[i] for i in batch_places(self, step)]
        tokens = pad([text.ids for text in texts], PAD)
        segments = pad([text.segments for text in texts], 0)
        after = torch.cat([tokens[:, 1:], torch.full((len(tokens), 1), PAD)], dim=1)  # (B, S)
        asked = after != PAD
        return MaskedBatch(tokens, segments, asked, after[asked])


class PairSampler:
    """Pairs for next-sentence prediction, with hidden tokens (section 3.1, task 2).

    Half of the pairs are two sentences in a row of one document; in the other half the second is a
    random sentence of another document.

    Args:
        documents: the sentences of each document; those with one sentence give no first.
        tokens: the tokenizer.
        batch_size: pairs a batch B.
        seed: number of all draws.
        longest: tokens of a pair, marks included.

    Raises:
        ValueError: fewer than two documents, none with two sentences, or a batch size below 1.
    """

    def __init__(
        self,
        documents: Sequence[Sequence[str]],
        tokens: WordPiece,
        batch_size: int,
        seed: int,
        longest: int = 128,
    ) -> None:
        documents = [document for document in documents if document]
        self.texts = [
            (number, place)
            for number, document in enumerate(documents)
            for place in range(len(document) - 1)
        ]  # the first sentence of each pair
        if len(documents) < 2 or not self.texts or batch_size < 1:
            raise ValueError(
                f"{len(documents)} documents, {len(self.texts)} pairs of sentences, batch_size="
                f"{batch_size}; expected 2 documents, a pair and a batch of 1 at least"
            )
        self.documents, self.tokens, self.longest = documents, tokens, longest
        self.seed, self.batch_size = seed, min(batch_size, len(self.texts))

    def __len__(self) -> int:
        """Batches in one pass."""
        return len(self.texts) // self.batch_size

    def batch(self, step: int) -> MaskedBatch:
        """The batch of training step 0, 1, 2, …; the same step always gives the same batch."""
        draw = np.random.default_rng((self.seed, step, 1))
        pairs, follows = [], []
        for index in batch_places(self, step):
            number, place = self.texts[index]
            apart = int(draw.integers(2))  # 1: the second text comes from elsewhere
            where, at = number, place + 1
            if apart:
                where = int(draw.integers(len(self.documents) - 1))
                where += where >= number  # any document but this one
                at = int(draw.integers(len(self.documents[where])))
            first, second = self.documents[number][place], self.documents[where][at]
            pairs.append(self.tokens.text(first, second, longest=self.longest))
            follows.append(apart)
        return hide(pairs, self.tokens, generator_of(self.seed, step), follows=follows)


def batch_places(sampler: MaskedSampler | NextSampler | PairSampler, step: int) -> list[int]:
    """Which texts the batch of a step holds.

    Raises:
        ValueError: the step is negative.
    """
    if step < 0:
        raise ValueError(f"step is {step}, expected 0 or more.")
    epoch, place = divmod(step, len(sampler))
    order = np.random.default_rng((sampler.seed, epoch)).permutation(len(sampler.texts))
    size = sampler.batch_size
    return order[place * size : (place + 1) * size].tolist()


def generator_of(seed: int, step: int) -> torch.Generator:
    """torch's generator for one step, unlike that of any other seed or step."""
    number = int(np.random.default_rng((seed, step)).integers(2**62))
    return torch.Generator().manual_seed(number)


def masked_loss(model: BertForPreTraining, batch: MaskedBatch) -> Tensor:
    """Mean −log p of the true tokens at the chosen places, in nats; all others do not count.

    With pairs the mean −log p of their classes is added (section 3.1: the sum of both losses).

    Raises:
        ValueError: nothing was chosen: there is nothing to learn from.
    """
    if batch.targets.numel() == 0:
        raise ValueError("no token was chosen in this batch: do the texts hold ordinary tokens?")
    device = next(model.parameters()).device
    chosen = batch.chosen.to(device)
    found = model(batch.tokens.to(device), batch.segments.to(device), chosen)
    loss = F.cross_entropy(found.words, batch.targets.to(device))
    if batch.follows is not None:
        loss = loss + F.cross_entropy(found.next, batch.follows.to(device))
    return loss


@torch.no_grad()
def hidden_ranks(model: nn.Module, batches: Sequence[MaskedBatch]) -> tuple[Tensor, Tensor]:
    """How well hidden tokens are guessed: rank of the true token (n,), 0 = first, and −log p (n,).

    In evaluation mode; the mode before is restored.
    """
    device, training = next(model.parameters()).device, model.training
    model.eval()
    ranks, nats = [], []
    for batch in batches:
        words = model(
            batch.tokens.to(device), batch.segments.to(device), batch.chosen.to(device)
        ).words.float()  # (n, V)
        targets = batch.targets.to(device)
        nats.append(F.cross_entropy(words, targets, reduction="none").cpu())
        right = words.gather(1, targets[:, None])
        ranks.append((words > right).sum(1).cpu())
    model.train(training)
    return torch.cat(ranks), torch.cat(nats)


BLANK = "___"


@torch.no_grad()
def fill_blank(
    model: nn.Module, tokens: WordPiece, sentence: str, count: int = 5
) -> list[tuple[str, float]]:
    """The likeliest tokens for the blank ``___`` of a sentence, with their probabilities.

    Special tokens are left out. In evaluation mode; the mode before is restored.

    Raises:
        ValueError: not exactly one blank.
    """
    parts = sentence.split(BLANK)
    if len(parts) != 2:
        raise ValueError(f"{len(parts) - 1} blanks {BLANK} in {sentence!r}, expected one")
    before, after = (tokens.encode(part) for part in parts)
    ids = torch.tensor([[tokens.cls, *before, tokens.mask, *after, tokens.sep]])
    device, training = next(model.parameters()).device, model.training
    ids = ids.to(device)
    model.eval()
    scores = model(ids, None, ids == tokens.mask).words[0].float()  # (V,)
    model.train(training)
    scores[sorted(tokens.specials)] = -torch.inf
    best = scores.softmax(-1).topk(count)
    return [
        (tokens.tokens[id], chance)
        for id, chance in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
