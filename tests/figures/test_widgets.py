"""Interactive figures: their controls move frames in the browser alone."""

import re

import ipywidgets
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
def boxes(monkeypatch):
    items = []
    monkeypatch.setattr(widgets, "display", items.append)
    return items


@pytest.fixture(params=["Colab", "no Stack"])
def page(shown, monkeypatch, request):
    """What is shown where there is no Stack."""
    if request.param == "Colab":
        monkeypatch.setitem(widgets.sys.modules, "google.colab", widgets)
    else:
        monkeypatch.delattr(ipywidgets, "Stack")
    return lambda: shown[-1]["text/html"]


def bars(height):
    figure, axes = plt.subplots()
    axes.bar([0, 1], [height, 0.5])
    axes.set_ylim(0, 1)
    return figure


def slide(*frames, names=("the", "cat", "cat"), alts=ALTS, label="time step", caption=CAPTION):
    frames = frames or [bars(0.1 * number) for number in range(3)]
    widgets.slider_figure(list(zip(names, frames, alts, strict=True)), label=label, caption=caption)


def choose(*names):
    frames = [(name, bars(0.5), alt) for name, alt in zip(names, ALTS, strict=True)]
    widgets.choice_figure(frames, label="cell", caption=CAPTION)


def align(*examples, rows="French word"):
    uniform = [[0.25] * 4] * 4
    examples = examples or (
        Alignment("French", WORDS, ["le", "chat", "dort", "."], uniform, {(0, 0)}),
        Alignment("itself", WORDS, WORDS, uniform),
    )
    widgets.alignment_figure(examples, caption=CAPTION, rows=rows)


def parts(pick):
    """The controls of a choice, and the pages that it picks from."""
    row, stack = pick.children
    return row.children, stack


def links_to(target, trait):
    """The client-side links into one trait: pairs of source widget and its trait."""
    everything = ipywidgets.Widget.get_manager_state()["state"].values()
    links = [one["state"] for one in everything if one["model_name"] == "LinkModel"]
    return [
        (link["source"][0].removeprefix("IPY_MODEL_"), link["source"][1])
        for link in links
        if link["target"] == [f"IPY_MODEL_{target.model_id}", trait]
    ]


class TestSlider:
    def test_every_frame_is_a_named_picture(self, boxes):
        figures = [bars(0.5) for _ in range(3)]
        slide(*figures)
        body, caption = boxes[0].children
        frames = parts(body)[1].children
        names = [re.findall(r'role="img" aria-label="([^"]+)"', f.value) for f in frames]
        assert names == [[alt] for alt in ALTS]
        assert "<strong>Figure 3.2</strong>" in caption.value
        assert not [figure for figure in figures if plt.fignum_exists(figure.number)]

    def test_is_linked_in_the_browser_not_in_python(self, boxes):
        slide()
        (play, slider), stack = parts(boxes[0].children[0])
        assert links_to(stack, "selected_index") == [(slider.model_id, "index")]
        assert links_to(slider, "index") == [(play.model_id, "value")]
        slider.index = 2  # a Python-side link would move the stack
        assert stack.selected_index == 0 and (play.min, play.max) == (0, 2)
        assert slider.description == "time step"
        assert slider.get_state()["_options_labels"] == ("the", "cat", "cat")

    def test_frames_share_no_id_but_size_layout_and_style(self, boxes):
        figures = [bars(0.5) for _ in range(3)]
        figures[1].set_layout_engine("none")
        figures[1].axes[0].set_axis_off()
        slide(*figures, alts=["same"] * 3)
        frames = parts(boxes[0].children[0])[1].children
        names = [name for f in frames for name in re.findall(r'\bid="([^"]+)"', f.value)]
        assert names and len(names) == len(set(names))
        assert len({re.search(r'viewBox="([^"]+)"', f.value)[1] for f in frames}) == 1
        assert len({(f.layout.model_id, f.style.model_id) for f in frames}) == 1

    def test_takes_html_frames(self, boxes):
        slide("<p>le chat</p>", "<p>le chien</p>", names="ab", alts=["cat", "a 'dog'"])
        frames = parts(boxes[0].children[0])[1].children
        assert "<p>le chien</p>" in frames[1].value
        assert 'aria-label="a &#x27;dog&#x27;"' in frames[1].value

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"alts": ["a", "", "c"]}, "alt is empty"),
            ({"caption": " "}, "caption is empty"),
            ({"label": ""}, "label is empty"),
        ],
    )
    def test_refuses_a_missing_text(self, boxes, changes, message):
        with pytest.raises(ValueError, match=message):
            slide(**changes)
        assert not boxes

    def test_refuses_more_than_a_page_can_carry(self, boxes):
        with pytest.raises(ValueError, match="weigh 2400 kB, the most is 1500 kB"):
            slide(*["x" * 800_000] * 3)
        words = ["word"] * 240
        with pytest.raises(ValueError, match="kB, the most is 1500 kB"):
            align(Alignment("long", words, words, [[1 / 240] * 240] * 240))
        assert not boxes


@pytest.mark.parametrize(
    ("names", "control"),
    [
        (["RNN", "GRU", "LSTM"], ipywidgets.ToggleButtons),
        (["the small cat sleeps", "the dog sees the bird", "she sleeps"], ipywidgets.Dropdown),
    ],
)
def test_a_choice_has_buttons_for_short_names_and_a_list_for_long_ones(boxes, names, control):
    choose(*names)
    (chosen,), stack = parts(boxes[0].children[0])
    assert isinstance(chosen, control)
    assert links_to(stack, "selected_index") == [(chosen.model_id, "index")]
    assert chosen.index == stack.selected_index == 0


class TestAlignmentFigure:
    def test_the_choice_picks_a_sentence_and_its_slider_a_row(self, boxes):
        align()
        body, caption = boxes[0].children
        (choice,), stack = parts(body)
        assert links_to(stack, "selected_index") == [(choice.model_id, "index")]
        assert choice.description == "sentence" and len(stack.children) == 2
        for page in stack.children:
            (play, slider), states = parts(page.children[0])
            assert links_to(states, "selected_index") == [(slider.model_id, "index")]
            assert links_to(slider, "index") == [(play.model_id, "value")]
            assert slider.description == "French word" and len(states.children) == 4
        assert slider.get_state()["_options_labels"] == ("1. the", "2. cat", "3. sleeps", "4. .")
        assert "<strong>Figure 3.2</strong>" in caption.value

    def test_every_state_picks_out_its_own_map_also_when_shown_twice(self, boxes):
        align()
        align()
        keys = set()
        for page in [page for box in boxes for page in parts(box.children[0])[1].children]:
            steps, below = page.children
            key = re.search(r"am-map (\S+)\"", below.value)[1]
            for number, state in enumerate(parts(steps)[1].children):
                assert f".{key}>div:nth-child({number + 2})>*" in state.value
                said = re.sub("<[^>]+>", "", state.value)
                assert f"({number + 1} of 4): the 25 %, cat 25 %" in said
            keys.add(key)
        assert len(keys) == 4

    def test_the_map_its_legend_and_its_numbers_stay(self, boxes):
        align()
        pages = parts(boxes[0].children[0])[1].children
        with_gold, without = (page.children[1].value for page in pages)
        for text in ("<style>", 'role="img"', "brighter is stronger", "<details>"):
            assert text in with_gold and text in without
        assert "gold link" in with_gold and "gold link" not in without


class TestPlain:
    def test_an_alignment_has_a_list_and_a_slider_for_each_sentence(self, page, shown):
        align()
        assert page().count("<select") == 1 and page().count('<input type="range"') == 2
        assert page().count("<div hidden>") == 1 + 2 * 3
        assert page().count("<figure") == page().count("<figcaption") == 1
        assert "le (1 of 4)" in shown[-1]["text/plain"]
        align(Alignment("itself", WORDS, WORDS, [[0.25] * 4] * 4))
        assert "<select" not in page()

    def test_only_the_rows_on_show_are_picked_out(self, page):
        align()
        states = re.findall(r'<div( hidden)?><p class="am-said">.*?(<style[^>]*>)', page())
        assert len(states) == 8
        for hidden, style in states:
            assert style == ('<style media="not all">' if hidden else "<style>")

    def test_a_slider_says_its_values(self, page):
        slide(names=["the", "cat", "<s>"])
        assert '<input type="range" min="0" max="2"' in page()
        assert 'data-names="the|cat|&lt;s&gt;"' in page()
        assert page().count("<div hidden>") == 2
        assert all(f'aria-label="{alt}"' in page() for alt in ALTS)
        assert page().count("<figure") == page().count("<figcaption") == 1
