"""Figures, sentences and tables as they land on a page."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_lib.evaluation.intervals import Bucket, Interval
from course_lib.figures import plots
from course_lib.figures.svg import figure_to_svg, inline

parse = ElementTree.fromstring
mpl.use("svg")


@pytest.fixture(autouse=True)
def book_style():
    with mpl.rc_context():
        plots.style()
        yield
    plt.close("all")


def curve(slope=1.0, text="source length (words)"):
    figure, axes = plt.subplots()
    axes.plot([0, 1, 2], [0, slope, 2 * slope], "o-", label="GRU")
    axes.set_xlabel(text)
    axes.legend()
    return figure


def show(shown, figure=None, alt="a rising line", caption="**Figure 3.1** It rises."):
    plots.show(figure if figure is not None else curve(), alt=alt, caption=caption)
    return shown[-1]["text/html"]


def ids(markup):
    return re.findall(r'\bid="([^"]+)"', markup)


def luminance(color):
    channels = np.array(mpl.colors.to_rgb(color))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722], linear


class TestShow:
    def test_is_a_figure_with_a_named_picture_and_a_caption(self, shown):
        figure = curve()
        root = parse(show(shown, figure, 'bars & "lines"', "**Figure 3.1** See `x` <b>."))
        assert root.tag == "figure" and not plt.fignum_exists(figure.number)
        (picture,) = root.iter("svg")
        assert picture.get("role") == "img"
        assert picture.get("aria-label") == 'bars & "lines"'
        caption = root.find("figcaption")
        assert "".join(caption.itertext()) == "Figure 3.1 See x <b>."
        assert caption.find("strong").text == "Figure 3.1" and caption.find("code").text == "x"
        assert shown[-1]["text/plain"] == 'Figure 3.1 See x <b>.\n[bars & "lines"]'

    @pytest.mark.parametrize("missing", ["alt", "caption"])
    @pytest.mark.parametrize("empty", ["", "  \n ", None])
    def test_refuses_a_missing_text(self, shown, missing, empty):
        with pytest.raises(ValueError, match=f"{missing} is empty"):
            show(shown, **{missing: empty})
        with pytest.raises(TypeError):
            plots.show(curve())
        assert not shown

    def test_ink_is_the_color_of_the_page(self, shown):
        markup = show(shown)
        (picture,) = parse(markup).iter("svg")
        assert picture.get("fill") == "currentColor"
        assert not re.search("#000000|black|#ffffff", markup)
        strokes = set(re.findall(r"stroke:([^;\"]+)", markup))
        assert "currentColor" in strokes and strokes <= {"currentColor", "none", *plots.CYCLE}
        texts = list(picture.iter("text"))
        assert len(texts) > 5 and not [t for t in texts if "fill" in t.get("style", "")]

    def test_a_chosen_text_color_is_kept(self, shown):
        figure = curve()
        figure.axes[0].text(0, 0, "here", color=plots.COLORS["orange"])
        (text,) = [t for t in parse(show(shown, figure)).iter("text") if t.text == "here"]
        assert plots.COLORS["orange"] in text.get("style")

    def test_white_backgrounds_are_dropped_also_without_the_style(self, shown):
        mpl.rcdefaults()
        shapes = [path.get("style", "") for path in parse(show(shown)).iter("path")]
        assert not [style for style in shapes if "#ffffff" in style and "opacity" not in style]

    def test_text_stays_text_korean_included_without_a_warning(self, shown, recwarn):
        markup = show(shown, curve(text="원문 길이"))
        assert "원문 길이" in [text.text for text in parse(markup).iter("text")]
        assert not [str(warning.message) for warning in recwarn]

    def test_ids_are_its_own_and_every_reference_has_its_target(self, shown):
        figures = [show(shown), show(shown), show(shown, curve(2.0))]
        for first, second in itertools.combinations(map(ids, figures), 2):
            assert first and not set(first) & set(second)
        for markup in figures:
            used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', markup)
            assert {a or b for a, b in used} == set(ids(markup))

    def test_nothing_reaches_the_rest_of_the_page(self, shown):
        tags = {element.tag for element in parse(show(shown)).iter()}
        assert not tags & {"style", "script", "metadata"}
        assert not [tag for tag in tags if "}" in tag]

    def test_fits_a_phone_or_scrolls_there_by_keyboard(self, shown):
        narrow = parse(show(shown))
        style = next(narrow.iter("svg")).get("style")
        assert "max-width:100%" in style
        assert int(re.search(r"min-width:(\d+)px", style)[1]) <= 366
        assert narrow.find("div").get("tabindex") is None
        wide = parse(show(shown, plt.subplots(1, 3, figsize=(11, 3))[0])).find("div")
        assert wide.get("tabindex") == "0" and "overflow-x:auto" in wide.get("style")

    def test_shows_a_drawing_given_as_svg_text(self, shown):
        drawing = '<svg viewBox="0 0 10 10"><path id="a" d="M0 0"/><use href="#a"/></svg>'
        markup = show(shown, drawing)
        assert parse(markup).find(".//use").get("href") == f"#{ids(markup)[0]}"
        assert ids(markup) != ["a"]


def test_inline_refuses_a_lost_reference():
    with pytest.raises(ValueError, match="does not define: gone"):
        inline('<svg viewBox="0 0 1 1"><use href="#gone"/></svg>', prefix="p", alt="a")


def test_rounding_moves_nothing_by_more_than_a_hundredth():
    raw = figure_to_svg(curve(0.731))
    numbers = [
        [float(n) for d in re.findall(r' d="([^"]+)"', text) for n in re.findall(r"[-\d.]+", d)]
        for text in (raw, inline(raw, prefix="p", alt="a"))
    ]
    assert len(numbers[0]) == len(numbers[1]) > 20
    assert np.abs(np.subtract(*numbers)).max() <= 0.006


@pytest.mark.parametrize("color", plots.CYCLE)
def test_colors_stand_out_in_light_and_dark(color):
    for page in ("#ffffff", "#121212", "#14181e"):
        low, high = sorted((luminance(page)[0], luminance(color)[0]))
        assert (high + 0.05) / (low + 0.05) >= 3, page


# Machado, Oliveira & Fernandes (2009), severity 1
@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(3),
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    ],
    ids=["usual", "deutan", "protan", "tritan"],
)
def test_colors_stay_apart_for_every_kind_of_color_vision(matrix):
    def lab(color):
        linear = np.clip(np.array(matrix) @ luminance(color)[1], 0, 1)
        to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
        xyz = np.array(to_xyz) @ linear / [0.9505, 1, 1.089]
        f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    pairs = itertools.combinations(plots.CYCLE, 2)
    assert min(np.linalg.norm(lab(a) - lab(b)) for a, b in pairs) > 20


def test_a_sentence_is_markdown_and_may_stand_on_several_lines(shown):
    plots.sentence("It reaches\n**0.9**.\n\nAnd:\n- one\n- two")
    said = "It reaches **0.9**.\n\nAnd:\n- one\n- two"
    assert shown == [{"text/markdown": said, "text/plain": said}]


class TestTable:
    def test_has_caption_headers_and_aligned_numbers(self, shown):
        plots.table([["GRU", 0.91234], ["<s>", 0.5]], ["model", "exact match"], "**Table 1** T.")
        root = parse(shown[0]["text/html"])
        assert "".join(root.find(".//caption").itertext()) == "Table 1 T."
        heads = [(cell.text, cell.get("scope")) for cell in root.iter("th")]
        assert heads == [("model", "col"), ("exact match", "col")]
        assert [cell.text for cell in root.iter("td")] == ["GRU", "0.912", "<s>", "0.500"]
        sides = ["right" in cell.get("style") for cell in root.iter("td")]
        assert sides == [False, True, False, True]
        assert shown[0]["text/plain"].endswith("model | exact match\nGRU | 0.912\n<s> | 0.500")

    def test_a_difference_of_nothing_has_no_minus_sign(self, shown):
        plots.table([[-0.0004, Interval(-0.01, -0.02, -0.0)]], ["a", "b"], "T", form=".2f")
        assert shown[0]["text/plain"].endswith("0.00 | −0.01 [−0.02, 0.00]")

    def test_a_wide_one_scrolls_by_keyboard(self, shown):
        plots.table([["a"]], ["b"], "T")
        plots.table([["a" * 31]], ["b"], "T")
        assert [parse(one["text/html"]).get("tabindex") for one in shown] == [None, "0"]

    def test_refuses_a_short_row_and_a_missing_caption(self):
        with pytest.raises(ValueError, match="shorter"):
            plots.table([[1, 2], [1]], ["a", "b"], "T")
        with pytest.raises(ValueError, match="caption is empty"):
            plots.table([[1]], ["a"], "")

    def test_writes_buckets(self):
        bucket = Bucket(4, 7, 20, 0.5, Interval(0.5, 0.25, 0.75))
        assert plots.bucket_rows([bucket]) == [("4 to 6", 20, "0.50", "[0.25, 0.75]")]


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("a **b** c", "a <strong>b</strong> c"),
        ("*b*", "<em>b</em>"),
        ("3 * 4 * 5", "3 * 4 * 5"),
        ("`**x**`", "<code>**x**</code>"),
        ("a < b & c", "a &lt; b &amp; c"),
        ("[Cho](https://x.org/a_b)", '<a href="https://x.org/a_b">Cho</a>'),
    ],
)
def test_light_markdown(text, markup):
    assert plots.markdown_light(text) == markup


def test_bands_draw_mean_and_ends_and_differ_in_more_than_color():
    _, axes = plt.subplots()
    plots.band(axes, [1, 2], [Interval(0.5, 0.4, 0.6), Interval(0.3, 0.1, 0.4)], "GRU", "gru")
    for name in "ab":
        plots.band(axes, [1], [Interval(0.5, 0.4, 0.6)], name)
    line = axes.lines[0]
    assert list(line.get_ydata()) == [0.5, 0.3]
    assert line.get_color() == plots.COLORS["gru"] and line.get_label() == "GRU"
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() == 0.1 and heights.max() == 0.6
    for attribute in ("get_color", "get_linestyle", "get_marker"):
        assert len({getattr(line, attribute)() for line in axes.lines}) == 3
