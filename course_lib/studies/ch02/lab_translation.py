"""How well does a fixed vector carry short sentences? BLEU and exact match on the lab.

English→French and English→Korean, trained with teacher forcing, decoded greedily. Beside the
model stand two translators without a network. The record also holds the two ways to run a
decoder: fed with the reference (teacher forcing) and fed with its own words (free running).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from course_lib.data import lab
from course_lib.data.batching import PairSampler, pad
from course_lib.decoding.translation import encode, tokenizers, translate
from course_lib.evaluation.scores import bleu, exact_match
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.recurrent.word_dictionary import WordDictionary, copy_source
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.text.words import BOS, EOS, PAD, WordTokenizer
from course_lib.training import loop, losses, schedules

TRAINING_PAIRS, TEST_PAIRS = 20_000, 500
TEST_SEED = 1_000_003  # the same test sentences for every training seed
POSITIONS = 8  # target positions for the accuracy by position


def scores(translations: Sequence[Sequence[str]], pairs: Sequence[lab.Pair]) -> Metrics:
    """BLEU with its signature and the share of sentences without a single wrong word."""
    hypotheses = [lab.detokenize(list(words)) for words in translations]
    references = [lab.detokenize(pair.target) for pair in pairs]
    result = bleu(hypotheses, references)
    exact = exact_match(hypotheses, references)
    return {
        "bleu": result.score,
        "signature": result.signature,
        "exact_match": sum(exact) / len(exact),
    }


def by_words(translations: Sequence[Sequence[str]], pairs: Sequence[lab.Pair]) -> Metrics:
    """Exact match for each source length in words."""
    right: dict[int, list[bool]] = {}
    for words, pair in zip(translations, pairs, strict=True):
        right.setdefault(len(pair.source), []).append(tuple(words) == pair.target)
    return {str(words): sum(hits) / len(hits) for words, hits in sorted(right.items())}


@torch.no_grad()
def forced_and_free(
    model: nn.Module, source: WordTokenizer, target: WordTokenizer, pairs: Sequence[lab.Pair]
) -> Metrics:
    """Share of right words: with the reference as input, and with the model's own words.

    Both by target position and overall; ``sentences`` is the share with every word right.
    """
    model.eval()
    ids = encode(pairs, source, target)
    where = next(model.parameters()).device
    sources = pad([s for s, _ in ids]).to(where)
    targets = pad([[BOS, *t, EOS] for _, t in ids]).to(where)  # (B, T)
    expected, real = targets[:, 1:], targets[:, 1:] != PAD
    forced = model(sources, targets[:, :-1]).argmax(-1) == expected  # (B, T - 1)
    state, token, own = model.init_state(sources), targets[:, 0], []
    for _ in range(expected.shape[1]):
        log_probs, state = model.step(token, state)
        token = log_probs.argmax(-1)  # (B,)
        own.append(token)
    free = torch.stack(own, dim=1) == expected

    def summary(hits: torch.Tensor) -> Metrics:
        shares = [
            hits[:, t][real[:, t]].float().mean().item()
            for t in range(min(POSITIONS, expected.shape[1]))
        ]
        return {
            "words": hits[real].float().mean().item(),
            "sentences": (hits | ~real).all(1).float().mean().item(),
            "by_position": shares,
        }

    return {"forced": summary(forced), "free": summary(free)}


def train_model(
    config: Config, seed: int, *, progress: bool = False
) -> tuple[EncoderDecoder, WordTokenizer, WordTokenizer, loop.History, list[lab.Pair]]:
    """Train one translator as ``config`` says; chapter 02 calls this for its live slice."""
    lengths = (config["shortest"], config["longest"])
    pairs = lab.generate(
        config["pairs"], seed=seed, lengths=lengths, target=config["target"], split="train"
    )
    source, target = tokenizers(pairs)
    torch.manual_seed(seed)
    model = EncoderDecoder(Seq2SeqConfig.lab(len(source), len(target))).to(device())
    sampler = PairSampler(encode(pairs, source, target), batch_size=64, seed=seed)
    schedule = schedules.cosine(config["steps"], warmup=50)
    history = loop.fit(
        model,
        losses.translation_loss,
        sampler,
        config["steps"],
        lr=config["lr"],
        schedule=schedule,
        progress=progress,
    )
    return model, source, target, history, pairs


def run(config: Config, seed: int) -> Metrics:
    """Train one model, score it and the two baselines on the same held-out sentences."""
    model, source, target, history, pairs = train_model(config, seed)
    test, combination = _held_out(config, "test"), _held_out(config, "combination")
    translations = translate(model, source, target, test)
    dictionary = WordDictionary.learn([(p.source, p.target) for p in pairs[:5000]])
    return {
        "loss": {"first": history.losses[0], "last": _mean(history.losses[-50:])},
        "model": scores(translations, test),
        "by_words": by_words(translations, test),
        "combination": scores(translate(model, source, target, combination), combination),
        "accuracy": forced_and_free(model, source, target, test),
        "copy": scores([copy_source(pair.source) for pair in test], test),
        "dictionary": scores([dictionary.translate(pair.source) for pair in test], test),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def _held_out(config: Config, split: str) -> list[lab.Pair]:
    return lab.generate(
        config["test"],
        seed=TEST_SEED,
        lengths=(config["shortest"], config["longest"]),
        target=config["target"],
        split=split,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _cell(target: str, longest: int, steps: int) -> Config:
    return {
        "target": target,
        "shortest": 4,
        "longest": longest,
        "pairs": TRAINING_PAIRS,
        "test": TEST_PAIRS,
        "steps": steps,
        "lr": 0.004,
    }


STUDY = Study(
    name="lab_translation",
    chapter="02",
    title="Translation through one fixed vector, on the lab",
    cells=[
        _cell(target, longest, steps)
        for longest, steps in ((8, 800), (14, 1200))
        for target in ("french", "korean")
    ],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke=_cell("french", 6, 60) | {"pairs": 1000, "test": 50},
    tolerance=0.25,  # 50 sentences: a single one moves a bucket by several hundredths
)
