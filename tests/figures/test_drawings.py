"""The schematic drawings: legible at every width, described, and true to what they say."""

import functools
import importlib
import itertools
import math
import pkgutil
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import torch
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from course_lib.figures import drawings, plots
from course_lib.figures.drawings import timeline
from course_lib.figures.sketch import Drawing, Sketch
from course_lib.figures.svg import inline

SVG = "{http://www.w3.org/2000/svg}"
ROOT = Path(__file__).parents[2]
NAMES = [
    "state_passing",
    "gradient_back",
    "gru_cell",
    "lstm_cell",
    "encoder_decoder",
    "teacher_forcing",
    "padding_and_packing",
    "bottleneck",
    "linear_probe",
    "reversed_source",
    "attention",
    "one_step",
    "self_attention",
    "paths",
    "heads",
    "residual_stream",
    "transformer",
    "shifted_target",
    "kv_cache",
    "body_and_head",
    "supervised_and_transfer",
    "three_stages",
    "noise_places",
    "concat_pooling",
    "decoder_only",
    "task_inputs",
    "both_sides",
    "pair_input",
    "arc",
    "time_line",
]


@pytest.fixture(params=NAMES)
def drawing(request):
    return getattr(drawings, request.param)()


def texts(drawing):
    return list(ElementTree.fromstring(drawing).iter(f"{SVG}text"))


@functools.cache
def width_of(text, size, weight):
    font = FontProperties(family="DejaVu Sans", weight=weight)
    return TextPath((0, 0), text, size=size, prop=font).get_extents().width


def extent(text):
    """(left, right, top, bottom) in DejaVu Sans, which is wider than the fonts of most readers."""
    size = float(text.get("font-size"))
    weight = "bold" if text.get("font-weight") else "normal"
    width = width_of(text.text, size, weight)
    x, y = float(text.get("x")), float(text.get("y"))
    left = x - {"start": 0, "middle": width / 2, "end": width}[text.get("text-anchor")]
    return left, left + width, y - 0.75 * size, y + 0.2 * size


def overlap(a, b):
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def test_every_drawing_is_listed_here():
    assert set(drawings.__all__) == set(NAMES)
    made = {
        name
        for part in pkgutil.iter_modules(drawings.__path__, "course_lib.figures.drawings.")
        for name, item in vars(importlib.import_module(part.name)).items()
        if getattr(item, "__module__", "") == part.name and not name.startswith("_")
    }
    assert made == set(NAMES)


def test_describes_itself(drawing):
    assert isinstance(drawing, Drawing)
    assert 60 <= len(drawing.alt) <= 400 and drawing.alt.endswith(".")


def test_is_the_same_every_time(drawing):
    again = [getattr(drawings, name)() for name in NAMES]
    assert drawing in again


def test_has_no_colors_but_the_palette(drawing):
    used = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawing))
    assert used <= {"currentColor", "none", *plots.CYCLE}
    assert "currentColor" in used


def test_has_no_identifiers(drawing):
    assert 'id="' not in drawing and "url(" not in drawing


def test_texts_lie_inside(drawing):
    _, _, width, height = map(float, re.search(r'viewBox="([^"]+)"', drawing)[1].split())
    outside = [
        text.text
        for text in texts(drawing)
        for left, right, top, bottom in [extent(text)]
        if left < -1 or right > width + 1 or top < -1 or bottom > height + 1
    ]
    assert not outside


def test_texts_do_not_overlap(drawing):
    boxes = [(text.text, extent(text)) for text in texts(drawing)]
    pairs = itertools.combinations(boxes, 2)
    assert not [(a, b) for (a, first), (b, second) in pairs if overlap(first, second)]


def test_shapes_lie_inside(drawing):
    _, _, width, height = map(float, re.search(r'viewBox="([^"]+)"', drawing)[1].split())
    for box in ElementTree.fromstring(drawing).iter(f"{SVG}rect"):
        x, y, w, h = (float(box.get(name)) for name in ("x", "y", "width", "height"))
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height


def test_fits_a_phone_with_readable_text(drawing):
    style = ElementTree.fromstring(inline(drawing, prefix="d", alt=drawing.alt)).get("style")
    assert int(re.search(r"min-width:(\d+)px", style)[1]) <= 354


def test_is_small(drawing):
    assert len(drawing.encode()) < 15_000


def test_reversed_source_counts_right():
    titles = [text.text for text in texts(drawings.reversed_source()) if text.get("font-weight")]
    assert "4, 4, 4, 4; mean 4" in titles[0] and "1, 3, 5, 7; mean 4" in titles[1]


def test_padding_and_packing_counts_right():
    words = [text.text for text in texts(drawings.padding_and_packing())]
    title = next(word for word in words if word.startswith("packed"))
    tokens = int(re.search(r"\d+", title)[0])
    alive = [int(word) for word in words if word.isdigit()]
    assert sum(alive) == tokens == 15 - words.count("pad")


def numbers_in(drawing):
    return [float(text.text.replace("−", "-")) for text in texts(drawing) if "." in text.text[1:]]


def test_one_step_computes_a_softmax():
    shown = numbers_in(drawings.one_step())
    scores, weights = torch.tensor(shown[::2]), torch.tensor(shown[1::2])
    assert torch.allclose(scores.softmax(0), weights, atol=0.0051)
    alt = re.findall(r"[−\d]+\.\d", drawings.one_step().alt)
    assert [float(number.replace("−", "-")) for number in alt] == scores.tolist()


def test_attention_weights_sum_to_one():
    weights = [f"{weight:.2f}" for weight in numbers_in(drawings.attention())]
    assert sum(map(float, weights)) == pytest.approx(1)
    assert all(weight in drawings.attention().alt for weight in weights)


def test_paths_counts_right():
    said = [text.text for text in texts(drawings.paths())]
    length, kernel = 9, 3
    assert f"{length - 1} steps" in said and "1 layer" in said
    assert f"{math.ceil((length - 1) / (kernel - 1))} layers" in said
    assert f"{round(math.log(length, kernel))} layers" in said  # reach after two: 1 + 2 + 2 · 3


def test_the_map_in_the_book_is_this_one():
    page = (ROOT / "book" / "_static" / "arc.svg").read_text("utf8")
    drawing = drawings.arc()
    assert page == inline(drawing, prefix="arc", alt=drawing.alt, standalone=True) + "\n"


class TestSketch:
    def test_bent_arrow_ends_where_it_should(self):
        sketch = Sketch(100, 100)
        sketch.arrow(10, 50, 90, 50, bend=20)
        assert "M10.0 50.0Q50.0 10.0" in sketch.finish("a") and "M90.0 50.0L" in sketch.finish("a")

    def test_escapes_text(self):
        sketch = Sketch(10, 10)
        sketch.text(5, 5, "<s> & </s>")
        assert texts(sketch.finish("a"))[0].text == "<s> & </s>"


def test_time_line_goes_forward_as_the_arxiv_numbers_do():
    months = {name: place for place, name in enumerate("Jan May Jun Aug Sep Oct Nov Dec".split())}
    dates = [(int(paper.month[4:]), months[paper.month[:3]]) for paper in timeline.PAPERS]
    assert dates == sorted(dates)
    for paper in timeline.PAPERS:
        number = re.search(r"abs/(\d\d)(\d\d)\.", paper.url)
        if number:  # an arXiv number says year and month
            month = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[int(number[2]) - 1]
            assert paper.month == f"{month} 20{number[1]}"


def test_time_line_marks_one_paper_and_says_which():
    for place, paper in enumerate(timeline.PAPERS):
        drawing = drawings.time_line(place)
        bold = [text.text for text in texts(drawing) if text.get("font-weight")]
        assert bold == ["recurrence", "attention", "transfer", paper.month, paper.name]
        assert f"marked is {paper.name}, {paper.month}" in drawing.alt
