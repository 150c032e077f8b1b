"""The studies of chapter 07: what is read off their records, and what their parts measure."""

import math

import pytest
import torch

from course_lib import studies
from course_lib.data import lab
from course_lib.data.batching import PairSampler
from course_lib.decoding.translation import translate
from course_lib.studies.ch07 import decoding_cost, one_budget, translator_cost
from course_lib.studies.engine.core import Record
from course_lib.transformer.costs import training_flops
from course_lib.transformer.model import Transformer, TransformerConfig


@pytest.fixture
def record():
    """Two seeds; at 100, 200 and 400 steps they cost 1, 2, 4 and 2, 4, 8 seconds."""
    cells = [
        {
            "config": {"model": "transformer", "language": "french", "steps": steps},
            "seed": seed,
            "metrics": {"cost": {"seconds": (seed + 1) * steps / 100}, "quality": quality},
        }
        for steps, quality in ((400, 0.9), (100, 0.1), (200, 0.5))
        for seed in (0, 1)
    ]
    top = {"study": "toy", "title": "", "complete": True, "promised": 6, "smoke": None}
    return Record({**top, "cells": cells, "environments": []})


def test_quality_at_a_cost_is_straight_over_the_logarithm(record):
    def at(budget):
        return one_budget.at_cost(record, "transformer", "quality", cost="seconds", budget=budget)

    assert at(2.0).mean == pytest.approx((0.5 + 0.1) / 2)  # on a point of either seed
    between = 0.5 + 0.4 * (math.log(3) - math.log(2)) / math.log(2), 0.1 + 0.4 * math.log2(1.5)
    assert at(3.0).mean == pytest.approx(sum(between) / 2)
    for outside in (1.5, 5.0):  # below what the second seed cost, above what the first did
        with pytest.raises(ValueError, match="cost.seconds runs from .* lies outside"):
            at(outside)


def test_curve_goes_from_few_steps_to_many(record):
    points = one_budget.curve(record, "transformer", "quality", cost="steps")
    assert [(cost.mean, quality.mean) for cost, quality in points] == [
        (100, 0.1),
        (200, 0.5),
        (400, 0.9),
    ]
    by_time = one_budget.curve(record, "transformer", "quality", cost="seconds")
    assert [cost.mean for cost, _ in by_time] == [1.5, 3, 6]


def test_metered_batches_are_the_sampler_s_own_and_add_up():
    pairs = [([4, 5], [6, 7, 8]), ([4], [5])]
    sampler, config = PairSampler(pairs, batch_size=2, seed=0), TransformerConfig.tiny(9, 9)
    metered = one_budget.Metered(sampler, config)
    batch = metered.batch(0)
    assert torch.equal(batch.source, sampler.batch(0).source)
    metered.batch(1)
    assert metered.flops == 2 * 2 * training_flops(config, 2, 4)  # B = 2, S = 2, T = 3 + the mark


def test_models_have_about_the_same_size():
    for size, limits in {"small": (240_000, 300_000), "large": (3_400_000, 4_100_000)}.items():
        for name in one_budget.MODELS:
            model = translator_cost.build(name, size)
            assert limits[0] < sum(p.numel() for p in model.parameters()) < limits[1]


def test_the_kept_transformer_translates_sentences_it_has_not_seen():
    model, source, target = one_budget.load_translator()
    assert isinstance(model, Transformer) and not model.training
    test = lab.generate(50, seed=11, lengths=(6, 12), split="test")
    hits = [
        tuple(words) == pair.target
        for words, pair in zip(translate(model, source, target, test), test, strict=True)
    ]
    assert sum(hits) >= 45


def test_a_sentence_costs_the_sum_of_its_words():
    sums = decoding_cost._sums({"1": 1.0, "2": 2.0, "4": 4.0})
    assert sums == {"1": 1.0, "2": 3.0, "4": 1 + 2 + 3 + 4}


def test_next_word_is_the_same_with_a_cache_and_without():
    torch.manual_seed(0)
    model = Transformer(TransformerConfig.tiny(12, 12)).eval()
    state = model.init_state(torch.tensor([[4, 5, 6]]))
    for length in (1, 5):
        prefix = torch.randint(4, 12, (1, length))
        with torch.no_grad():
            kept, read_again = (
                make(model, state, prefix)()
                for make in (decoding_cost.cached, decoding_cost.uncached)
            )
        torch.testing.assert_close(kept, read_again, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["one_budget", "transformer_ablations", "verses_transformer"])
def test_records_have_every_seed_of_every_cell(name):
    record, study = studies.load(name), studies.get(name)
    assert record.complete and len(record.cells) == len(study.cells) * len(study.seeds)
