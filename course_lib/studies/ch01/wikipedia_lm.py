"""RNN, GRU and LSTM language models on the Wikipedia introductions, beside counting models.

Words in lower case, the 2 500 most frequent of the training articles; all others are one unknown
word, which counts as a word like any other. The three networks have about the same number of
parameters and read the same words in the same order, once. A longer run of the GRU reads all
training articles nearly twice. The counting models get the words that the networks have read
and, as a second row, all training articles. "mixed" is the mean of a network's and the counting
model's probabilities, both from the same words (Mikolov et al. 2010 report such mixtures).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.data import wikipedia
from course_lib.data.batching import StreamSampler
from course_lib.recurrent.language_model import RNNLanguageModel, RNNLanguageModelConfig
from course_lib.recurrent.ngram import NGram
from course_lib.recurrent.streams import join, scored_places, token_nats
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.studies.engine.measure import size
from course_lib.text.words import WordTokenizer
from course_lib.training import loop, losses, schedules

VOCABULARY, GRU_WIDTH = 2_500, 96
STREAMS, LENGTH, STEPS = 16, 32, 500
RATE = 5e-3
MIXED_ORDER = 3


class Corpus(NamedTuple):
    """The Wikipedia introductions as two streams of ids, and the tokenizer."""

    tokenizer: WordTokenizer
    train: Tensor
    validation: Tensor


def corpus(seed: int, vocabulary: int = VOCABULARY) -> Corpus:
    """The training articles in an order shuffled by `seed`, and the validation articles."""
    parts = wikipedia.split(wikipedia.load())
    order = torch.randperm(len(parts.train), generator=torch.Generator().manual_seed(seed))
    texts = [parts.train[i].text.lower() for i in order.tolist()]
    held_out = [article.text.lower() for article in parts.validation]
    tokenizer = WordTokenizer.train(texts, max_size=vocabulary)
    return Corpus(tokenizer, join(texts, tokenizer), join(held_out, tokenizer))


def words_read(words: Corpus, steps: int) -> list[int]:
    """The ids the networks have read in `steps` steps, stream after stream."""
    sampler = StreamSampler(words.train, STREAMS, LENGTH)
    pieces = [sampler.batch(step).inputs for step in range(min(steps, len(sampler)))]
    return torch.cat(pieces, dim=1).flatten().tolist()


def scores(model: RNNLanguageModel, words: Corpus, seen: list[int]) -> Metrics:
    """Validation loss of a network, alone and mixed half and half with a counting model."""
    nats = token_nats(model, words.validation)
    where = scored_places(len(words.validation))
    counted = NGram(MIXED_ORDER, len(words.tokenizer)).fit(seen)
    other = counted.token_nats(words.validation.tolist()).float()[where - 1]
    mixed = math.log(2) - torch.logaddexp(-nats, -other)
    return {"alone": summary(nats.mean().item()), "mixed": summary(mixed.mean().item())}


def summary(nats: float) -> Metrics:
    """Mean −log p per word and its exponential."""
    return {"nats": round(nats, 5), "perplexity": round(math.exp(nats), 3)}


def run(config: Config, seed: int) -> Metrics:
    """Validation loss and perplexity of one model."""
    words = corpus(seed)
    steps = config.get("steps", STEPS)
    seen = words_read(words, steps)
    if config["model"] == "ngram":
        text = seen if config["text"] == "read" else words.train.tolist()
        counted = NGram(config["order"], len(words.tokenizer)).fit(text)
        nats = counted.nats_per_token(words.validation.tolist())
        return {"alone": summary(nats), "words": len(text)}
    torch.manual_seed(seed)
    cell, vocabulary = config.get("cell") or config["model"], len(words.tokenizer)
    sizes = RNNLanguageModelConfig.matched(vocabulary, cell, GRU_WIDTH)
    model = RNNLanguageModel(sizes).to(device())
    batches = StreamSampler(words.train, STREAMS, LENGTH)
    schedule = schedules.cosine(steps, warmup=30, floor=0.05)
    loop.fit(model, losses.StreamLoss(), batches, steps, lr=RATE, schedule=schedule)
    return scores(model, words, seen) | {"parameters": size(model), "words": len(seen)}


STUDY = Study(
    name="wikipedia_lm",
    chapter="01",
    title="Word language models on Wikipedia introductions: RNN, GRU, LSTM and n-grams",
    cells=[
        *({"model": cell} for cell in ("rnn", "gru", "lstm")),
        *(
            {"model": "ngram", "order": order, "text": text}
            for text in ("read", "all")
            for order in (1, 3)
        ),
        {"model": "longer", "cell": "gru", "steps": 3000},
    ],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke={"model": "gru", "steps": 40},
)
