"""The figure of all heads: every map is there, one is shown, and no script is needed."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from course_lib.figures import heatmap, widgets
from course_lib.figures.headmaps import Heads, heads_figure, place, said, thumbnail

ENGLISH, FRENCH = ["the", "cat", "<s>"], ["le", "chat"]
PLACES = [place(layer, head) for layer in (1, 2) for head in (1, 2)]


def weights(rows=2, columns=3, layers=2, heads=2):
    torch.manual_seed(0)
    return (3 * torch.randn(layers, heads, rows, columns)).softmax(-1)


def source_attention(given=None, columns=ENGLISH, gold=((0, 0), (1, 1))):
    given = weights() if given is None else given
    return Heads("to the source", FRENCH, columns, given, gold, ("en", "fr"))


ENCODER = Heads("encoder", ENGLISH, ENGLISH, weights(3, 3))


def figure(shown, *kinds):
    heads_figure(kinds or (ENCODER, source_attention()), caption="**Figure 6.1** All heads.")
    return shown[-1]["text/html"], shown[-1]["text/plain"]


def test_every_head_of_every_kind_is_there(shown):
    page, text = figure(shown)
    frames = re.findall(r'class="one (k\d) (h\d)"', page)
    assert frames == [(f"k{k}", f"h{h}") for k in range(2) for h in range(4)] * 2  # text, then map
    for name in [f"{kind}, {one}" for kind in ("encoder", "to the source") for one in PLACES]:
        assert f"<strong>{name}</strong>" in page and f"[{name}: " in text
    assert page.count("<svg") == 8 and page.count("<table") == 8


def test_one_map_is_shown_at_first_and_a_rule_shows_each(shown):
    page, _ = figure(shown)
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
    page, _ = figure(shown)
    assert page.count("<fieldset") == page.count("<legend>") == 2
    assert re.findall(r'aria-label="(layer \d, head \d)"', page) == PLACES
    assert page.count('aria-hidden="true"') == 8  # thumbnails are for eyes only
    assert not re.search(r"<script|onclick|onchange|https?:", page)
    assert 'aria-live="polite"' in page


def test_two_figures_on_a_page_do_not_share_their_controls(shown):
    groups = [set(re.findall(r' name="([^"]+)"', figure(shown)[0])) for _ in range(2)]
    assert not groups[0] & groups[1] and len(groups[0]) == 2


def test_the_layers_go_down_and_the_heads_across():
    maps = ENCODER.maps()
    assert [one.name for one in maps] == [f"encoder, {one}" for one in PLACES]
    for number, one in enumerate(maps):
        assert torch.equal(one.weights, ENCODER.weights[number // 2, number % 2].double())


def test_a_map_is_said_in_words():
    sure = torch.tensor([[[[0.2, 0.7, 0.1], [0.01, 0.04, 0.95]]]])
    markup, text = said(source_attention(sure).maps()[0])
    assert text == "to the source, layer 1, head 1: le → cat 70%, chat → <s> 95%"
    assert "<span lang=fr>chat</span> → <span lang=en>&lt;s&gt;</span> 95%" in markup
    flat = source_attention(torch.full((1, 1, 2, 30), 1 / 30), ["w"] * 30).maps()[0]
    assert said(flat)[1].endswith(": nowhere in particular")


def test_thumbnail_paints_each_cell_once_in_its_color():
    given = torch.tensor([[0.0, 0.0, 1.0], [0.3, 0.3, 0.4]])
    root = ElementTree.fromstring(thumbnail(given))
    assert root.get("viewBox") == "0 0 3 2"
    painted = [
        ((int(y), column), path.get("style"))
        for path in root
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+", path.get("d"))
        for column in range(int(x), int(x) + int(width))
    ]
    assert len(painted) == len(dict(painted)) == 6
    for cell, fill in painted:
        assert fill == f"fill:var(--b{heatmap.level(given[cell].item())})"


def test_gold_links_are_explained_only_where_there_are_some(shown):
    assert "gold link" in figure(shown)[0]
    assert "gold link" not in figure(shown, ENCODER)[0]


def test_wrong_figures_are_refused(shown, monkeypatch):
    for kind, message in (
        (source_attention(weights()[0]), r"weights \(3,\), expected \(T, S\) = \(2, 3\)"),
        (source_attention(torch.ones(1, 1, 2, 3)), "layer 1, head 1: the weights of row 0"),
        (source_attention(gold={(3, 0)}), "lies outside"),
        (ENCODER._replace(name=""), "name is empty"),
        (source_attention(weights(layers=1)), r"\[\(1, 2\), \(2, 2\)\]; show them apart"),
    ):
        with pytest.raises(ValueError, match=message):
            figure(shown, ENCODER, kind)
    with pytest.raises(ValueError, match="caption is empty"):
        heads_figure([ENCODER], caption=" ")
    monkeypatch.setattr(widgets, "MOST_BYTES", 10_000)
    with pytest.raises(ValueError, match="the most is 10 kB"):
        figure(shown, ENCODER)
