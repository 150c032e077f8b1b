"""What the scripts of the pages say, and that all of it can be said in Korean."""

import json
import re

import pytest

from tools import korean, script_messages
from tools.catalogs import PROSE, read
from tools.project import ROOT

SCRIPT = """
/* Say.texts({ comment: "not this one" }) */
const SAY = Say.texts({
  plain: "A text", "quoted name": "{count} “words” \\u2192",
  long: "It goes " +   // on and on
    "on.",
  parts: { deep: ["One", "Two"], more: "It isn’t" },
});
other({ text: "elsewhere" }); text.replace(/["'`]/g, `a ${SAY.texts ? `b "c" ${1}` : "d"} e`);
"""
# Two English words in a row that nobody reads.
QUIET = {
    "use strict": "an order to the browser",
    "am-row reference": "names of classes",
    "am-counted am-only-heard": "names of classes",
    "token forgotten": "names of classes",
    "background:color-mix(in srgb, ": "a style",
    ".json,application/json": "kinds of files",
    "The live figure “": "for whoever writes a figure, in the console",
    "” shows its still picture: ": "for whoever writes a figure, in the console",
    "the words end here, or the next one does not fit": "an error that is always caught",
    "” is not in the vocabulary": "an error for programmers: the parser lets no such word through",
    "no tensor is called ": "an error for programmers",
    "the girl loves the small bird": "data: a sentence to translate",
    "cats sleep": "data: a sentence to encode",
}
SELECTOR = re.compile(r"(?:^|[ ,])[.#][a-z]|\[[a-z]|:(?:is|not|scope|has)\b| > |mjx-container")
TWO_WORDS = re.compile(r"[A-Za-z]{2,}[ ,]+[A-Za-z]{2,}")


def test_a_text_is_found_with_its_line():
    wanted = [
        ("A text", 4),
        ("{count} “words” →", 4),
        ("It goes on.", 5),
        ("One", 7),
        ("Two", 7),
        ("It isn’t", 7),
    ]
    assert list(script_messages.said(SCRIPT)) == wanted


def test_every_literal_of_a_script_is_seen():
    found = [
        part.text for part in script_messages.parts(SCRIPT) if part.kind in ("string", "template")
    ]
    assert found[-5:] == ['"elsewhere"', "a ", 'b "c" ', '"d"', " e"]


@pytest.mark.parametrize("text", ["`some ${words}`", "(n) => n", "WORDS", "1 + 1", "'single'"])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(ValueError, match="line 2: .* is no text in double quotation marks"):
        list(script_messages.said(f"const SAY = Say.texts({{\n one: {text} }});"))


def test_the_catalog_knows_places():
    [compare] = [one for one in script_messages.messages() if one.id == "Compare"]
    [(place, _)] = compare.locations
    path, line = place.split(":")
    assert '"Compare"' in (ROOT / path).read_text("utf8").splitlines()[int(line) - 1]


def test_whatever_a_script_shows_is_in_the_catalog():
    known = "\n".join(str(message.id) for message in script_messages.messages())
    unknown, quiet = [], set()
    for path in script_messages.sources():
        script = path.read_text("utf8")
        for part in script_messages.parts(script):
            text = part.text
            if part.kind == "string":
                text = text[1:-1]
            elif part.kind != "template":
                continue
            if text in QUIET:
                quiet.add(text)
            elif TWO_WORDS.search(text) and not SELECTOR.search(text) and text not in known:
                line = script.count("\n", 0, part.start) + 1
                unknown.append(f"{path.name}:{line}: {text}")
    assert unknown == []
    assert quiet == set(QUIET)


def test_the_korean_is_whole_and_keeps_the_rules():
    english = {str(one.id): one for one in script_messages.messages() if one.id}
    catalog = read(script_messages.KOREAN)
    known = {str(one.id): one for one in catalog if one.id and one.string and not one.fuzzy}
    hint = "`make messages` takes changed texts into locale/ko/scripts.po"
    assert set(known) == set(english), hint
    wrong = [(text, korean.problems(text, str(one.string))) for text, one in known.items()]
    assert [pair for pair in wrong if pair[1]] == []


def test_the_texts_of_a_korean_page():
    script = script_messages.script_texts()
    texts = json.loads(re.search(r"window.AM_TEXTS = (.*);\n\Z", script, re.DOTALL)[1])
    assert texts["Show me"] == "답 보기"
    assert len(texts) == len([one for one in script_messages.messages() if one.id])


def test_the_templates_have_their_korean():
    """Sphinx itself puts in what sphinx.po says for their texts."""
    templates = (ROOT / "book" / "_templates").glob("*.html")
    texts = {text for path in templates for text in re.findall(r"_\('(.*?)'\)", path.read_text())}
    catalog = read(PROSE / "sphinx.po")
    assert texts <= {one.id for one in catalog if one.string}
