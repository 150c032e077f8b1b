"""What the studies of chapter 09 share: subwords, language models of Wikipedia and of reviews.

The subwords are learned on the training articles of Wikipedia and on the reviews of training films,
in lower case, so nothing has to be added to the vocabulary when the domain changes. (Howard & Ruder
keep whole words, and add those of the new domain.) No text of a validation or test part is in the
vocabulary or in a training stream.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from course_lib.data import archives, reviews, wikipedia
from course_lib.data.batching import StreamSampler
from course_lib.recurrent.streams import join, nats_per_token
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, Metrics, device
from course_lib.text.bpe import BPE
from course_lib.training import losses, resumable, schedules
from course_lib.transfer import freezing
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.model import AWDConfig, AWDLanguageModel, Dropouts

WIKIPEDIA = artifacts.KeptWeights(
    name="wikipedia_awd_lstm",
    config={"steps": 10_000},
    what="AWD-LSTM language model of English Wikipedia introductions, for chapter 09",
    data="training part of the Wikipedia introductions; subwords also from reviews",
    licence="MIT (weights); the text is Wikipedia's, CC BY-SA 4.0",
    limits="1.1 million tokens of lower-case text. A start for tuning, not a writer.",
)
REVIEWS = artifacts.KeptWeights(
    name="review_awd_lstm",
    config={"start": "wikipedia", "share": 1.0, "steps": 750},
    what="the Wikipedia language model of chapter 09 after reading movie reviews",
    data="reviews of training films only, without labels",
    licence="MIT (weights); reviews for research use",
    limits="A start for tuning classifiers of short reviews, not a writer.",
)
SMALL = {"merges": 300, "embedding": 16, "width": 24, "tuning": 12}  # of smoke cells
MERGES = 6000
SHORT_STEPS = 1953  # three million subwords
WIKIPEDIA_RATE = 4e-3  # Adam's, at its highest
STREAMS, LENGTH = 32, 48
NOISE = 0.3  # of the published dropouts, for a model a tenth the size


def vocabulary_texts() -> list[str]:
    """All texts that the subwords are learned from, in lower case."""
    articles = wikipedia.split(wikipedia.load()).train
    unlabeled = reviews.task(reviews.load(), 0).unlabeled
    return [text.lower() for text in (*(article.text for article in articles), *unlabeled)]


@cache
def tokenizer(merges: int = MERGES) -> BPE:
    """The subwords of all studies of this chapter; takes some seconds."""
    return BPE.train(vocabulary_texts(), merges, min_count=20, fast=True)


def wikipedia_texts(seed: int) -> tuple[list[str], list[str]]:
    """Training articles in an order drawn by the seed, and validation articles; lower case."""
    parts = wikipedia.split(wikipedia.load())
    order = torch.randperm(len(parts.train), generator=torch.Generator().manual_seed(seed))
    shuffled = [parts.train[i].text.lower() for i in order.tolist()]
    return shuffled, [article.text.lower() for article in parts.validation]


def review_texts(seed: int, share: float = 1.0) -> tuple[list[str], list[str]]:
    """A share of the reviews of training films, and the validation reviews; lower case."""
    task = reviews.task(reviews.load(), seed)
    count = max(1, round(share * len(task.unlabeled)))
    known = [text.lower() for text in task.unlabeled[:count]]
    return known, [review.text.lower() for review in task.validation]


def build(config: Config) -> AWDLanguageModel:
    """A new language model: the sizes of the kept ones, unless the cell says otherwise."""
    sizes = {name: config[name] for name in ("embedding", "width", "layers") if name in config}
    noise = Dropouts().times(config.get("noise", NOISE))
    size = len(tokenizer(config.get("merges", MERGES)))
    return AWDLanguageModel(AWDConfig(size, **sizes, dropouts=noise)).to(device())


def learn(
    model: AWDLanguageModel,
    ids: Tensor,
    steps: int,
    rate: float,
    *,
    adapt: bool = False,
    checkpoint: Path | None = None,
) -> AWDLanguageModel:
    """Train a language model on a stream, in place.

    From scratch the rate falls along half a cosine. To `adapt` a trained one: a lower rate for
    each layer further down, and the slanted triangle (Howard & Ruder 2018, section 3.2).
    """
    if adapt:
        grouped = freezing.groups(model, ulmfit_classifier.layer_prefixes(model.body))
        optimizer = freezing.tuner(model, grouped, freezing.discriminative(grouped, rate))
        schedule = schedules.slanted_triangular(steps)
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        schedule = schedules.cosine(steps, warmup=min(100, steps // 5), floor=0.02)
    resumable.fit_resumable(
        model,
        losses.StreamLoss(),
        StreamSampler(ids, STREAMS, LENGTH),
        steps,
        optimizer=optimizer,
        schedule=schedule,
        clip=0.5,
        checkpoint=checkpoint,
        every=100,
        bf16=device() == "cpu",  # nearly halves the time there; cuDNN would take float16
    )
    return model


@cache
def pretrained(steps: int, seed: int) -> AWDLanguageModel:
    """A language model of Wikipedia after so many steps, trained once and then read from a file.

    The recipe is that of the kept model (`WIKIPEDIA`), with a schedule of its own length. The file
    lies in the cache folder and stays there: several cells start from one model.
    """
    known, _ = wikipedia_texts(seed)
    torch.manual_seed(seed)
    model = build({})
    file = archives.cache_folder() / "runs" / f"wikipedia_body-{steps}-{seed}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    ids = join(known, tokenizer())
    return learn(model, ids, steps, WIKIPEDIA_RATE, checkpoint=file).eval()


def scored(model: AWDLanguageModel, texts: Sequence[str], tokens: BPE) -> Metrics:
    """Perplexity of held-out texts, per subword and, for other vocabularies, per character."""
    ids = join(texts, tokens)
    nats = nats_per_token(model, ids, streams=16, length=64)
    return summary(nats, len(ids), texts)


def summary(nats: float, ids: int, texts: Sequence[str]) -> Metrics:
    """Mean −log p of the ids of some texts: per id, and in bits per character."""
    return {
        "nats": round(nats, 5),
        "perplexity": round(math.exp(nats), 3),
        "bits_per_character": round(nats / math.log(2) * ids / sum(map(len, texts)), 4),
        "tokens": ids,
    }


def load_kept(
    kept: artifacts.KeptWeights, *, folder: Path = artifacts.CHECKPOINTS
) -> tuple[AWDLanguageModel, BPE, dict]:
    """A kept language model (`WIKIPEDIA` or `REVIEWS`), its subwords and its card."""
    tokens = kept.tokenizer(BPE, folder=folder)
    model = AWDLanguageModel(AWDConfig(len(tokens), dropouts=Dropouts().times(NOISE)))
    card = kept.load(model, folder=folder)
    return model.to(device()).eval(), tokens, card
