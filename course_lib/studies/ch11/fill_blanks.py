"""Hidden words of test articles: what counting guesses, and what the small BERT guesses.

Both get the same sentences of test articles, with one word hidden in each. That word, and the words
to choose from, are whole words of both vocabularies, the small BERT's and MiniLM's. "counts"
multiplies what three neighbors on each side tell, as in `bert_counting`. "small" is the small BERT
of `bert_pretraining`. A seed draws the words that are hidden; seeds 0 and 3, 1 and 4, 2 and 5
share a training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_lib.bert import weights as bert_weights
from course_lib.bert.model import BertForPreTraining
from course_lib.data import wikipedia
from course_lib.data.batching import pad
from course_lib.data.splits import hash_fraction
from course_lib.studies.ch11 import bert_counting, bert_pretraining, small_bert
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.text.wordpiece import WordPiece, words
from course_lib.text.words import PAD

COUNT = 1000  # sentences to judge on
COMMON = 100  # the most frequent words of the training articles, reported apart
BODIES = 3  # trainings of the small BERT
ORDER, POWER = 3, 0.8  # of counting: the best of `bert_counting`


class HiddenWord(NamedTuple):
    """A sentence as words, and which of them is hidden."""

    sentence: list[str]
    place: int

    @property
    def word(self) -> str:
        """The hidden word."""
        return self.sentence[self.place]


def candidates(*vocabularies: WordPiece) -> list[str]:
    """Whole words of letters that every vocabulary has, in alphabetical order."""
    common = set.intersection(*(set(one.tokens) for one in vocabularies))
    return sorted(word for word in common if word.isalpha() and word.islower())


def hidden_words(known: Iterable[str], seed: int, count: int = COUNT) -> list[HiddenWord]:
    """Sentences of test articles, always the same, each with one known word hidden.

    Both are picked by a hash, the word by the seed, too.
    """
    known, found = set(known), []
    for article in wikipedia.split(wikipedia.load()).test:
        for sentence in wikipedia.sentences(article.text)[1:]:
            parts = words(sentence)
            places = [i for i, word in enumerate(parts) if word in known]
            if 6 <= len(parts) <= 40 and places:
                draw = hash_fraction(f"hidden {seed} {sentence}")
                found.append(HiddenWord(parts, places[int(draw * len(places))]))
    return sorted(found, key=lambda one: hash_fraction(" ".join(one.sentence)))[:count]


@torch.no_grad()
def scores_of(
    model: BertForPreTraining, tokens: WordPiece, asked: list[HiddenWord], known: list[str]
) -> Tensor:
    """Score of each candidate at each hidden place: (n, candidates)."""
    columns = torch.tensor(tokens.vocabulary.encode(known))
    model.eval()
    rows = []
    for start in range(0, len(asked), 50):
        texts = [_with_mask(one, tokens) for one in asked[start : start + 50]]
        ids = pad(texts, PAD)[:, : model.config.positions].to(device())
        with torch.autocast(device(), torch.bfloat16):
            found = model(ids, None, ids == tokens.mask).words
        rows.append(found.float().cpu()[:, columns])
    return torch.cat(rows)


def _with_mask(one: HiddenWord, tokens: WordPiece) -> list[int]:
    before, after = one.sentence[: one.place], one.sentence[one.place + 1 :]
    left, right = tokens.encode(" ".join(before)), tokens.encode(" ".join(after))
    return [tokens.cls, *left[-30:], tokens.mask, *right[:30], tokens.sep]


def counted(asked: list[HiddenWord], known: list[str], tokens: WordPiece, config: Config) -> Tensor:
    """Score of each candidate at each hidden place by counting tokens: (n, candidates)."""
    texts = [piece.ids for piece in small_bert.training_pieces(tokens, config)]
    before, after = [], []
    for one in asked:
        first, second = one.sentence[: one.place], one.sentence[one.place + 1 :]
        before.append([tokens.cls, *tokens.encode(" ".join(first))])
        after.append([tokens.sep, *tokens.encode(" ".join(second))[::-1]])
    left = bert_counting.Counts(texts, len(tokens), ORDER, [[], *before])
    right = bert_counting.Counts((ids[::-1] for ids in texts), len(tokens), ORDER, after)
    rows = bert_counting.joined(
        np.stack([left.guess(context) for context in before]),  # (n, V)
        np.stack([right.guess(context) for context in after]),
        left.guess([]),
        POWER,
    )
    return torch.tensor(rows[:, tokens.vocabulary.encode(known)])


def summary(
    scores: Tensor, asked: list[HiddenWord], known: list[str], frequent: set[str]
) -> Metrics:
    """Share of hidden words guessed first, and among the first five; also for rarer words only."""
    place = {word: n for n, word in enumerate(known)}
    right = scores.gather(1, torch.tensor([[place[one.word]] for one in asked]))  # (n, 1)
    ranks = (scores > right).sum(1)  # (n,)
    rare = torch.tensor([one.word not in frequent for one in asked])
    share = {
        "top1": (ranks < 1).float(),
        "top5": (ranks < 5).float(),
    }
    return {
        **{name: round(hit.mean().item(), 4) for name, hit in share.items()},
        **{f"rare_{name}": round(hit[rare].mean().item(), 4) for name, hit in share.items()},
        "asked": len(asked),
        "asked_rare": int(rare.sum()),
        "candidates": len(known),
    }


def run(config: Config, seed: int) -> Metrics:
    """One guesser."""
    pieces = small_bert.vocabulary()
    known = candidates(bert_weights.minilm().tokens, pieces)
    asked = hidden_words(known, seed, config.get("asked", COUNT))
    often = Counter(w for text in small_bert.articles("train") for w in words(text) if w.isalpha())
    frequent = {word for word, _ in often.most_common(COMMON)}
    if config["guesser"] == "counts":
        return summary(counted(asked, known, pieces, config), asked, known, frequent)
    model, tokens = bert_pretraining.read("both", seed % BODIES)
    return summary(scores_of(model, tokens, asked, known), asked, known, frequent)


STUDY = Study(
    name="fill_blanks",
    chapter="11",
    title="Hidden words of test articles: counting and the small BERT",
    cells=[{"guesser": "counts"}, {"guesser": "small"}],
    seeds=tuple(range(2 * BODIES)),
    run=run,
    smoke={"guesser": "counts", "asked": 40, "articles": 60},
)
