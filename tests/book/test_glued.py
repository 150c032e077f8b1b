"""What the exercises say is translated sentence by sentence, as what notebooks show."""

import ast

import pytest
from notebook_rules import glued

from tools.checker_messages import files

# Two files put together what is no sentence: HTML, and Python.
TALKING = [path for path in files() if path.stem not in ("result", "source")]


@pytest.mark.parametrize("path", TALKING, ids=lambda path: path.stem)
def test_an_exercise_says_whole_sentences(path):
    assert glued(ast.parse(path.read_text("utf8"))) == []


def test_glued_sentences_are_found():
    for source in ("f'{n} words'", "'words of ' + x", "'all {n} words'.format(n=2)"):
        assert glued(ast.parse(source))
    for source in ("f'`{n}`'", "raise ValueError(f'{n} words')", "'words of {n}'"):
        assert not glued(ast.parse(source))
