"""What a cell says in words: one whole sentence with slots, so that it can be said in another
language.

`SAID` keeps what was said in this session, with its template and what filled the slots:
`course_lib.figures.language` finds the sentence of the other language by the template.
"""

import json
import os
from string import Formatter
from typing import NamedTuple


class Said(NamedTuple):
    """A sentence as its template, and the text in each slot, by the slot as it is written."""

    template: str
    slots: dict[str, str]


SAID: dict[str, Said] = {}


def say(template: str, /, **values: object) -> str:
    """The template with its slots filled, as `str.format` does it.

    >>> say("{short:.0%} of {count:,} sentences", short=0.5, count=2000)
    '50% of 2,000 sentences'

    Where the words depend on what came out, choose between whole templates: a sentence that is
    glued from pieces cannot be translated.

    Args:
        template: literal text, the same in every run. A brace that is meant is doubled.
        values: what the slots name; texts among them are names and lists, not parts of sentences.
    """
    return remember(template.format(**values), template, values)


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
            found[slot] = slot.format(**values)
    return found


def _note(text: str) -> None:
    """Where the pages are recorded, write down what was said (see tools/nbval_record.py)."""
    path = os.environ.get("COURSE_SAID_FILE")
    if path:
        with open(path, "a", encoding="utf8") as file:
            file.write(json.dumps([text, *SAID[text]], ensure_ascii=False) + "\n")
