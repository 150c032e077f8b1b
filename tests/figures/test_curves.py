"""Curves with bands, and the words for what intervals say."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from course_lib.evaluation.intervals import Interval
from course_lib.figures import plots, verdicts
from course_lib.figures.curves import Curves, panels

mpl.use("svg")
GRU = [Interval(0.5, 0.4, 0.6), Interval(0.25, 0.125, 0.375), Interval(1, 1, 1)]
UP, DOWN, FLAT = Interval(0.2, 0.1, 0.3), Interval(-0.2, -0.3, -0.1), Interval(0.01, -0.1, 0.12)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_lines_are_drawn_with_their_names_and_colors():
    curves = Curves([1, 10, 1000], {"GRU": GRU, "LSTM": GRU[:2]}, ("gru", "lstm"))
    [axes] = curves.figure(xscale="log", xlabel="words", level=0.5).axes
    gru, lstm, level = axes.lines
    assert list(gru.get_ydata()) == [0.5, 0.25, 1] and list(lstm.get_xdata()) == [1, 10]
    assert [line.get_color() for line in axes.lines[:2]] == [
        plots.COLORS[name] for name in ("gru", "lstm")
    ]
    assert level.get_ydata()[0] == 0.5
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "10", "1,000"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["GRU", "LSTM"]
    assert axes.get_xlabel() == "words"


def test_texts_stand_side_by_side():
    [axes] = Curves(["0%", "50%"], {"a": GRU[:2]}).figure(legend=None).axes
    assert list(axes.lines[0].get_xdata()) == [0, 1] and axes.get_legend() is None
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0%", "50%"]


def test_panels_have_titles_and_one_legend():
    part = Curves([1, 2, 3], {"GRU": GRU})
    figure = panels({"left": part, "right": part}, 8, 3, ylabel="y", legend_in=1, xlabel="x")
    left, right = figure.axes
    assert (left.get_title(loc="center"), right.get_title(loc="center")) == ("left", "right")
    assert left.get_legend() is None and right.get_legend() is not None
    assert left.get_ylabel() == "y" and left.get_xlabel() == right.get_xlabel() == "x"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "GRU 0.50, 0.25, 1.00; LSTM 0.50, 0.25"),
        ({"form": "{name}: {first:.1f} to {last:.1f}", "sep": ". "}, "GRU: 0.5 to 1.0. LSTM: "),
        ({"form": "{means[1]:.2f} at 10"}, "0.25 at 10; 0.25 at 10"),
        ({"point": "{x} words {mean:.1f}"}, "GRU 1 words 0.5, 10 words 0.2, 1000 words 1.0; "),
    ],
)
def test_lines_are_said(options, words):
    curves = Curves([1, 10, 1000], {"GRU": GRU, "LSTM": GRU[:2]})
    assert curves.said(**options).startswith(words)


def test_a_line_that_is_said_has_minus_signs():
    curves = Curves([-1, 1], {"shift": [Interval(-0.5, -1, 0), Interval(-0.001, -1, 1)]})
    assert curves.said(point="{x:+d}: {mean:.2f}") == "shift −1: −0.50, +1: 0.00"
    assert curves.said("{first:.1f}, {means[0]:+.2f}") == "−0.5, −0.50"


def test_a_table_has_the_positions_as_columns(shown):
    Curves([1, 1000], {"GRU": GRU[:2]}).table("cell", "{x:,} words", "T", "+.1f")
    cells = ["cell | 1 words | 1,000 words", "GRU | +0.5 [+0.4, +0.6] | +0.2 [+0.1, +0.4]"]
    assert shown[0]["text/plain"] == "\n".join(["T", *cells])


def test_lines_are_read_from_a_record():
    class Record:
        def interval(self, metric, **select):
            return metric, select

    lines = {"GRU": {"way": "free", "cell": "gru"}}
    read = Curves.read(Record(), "right.{way}.{x}", [4, 8], lines)
    assert read.x == [4, 8]
    assert read.lines["GRU"] == [(f"right.free.{x}", {"cell": "gru"}) for x in (4, 8)]
    along = Curves.read(Record(), "right.{way}", [4, 8], lines, along="words")
    assert along.lines["GRU"][1] == ("right.free", {"cell": "gru", "words": 8})


def test_verdicts_follow_the_ends_of_an_interval():
    words = ("ahead", "behind", "neither")
    assert [verdicts.side(one, *words) for one in (UP, DOWN, FLAT)] == list(words)
    assert verdicts.apart(UP, DOWN, *words) == "ahead"
    assert verdicts.apart(DOWN, UP, *words) == "behind"
    assert verdicts.apart(UP, FLAT, *words) == "neither"  # 0.1 to 0.3 touches −0.1 to 0.12
    assert verdicts.said(UP) == "+0.200 [+0.100, +0.300]"
    assert verdicts.said(FLAT, "+.1f", "?") == "+0.0 [−0.1, +0.1]?"
    assert verdicts.clear({"a": UP, "b": DOWN, "c": FLAT}) == (["a"], ["b"])
    assert verdicts.listed([1, 2]) == "1, 2" and verdicts.listed([]) == "none"
