"""The list of what the exercises say holds every sentence that a check shows."""

import ast

import pytest
import torch

from course_lib.exercises import all_exercises
from course_lib.exercises.engine.limits import session_kept
from course_lib.exercises.engine.result import Quoted
from course_lib.figures.language import key, worded
from course_lib.figures.words import SAID
from tools.checker_messages import Listing, messages

EXERCISES = all_exercises()
LISTED = {key(message.id) for message in messages() if message.id}


def missing(text: str) -> list[str]:
    """The text, the template that made it, or what is in its slots, where the list has it not."""
    if not worded(text) or key(text) in LISTED:
        return []
    made = next((one for said, one in SAID.items() if key(said) == key(text)), None)
    if made is None:  # a list of things, or a number such as nan
        parts = text.split("; ")
        return [one for part in parts for one in missing(part)] if parts[1:] else [text]
    code = "".join(made.template.split("`")[1::2])
    inside = [text for slot, text in made.slots.items() if slot not in code]
    found = [] if key(made.template) in LISTED else [made.template]
    return [*found, *(one for text in inside for one in missing(text))]


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda one: one.id)
def test_what_a_learner_reads_is_listed(exercise):
    answers = [..., lambda *_, **__: None, lambda *_, **__: torch.ones(7, 3), exercise.answer]
    with session_kept():
        torch.manual_seed(0)
        answers += [exercise.answer_of(mistake.change) for mistake in exercise.mistakes]
    for answer in answers:
        result = exercise.check(answer)
        for text in (*result.sentences, *result.codes, result.outcome.word):
            if not isinstance(text, Quoted):
                assert [one for one in missing(text) if one not in ("nan", "inf")] == []
    assert [one for hint in exercise.hints for one in missing(hint)] == []


def listed(source: str) -> list[str]:
    signatures = {"say": ["template"], "expect": ["condition", "message", "got"]}
    return [one.value for one in Listing(ast.parse(source), signatures).found()]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("say('two words', n='no')", ["two words"]),
        ("say('one word' if n else 'more words')", ["one word", "more words"]),
        ("def f(what='a thing'): pass", ["a thing"]),
        (
            "def f(a, what): pass\nf('no', 'a thing')\nf('no', what='an apple')",
            ["a thing", "an apple"],
        ),
        ("class A:\n def f(self, what): pass\nA().f('a thing')", ["a thing"]),
        ("class A:\n def __init__(self, what): pass\nA('a thing')", ["a thing"]),
        ("def f(*remarks): pass\nf('a thing', *many, 'an apple')", ["a thing", "an apple"]),
        ("text = 'a thing'\nexpect(1, text)\nother = 'no'", ["a thing"]),
        ("def f():\n text = 'aa b'\n expect(1, text)\ntext = 'no no'", ["aa b"]),
        ("a, b = 'no no', 'a thing'\nexpect(1, b)", ["a thing"]),
        ("for a in ('aa b', 'cc d'): expect(1, a)", ["aa b", "cc d"]),
        ("for n, a in ((1, 'aa b'), (2, 'cc d')): expect(n, a)", ["aa b", "cc d"]),
        ("for n, a in zip('no no', ('aa b', 'cc d')): expect(n, a)", ["aa b", "cc d"]),
        ("def f():\n return 'aa b'\nexpect(1, ('cc d', f()))", ["cc d", "aa b"]),
        ("def f(what): pass\nf({'aa b': 'no no'})", ["aa b"]),
        ("expect(1, '`only_code`')\nexpect(1, '')", []),
    ],
)
def test_literals_are_found_where_they_are_told(source, found):
    assert listed(source) == found
