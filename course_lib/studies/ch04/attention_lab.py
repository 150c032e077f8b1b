"""The length curve again, with attention; and where the models look.

One translator per cell on the lab, with the sentences, steps, learning rate and seeds of the study
`bottleneck`, so that its fixed vectors stand beside these models. Cells differ in the score, in
the language, and in how the source is read. The gold alignments of the lab say whether a model
looks where the word comes from. Then the weights of the trained model are replaced by others, to
see what hangs on them.

`score` "uniform" is a control: the model is trained with equal weights on all source words, so
it gets a new mean of the states at no step. `score` "none" is the fixed vector.

Two models of the first seed are kept for the notebooks, one for each language.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib.attention.attend import Score
from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data import lab
from course_lib.decoding.translation import Translator, score
from course_lib.evaluation import scores
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.studies.ch03.bottleneck import RANGES
from course_lib.studies.engine import artifacts, measure, translators
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.studies.engine.translators import LENGTHS, by_length, fit, held_out, untrained
from course_lib.text.words import EOS, PAD, WordTokenizer
from course_lib.training.loop import History

STILL_LONGER = (41, 50)
SCORES = ("additive", "dot", "general", "scaled_dot")
EDITED_LENGTH = 20  # words of the sentences whose weights are replaced: one length, no padding

Edit = Callable[[Tensor], Tensor]  # weights (…, T, S) -> other weights


def uniform(queries: Tensor, keys: Tensor) -> Tensor:
    """The same score for every key: (…, T, K), (…, S, K) -> (…, T, S)."""
    return queries.new_zeros(*queries.shape[:-1], keys.shape[-2])


def train(config: Config, seed: int) -> tuple[Translator, History]:
    """Train the translator of one cell."""
    pairs = lab.generate(config["pairs"], seed=seed, lengths=LENGTHS, target=config["language"])
    translator, batches = untrained(partial(build, config), pairs, seed)
    return translator, fit(translator.model, batches, config["steps"], 4e-3)


def build(config: Config, source_vocab: int, target_vocab: int) -> nn.Module:
    """The untrained model of a cell."""
    reading = {
        "bidirectional": config["reading"] == "both",
        "reverse_source": config["reading"] == "reversed",
    }
    vocabularies = source_vocab, target_vocab
    if config["score"] == "none":
        return EncoderDecoder(Seq2SeqConfig.lab(*vocabularies, **reading))
    if config["score"] != "uniform":
        sizes = AttentionConfig.lab(*vocabularies, score=config["score"], **reading)
        return AttentionEncoderDecoder(sizes)
    model = AttentionEncoderDecoder(AttentionConfig.lab(*vocabularies, score="dot", **reading))
    model.decoder.score = uniform
    return model


class EditedScore(nn.Module):
    """A score whose softmax gives weights that `edit` has changed."""

    def __init__(self, score: Score, edit: Edit) -> None:
        super().__init__()
        self.score = score
        self.edit = edit

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(…, T, K), (…, S, K) -> (…, T, S). Sentences without padding only."""
        # The softmax of the logarithm of weights is these weights again.
        return self.edit(self.score(queries, keys).softmax(-1)).log()


def with_edited_weights(model: AttentionEncoderDecoder, edit: Edit) -> AttentionEncoderDecoder:
    """A copy of the model that looks where `edit` sends it."""
    model = copy.deepcopy(model)
    model.decoder.score = EditedScore(model.decoder.score, edit)
    return model


def edits(seed: int = 0) -> dict[str, Edit]:
    """Ways to replace the weights of a trained model."""
    generator = torch.Generator().manual_seed(seed)

    def shuffled(weights: Tensor) -> Tensor:
        order = torch.rand(weights.shape, generator=generator).to(weights.device).argsort(-1)
        return weights.gather(-1, order)

    def without_the_largest(weights: Tensor) -> Tensor:
        return weights.scatter(-1, weights.argmax(-1, keepdim=True), 0.0)

    def only_the_largest(weights: Tensor) -> Tensor:
        return torch.zeros_like(weights).scatter(-1, weights.argmax(-1, keepdim=True), 1.0)

    return {
        "own": lambda weights: weights,
        "only_largest": only_the_largest,
        "without_largest": without_the_largest,
        "uniform": torch.ones_like,
        "shifted": lambda weights: weights.roll(1, dims=-1),
        "shuffled": shuffled,
    }


@torch.no_grad()
def replaced_weights(translator: Translator, *, sentences: int, language: str) -> Metrics:
    """What the model writes when it is sent elsewhere: for each edit, teacher forced and greedy.

    words: share of right next words, the reference so far given; unchanged: share of next words
    that are those with the model's own weights; exact_match: of greedy translations.
    """
    model = translator.model.eval()
    test = held_out(sentences, (EDITED_LENGTH, EDITED_LENGTH), language)
    batch = translator.batch(test)
    inputs, expected = batch.target[:, :-1], batch.target[:, 1:]  # (B, T)
    real = (expected != PAD) & (expected != EOS)
    own = model(batch.source, inputs).argmax(-1)
    found: Metrics = {}
    for name, edit in edits().items():
        changed = with_edited_weights(model, edit)
        written = changed(batch.source, inputs).argmax(-1)  # (B, T)
        translations = replace(translator, model=changed).translate(test)
        found[name] = {
            "words": (written == expected)[real].float().mean().item(),
            "unchanged": (written == own)[real].float().mean().item(),
            "exact_match": score(translations, test)["exact_match"],
        }
    return found


def looks_and_gradients(translator: Translator, *, sentences: int, language: str) -> Metrics:
    """Does the model look at the source words that its next word depends on?

    For each target word three source words: the one looked at most, the one whose embedding
    moves the log-probability of the target word most (norm of the gradient), and the gold ones.
    The shares say how often they agree (after Jain and Wallace 2019, section 4.1).

    Raises:
        ValueError: the model reads its source from the end; its embeddings come in that order.
    """
    model = translator.model.eval()
    if model.config.reverse_source:
        raise ValueError(
            "the model reads its source from the end, so its gradients come in another order than "
            "its weights; expected a model that reads forward or both ways"
        )
    counts = dict.fromkeys(("words", "look_is_gradient", "look_is_gold", "gradient_is_gold"), 0)
    embedding = model.encoder.embedding
    for pair in held_out(sentences, (8, 16), language):
        batch = translator.batch([pair])
        [weights] = translator.attention_weights([pair])  # (T, S)
        embedded: list[Tensor] = []  # (1, S, E)
        handle = embedding.register_forward_hook(lambda *args, e=embedded: e.append(args[-1]))
        logits = model(batch.source, batch.target[:, :-2])  # (1, T, V), without the end mark
        handle.remove()
        log_probs = logits[0].log_softmax(-1)
        for position, word in enumerate(batch.target[0, 1:-1].tolist()):
            [gradient] = torch.autograd.grad(
                log_probs[position, word], embedded[0], retain_graph=True
            )
            steepest = int(gradient[0].norm(dim=-1).argmax())  # (S,) -> its largest
            look = int(weights[position].argmax())
            gold = {i for i, j in pair.alignment if j == position}
            if gold:
                counts["words"] += 1
                counts["look_is_gradient"] += look == steepest
                counts["look_is_gold"] += look in gold
                counts["gradient_is_gold"] += steepest in gold
    total = counts.pop("words")
    return {name: count / total for name, count in counts.items()}


def alignment(translator: Translator, pairs: Sequence[lab.Pair]) -> Metrics:
    """Error rate of the hard links, and the mean weight on the right source words."""
    weights = translator.attention_weights(pairs)
    links = [scores.hard_links(matrix) for matrix in weights]
    gold = [pair.alignment for pair in pairs]
    on_gold = [
        sum(float(matrix[t, s]) for s, t in right) / len({t for _, t in right})
        for matrix, right in zip(weights, gold, strict=True)
    ]
    return {
        "error_rate": scores.alignment_error_rate(links, gold),
        "weight_on_gold": sum(on_gold) / len(on_gold),
    }


def run(config: Config, seed: int) -> Metrics:
    """Train one translator; measure its translations, its alignments and what hangs on them."""
    translator, history = train(config, seed)
    n, language = config["sentences"], config["language"]
    ranges = [*RANGES, STILL_LONGER]
    asked = {"sentences": n, "language": language}
    metrics = by_length(translator, ranges=ranges, **asked)
    overall = held_out(2 * n, LENGTHS, language)
    found = score(translator.translate(overall), overall)
    metrics |= {
        "overall": {name: found[name] for name in ("bleu", "exact_match")},
        "losses": measure.loss_curve(history.losses, 50),
        "training_loss": measure.last_loss(history.losses),
        "parameters": measure.size(translator.model),
    }
    if config["score"] in SCORES:
        metrics["alignment"] = alignment(translator, overall)
        metrics["alignment_by_length"] = {
            f"{low}-{high}": alignment(translator, held_out(n, (low, high), language))
            for low, high in ranges
        }
        metrics["replaced"] = replaced_weights(translator, **asked)
    if config["score"] in SCORES and config["reading"] != "reversed":
        asked["sentences"] = n // 4
        metrics["agreement"] = looks_and_gradients(translator, **asked)
    for kept in KEPT.values():
        scores = {name: metrics.get(name) for name in ("overall", "alignment")}
        translators.keep(kept, config, seed, translator, scores)
    return metrics


def load_translator(
    language: str = "french", *, folder: Path = artifacts.CHECKPOINTS
) -> Translator:
    """The kept translator into "french" or "korean"."""
    kept = KEPT[language]
    return translators.load_kept(kept, WordTokenizer, partial(build, kept.config), folder)


def _cell(
    score: str = "additive", language: str = "french", reading: str = "both", steps: int = 2000
) -> Config:
    shared = {"steps": steps, "pairs": 20_000, "sentences": 200}
    return {"score": score, "language": language, "reading": reading, **shared}


KEPT = {
    language: artifacts.KeptWeights(
        name=f"attention_lab_{language}",
        config=_cell(language=language),
        what=f"English→{language.title()} GRU encoder–decoder with attention, for chapter 04",
        **translators.LAB,
    )
    for language in ("french", "korean")
}

STUDY = Study(
    name="attention_lab",
    chapter="04",
    title="The length curve with attention, and where the models look",
    cells=[
        *(_cell(score) for score in SCORES),
        _cell("uniform"),
        _cell(language="korean"),
        _cell(reading="forward"),
        _cell(reading="reversed"),
        _cell("none", reading="forward", steps=6000),
        _cell("none", language="korean", reading="forward"),
    ],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke=_cell("dot", steps=60) | {"pairs": 1000, "sentences": 20},
    tolerance=0.25,  # 20 sentences a bucket: one sentence is worth 0.05
)
