"""The lab's words for the pages: `live/lexicon.js`, which the scripts of the translators read."""

import json

from course_lib.data import lab
from course_lib.data.lab import grammar, lexicon


def lexicon_script() -> str:
    """The lexicon, the elisions and contractions of French, and the pairs held out, as a script."""
    words = {
        "nouns": lexicon.NOUNS,
        "adjectives": lexicon.ADJECTIVES,
        "verbs": lexicon.VERBS,
        "prepositions": lexicon.PREPOSITIONS,
        "adverbs": lexicon.ADVERBS,
    }
    data = {kind: [row._asdict() for row in rows] for kind, rows in words.items()} | {
        "elision": grammar.ELISION,
        "contraction": {" ".join(pair): word for pair, word in grammar.CONTRACTION.items()},
        "held_out": sorted(" ".join(pair) for pair in lab.HELD_OUT),
    }
    text = json.dumps(data, ensure_ascii=False, indent=0)
    return (
        "/* Written by the build (tools/lab_words.py) from course_lib/data/lab. */\n"
        f'"use strict";\nAM.lexicon = {text};\n'
    )
