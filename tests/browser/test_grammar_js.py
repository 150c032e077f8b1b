"""The lab's grammar in the page is that of the library: the same words, the same translations."""

import pytest

from course_lib.data import lab
from tools.lab_words import lexicon_script
from tools.project import ROOT

pytestmark = pytest.mark.browser

SCRIPTS = ("live", "grammar", "meaning", "parser")

TRANSLATE = """(sentences) => sentences.map((words) => {
    const { meaning, problem } = AM.parser.parse(words);
    if (!meaning) return { problem };
    const { english, french, korean } = AM.grammar;
    return {
        english: english(meaning), french: french(meaning), korean: korean(meaning),
        split: AM.meaning.splitOf(meaning),
    };
})"""

# Every prefix of a sentence suggests the word that comes next.
FOLLOW = """(sentences) => {
    const missed = [];
    for (const words of sentences) words.forEach((word, i) => {
        const { next, problem } = AM.parser.parse(words.slice(0, i));
        if (problem || !next.has(word)) missed.push([words.slice(0, i).join(" "), word]);
    });
    return missed;
}"""

# Every suggestion, written down, leads on: a sentence that follows them meets no problem.
WANDER = """(count) => {
    const wrong = [];
    for (let n = 0; n < count; n += 1) {
        const words = [];
        while (words.length < 40) {
            const { next, problem } = AM.parser.parse(words);
            if (problem) { wrong.push(words.join(" ")); break; }
            const choices = [...next.keys()];
            if (!choices.length) { wrong.push("nothing after " + words.join(" ")); break; }
            words.push(choices[Math.floor(Math.random() * choices.length)]);
        }
    }
    return wrong;
}"""

GROW = """(lengths) => lengths.map((length) => {
    const drawn = AM.meaning.draw(length);
    const before = AM.grammar.english(drawn);
    const read = AM.parser.parse(before).meaning;
    AM.meaning.grow(read, 4, true);
    const longer = AM.grammar.english(read);
    return {
        before, longer, split: AM.meaning.splitOf(drawn),
        read: AM.parser.parse(longer).meaning !== null,
    };
})"""


@pytest.fixture(scope="module")
def page(chromium):
    page = chromium.new_page()
    page.set_content("<title>The grammar</title>")
    static = ROOT / "book" / "_static" / "live"
    page.add_script_tag(content=(static.parent / "say.js").read_text("utf8"))
    page.add_script_tag(content=(static / f"{SCRIPTS[0]}.js").read_text("utf8"))
    page.add_script_tag(content=lexicon_script())
    for name in SCRIPTS[1:]:
        page.add_script_tag(content=(static / f"{name}.js").read_text("utf8"))
    yield page
    page.close()


def sentences(split: str, n: int, seed: int) -> list[tuple]:
    """English, French and Korean of lab sentences of 3 to 40 words (with an adjective, of 5)."""
    lengths = (5 if split == "combination" else 3, 40)
    pairs = [
        lab.generate(n, seed=seed, lengths=lengths, target=language, split=split)
        for language in ("french", "korean")
    ]
    return [(f.source, f.target, k.target) for f, k in zip(*pairs, strict=True)]


def test_english_is_read_and_written_in_three_languages(page):
    for split, n in (("train", 800), ("test", 800), ("combination", 600)):
        wanted = sentences(split, n, seed=len(split))
        found = page.evaluate(TRANSLATE, [list(source) for source, _, _ in wanted])
        for (source, french, korean), one in zip(wanted, found, strict=True):
            assert one == {
                "english": list(source),
                "french": list(french),
                "korean": list(korean),
                "split": split,
            }


def test_what_may_follow_is_suggested(page):
    assert page.evaluate(FOLLOW, [list(one[0]) for one in sentences("train", 300, seed=5)]) == []
    assert page.evaluate(WANDER, 300) == []


def test_a_drawn_sentence_is_new_to_the_models_and_grows(page):
    lengths = [*range(3, 41)] * 2
    for length, one in zip(lengths, page.evaluate(GROW, lengths), strict=True):
        assert len(one["before"]) == length
        assert one["split"] == "test"
        assert one["read"]
        assert length < len(one["longer"]) <= length + 4


@pytest.mark.parametrize(
    ("text", "at", "kind", "instead"),
    [
        ("the cta sleeps", 1, "unknown", ["cat"]),
        ("the hous", 1, "unknown", ["house"]),
        ("the cat sleep", 2, "agreement", ["sleeps"]),
        ("the cat do", 2, "agreement", ["does"]),
        ("the cats and my dog sleeps", 5, "agreement", ["sleep"]),
        ("the cat does not sleeps", 4, "agreement", ["sleep"]),
        ("a cats", 1, "number", ["cat"]),
        ("an cat", 1, "article", []),
        ("a old cat", 1, "article", []),
        ("the white small cat", 2, "order", []),
        ("the house sleeps", 1, "being", []),
        ("the cat near the dog sleeps", 4, "location", []),
        ("the cat the dog", 2, "place", []),
        ("the cat in the house near the garden that", 8, "deep", []),
        ("the cat sees the house that sleeps", 6, "head", []),
        ("the cat that the dog sleeps", 5, "object", []),
    ],
)
def test_a_problem_is_named(page, text, at, kind, instead):
    problem = page.evaluate("(text) => AM.parser.parse(AM.parser.wordsOf(text)).problem", text)
    assert (problem["at"], problem["kind"]) == (at, kind)
    assert problem["instead"][: len(instead)] == instead
    said = page.evaluate("(problem) => AM.parser.explain(problem)", problem)
    assert said.endswith((".", "them."))


def test_an_unfinished_sentence_says_what_may_follow(page):
    said = page.evaluate("() => Object.fromEntries(AM.parser.parse(['my', 'dog', 'waits']).next)")
    assert said == {"for": "particle"}
    after_an = page.evaluate("() => [...AM.parser.parse(['an']).next.keys()]")
    assert after_an == ["old"]
