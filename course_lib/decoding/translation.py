"""From sentence pairs to a score: a `Translator` encodes, translates, shows its attention, scores.

A study reads from top to bottom: generate → encode → fit → translate → score. ::

    pairs = lab.generate(20_000, seed=0)
    source, target = tokenizers(pairs)
    model = Transformer(TransformerConfig(len(source), len(target)))
    translator = Translator(model, source, target)
    loop.fit(model, translation_loss, PairSampler(translator.encode(pairs), 64, seed=0), 800)
    test = lab.generate(500, seed=1, split="test")
    score(translator.translate(test), test)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from course_lib.data import lab
from course_lib.data.batching import Batch, batches_by_length, pad
from course_lib.decoding import search
from course_lib.evaluation import scores
from course_lib.support.modes import evaluating
from course_lib.text.words import BOS, EOS, PAD, Tokenizer, WordTokenizer
from course_lib.training.losses import translation_loss

AT_ONCE = 100  # sentences of a batch
Sentence = str | Sequence[str]  # a text, or its words as the lab gives them


class SourceAndTarget(Protocol):
    """A sentence and its translation: a verse, or a pair of the lab."""

    @property
    def source(self) -> Sentence: ...
    @property
    def target(self) -> Sentence: ...


def tokenizers(pairs: Sequence[lab.Pair]) -> tuple[WordTokenizer, WordTokenizer]:
    """Word tokenizers of the two sides of a lab training set."""
    return (
        WordTokenizer.train((_text(pair.source) for pair in pairs), style="lab"),
        WordTokenizer.train((_text(pair.target) for pair in pairs), style="lab"),
    )


@dataclass(frozen=True)
class Translator:
    """A model that reads one language and writes another, with the tokenizers of both."""

    model: Any  # an nn.Module that is `Decodable`
    source: Tokenizer
    target: Tokenizer

    def encode(self, pairs: Sequence[SourceAndTarget]) -> list[tuple[list[int], list[int]]]:
        """Source and target ids, without begin and end marks."""
        return [
            (self.source.encode(_text(pair.source)), self.target.encode(_text(pair.target)))
            for pair in pairs
        ]

    def batch(self, pairs: Sequence[SourceAndTarget]) -> Batch:
        """Padded ids on the model's device, targets between begin and end marks."""
        ids = self.encode(pairs)
        targets = pad([[BOS, *target, EOS] for _, target in ids])
        return Batch(pad([source for source, _ in ids]), targets).to(_device(self.model))

    def translate(
        self,
        sentences: Sequence[SourceAndTarget | Sentence],
        *,
        limit: int | None = None,
        width: int = 1,
        length_penalty: float = 0.0,
    ) -> list[Sentence]:
        """Translations: of a text a text, of words a list of words, of a pair that of its source.

        Args:
            sentences: texts, lists of words, or pairs.
            limit: most tokens of a translation; by default twice the longest source of those
                translated together, and ten more.
            width, length_penalty: of the beam; a width of 1 is greedy search.
        """
        sources = [_source(sentence) for sentence in sentences]
        ids = [self.source.encode(_text(source)) for source in sources]
        written: list[Sentence] = [""] * len(ids)
        for indices in batches_by_length(ids, AT_ONCE):
            batch = pad([ids[i] for i in indices]).to(_device(self.model))
            most = limit or 2 * batch.shape[1] + 10
            if width == 1:
                found = search.greedy(self.model, batch, most)
            else:
                found = search.beam(self.model, batch, most, width, length_penalty)
            for i, out in zip(indices, found, strict=True):
                as_text = isinstance(sources[i], str)
                written[i] = (self.target if as_text else self.target.vocabulary).decode(out)
        return written

    def attention_weights(self, pairs: Sequence[SourceAndTarget]) -> list[Tensor]:
        """Where a recurrent model with attention looks while it is made to write the targets.

        Returns:
            For each pair the weights (T, S) of its real tokens: a row for each target token,
            without the one of the end mark, and a column for each source token.
        """
        ids = self.encode(pairs)
        found = [torch.empty(0)] * len(ids)
        for indices in batches_by_length([source for source, _ in ids], AT_ONCE):
            batch = self.batch([pairs[i] for i in indices])
            with evaluating(self.model):
                weights = self.model.with_weights(batch.source, batch.target[:, :-1])[1]
            for row, i in zip(weights.cpu(), indices, strict=True):  # (T, S)
                found[i] = row[: len(ids[i][1]), : len(ids[i][0])]
        return found

    def perplexity(self, pairs: Sequence[SourceAndTarget]) -> float:
        """Perplexity per target token, end marks included, of a model that is shown the truth.

        Without label smoothing, whatever the model was trained with.
        """
        nats, tokens = 0.0, 0
        for indices in batches_by_length([source for source, _ in self.encode(pairs)], AT_ONCE):
            batch = self.batch([pairs[i] for i in indices])  # (B, S), (B, T)
            here = int((batch.target[:, 1:] != PAD).sum())
            with evaluating(self.model):
                nats += translation_loss(self.model, batch).item() * here
            tokens += here
        return scores.perplexity(nats, tokens)


def score(written: Sequence[Sentence], pairs: Sequence[SourceAndTarget]) -> dict[str, Any]:
    """BLEU with its signature, and the share of sentences without a single wrong word."""
    texts = [_plain(sentence) for sentence in written]
    references = [_plain(pair.target) for pair in pairs]
    bleu, signature = scores.bleu(texts, references)
    exact = scores.exact_match(texts, references)
    return {"bleu": bleu, "signature": signature, "exact_match": sum(exact) / len(exact)}


def _source(sentence: Any) -> Sentence:
    """Of a pair its source."""
    return getattr(sentence, "source", sentence)


def _text(sentence: Sentence) -> str:
    """As a tokenizer reads it."""
    return sentence if isinstance(sentence, str) else " ".join(sentence)


def _plain(sentence: Sentence) -> str:
    """As people write it."""
    return sentence if isinstance(sentence, str) else lab.detokenize(list(sentence))


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
