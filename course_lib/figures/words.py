"""What a cell says in words: one whole sentence with slots, so that it can be said in another
language.

`SAID` keeps what was said in this session, with its template and what filled the slots:
`course_lib.figures.language` finds the sentence of the other language by the template.
"""

import json
import os
from string import Formatter
from typing import NamedTuple

from course_lib.evaluation.intervals import decimal


class Said(NamedTuple):
    """A sentence as its template, and the text in each slot, by the slot as it is written."""

    template: str
    slots: dict[str, str]


SAID: dict[str, Said] = {}


class _Signs(Formatter):
    """`str.format`, with a minus sign where it would write a hyphen before a number."""

    def format_field(self, value: object, form: str) -> str:
        if isinstance(value, int | float):
            return decimal(value, form)
        return super().format_field(value, form)


def fill(template: str, /, **values: object) -> str:
    """The template filled as `say` does it, for a part of what is said."""
    return _Signs().format(template, **values)


def say(template: str, /, **values: object) -> str:
    """The template with its slots filled as `str.format` does it, but for the minus sign.

    >>> say("{short:.0%} of {count:,} sentences, {gain:+.1f}", short=0.5, count=2000, gain=-3)
    '50% of 2,000 sentences, −3.0'

    Where the words depend on what came out, choose between whole templates: a sentence that is
    glued from pieces cannot be translated.

    Args:
        template: literal text, the same in every run. A brace that is meant is doubled.
        values: what the slots name; texts among them are names and lists, not parts of sentences.
    """
    return remember(fill(template, **values), template, values)


def remember(text: str, template: str, values: dict[str, object]) -> str:
    """The text, from now on known to be made from the template, in whatever way it was."""
    if text not in SAID:
        SAID[text] = Said(template, slots(template, values))
        _note(text)
    return text


def slots(template: str, values: dict[str, object]) -> dict[str, str]:
    """The text in each slot: `{short:.0%}` is '50%'."""
    found = {}
    for _, name, form, conversion in Formatter().parse(template):
        if name is not None:
            slot = "".join(
                ["{", name, f"!{conversion}" * bool(conversion), f":{form}" * bool(form), "}"]
            )
            found[slot] = fill(slot, **values)
    return found


def _note(text: str) -> None:
    """Where the pages are recorded, write down what was said (see tools/nbval_record.py)."""
    path = os.environ.get("COURSE_SAID_FILE")
    if path:
        with open(path, "a", encoding="utf8") as file:
            file.write(json.dumps([text, *SAID[text]], ensure_ascii=False) + "\n")
