"""Whole sentences with slots."""

import pytest

from course_lib.evaluation.intervals import Interval
from course_lib.figures import plots
from course_lib.figures.words import say


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
