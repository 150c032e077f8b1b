"""Interactive figures: their controls move frames in the browser alone."""

import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from course_lib.figures import plots, widgets
from course_lib.figures.heatmap import Alignment

mpl.use("svg")
CAPTION = "**Figure 3.2** Move the slider."
ALTS = [f"bar one at {number}" for number in range(3)]
WORDS = ["the", "cat", "sleeps", "."]


@pytest.fixture(autouse=True)
def book_style():
    with mpl.rc_context():
        plots.style()
        yield
    plt.close("all")


@pytest.fixture
def page(shown):
    return lambda: shown[-1]["text/html"]


def bars(height):
    figure, axes = plt.subplots()
    axes.bar([0, 1], [height, 0.5])
    axes.set_ylim(0, 1)
    return figure


def slide(*frames, names=("the", "cat", "cat"), alts=ALTS, start=0, **changes):
    frames = frames or [bars(0.1 * number) for number in range(3)]
    states = list(zip(names, frames, alts, strict=True))
    settings = {"label": "time step", "caption": CAPTION} | changes
    widgets.slider_figure(states, start=start, **settings)


def choose(*names, **settings):
    frames = [(name, bars(0.5), alt) for name, alt in zip(names, ALTS, strict=True)]
    widgets.choice_figure(frames, label="cell", caption=CAPTION, **settings)


def align(*examples, rows="French word", **settings):
    uniform = [[0.25] * 4] * 4
    examples = examples or (
        Alignment("French", WORDS, ["le", "chat", "dort", "."], uniform, {(0, 0)}),
        Alignment("itself", WORDS, WORDS, uniform),
    )
    widgets.alignment_figure(examples, caption=CAPTION, rows=rows, **settings)


def states(markup):
    """Of every state whether it is hidden, and what it is called."""
    found = re.findall(r'<div( hidden)?><div class="am-scroll".*?aria-label="([^"]+)"', markup)
    return [(bool(hidden), name) for hidden, name in found]


class TestSlider:
    def test_every_frame_is_a_named_picture_and_one_is_on_show(self, page, shown):
        figures = [bars(0.5) for _ in range(3)]
        slide(*figures)
        assert states(page()) == [(False, ALTS[0]), (True, ALTS[1]), (True, ALTS[2])]
        assert page().count("<figure") == page().count("<figcaption") == 1
        assert "<strong>Figure 3.2</strong>" in page() and ALTS[2] in shown[-1]["text/plain"]
        assert not [figure for figure in figures if plt.fignum_exists(figure.number)]

    def test_may_start_elsewhere(self, page):
        slide(start=-1)
        assert states(page()) == [(True, ALTS[0]), (True, ALTS[1]), (False, ALTS[2])]
        assert 'max="2" value="2" aria-valuetext="cat"' in page() and "<output>cat<" in page()
        choose("RNN", "GRU", "LSTM", start=1)
        assert [hidden for hidden, _ in states(page())] == [True, False, True]
        assert re.findall('value="([^"]+)" aria-pressed="true"', page()) == ["1"]
        with pytest.raises(IndexError):
            slide(start=3)

    def test_says_its_values(self, page):
        slide(names=["the", "cat", "<s>"])
        assert '<label>time step <input type="range" min="0" max="2"' in page()
        assert 'data-names="the|cat|&lt;s&gt;"' in page()

    def test_frames_share_no_id_but_a_size(self, page):
        figures = [bars(0.5) for _ in range(3)]
        figures[1].set_layout_engine("none")
        figures[1].axes[0].set_axis_off()
        slide(*figures, alts=["same"] * 3)
        names = re.findall(r'\bid="([^"]+)"', page())
        assert names and len(names) == len(set(names))
        assert len(set(re.findall(r'viewBox="([^"]+)"', page()))) == 1

    def test_takes_html_frames(self, page):
        slide("<p>le chat</p>", "<p>le chien</p>", names="ab", alts=["cat", "a 'dog'"])
        assert "<p>le chien</p>" in page() and 'aria-label="a &#x27;dog&#x27;"' in page()

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"alts": ["a", "", "c"]}, "alt is empty"),
            ({"caption": " "}, "caption is empty"),
            ({"label": ""}, "label is empty"),
        ],
    )
    def test_refuses_a_missing_text(self, shown, changes, message):
        with pytest.raises(ValueError, match=message):
            slide(**changes)
        assert not shown

    def test_refuses_more_than_a_page_can_carry(self, shown):
        with pytest.raises(ValueError, match="weigh 2400 kB, the most is 1500 kB"):
            slide(*["x" * 800_000] * 3)
        words = ["word"] * 240
        with pytest.raises(ValueError, match="kB, the most is 1500 kB"):
            align(Alignment("long", words, words, [[1 / 240] * 240] * 240))
        assert not shown


@pytest.mark.parametrize(
    ("names", "control"),
    [
        (["RNN", "GRU", "LSTM"], '<span role="group" aria-label="cell">'),
        (["the small cat sleeps", "the dog sees the bird", "she sleeps"], "<label>cell <select"),
    ],
)
def test_a_choice_has_buttons_for_short_names_and_a_list_for_long_ones(page, names, control):
    choose(*names)
    assert control in page()
    assert re.findall(r">([^<>]+)</(?:button|option)>", page()) == names
    assert [hidden for hidden, _ in states(page())] == [False, True, True]


class TestAlignmentFigure:
    def test_has_a_choice_and_a_slider_for_each_sentence(self, page, shown):
        align()
        assert page().count('<button type="button" value') == 2
        assert page().count('<label>French word <input type="range"') == 2
        assert page().count("<div hidden>") == 1 + 2 * 3
        assert page().count("<figure") == page().count("<figcaption") == 1
        assert "le (1 of 4)" in shown[-1]["text/plain"]
        align(Alignment("itself", WORDS, WORDS, [[0.25] * 4] * 4))
        assert 'aria-label="sentence"' not in page()

    def test_opens_at_the_row_that_is_asked_for(self, page, shown):
        align(start=2)
        assert page().count('value="2" aria-valuetext="3. ') == 2

    def test_every_state_picks_out_its_own_map_also_when_shown_twice(self, shown):
        align()
        align()
        keys = set()
        for one in shown:
            for maps in one["text/html"].split('class="am-look am-map ')[1:]:
                keys.add(maps.split('"')[0])
            for number in range(4):
                assert f">div:nth-child({number + 2})>*" in one["text/html"]
                said = re.sub("<[^>]+>", "", one["text/html"])
                assert f"({number + 1} of 4): the 25%, cat 25%" in said
        assert len(keys) == 4
        for key in keys:
            assert sum(one["text/html"].count(f".{key}>div:nth-child(2)>*") for one in shown) == 1

    def test_only_the_rows_on_show_are_picked_out(self, page):
        align()
        found = re.findall(r'<div( hidden)?><p class="am-said">.*?(<style[^>]*>)', page())
        assert len(found) == 8
        for hidden, style in found:
            assert style == ('<style media="not all">' if hidden else "<style>")

    def test_the_map_its_legend_and_its_numbers_stay(self, page):
        align()
        for text in ('role="img"', "of a row's weight", "<details>"):
            assert page().count(text) == 2
        assert page().count("gold link") == 2  # legend and note of the one that has gold links
