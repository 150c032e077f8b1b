import pytest

from course_lib.figures import plots
from course_lib.studies import load
from course_lib.studies.ch03.bottleneck import RANGES as SHORT
from course_lib.studies.ch07 import page_figure
from course_lib.studies.ch07.page_translators import KEPT


def test_the_shares_are_those_of_the_kept_weights():
    kept = KEPT["korean"]["fixed"].config
    fixed = load("page_translators").values("exact_match.4-9", **kept)
    assert page_figure.exact_match("fixed", "korean")[0] == fixed[0]
    kept = KEPT["french"]["attention"].config
    record = load("attention_lab")
    halves = [record.values(f"exact_match.{a}-{b}", **kept)[0] for a, b in SHORT[2:4]]
    assert page_figure.exact_match("attention", "french")[1] == pytest.approx(sum(halves) / 2)


def test_the_figure_has_a_row_for_each_language_and_range_and_is_light():
    rows = page_figure.rows()
    assert [row[0] for row in rows] == ["French"] * 6 + ["Korean"] * 6
    assert all(len(row) == len(page_figure.HEADER) for row in rows)
    assert 2 * page_figure.megabytes() < 6


def test_the_small_one_asks_for_little(capsys):
    plots.style()
    small = page_figure.small_markup("**Try it.** A sentence.")
    assert "&quot;small&quot;: true" in small
    page_figure.show("**Try it.** A sentence.", ask="look")
    assert "[Exact match by source length" in capsys.readouterr().out
