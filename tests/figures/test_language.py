"""What a cell shows, in another language."""

import html
import json
import os

import nbformat
import pytest
from jupyter_client import KernelManager
from nbclient import NotebookClient

from course_lib.figures.language import Translation, dark, key, light, masked, messages
from course_lib.figures.plots import markdown_light
from course_lib.figures.words import Said, slots

MESSAGES = {
    "words": "단어",
    "exact match": "완전 일치율",
    "**Table 1** Accuracy of `a`.": "**표 1** `a`의 정확도입니다.",
    "{x} words: {y:.2f}": "{x}단어에서 {y:.2f}",
    "By length: {points}.": "길이별로 {points}입니다.",
    "of [Cho](1)": "[Cho](1)의",
    "{1} of {2} sentences": "문장 {2}개 중 {1}개",
}


def said(template: str, **values: object) -> tuple[str, Said]:
    return template.format(**values), Said(template, slots(template, values))


POINTS = [said("{x} words: {y:.2f}", x=x, y=y) for x, y in (("4-6", 0.987), ("7-9", 0.5))]
WHOLE = said("By length: {points}.", points="; ".join(text for text, _ in POINTS))


@pytest.fixture
def translation() -> Translation:
    return Translation(MESSAGES, dict([*POINTS, WHOLE]))


def test_a_text_is_found_however_it_is_marked_and_broken(translation):
    caption = "<caption><strong>Table 1</strong> Accuracy\n of <code>a</code>.</caption>"
    expected = "<caption><strong>표 1</strong> <code>a</code>의 정확도입니다.</caption>"
    assert translation.html(caption) == expected
    assert translation.missing == {}


def test_what_fills_the_slots_is_translated_too(translation):
    picture = f'<svg aria-label="{WHOLE[0]}"><text>words</text></svg>'
    expected = "길이별로 4-6단어에서 0.99; 7-9단어에서 0.50입니다."
    assert translation.html(picture) == f'<svg aria-label="{expected}"><text>단어</text></svg>'


def test_code_stays(translation):
    assert translation.html("<td><code>words</code></td>") == "<td><code>words</code></td>"
    naming = dict([said("`{name}` of {what}", name="words", what="words")])
    translation = Translation({**MESSAGES, "`{name}` of {what}": "{what}의 `{name}`"}, naming)
    assert (
        translation.html("<p><code>words</code> of words</p>") == "<p>단어의 <code>words</code></p>"
    )


def test_links_keep_their_targets(translation):
    found = translation.html('<td>of <a href="https://x.org">Cho</a></td>')
    assert found == '<td><a href="https://x.org">Cho</a>의</td>'


def test_a_text_without_a_message_of_its_own_is_found_by_what_is_left_without_its_numbers(
    translation,
):
    assert translation.html("<p>1,234 of 2.5 sentences</p>") == "<p>문장 2.5개 중 1,234개</p>"
    shape = "Table {1}: GPT-{2} has {3}, `x[1]` and [y](1908.1.html)"
    assert masked("Table 3.1: GPT-2 has −1.5e-3, `x[1]` and [y](1908.1.html)") == (
        shape,
        ["3.1", "2", "−1.5e-3"],
    )


def test_a_mark_around_several_texts_stays_where_it_is(translation):
    markup = "<p><strong><span lang=fr>words</span></strong> words</p>"
    assert translation.html(markup) == "<p><strong><span lang=fr>words</span></strong> 단어</p>"


def test_what_is_bold_as_a_whole_stays_bold(translation):
    assert translation.html("<td><strong>words</strong></td>") == "<td><strong>단어</strong></td>"


def test_words_of_an_example_are_marked_with_their_language():
    translation = Translation({"chat": "chat", "words": "단어"}, {}, kept={"chat": "fr"})
    markup = "<td>chat</td><svg><text>chat</text></svg><option>chat</option><td>words</td>"
    assert translation.html(markup) == markup.replace(
        "<td>chat</td>", '<td><span lang="fr">chat</span></td>'
    ).replace("words", "단어")


def test_the_places_of_a_slider(translation):
    assert translation.html('<input data-names="words|chat">') == '<input data-names="단어|chat">'


def test_what_is_no_text_of_ours_stays(translation):
    for markup in (
        '<td lang="fr">words</td>',
        '<td translate="no">the <b>words</b> of it</td>',
        "<pre>words</pre><style>words</style><script>words</script>",
        "<td>12.5</td><td>x</td><!-- words -->",
        '<td oninput="f(()=>{return 1>0})">7</td>',
    ):
        assert translation.html(markup) == markup
    assert translation.missing == {}


def test_elements_that_are_kept_may_hold_others_of_their_name(translation):
    markup = '<div lang="fr"><div>words</div>words</div><p>words</p>'
    assert translation.html(markup) == '<div lang="fr"><div>words</div>words</div><p>단어</p>'


def test_names_among_the_values_of_a_live_figure(translation):
    given = html.escape(json.dumps({"names": ["words", "chat"], "at": [1, 2.5]}))
    found = translation.html(f'<div data-values="{given}"></div>')
    values = json.loads(html.unescape(found.split('data-values="')[1].split('"')[0]))
    assert values == {"names": ["단어", "chat"], "at": [1, 2.5]}


def test_what_has_no_translation_is_told_by_its_template(translation):
    new = said("{n} sentences", n=3)
    translation = Translation(MESSAGES, dict([new]))
    assert translation.html("<p>3 sentences</p><p>a new text</p>").endswith("<p>a new text</p>")
    assert list(translation.missing) == ["{n} sentences", "a new text"]


def test_light_markdown_and_back():
    text = "**Table 1** The *first* `a < b` & [x](y.html)"
    assert light(markdown_light(text)) == text
    assert dark("one<br>**two**") == "one<br><strong>two</strong>"
    assert key(markdown_light(text)) == key(text)


def test_slots_are_written_as_the_template_writes_them():
    values = {"at": {"4-6": 0.5}, "n": 2000, "name": "a"}
    found = slots("{at[4-6]:.0%} of {n:,} {name!r}", values)
    assert found == {"{at[4-6]:.0%}": "50%", "{n:,}": "2,000", "{name!r}": "'a'"}


def test_what_is_said_later_is_found_too():
    late: dict[str, Said] = {}
    translation = Translation({"{n} words": "{n}단어"}, late)
    assert translation.html("<p>3 words</p>") == "<p>3 words</p>"
    late.update([said("{n} words", n=3)])
    assert translation.html("<p>3 words</p>") == "<p>3단어</p>"


def test_an_unknown_language_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="'fr', only English and .*'ko'"):
        messages("fr")


def test_a_notebook_shows_what_it_displays_in_korean():
    code = [
        "from IPython.display import HTML, display",
        "import course_lib\ndisplay(HTML('<td>loss</td>'))",
        """HTML('<td translate="no">loss</td><td>loss</td>')""",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in code])
    manager = KernelManager(kernel_name="python3")
    client = NotebookClient(notebook, km=manager, timeout=60)
    client.execute(env={**os.environ, "COURSE_LANG": "ko"})
    first, second = (cell.outputs[0]["data"]["text/html"] for cell in notebook.cells[1:])
    assert first == "<td>손실</td>"
    assert second == '<td translate="no">loss</td><td>손실</td>'
