"""Can MiniLM guess a hidden word? A head for it, trained on the frozen body.

The archive has no head for hidden words, and the body was tuned to compare sentences, so what it
still knows about single words is measured, not assumed. The head is BERT's, its output matrix the
body's own embedding, which is frozen too; it learns from the training articles of Wikipedia.

Every guesser gets the same sentences of test articles, with one word hidden in each. That word,
and the words to choose from, are whole words of both vocabularies, MiniLM's and the small BERT's.
"counts" takes the word seen most often between these two neighbors in the training articles, then
after the left one, then at all. "small" is the kept small BERT.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.bert import weights as bert_weights
from course_lib.bert.model import BertForPreTraining
from course_lib.bert.pre_training import MaskedSampler, masked_loss
from course_lib.data import wikipedia
from course_lib.data.batching import pad
from course_lib.data.splits import hash_fraction
from course_lib.studies.ch11 import small_bert
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.text.wordpiece import WordPiece, words
from course_lib.text.words import PAD
from course_lib.training import resumable, schedules

STEPS, BATCH, RATE = 500, 32, 2e-3
COUNT = 1000  # sentences to judge on
COMMON = 100  # the most frequent words of the training articles, reported apart
KEPT = artifacts.KeptWeights(
    name="minilm_mask_head",
    config={"guesser": "minilm", "steps": STEPS},
    what="head for hidden words on MiniLM's frozen body, for chapter 11",
    data="training part of the Wikipedia introductions",
    licence="MIT (weights); the text is Wikipedia's, CC BY-SA 4.0",
    limits="Its body was tuned to compare sentences, not to guess words.",
)


class OwnWeights(nn.Module):
    """What a head has of its own: all but the output matrix, which is the body's."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.transform, self.bias = head.transform, head.bias


class HiddenWord(NamedTuple):
    """A sentence as words, and which of them is hidden."""

    sentence: list[str]
    place: int

    @property
    def word(self) -> str:
        """The hidden word."""
        return self.sentence[self.place]


def with_head() -> tuple[BertForPreTraining, WordPiece]:
    """MiniLM's body, frozen, under a new head."""
    body, tokens = bert_weights.minilm()
    model = BertForPreTraining(replace(body.config, dropout=0.0))
    model.bert.load_state_dict(body.state_dict())
    model.requires_grad_(False)
    OwnWeights(model.cls["predictions"]).requires_grad_(True)
    return model.to(device()), tokens


def load_kept(*, folder: Path = artifacts.CHECKPOINTS) -> tuple[BertForPreTraining, WordPiece]:
    """MiniLM with the kept head, in evaluation mode."""
    model, tokens = with_head()
    KEPT.load(OwnWeights(model.cls["predictions"]), folder=folder)
    return model.eval(), tokens


def candidates(*vocabularies: WordPiece) -> list[str]:
    """Whole words of letters that every vocabulary has, in alphabetical order."""
    common = set.intersection(*(set(one.tokens) for one in vocabularies))
    return sorted(word for word in common if word.isalpha() and word.islower())


def hidden_words(known: Iterable[str], count: int = COUNT) -> list[HiddenWord]:
    """Sentences of test articles, one each, with one known word hidden, picked by a hash."""
    known, found = set(known), []
    for article in wikipedia.split(wikipedia.load()).test:
        for sentence in wikipedia.sentences(article.text)[1:]:
            parts = words(sentence)
            places = [i for i, word in enumerate(parts) if word in known]
            if 6 <= len(parts) <= 40 and places:
                draw = hash_fraction(f"hidden {sentence}")
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


def counted(texts: Iterable[str]) -> Callable[[HiddenWord, list[str]], list[float]]:
    """A guesser that counts: between both neighbors, then after the left one, then at all."""
    single: Counter[str] = Counter()
    after: Counter[tuple[str, str]] = Counter()
    between: Counter[tuple[str, str, str]] = Counter()
    for text in texts:
        parts = ["", *words(text), ""]
        single.update(parts)
        after.update(zip(parts, parts[1:], strict=False))
        between.update(zip(parts, parts[1:], parts[2:], strict=False))

    def scores(one: HiddenWord, known: list[str]) -> list[float]:
        parts = ["", *one.sentence, ""]
        left, right = parts[one.place], parts[one.place + 2]
        return [
            between[left, word, right] + 1e-3 * after[left, word] + 1e-9 * single[word]
            for word in known
        ]

    return scores


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
    model, tokens = with_head()
    pieces = small_bert.vocabulary()
    known = candidates(tokens, pieces)
    asked = hidden_words(known, config.get("asked", COUNT))
    texts = small_bert.articles("train", config.get("articles"))
    often = Counter(word for text in texts for word in words(text) if word.isalpha())
    frequent = {word for word, _ in often.most_common(COMMON)}
    if config["guesser"] == "counts":
        guess = counted(texts)
        scores = torch.tensor([guess(one, known) for one in asked], dtype=torch.float64)
        return summary(scores, asked, known, frequent)
    if config["guesser"] == "small":
        small, pieces, _ = small_bert.load_kept()
        return summary(scores_of(small, pieces, asked, known), asked, known, frequent)
    steps = config["steps"]
    history = resumable.fit_resumable(
        model,
        masked_loss,
        MaskedSampler(small_bert.training_pieces(tokens, config), tokens, BATCH, seed),
        steps,
        lr=RATE,
        schedule=schedules.cosine(steps, warmup=min(50, steps // 5), floor=0.02),
        bf16=True,
    )
    found = summary(scores_of(model, tokens, asked, known), asked, known, frequent)
    shares = {name: found[name] for name in ("top1", "top5", "rare_top1", "rare_top5")}
    KEPT.keep(config, seed, OwnWeights(model.cls["predictions"]), shares)
    return {"loss": [round(loss, 4) for loss in history.losses[:: max(1, steps // 25)]], **found}


STUDY = Study(
    name="minilm_fill_mask",
    chapter="11",
    title="Hidden words of test articles: counting, the small BERT, MiniLM with a head of ours",
    cells=[{"guesser": "counts"}, {"guesser": "small"}, KEPT.config],
    seeds=(0, 1, 2),
    run=run,
    smoke={"guesser": "minilm", "steps": 2, "articles": 40, "asked": 40},
    tolerance=0.2,  # hardly trained: a share may move by some words
)
