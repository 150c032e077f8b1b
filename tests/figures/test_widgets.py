"""Interactive figures: their controls move frames in the browser alone."""

import json
import re

import ipywidgets
import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from course_lib.figures import plots, widgets

mpl.use("svg")
CAPTION = "**Figure 3.2** Move the slider."


@pytest.fixture(autouse=True)
def book_style():
    with plots.style():
        yield
    plt.close("all")


@pytest.fixture
def shown(monkeypatch):
    items = []
    monkeypatch.setattr(widgets, "display", items.append)
    return items


@pytest.fixture
def in_colab(monkeypatch):
    monkeypatch.setitem(widgets.sys.modules, "google.colab", widgets)


def bars(heights):
    figure, axes = plt.subplots()
    axes.bar(range(len(heights)), heights)
    axes.set_ylim(0, 1)
    return figure


def frames(count=3):
    return [bars([0.1 * number, 0.5]) for number in range(count)]


def alts(count=3):
    return [f"bar one at {number}" for number in range(count)]


def slide(count=3, **changes):
    arguments = {"label": "time step", "alts": alts(count), "caption": CAPTION, **changes}
    widgets.slider_figure(arguments.pop("frames", None) or frames(count), **arguments)


def choose(**changes):
    arguments = {"label": "cell", "choices": ["RNN", "GRU", "LSTM"], "alts": alts()}
    widgets.choice_figure(frames(), **{**arguments, "caption": CAPTION, **changes})


def parts(box):
    controls, stack, caption = box.children
    return controls.children, stack, caption


def links_to(target, trait):
    """The client-side links into one trait: pairs of source widget and its trait."""
    everything = [w for w in ipywidgets.Widget.get_manager_state()["state"].items()]
    links = [v["state"] for _, v in everything if v["model_name"] == "LinkModel"]
    return [
        (link["source"][0].removeprefix("IPY_MODEL_"), link["source"][1])
        for link in links
        if link["target"] == [f"IPY_MODEL_{target.model_id}", trait]
    ]


class TestSlider:
    def test_every_frame_is_a_named_picture(self, shown):
        slide()
        _, stack, caption = parts(shown[0])
        names = [re.findall(r'role="img" aria-label="([^"]+)"', f.value) for f in stack.children]
        assert names == [[alt] for alt in alts()]
        assert "<strong>Figure 3.2</strong>" in caption.value

    def test_is_linked_in_the_browser_not_in_python(self, shown):
        slide()
        (play, slider), stack, _ = parts(shown[0])
        assert links_to(stack, "selected_index") == [(slider.model_id, "value")]
        assert links_to(slider, "value") == [(play.model_id, "value")]
        slider.value = 2  # a Python-side link would move the stack
        assert stack.selected_index == 0

    def test_range_covers_the_frames(self, shown):
        slide(5)
        (play, slider), stack, _ = parts(shown[0])
        assert (slider.min, slider.max, play.min, play.max) == (0, 4, 0, 4)
        assert len(stack.children) == 5 and slider.description == "time step"

    def test_values_are_said_by_the_slider(self, shown):
        slide(values=["the", "cat", "cat"])
        (play, slider), stack, _ = parts(shown[0])
        assert slider.get_state()["_options_labels"] == ("the", "cat", "cat")
        assert links_to(stack, "selected_index") == [(slider.model_id, "index")]
        assert links_to(slider, "index") == [(play.model_id, "value")]

    def test_frames_share_no_id(self, shown):
        slide(frames=[bars([0.5]), bars([0.5]), bars([0.5])], alts=["same"] * 3)
        _, stack, _ = parts(shown[0])
        names = [name for f in stack.children for name in re.findall(r'\bid="([^"]+)"', f.value)]
        assert names and len(names) == len(set(names))

    def test_frames_have_one_size(self, shown):
        figures = frames()
        figures[1].set_layout_engine("none")
        figures[1].axes[0].set_axis_off()
        slide(frames=figures)
        _, stack, _ = parts(shown[0])
        assert len({re.search(r'viewBox="([^"]+)"', f.value)[1] for f in stack.children}) == 1

    def test_frames_share_layout_and_style(self, shown):
        slide()
        _, stack, _ = parts(shown[0])
        assert len({f.layout.model_id for f in stack.children}) == 1
        assert len({f.style.model_id for f in stack.children}) == 1

    def test_a_frame_costs_a_few_kilobytes(self, shown):
        slide()
        _, stack, _ = parts(shown[0])
        state = [json.dumps(f.get_state(drop_defaults=True), default=str) for f in stack.children]
        assert max(map(len, state)) < 12_000

    def test_closes_the_figures(self, shown):
        figures = frames()
        slide(frames=figures)
        assert not [figure for figure in figures if plt.fignum_exists(figure.number)]

    def test_takes_html_frames(self, shown):
        slide(2, frames=["<p>le chat</p>", "<p>le chien</p>"], alts=["cat", "a 'dog'"])
        _, stack, _ = parts(shown[0])
        assert "<p>le chien</p>" in stack.children[1].value
        assert 'aria-label="a &#x27;dog&#x27;"' in stack.children[1].value

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"alts": ["a", "b"]}, "2 alts for 3 frames"),
            ({"alts": ["a", "", "c"]}, "alt is empty"),
            ({"caption": " "}, "caption is empty"),
            ({"label": ""}, "label is empty"),
            ({"values": [1, 2]}, "2 values for 3 frames"),
            ({"frames": frames(1), "alts": ["a"]}, "two frames or more"),
            ({"frames": ["x" * 800_000] * 3}, "weigh 2400 kB, the most is 1500 kB"),
        ],
    )
    def test_refuses(self, shown, changes, message):
        with pytest.raises(ValueError, match=message):
            slide(**changes)
        assert not shown


class TestChoice:
    def test_buttons_for_short_names(self, shown):
        choose()
        (buttons,), stack, _ = parts(shown[0])
        assert isinstance(buttons, ipywidgets.ToggleButtons)
        assert links_to(stack, "selected_index") == [(buttons.model_id, "index")]
        assert buttons.index == stack.selected_index == 0

    def test_a_list_for_long_names(self, shown):
        choose(choices=["the small cat sleeps", "the dog sees the bird", "she does not sleep"])
        (control,), stack, _ = parts(shown[0])
        assert isinstance(control, ipywidgets.Dropdown)
        assert links_to(stack, "selected_index") == [(control.model_id, "index")]

    def test_refuses_equal_names(self):
        with pytest.raises(ValueError, match="must differ"):
            choose(choices=["a", "b", "a"])

    def test_refuses_too_few_names(self):
        with pytest.raises(ValueError, match="2 choices for 3 frames"):
            choose(choices=["a", "b"])


def examples():
    words = ["the", "cat", "sleeps", "."]
    uniform = [[0.25] * 4] * 4
    return [
        widgets.Alignment("French", words, ["le", "chat", "dort", "."], uniform, {(0, 0)}),
        widgets.Alignment("itself", words, words, uniform),
    ]


def align(**changes):
    arguments = {"examples": examples(), "caption": CAPTION, "rows": "French word", **changes}
    widgets.alignment_figure(arguments.pop("examples"), **arguments)


class TestAlignmentFigure:
    def test_the_choice_picks_a_sentence_and_its_slider_a_row(self, shown):
        align()
        (choice,), stack, caption = parts(shown[0])
        assert links_to(stack, "selected_index") == [(choice.model_id, "index")]
        assert choice.description == "sentence" and len(stack.children) == 2
        for page in stack.children:
            (play, slider), states, _ = parts(page)
            assert links_to(states, "selected_index") == [(slider.model_id, "index")]
            assert links_to(slider, "index") == [(play.model_id, "value")]
            assert slider.description == "French word" and len(states.children) == 4
        assert slider.get_state()["_options_labels"] == ("1. the", "2. cat", "3. sleeps", "4. .")
        assert "<strong>Figure 3.2</strong>" in caption.value

    def test_every_state_picks_out_its_own_map(self, shown):
        align()
        keys = set()
        for page in parts(shown[0])[1].children:
            _, states, below = parts(page)
            key = re.search(r"am-map (\S+)\"", below.value)[1]
            for number, state in enumerate(states.children):
                assert f".{key}>div:nth-child({number + 2})>*" in state.value
                assert f"({number + 1} of 4): the 25 %, cat 25 %" in re.sub(
                    "<[^>]+>", "", state.value
                )
            keys.add(key)
        assert len(keys) == 2

    def test_the_map_its_legend_and_its_numbers_stay(self, shown):
        align()
        with_gold, without = (parts(page)[2].value for page in parts(shown[0])[1].children)
        for text in ("<style>", 'role="img"', "brighter is stronger", "<details>"):
            assert text in with_gold and text in without
        assert "gold link" in with_gold and "gold link" not in without

    def test_one_sentence_needs_no_choice(self, shown):
        align(examples=examples()[:1])
        controls, page, _ = parts(shown[0])
        assert not controls and len(parts(page)[1].children) == 4

    def test_shows_the_same_twice_without_mixing_them_up(self, shown):
        align()
        align()
        pages = [page for box in shown for page in parts(box)[1].children]
        maps = [re.search(r"am-map (\S+)\"", parts(page)[2].value)[1] for page in pages]
        assert len(set(maps)) == 4

    def test_four_sentences_of_twelve_words_are_light(self, shown):
        words = [f"word{number}" for number in range(12)]
        weights = [[1 / 12] * 12] * 12
        align(examples=[widgets.Alignment(name, words, words, weights) for name in "abcd"])
        boxes = [parts(page) for page in parts(shown[0])[1].children]
        texts = [html for _, states, below in boxes for html in (*states.children, below)]
        assert sum(len(html.value) for html in texts) < 150_000

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"examples": []}, "one example at least"),
            ({"examples": examples()[:1] * 2}, "names of examples must differ"),
            ({"caption": ""}, "caption is empty"),
            ({"rows": " "}, "rows is empty"),
            ({"columns": ""}, "columns is empty"),
        ],
    )
    def test_refuses(self, shown, changes, message):
        with pytest.raises(ValueError, match=message):
            align(**changes)
        assert not shown

    def test_refuses_more_than_the_page_can_carry(self, shown):
        words = ["word"] * 240
        long = widgets.Alignment("long", words, words, [[1 / 240] * 240] * 240)
        with pytest.raises(ValueError, match="kB, the most is 1500 kB"):
            align(examples=[long])


@pytest.mark.usefixtures("in_colab")
class TestColab:
    def test_alignment_is_plain_html(self, shown):
        align()
        markup = shown[0]._repr_html_()
        assert markup.count("<select") == 1 and markup.count('<input type="range"') == 2
        assert markup.count("data-part>") == 1 and markup.count("data-part hidden>") == 1
        assert markup.count("data-frame>") == 2 and markup.count("data-frame hidden>") == 6
        assert markup.count("<figure") == markup.count("<figcaption") == 1
        assert "le (1 of 4)" in repr(shown[0])

    def test_only_the_rows_on_show_are_picked_out(self, shown):
        align()
        states = re.findall(r"<div data-frame( hidden)?>.*?(<style[^>]*>)", shown[0]._repr_html_())
        assert len(states) == 8
        for hidden, style in states:
            assert style == ('<style media="not all">' if hidden else "<style>")

    def test_one_alignment_has_no_choice(self, shown):
        align(examples=examples()[:1])
        assert "<select" not in shown[0]._repr_html_()

    def test_slider_is_plain_html(self, shown):
        slide(values=["the", "cat", "<s>"])
        markup = shown[0]._repr_html_()
        assert '<input type="range" min="0" max="2"' in markup
        assert 'data-names="the|cat|&lt;s&gt;"' in markup
        assert markup.count("data-frame>") == 1 and markup.count("data-frame hidden>") == 2
        assert all(f'aria-label="{alt}"' in markup for alt in alts())
        assert markup.count("<figure") == markup.count("<figcaption") == 1

    def test_choice_is_plain_html(self, shown):
        choose()
        markup = shown[0]._repr_html_()
        assert re.findall(r"<option[^>]*>(\w+)<", markup) == ["RNN", "GRU", "LSTM"]

    def test_also_without_stack(self, shown, monkeypatch):
        monkeypatch.delitem(widgets.sys.modules, "google.colab")
        monkeypatch.delattr(ipywidgets, "Stack")
        slide()
        assert 'type="range"' in shown[0]._repr_html_()
