"""How well does a fixed vector carry short sentences? BLEU and exact match on the lab.

English→French and English→Korean, trained with teacher forcing, decoded greedily. Beside the
model stand two translators without a network. The record also holds the two ways to run a
decoder: fed with the reference (teacher forcing) and fed with its own words (free running).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.data import lab
from course_lib.decoding.translation import Translator, score
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.recurrent.word_dictionary import WordDictionary, copy_source
from course_lib.studies.engine import measure
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.studies.engine.translators import fit, held_out, untrained
from course_lib.text.words import PAD

POSITIONS = 8  # target positions for the accuracy by position


def by_words(translations: Sequence[Sequence[str]], pairs: Sequence[lab.Pair]) -> Metrics:
    """Exact match for each source length in words."""
    right: dict[int, list[bool]] = {}
    for words, pair in zip(translations, pairs, strict=True):
        right.setdefault(len(pair.source), []).append(tuple(words) == pair.target)
    return {str(words): measure.mean(hits) for words, hits in sorted(right.items())}


@torch.no_grad()
def forced_and_free(translator: Translator, pairs: Sequence[lab.Pair]) -> Metrics:
    """Share of right words: with the reference as input, and with the model's own words.

    Both by target position and overall; `sentences` is the share with every word right.
    """
    model, batch = translator.model.eval(), translator.batch(pairs)
    expected, real = batch.target[:, 1:], batch.target[:, 1:] != PAD  # (B, T - 1)
    forced = model(batch.source, batch.target[:, :-1]).argmax(-1) == expected
    state, token, own = model.init_state(batch.source), batch.target[:, 0], []
    for _ in range(expected.shape[1]):
        log_probs, state = model.step(token, state)
        token = log_probs.argmax(-1)  # (B,)
        own.append(token)
    free = torch.stack(own, dim=1) == expected
    return {"forced": _shares(forced, real), "free": _shares(free, real)}


def _shares(hits: Tensor, real: Tensor) -> Metrics:
    positions = range(min(POSITIONS, hits.shape[1]))
    return {
        "words": hits[real].float().mean().item(),
        "sentences": (hits | ~real).all(1).float().mean().item(),
        "by_position": [hits[:, t][real[:, t]].float().mean().item() for t in positions],
    }


def build(source_vocab: int, target_vocab: int) -> EncoderDecoder:
    """The untrained model of all cells."""
    return EncoderDecoder(Seq2SeqConfig.lab(source_vocab, target_vocab))


def run(config: Config, seed: int) -> Metrics:
    """Train one model, score it and the two baselines on the same held-out sentences."""
    lengths, language = (config["shortest"], config["longest"]), config["target"]
    pairs = lab.generate(config["pairs"], seed=seed, lengths=lengths, target=language)
    translator, batches = untrained(build, pairs, seed)
    history = fit(translator.model, batches, config["steps"], config["lr"])
    test = held_out(config["test"], lengths, language)
    combination = held_out(config["test"], lengths, language, split="combination")
    translations = translator.translate(test)
    dictionary = WordDictionary.learn([(p.source, p.target) for p in pairs[:5000]])
    return {
        "loss": {"first": history.losses[0], "last": measure.last_loss(history.losses)},
        "model": score(translations, test),
        "by_words": by_words(translations, test),
        "combination": score(translator.translate(combination), combination),
        "accuracy": forced_and_free(translator, test),
        "copy": score([copy_source(pair.source) for pair in test], test),
        "dictionary": score([dictionary.translate(pair.source) for pair in test], test),
        "parameters": measure.size(translator.model),
    }


def _cell(target: str, longest: int, steps: int) -> Config:
    sizes = {"pairs": 20_000, "test": 500, "steps": steps, "lr": 0.004}
    return {"target": target, "shortest": 4, "longest": longest, **sizes}


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
