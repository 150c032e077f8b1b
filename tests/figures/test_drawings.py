"""The schematic drawings: legible at every width, described, and true to what they say."""

import functools
import itertools
import re
import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from course_lib.figures import drawings, plots
from tools.drawings import DRAWINGS, FOLDER, files

SVG = "{http://www.w3.org/2000/svg}"
NAMES = sorted(path.stem for path in FOLDER.glob("*.svg"))


@functools.cache
def load(name):
    svg, alt = drawings.load(name)
    return ElementTree.fromstring(svg), svg, alt


def words(name, bold=False):
    texts = load(name)[0].iter(f"{SVG}text")
    return [text.text for text in texts if text.get("font-weight") or not bold]


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


def test_the_files_are_what_the_script_draws():
    written = files()
    assert sorted(DRAWINGS) == NAMES
    for path, text in written.items():
        assert path.read_text("utf8") == text, "run: python -m tools.drawings"


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_is_small_described_and_takes_its_ink_from_the_page(name):
    root, svg, alt = load(name)
    assert 60 <= len(alt) <= 400 and alt.endswith(".") and root.get("role") == "img"
    used = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg))
    assert {"currentColor"} <= used <= {"currentColor", "none", *plots.CYCLE}
    assert 'id="' not in svg and "url(" not in svg and "<style" not in svg
    assert len(svg.encode()) < 15_000
    assert int(re.search(r"min-width:(\d+)px", root.get("style"))[1]) <= 374  # a phone


@pytest.mark.parametrize("name", NAMES)
def test_everything_lies_inside_and_no_text_on_another(name):
    root = load(name)[0]
    _, _, width, height = map(float, root.get("viewBox").split())
    texts = [(text.text, extent(text)) for text in root.iter(f"{SVG}text")]
    for text, (left, right, top, bottom) in texts:
        assert left > -1 and right < width + 1 and top > -1 and bottom < height + 1, text
    for (a, first), (b, second) in itertools.combinations(texts, 2):
        assert not overlap(first, second), (a, b)
    for box in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(box.get(name)) for name in ("x", "y", "width", "height"))
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height


def test_show_takes_the_words_from_the_file(monkeypatch):
    shown = {}
    monkeypatch.setattr(plots, "show", lambda svg, **texts: shown.update(svg=svg, **texts))
    drawings.show("one_step", caption="**Figure 4.2** One step.")
    assert shown == {
        "svg": load("one_step")[1],
        "alt": load("one_step")[2],
        "caption": "**Figure 4.2** One step.",
    }
    assert "−0.5. The softmax" in shown["alt"] and "&" not in shown["alt"]


def test_papers_go_forward_as_the_arxiv_numbers_do():
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    dates = []
    for paper in drawings.papers():
        dates.append((int(paper.month[4:]), months.index(paper.month[:3]) + 1))
        number = re.search(r"abs/(\d\d)(\d\d)\.", paper.url)  # it says year and month
        assert not number or dates[-1] == (2000 + int(number[1]), int(number[2]))
    assert dates == sorted(dates)


def test_a_time_line_marks_one_paper_and_says_which():
    for place, paper in enumerate(drawings.papers()):
        name = f"time_line_{place:02}"
        lanes = ["recurrence", "attention", "transfer"]
        assert words(name, bold=True) == [*lanes, paper.month, paper.name]
        assert f"marked is {paper.name}, {paper.month}" in load(name)[2]
