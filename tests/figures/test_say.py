"""Whole sentences with slots."""

import pytest

from course_lib.evaluation.intervals import Interval
from course_lib.figures import plots
from course_lib.figures.words import SAID, say


def test_slots_are_filled_as_their_form_says():
    found = Interval(0.5, 0.25, 0.75)
    told = say(
        "{name}: {found:.1f}, the mean {found.mean:.0%} of {all[many]:,}", **locals_of(found)
    )
    assert told == "RNN: 0.5 [0.2, 0.8], the mean 50% of 2,000"


def locals_of(found):
    return {"name": "RNN", "found": found, "all": {"many": 2000}}


def test_a_slot_without_a_value_says_its_name():
    with pytest.raises(KeyError, match="short"):
        say("{short:.2f} of {long:.2f}", long=1.0)


def test_a_sentence_fills_its_slots_or_is_taken_as_it_stands(shown):
    plots.sentence("The gap is\n{gap:.2f} at $x_{{t}}$.", gap=0.5)
    plots.sentence("At $x_{t}$.")
    texts = [one["text/markdown"] for one in shown]
    assert texts == ["The gap is 0.50 at $x_{t}$.", "At $x_{t}$."]


def test_a_number_below_zero_has_a_minus_sign_and_none_where_it_is_nothing():
    told = say(
        "{rnn:+.1f} and {lstm:.2f} in {shared}-word sentences", rnn=-2.71, lstm=-0.001, shared=9
    )
    assert told == "−2.7 and 0.00 in 9-word sentences"
    assert SAID[told].slots == {"{rnn:+.1f}": "−2.7", "{lstm:.2f}": "0.00", "{shared}": "9"}
