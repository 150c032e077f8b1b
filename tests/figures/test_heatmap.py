"""The attention heat map: its colors, its marks, its numbers, and what it refuses."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import numpy as np
import pytest
import torch

from course_lib.figures import heatmap

SOURCE, TARGET = ["the", "cat", "sleeps"], ["고양이가", "잔다"]
WEIGHTS = [[0.08, 0.9, 0.02], [0.0, 0.25, 0.75]]


def alignment(**changes):
    parts = {
        "name": "short",
        "source": SOURCE,
        "target": TARGET,
        "weights": WEIGHTS,
        "gold": {(1, 0), (0, 0)},
        "languages": ("en", "ko"),
    }
    return heatmap.Alignment(**{**parts, **changes})


def map_of(example):
    return heatmap.grid(example, "amtest", "output word", "source word")


def luminance(color):
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in color]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(("ramp", "sign"), [(heatmap.DARK, 1), (heatmap.LIGHT, -1)])
def test_colors_change_in_even_steps_with_legible_text_on_each(ramp, sign):
    """Steps in CIE lightness, which follows the eye; contrast as in WCAG, level AA."""
    bright = []
    for number in range(heatmap.LEVELS + 1):
        bright.append(luminance([part / 255 for part in heatmap.color(number, ramp)]))
        low, high = sorted((luminance(mpl.colors.to_rgb(heatmap.ink(number, ramp))), bright[-1]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, number
    steps = sign * np.diff([116 * light ** (1 / 3) - 16 for light in bright])
    assert steps.min() > 0.5 * steps.mean() and steps.max() < 1.8 * steps.mean()


def test_levels_are_rounded():
    weights, levels = (0, 0.02, 0.03, 0.5, 0.99, 1, 1.0005), [0, 0, 1, 10, 20, 20, 20]
    assert [heatmap.level(weight) for weight in weights] == levels


class TestMap:
    def test_is_well_formed_once_attributes_are_quoted(self):
        text = re.sub(r'=([^\s">]+)([\s>])', r'="\1"\2', map_of(alignment())).replace("<br>", "")
        assert ElementTree.fromstring(text) is not None

    def test_words_stand_in_their_language_and_weights_in_their_color(self):
        markup = map_of(alignment())
        assert re.findall(r"lang=en>([^<]+)<", markup) == SOURCE
        assert re.findall(r"lang=ko>([^<]+)<", markup) == TARGET
        cells = re.findall(r'<i class="?w(\d+)[^>]*data-p=(\d+)>', markup)
        weights = [weight for row in WEIGHTS for weight in row]
        assert cells == [(str(heatmap.level(w)), f"{100 * w:.0f}") for w in weights]

    def test_gold_links_bear_a_ring(self):
        cells = re.findall(r"<i class=([^>]+) data", map_of(alignment()))
        assert [" g" in cell for cell in cells] == [True, True, False, False, False, False]
        assert " g" not in map_of(alignment(gold=None))
        assert "gold link" in heatmap.legend(True) and "gold" not in heatmap.legend(False)

    def test_is_named_and_scrolls_by_keyboard(self):
        markup = map_of(alignment())
        assert 'role="img" aria-label="Heat map: 2 rows (output word), 3 columns' in markup
        assert 'overflow-x:auto;padding:2px" tabindex="0"' in markup

    def test_words_are_escaped(self):
        example = alignment(source=["<s>", "a&b", '"'], name="<b>")
        for markup in (
            map_of(example),
            heatmap.state(example, 0, "amtest")[0],
            heatmap.numbers(example, "<i>", "column"),
        ):
            assert not re.search(r"<s>|a&b|<b>|<i>", markup)


class TestState:
    def test_says_where_the_row_looks(self):
        markup, text = heatmap.state(alignment(), 0, "amtest")
        assert text == "고양이가 (1 of 2): cat 90%, the 8%; gold: the + cat"
        line = re.sub(r"<style.*", "", markup)
        assert re.sub(r"<[^>]+>", "", line) == text
        assert "<span lang=ko>고양이가</span>" in line and "<span lang=en>cat</span>" in line

    def test_names_the_largest_even_where_all_are_small(self):
        flat = torch.full((2, 30), 1 / 30)
        example = alignment(source=["w"] * 30, weights=flat, gold=None)
        assert heatmap.state(example, 0, "amtest")[1] == "고양이가 (1 of 2): w 3%"

    def test_says_that_a_row_has_no_gold_link(self):
        assert heatmap.state(alignment(), 1, "amtest")[1].endswith("; gold: none")
        assert "gold" not in heatmap.state(alignment(gold=None), 1, "amtest")[1]

    def test_picks_out_its_row_and_lights_the_words_it_looks_at(self):
        markup, _ = heatmap.state(alignment(), 1, "amtest")
        assert ".amtest>div:nth-child(3)>*" in markup and ":nth-child(2)>*" not in markup
        lit = re.findall(r"first-child>:nth-child\((\d+)\)\{background:var\(--b(\d+)", markup)
        assert lit == [("3", "5"), ("4", "15")]


def test_numbers_hold_the_weights_and_the_gold_links():
    markup = heatmap.numbers(alignment(), "output word", "source word")
    cells = re.findall(r"<td[^>]*>([^<]*)<", markup)
    assert cells == ["", "0.08*", "0.90*", "0.02", "0.00", "0.25", "0.75"]
    assert markup.startswith("<details><summary>") and "* marks a gold link" in markup
    assert markup.count('scope="col"') == 3 and markup.count('scope="row"') == 2
    assert "*" not in heatmap.numbers(alignment(gold=None), "row", "column")


@pytest.mark.parametrize(
    "weights",
    [
        torch.tensor(WEIGHTS, requires_grad=True),
        np.array(WEIGHTS, dtype=np.float32),
        torch.tensor(WEIGHTS, dtype=torch.bfloat16),
        tuple(map(tuple, WEIGHTS)),
    ],
)
def test_an_alignment_takes_what_holds_numbers(weights):
    exact = torch.tensor(WEIGHTS, dtype=torch.float64)
    assert torch.allclose(alignment(weights=weights).weights, exact, atol=3e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": " "}, "name is empty"),
        ({"source": ["the", "", "sleeps"]}, "a source word is empty"),
        ({"source": "thecat"}, r"weights \(2, 3\), expected \(T, S\) = \(2, 6\)"),
        ({"weights": torch.tensor(WEIGHTS).T}, r"weights \(3, 2\), .*\(2, 3\).*transposed"),
        ({"weights": [[0.5, 0.5, 0], [0.2, 0.2, 0.2]]}, "row 1 must be .* 1, not 0.600"),
        ({"weights": [[0.5, 1.0, 0.3], [0.5, 0, 0.7]]}, "softmax over the source, not over"),
        ({"weights": [[1.5, -0.5, 0], [0, 0, 1]]}, "must be positive"),
        ({"weights": [[0, 0, 1], [float("nan")] * 3]}, "row 1 must be positive"),
        ({"gold": {(0, 2)}}, r"a link lies outside .*\(source index, target index\)"),
        ({"gold": {(-1, 0)}}, "lies outside"),
    ],
)
def test_an_alignment_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        alignment(**changes)
