"""BLEU, exact match, alignments, intervals, perplexity."""

import math
import subprocess
import sys

import numpy as np
import pytest
import sacrebleu
import torch
from scipy import stats

from course_lib.data import lab
from course_lib.evaluation import intervals as interval_module
from course_lib.evaluation.intervals import bootstrap_interval, by_length, t_interval
from course_lib.evaluation.scores import (
    alignment_error_rate,
    bleu,
    exact_match,
    hard_links,
    perplexity,
)

REFERENCES = ["the cat sat on the mat .", "a dog barks at the moon .", "we read a long book ."]
HYPOTHESES = ["the cat sat on a mat .", "a dog barks at the moon .", "we saw the long film ."]


def test_bleu_is_100_for_the_references_and_0_for_nothing_in_common():
    assert bleu(REFERENCES, REFERENCES).score == pytest.approx(100)
    assert bleu(["x y z"] * 3, REFERENCES).score < 1
    assert bleu([""] * 3, REFERENCES).score == 0


def test_bleu_is_sacrebleu_and_signed():
    result = bleu(HYPOTHESES, REFERENCES)
    assert result.score == sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score
    assert 20 < result.score < 90
    assert "tok:13a" in result.signature and "version:" in result.signature


def test_exact_match_compares_character_by_character():
    assert exact_match(["a b", "a  b", "A b"], ["a b"] * 3) == [True, False, False]


def test_every_sentence_needs_its_reference():
    for score in (bleu, exact_match):
        with pytest.raises(ValueError, match="argument 2 is shorter"):
            score(["a", "b"], ["a"])
    with pytest.raises(TypeError, match="should be a string"):
        bleu([["a", "b"]], ["a b"])


def test_by_length_puts_each_sentence_in_its_bucket():
    values = [1, 0, 1, 1, 0, 0]
    lengths = [6, 8, 9, 11, 12, 14]
    buckets = by_length(values, lengths, [6, 9, 12, 15])
    assert [(b.low, b.high, b.count, b.mean) for b in buckets] == [
        (6, 9, 2, 0.5),
        (9, 12, 2, 1.0),
        (12, 15, 2, 0.0),
    ]
    assert all(b.interval.low <= b.mean <= b.interval.high for b in buckets)


def test_an_empty_bucket_is_shown_as_empty():
    empty = by_length([1.0, 0.0], [1, 9], [0, 5, 7, 10])[1]
    assert empty.count == 0 and math.isnan(empty.mean) and math.isnan(empty.interval.low)


@pytest.mark.parametrize(
    ("values", "lengths", "edges"),
    [
        ([1, 0], [6, 15], [6, 9, 15]),
        ([1, 0], [5, 6], [6, 9, 15]),
        ([1, 0], [6], [6, 9]),
        ([1], [6], [6]),
        ([1], [6], [9, 6]),
        ([1, 0], [7, 10], [6, 12, 9, 15]),
    ],
)
def test_by_length_drops_nothing_and_counts_nothing_twice(values, lengths, edges):
    with pytest.raises(ValueError, match="values, .* lengths of .* The edges must increase"):
        by_length(values, lengths, edges)


def test_by_length_passes_on_how_it_draws():
    values, lengths = [0, 1, 1, 0, 1], [1] * 5
    [bucket] = by_length(values, lengths, [1, 2], seed=3, confidence=0.8)
    assert bucket.interval == bootstrap_interval(values, seed=3, confidence=0.8)
    assert by_length(values, lengths, [1, 2])[0].interval == bootstrap_interval(values, seed=0)


def test_bootstrap_agrees_with_theory_on_a_large_sample():
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    ours = bootstrap_interval(values, seed=0, samples=4000)
    theory = t_interval(values)
    assert ours.mean == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theory.low, abs=0.02)
    assert ours.high == pytest.approx(theory.high, abs=0.02)


def test_bootstrap_in_pieces_is_the_bootstrap(monkeypatch):
    values = np.random.default_rng(0).normal(size=40)
    whole = bootstrap_interval(values, seed=0, samples=105)
    assert bootstrap_interval(values, seed=0) == bootstrap_interval(values, seed=0, samples=1000)
    sizes, joined = [], np.concatenate
    monkeypatch.setattr(interval_module, "_MOST_DRAWS", 400)
    monkeypatch.setattr(np, "concatenate", lambda pieces: joined(sizes.append(pieces) or pieces))
    assert bootstrap_interval(values, seed=0, samples=105) == whole
    resamples = [[np.size(piece) for piece in pieces] for pieces in sizes]
    assert [10] * 10 + [5] in resamples  # at a time


def test_bootstrap_takes_truth_values_and_grows_with_confidence():
    values = [True] * 30 + [False] * 10
    narrow = bootstrap_interval(values, seed=0, confidence=0.5)
    wide = bootstrap_interval(values, seed=0, confidence=0.99)
    assert narrow.mean == 0.75
    assert wide.low < narrow.low < 0.75 < narrow.high < wide.high
    assert bootstrap_interval([True] * 5, seed=0) == (1.0, 1.0, 1.0)


def test_intervals_do_not_pay_for_all_of_scipy():
    code = "import sys, course_lib.evaluation.intervals; assert 'scipy.stats' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_t_interval_equals_scipy_and_the_table():
    values = [2.0, 4.0, 4.5, 5.0, 7.0]
    ours = t_interval(values)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert ours == pytest.approx((4.5, low, high))
    # Two values a and b: the 95% factor with one degree of freedom is 12.706.
    assert t_interval([0.0, 2.0]).high == pytest.approx(1 + 12.706, abs=1e-3)
    assert t_interval([3.0, 3.0]) == (3.0, 3.0, 3.0)


def test_an_interval_writes_itself_as_a_number_is_written():
    interval = interval_module.Interval(0.512, -0.4836, 1234.5)
    assert f"{interval:.2f}" == "0.51 [−0.48, 1234.50]"
    assert f"{interval:+,.1f}" == "+0.5 [−0.5, +1,234.5]"
    assert f"{interval:.0%}" == "51% [−48%, 123450%]"
    assert f"{interval_module.Interval(-0.001, -0.04, 0.0):.2f}" == "0.00 [−0.04, 0.00]"


@pytest.mark.parametrize(
    ("number", "form", "text"),
    [
        (-0.004, ".2f", "0.00"),
        (-0.006, ".2f", "−0.01"),
        (-0.004, "+.2f", "+0.00"),
        (-0.4, ",.0f", "0"),
        (-0.004, ".0%", "0%"),
        (-10.0, ".1f", "−10.0"),
        (-1e-9, ".0e", "−1e-09"),
        (float("-inf"), ".2f", "−inf"),
    ],
)
def test_no_minus_sign_stands_before_a_zero(number, form, text):
    assert interval_module.decimal(number, form) == text


def test_difference_is_taken_pair_by_pair_and_geometric_in_logarithms():
    found = interval_module.difference([3.0, 5.0], [1.0, 4.0])
    assert found == t_interval([2.0, 1.0])
    assert interval_module.geometric([1.0, 100.0]).mean == pytest.approx(10)
    assert interval_module.geometric([4.0, 4.0]) == pytest.approx((4, 4, 4))
    with pytest.raises(ValueError, match="shorter"):
        interval_module.difference([1.0, 2.0], [1.0])


def test_several_comparisons_share_the_error():
    one, other = [3.0, 5.0], [1.0, 4.0]  # differences 2 and 1: standard error 1/2
    alone, of_five = (interval_module.difference(one, other, comparisons=n) for n in (1, 5))
    assert alone.high == pytest.approx(1.5 + 12.706 / 2, abs=1e-3)  # t table, 1 degree of freedom
    assert of_five.high == pytest.approx(1.5 + 63.657 / 2, abs=1e-3)  # at 99%


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], [1.0, math.nan], [math.inf, 1.0]])
def test_intervals_refuse_what_they_cannot_use(values):
    for interval in (t_interval, lambda values: bootstrap_interval(values, seed=0)):
        with pytest.raises(ValueError, match="finite values"):
            interval(values)


def test_one_value_has_a_mean_and_no_t_interval():
    assert bootstrap_interval([1.5], seed=0) == (1.5, 1.5, 1.5)
    with pytest.raises(ValueError, match="one row of 2 or more finite values"):
        t_interval([1.0])


def test_perplexity_of_a_guess_is_the_size_of_the_choice():
    assert perplexity(10 * math.log(50), 10) == pytest.approx(50)
    assert perplexity(0.0, 3) == 1.0
    assert perplexity(1e6, 1) == math.inf


def test_hard_links_take_the_source_word_each_target_word_looks_at_most():
    weights = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0], [0.0, 0.9, 0.1]])
    assert hard_links(weights) == {(1, 0), (0, 1), (1, 3)}


@pytest.mark.parametrize(
    "weights",
    [
        torch.ones(2, 3, 4) / 4,
        torch.tensor([[2.0, -1.0]]),
        torch.tensor([[math.nan, 1.0]]),
        torch.tensor([[1.3, 0.1], [0.2, 0.9]]),
        torch.tensor([[0.5, 0.5], [0.8, 0.2], [0.1, 0.9]]).T,
    ],
)
def test_hard_links_refuse_what_are_no_weights(weights):
    with pytest.raises(ValueError, match=r"expected \(T, S\), 0 or more, .* sums to one"):
        hard_links(weights)


def test_alignment_error_rate_by_hand():
    gold = [[(0, 0), (1, 2), (2, 1)], [(0, 0)]]
    links = [{(0, 0), (1, 1), (2, 1), (2, 2)}, {(0, 0)}]
    # 5 links, 4 gold links, 3 of them found: (0, 0) and (2, 1), and (0, 0) of the second.
    assert alignment_error_rate(links, gold) == pytest.approx(1 - (3 + 3) / (5 + 4))
    assert alignment_error_rate([[(0, 0), (0, 0)]], [[(0, 0), (1, 1)]]) == pytest.approx(1 / 3)
    assert alignment_error_rate(links[:1], gold[:1]) == pytest.approx(1 - (2 + 2) / (4 + 3))


def test_alignment_error_rate_is_0_for_the_gold_and_1_for_nothing_right():
    gold = [pair.alignment for pair in lab.generate(5, seed=0, target="korean")]
    assert alignment_error_rate(gold, gold) == 0
    assert alignment_error_rate([[] for _ in gold], gold) == 1
    turned = [[(t, s) for s, t in pair if s != t] for pair in gold]
    assert alignment_error_rate(turned, gold) > 0.9


def test_links_are_whole_numbers_of_any_kind():
    assert alignment_error_rate([[(torch.tensor(0), np.int64(1))]], [[(0, 1)]]) == 0
    for links in ([[(0, 0.5)]], [torch.ones(2, 2)]):
        with pytest.raises(TypeError):
            alignment_error_rate(links, [[(0, 0)]])
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        alignment_error_rate([[(0, 0)]], [])
