"""The attention heat map: its colors, its marks, its numbers, and what it refuses."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_lib.figures import heatmap, plots

mpl.use("svg")
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


def map_of(example, key="amtest"):
    return heatmap.grid(example, key, "output word", "source word")


def luminance(color):
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in color]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def shade(number):
    return [part / 255 for part in heatmap.color(number)]


class TestColors:
    def test_a_stronger_weight_is_always_brighter(self):
        bright = [luminance(shade(number)) for number in range(heatmap.LEVELS + 1)]
        assert all(low < high for low, high in zip(bright, bright[1:], strict=False))

    def test_each_step_of_brightness_is_of_about_one_size(self):
        """In CIE lightness, which follows the eye."""
        lightness = [
            116 * luminance(shade(number)) ** (1 / 3) - 16 for number in range(heatmap.LEVELS + 1)
        ]
        steps = np.diff(lightness)
        assert steps.min() > 0.5 * steps.mean() and steps.max() < 1.8 * steps.mean()

    @pytest.mark.parametrize("number", range(heatmap.LEVELS + 1))
    def test_text_on_every_level_is_legible(self, number):
        ink = mpl.colors.to_rgb(heatmap.ink(number))
        assert contrast(ink, shade(number)) >= 4.5

    @pytest.mark.parametrize("number", [-1, heatmap.LEVELS + 1])
    def test_there_are_no_other_levels(self, number):
        with pytest.raises(ValueError, match="level"):
            heatmap.color(number)

    def test_levels_are_rounded(self):
        assert [heatmap.level(w) for w in (0, 0.02, 0.03, 0.5, 0.99, 1, 1.0005)] == [
            *(0, 0, 1, 10, 20, 20, 20)
        ]


class TestMap:
    def test_is_well_formed_once_attributes_are_quoted(self):
        text = re.sub(r'=([^\s">]+)([\s>])', r'="\1"\2', map_of(alignment())).replace("<br>", "")
        assert ElementTree.fromstring(text) is not None

    def test_every_word_stands_in_its_language(self):
        markup = map_of(alignment())
        assert re.findall(r"lang=en>([^<]+)<", markup) == SOURCE
        assert re.findall(r"lang=ko>([^<]+)<", markup) == TARGET

    def test_every_weight_is_a_cell_with_its_brightness(self):
        cells = re.findall(r'<i class="?w(\d+)[^>]*data-p=(\d+)>', map_of(alignment()))
        assert cells == [
            ("2", "8"),
            ("18", "90"),
            ("0", "2"),
            ("0", "0"),
            ("5", "25"),
            ("15", "75"),
        ]

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

    def test_two_maps_have_two_names(self):
        assert len({heatmap.name_of(alignment()) for _ in range(3)}) == 3


class TestState:
    def test_says_where_the_row_looks(self):
        markup, text = heatmap.state(alignment(), 0, "amtest")
        assert text == "고양이가 (1 of 2): cat 90 %, the 8 %; gold: the + cat"
        line = re.sub(r"<style.*", "", markup)
        assert re.sub(r"<[^>]+>", "", line) == text
        assert "<span lang=ko>고양이가</span>" in line and "<span lang=en>cat</span>" in line

    def test_names_the_largest_even_where_all_are_small(self):
        flat = torch.full((2, 30), 1 / 30)
        example = alignment(source=["w"] * 30, weights=flat, gold=None)
        assert heatmap.state(example, 0, "amtest")[1] == "고양이가 (1 of 2): w 3 %"

    def test_says_that_a_row_has_no_gold_link(self):
        assert heatmap.state(alignment(), 1, "amtest")[1].endswith("; gold: none")
        assert "gold" not in heatmap.state(alignment(gold=None), 1, "amtest")[1]

    def test_picks_out_its_row_and_lights_the_words_it_looks_at(self):
        markup, _ = heatmap.state(alignment(), 1, "amtest")
        assert ".amtest>div:nth-child(3)>*" in markup and ":nth-child(2)>*" not in markup
        lit = re.findall(r"first-child>:nth-child\((\d+)\)\{background:#(\w+)", markup)
        colors = [bytes(heatmap.color(number)).hex() for number in (5, 15)]
        assert lit == [("3", colors[0]), ("4", colors[1])]


class TestNumbers:
    def test_hold_the_weights_and_the_gold_links(self):
        markup = heatmap.numbers(alignment(), "output word", "source word")
        cells = re.findall(r"<td[^>]*>([^<]*)<", markup)
        assert cells == ["", "0.08*", "0.90*", "0.02", "0.00", "0.25", "0.75"]
        assert markup.startswith("<details><summary>") and "* marks a gold link" in markup
        assert markup.count('scope="col"') == 3 and markup.count('scope="row"') == 2

    def test_without_gold_links_no_mark_is_explained(self):
        assert "*" not in heatmap.numbers(alignment(gold=None), "row", "column")


class TestAlignment:
    @pytest.mark.parametrize(
        "weights",
        [
            torch.tensor(WEIGHTS, requires_grad=True),
            np.array(WEIGHTS, dtype=np.float32),
            torch.tensor(WEIGHTS, dtype=torch.bfloat16),
            tuple(map(tuple, WEIGHTS)),
        ],
    )
    def test_takes_what_holds_numbers(self, weights):
        exact = torch.tensor(WEIGHTS, dtype=torch.float64)
        assert torch.allclose(alignment(weights=weights).weights, exact, atol=3e-3)

    def test_leaves_the_weights_alone(self):
        weights = torch.tensor(WEIGHTS)
        alignment(weights=weights)
        assert torch.equal(weights, torch.tensor(WEIGHTS))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"name": " "}, "name is empty"),
            ({"source": "the cat"}, "source is one string, expected a list of words"),
            ({"source": ["the", "", "sleeps"]}, "a source word is empty"),
            ({"target": ["잔다"], "weights": WEIGHTS[:1]}, "1 target words, expected one and two"),
            ({"source": [], "weights": [[], []]}, "0 source and 2 target words"),
            ({"weights": torch.tensor(WEIGHTS).T}, r"weights \(3, 2\), .*\(2, 3\).*transposed"),
            ({"weights": torch.rand(1, 2, 3)}, r"weights \(1, 2, 3\), expected \(T, S\)"),
            ({"weights": [[1.0, 0.0], [0.2, 0.3, 0.5]]}, "no matrix"),
            (
                {"weights": [[0.5, 0.5, 0], [0.2, 0.2, 0.2]]},
                "row 1 .잔다. sum to 0.600, not 1",
            ),
            ({"weights": [[0.5, 1.0, 0.3], [0.5, 0, 0.7]]}, "softmax over the source, not over"),
            ({"weights": [[1.5, -0.5, 0], [0, 0, 1]]}, "negative"),
            ({"weights": [[float("nan")] * 3, [0, 0, 1]]}, "NaN"),
            ({"gold": {(0, 2)}}, r"link \(0, 2\) lies outside .*\(source index, target index\)"),
            ({"gold": {(-1, 0)}}, "lies outside"),
        ],
    )
    def test_refuses(self, changes, message):
        with pytest.raises(ValueError, match=message):
            alignment(**changes)


class TestDraw:
    @pytest.fixture
    def svg(self):
        with plots.style():
            figure, axes = plt.subplots()
            heatmap.draw(axes, WEIGHTS, ["le", "chat"], SOURCE, gold={(1, 0)})
            yield plots.picture(figure, alt="A heat map")

    def test_draws_every_cell_and_word(self, svg):
        words = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
        assert [word for word in words if word in (*SOURCE, "le", "chat")] == [
            *SOURCE,
            "le",
            "chat",
        ]
        fills = re.findall(r"fill:(#\w{6})", svg)
        for row in WEIGHTS:
            for weight in row:
                assert f"#{bytes(heatmap.color(heatmap.level(weight))).hex()}" in fills

    def test_rings_are_drawn(self, svg):
        assert svg.count("#9db8e8") == 1

    def test_refuses_what_an_alignment_refuses(self):
        _, axes = plt.subplots()
        with pytest.raises(ValueError, match="transposed"):
            heatmap.draw(axes, WEIGHTS, SOURCE, ["le", "chat"])
        plt.close("all")
