"""How BERT is pre-trained: guess hidden tokens, and say whether one text follows another.

Source: Devlin et al. (2019), section 3.1 and appendix A.1. Of each text 15% of the tokens are
*chosen*. The model is asked for all of them and for no other. What it sees at a chosen position is
`[MASK]` (80%), a random token (10%) or the token itself (10%).

Samplers are functions of (seed, step), as in `data.batching`.

Shapes: B batch, S tokens of the longest text, n chosen positions in the batch, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.bert.model import BertForPreTraining
from course_lib.data.batching import Shuffled, pad
from course_lib.support.modes import evaluating
from course_lib.text.wordpiece import Marked, WordPiece
from course_lib.text.words import PAD

SHARE = 0.15  # of the tokens are chosen
MIX = (0.8, 0.1, 0.1)  # of the chosen: [MASK], a random token, unchanged
BLANK = "___"


def choose(
    tokens: Tensor, specials: Collection[int], generator: torch.Generator, share: float = SHARE
) -> Tensor:
    """The positions that the model will be asked for: (B, S) ids -> (B, S) bool.

    In each row `share` of the ordinary tokens, rounded, but one at least where there is one.
    Special tokens and padding are never chosen.
    """
    ordinary = ~torch.isin(tokens, torch.tensor(sorted(specials)))  # (B, S)
    count = (share * ordinary.sum(1)).round().clamp(min=1)  # (B,)
    draw = torch.rand(tokens.shape, generator=generator).masked_fill(~ordinary, 2.0)
    rank = draw.argsort(1).argsort(1)  # (B, S), 0 for the smallest draw of the row
    return (rank < count[:, None]) & ordinary


def corrupt(
    tokens: Tensor,
    chosen: Tensor,
    vocabulary: WordPiece,
    generator: torch.Generator,
    mix: tuple[float, float, float] = MIX,
) -> Tensor:
    """What the model sees: at chosen positions `[MASK]`, a random ordinary token, or the true one.

    Args:
        tokens: (B, S) ids; not changed.
        chosen: (B, S) bool.
        vocabulary: the tokenizer, or what has its `mask`, `specials` and length.
        generator: where the draws come from.
        mix: shares of the three, which sum to one.
    """
    masked, random, _ = mix
    if min(mix) < 0 or abs(sum(mix) - 1) > 1e-9:
        raise ValueError(f"mix is {mix}, expected three shares that sum to 1")
    draw = torch.rand(tokens.shape, generator=generator)  # (B, S)
    ordinary = torch.tensor([id for id in range(len(vocabulary)) if id not in vocabulary.specials])
    others = ordinary[torch.randint(len(ordinary), tokens.shape, generator=generator)]
    seen = torch.where(chosen & (draw < masked), torch.tensor(vocabulary.mask), tokens)
    return torch.where(chosen & (draw >= masked) & (draw < masked + random), others, seen)


class MaskedBatch(NamedTuple):
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
    vocabulary: WordPiece,
    generator: torch.Generator,
    *,
    share: float = SHARE,
    mix: tuple[float, float, float] = MIX,
) -> MaskedBatch:
    """Texts as `WordPiece.text` gives them, padded, with hidden tokens: see `choose`, `corrupt`."""
    tokens, segments = _padded(texts)
    chosen = choose(tokens, marks(vocabulary), generator, share)
    seen = corrupt(tokens, chosen, vocabulary, generator, mix)
    return MaskedBatch(seen, segments, chosen, tokens[chosen])


def marks(vocabulary: WordPiece) -> list[int]:
    """The ids that are not text, in order."""
    return sorted(id for id in vocabulary.specials if id is not None)


def _padded(texts: Sequence[Marked]) -> tuple[Tensor, Tensor]:
    return pad([text.ids for text in texts], PAD), pad([text.segments for text in texts], 0)


class MaskedSampler(Shuffled):
    """Random batches of texts with hidden tokens, a new shuffle each pass and new positions each
    step.

    Args:
        texts: as `WordPiece.text` gives them.
        vocabulary: the tokenizer.
        batch_size: texts a batch B; never more than there are.
        seed: number of all draws.
        share, mix: see `choose` and `corrupt`.
    """

    def __init__(
        self,
        texts: Sequence[Marked],
        vocabulary: WordPiece,
        batch_size: int,
        seed: int,
        *,
        share: float = SHARE,
        mix: tuple[float, float, float] = MIX,
    ) -> None:
        super().__init__(texts, batch_size, seed)
        self.vocabulary, self.share, self.mix = vocabulary, share, mix

    def batch(self, step: int) -> MaskedBatch:
        """The batch of training step 0, 1, 2, …; the same step always gives the same batch."""
        texts = [self.examples[i] for i in self.chosen(step)]
        generator = generator_of(self.seed, step)
        return hide(texts, self.vocabulary, generator, share=self.share, mix=self.mix)


class NextTokenSampler(Shuffled):
    """The same texts and shuffles for a left-to-right model: nothing is hidden, and each position
    is asked for the token after it. Its batches fit `masked_loss` and a model whose configuration
    is `causal`; any other would read the answers off its input.
    """

    def batch(self, step: int) -> MaskedBatch:
        """The batch of training step 0, 1, 2, …; the same step always gives the same batch."""
        tokens, segments = _padded([self.examples[i] for i in self.chosen(step)])
        after = F.pad(tokens[:, 1:], (0, 1), value=PAD)  # (B, S)
        return MaskedBatch(tokens, segments, after != PAD, after[after != PAD])


class NextSentenceSampler(Shuffled):
    """Pairs for next-sentence prediction, with hidden tokens (section 3.1, task 2).

    Half of the pairs are two sentences in a row of one document; in the other half the second is a
    random sentence of another document.

    Args:
        documents: the sentences of each document; those with one sentence give no first.
        vocabulary: the tokenizer.
        batch_size: pairs a batch B.
        seed: number of all draws.
        longest: tokens of a pair, marks included.
    """

    def __init__(
        self,
        documents: Sequence[Sequence[str]],
        vocabulary: WordPiece,
        batch_size: int,
        seed: int,
        longest: int = 128,
    ) -> None:
        self.documents = [document for document in documents if document]
        self.vocabulary, self.longest = vocabulary, longest
        firsts = [  # the first sentence of each pair
            (number, place)
            for number, document in enumerate(self.documents)
            for place in range(len(document) - 1)
        ]
        super().__init__(firsts, batch_size, seed)

    def batch(self, step: int) -> MaskedBatch:
        """The batch of training step 0, 1, 2, …; the same step always gives the same batch."""
        draw = np.random.default_rng((self.seed, step, 1))
        pairs, follows = [], []
        for index in self.chosen(step):
            number, place = self.examples[index]
            apart = int(draw.integers(2))  # 1: the second text comes from elsewhere
            other, at = number, place + 1
            if apart:
                other = int(draw.integers(len(self.documents) - 1))
                other += other >= number  # any document but this one
                at = int(draw.integers(len(self.documents[other])))
            first, second = self.documents[number][place], self.documents[other][at]
            pairs.append(self.vocabulary.text(first, second, longest=self.longest))
            follows.append(apart)
        batch = hide(pairs, self.vocabulary, generator_of(self.seed, step))
        return batch._replace(follows=torch.tensor(follows))


def generator_of(seed: int, step: int) -> torch.Generator:
    """torch's generator for one step, unlike that of any other seed or step."""
    number = int(np.random.default_rng((seed, step)).integers(2**62))
    return torch.Generator().manual_seed(number)


def masked_loss(model: BertForPreTraining, batch: MaskedBatch) -> Tensor:
    """Mean −log p of the true tokens at the chosen positions, in nats; all others do not count.

    With pairs the mean −log p of their classes is added (section 3.1: the sum of both losses).
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


def hidden_ranks(model: nn.Module, batches: Sequence[MaskedBatch]) -> tuple[Tensor, Tensor]:
    """How well hidden tokens are guessed: rank of the true token (n,), 0 = first, and −log p (n,).

    In evaluation mode.
    """
    device = next(model.parameters()).device
    ranks, nats = [], []
    with evaluating(model):
        for batch in batches:
            tokens, segments, chosen, targets = (part.to(device) for part in batch[:4])
            words = model(tokens, segments, chosen).words.float()  # (n, V)
            nats.append(F.cross_entropy(words, targets, reduction="none").cpu())
            right = words.gather(1, targets[:, None])  # (n, 1)
            ranks.append((words > right).sum(1).cpu())
    return torch.cat(ranks), torch.cat(nats)


def fill_blank(
    model: nn.Module, vocabulary: WordPiece, sentence: str, count: int = 5
) -> list[tuple[str, float]]:
    """The likeliest tokens for the blank `___` of a sentence, with their probabilities.

    Special tokens are left out. In evaluation mode.
    """
    parts = sentence.split(BLANK)
    if len(parts) != 2:
        raise ValueError(f"{len(parts) - 1} blanks {BLANK} in {sentence!r}, expected one")
    before, after = (vocabulary.encode(part) for part in parts)
    row = [vocabulary.cls, *before, vocabulary.mask, *after, vocabulary.sep]
    ids = torch.tensor([row], device=next(model.parameters()).device)
    with evaluating(model):
        scores = model(ids, None, ids == vocabulary.mask).words[0].float()  # (V,)
    scores[marks(vocabulary)] = -torch.inf
    best = scores.softmax(-1).topk(count)
    return list(zip(vocabulary.pieces(best.indices), best.values.tolist(), strict=True))
