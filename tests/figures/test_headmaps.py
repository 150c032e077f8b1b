"""The figure of all heads: every map is there, one is shown, and no script is needed."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from course_lib.figures import headmaps, heatmap
from course_lib.figures.headmaps import Heads, heads_figure, place, said, thumbnail

ENGLISH, FRENCH = ["the", "cat", "<s>"], ["le", "chat"]


def weights(rows=2, columns=3, layers=2, heads=2, seed=0):
    torch.manual_seed(seed)
    return (3 * torch.randn(layers, heads, rows, columns)).softmax(-1)


def source_attention(**changes):
    parts = {
        "name": "to the source",
        "rows": FRENCH,
        "columns": ENGLISH,
        "weights": weights(),
        "gold": {(0, 0), (1, 1)},
        "languages": ("en", "fr"),
    }
    return Heads(**{**parts, **changes})


def encoder(**changes):
    own = {"name": "encoder", "rows": ENGLISH, "columns": ENGLISH, "weights": weights(3, 3)}
    return Heads(**{**own, **changes})


@pytest.fixture
def shown(monkeypatch):
    """The HTML and the text of a figure."""
    displayed = []
    monkeypatch.setattr(headmaps, "display", displayed.append)

    def show(*kinds, caption="**Figure 6.1** All heads."):
        heads_figure(kinds, caption=caption)
        return displayed[-1]._repr_html_(), repr(displayed[-1])

    return show


def test_every_head_of_every_kind_is_there(shown):
    page, text = shown(encoder(), source_attention())
    frames = re.findall(r'class="one (k\d) (h\d)"', page)
    assert frames == [(f"k{k}", f"h{h}") for k in range(2) for h in range(4)] * 2  # text, then map
    for kind in ("encoder", "to the source"):
        for layer in (1, 2):
            for head in (1, 2):
                name = f"{kind}, layer {layer}, head {head}"
                assert f"<strong>{name}</strong>" in page and f"[{name}: " in text
    assert page.count("<svg") == 8 and page.count("<table") == 8


def test_exactly_one_map_is_shown_at_first_and_a_rule_shows_each(shown):
    page, _ = shown(encoder(), source_attention())
    inputs = re.findall(r"<input[^>]*>", page)
    assert len(inputs) == 6 and all('type="radio"' in one for one in inputs)
    assert [" checked" in one for one in inputs] == [True, False, True, False, False, False]
    key = re.search(r'class="am-heads ([\w-]+)"', page)[1]
    for k in range(2):
        for h in range(4):
            assert f".{key}:has(.k{k}:checked):has(.h{h}:checked) .one.k{k}.h{h}" in page
    hides = f"@supports selector(:has(*)){{.{key} .one,.{key} .all svg{{display:none}}"
    assert hides in page  # without :has() everything stays to be seen


def test_controls_have_names_and_no_script(shown):
    page, _ = shown(encoder(), source_attention())
    assert page.count("<fieldset") == page.count("<legend>") == 2
    named = re.findall(r'aria-label="(layer \d, head \d)"', page)
    assert named == [place(layer, head) for layer in (1, 2) for head in (1, 2)]
    assert page.count('aria-hidden="true"') == 8  # thumbnails are for eyes only
    assert not re.search(r"<script|onclick|onchange|https?:", page)
    assert 'aria-live="polite"' in page


def test_two_figures_on_a_page_do_not_share_their_controls(shown):
    groups = [set(re.findall(r'name="([^"]+)"', shown(encoder())[0])) for _ in range(2)]
    assert not groups[0] & groups[1] and len(groups[0]) == 2


def test_the_layers_go_down_and_the_heads_across():
    kind = encoder()
    names = [one.name for one in kind.maps()]
    assert names == [f"encoder, {place(layer, head)}" for layer in (1, 2) for head in (1, 2)]
    for number, one in enumerate(kind.maps()):
        assert torch.equal(one.weights, kind.weights[number // 2, number % 2])


def test_a_map_is_said_in_words():
    sure = torch.tensor([[[[0.2, 0.7, 0.1], [0.01, 0.04, 0.95]]]])
    one = next(iter(source_attention(weights=sure).maps()))
    markup, text = said(one)
    assert text == "to the source, layer 1, head 1: le → cat 70 %, chat → <s> 95 %"
    assert "<span lang=fr>chat</span> → <span lang=en>&lt;s&gt;</span> 95 %" in markup


def test_a_map_that_looks_nowhere_says_so():
    flat = torch.full((1, 1, 2, 30), 1 / 30)
    one = next(iter(source_attention(columns=["w"] * 30, weights=flat, gold=None).maps()))
    assert said(one)[1].endswith(": nowhere in particular")


def test_thumbnail_paints_each_cell_once_in_its_brightness():
    given = torch.tensor([[0.0, 0.0, 1.0], [0.3, 0.3, 0.4]])
    root = ElementTree.fromstring(thumbnail(given))
    assert root.get("viewBox") == "0 0 3 2"
    painted = {}
    for path in root:
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+", path.get("d")):
            for column in range(int(x), int(x) + int(width)):
                assert (int(y), column) not in painted
                painted[int(y), column] = path.get("fill")
    for (t, s), fill in painted.items():
        assert fill == f"#{bytes(heatmap.color(heatmap.level(given[t, s].item()))).hex()}"
    assert len(painted) == 6


def test_gold_links_are_explained_only_where_there_are_some(shown):
    assert "gold link" in shown(encoder(), source_attention())[0]
    assert "gold link" not in shown(encoder())[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": weights()[0]}, r"expected \(L, H, T, S\)"),
        ({"weights": weights(rows=3)}, r"weights \(3, 3\), expected \(T, S\) = \(2, 3\)"),
        ({"weights": torch.ones(1, 1, 2, 3)}, "layer 1, head 1: the weights of row 0"),
        ({"name": ""}, "name is empty"),
        ({"gold": {(3, 0)}}, "lies outside"),
    ],
)
def test_wrong_heads_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        source_attention(**changes)


def test_wrong_figures_are_refused(shown, monkeypatch):
    with pytest.raises(ValueError, match="different names, got \\[\\]"):
        shown()
    with pytest.raises(ValueError, match="different names"):
        shown(encoder(), encoder())
    with pytest.raises(ValueError, match=r"\[\(1, 2\), \(2, 2\)\]; show them apart"):
        shown(encoder(), source_attention(weights=weights(layers=1)))
    with pytest.raises(ValueError, match="caption is empty"):
        shown(encoder(), caption=" ")
    monkeypatch.setattr(headmaps, "MOST_BYTES", 10_000)
    with pytest.raises(ValueError, match="the most is 10 kB: take a shorter sentence"):
        shown(encoder())
