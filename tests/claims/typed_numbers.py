"""Finds numbers in prose that look like a result and are typed, not displayed from a record.

A sentence is suspect when it holds a number with a decimal point, a percentage, or a number before
a unit, and a word for a result: accuracy, BLEU, seconds; or when it says in words how long a run
takes. Three things clear the paragraph (or list
item, or table row) that it stands in, because its numbers are not ours:

- a citation: a link to a paper with its year, authors named "et al.", or a MyST citation;
- ``<!-- published -->``: the numbers are somebody else's, whose name stands nearby;
- ``<!-- given -->``: they are assumed, chosen or worked out on paper, in a toy or a question.

Concept questions (cells that begin with "### Question") assume their numbers, so they are free.
The line "**Time** …" or "**Run time** …" at the top of a notebook is a promise, of which
tests/tools/test_costs_page.py compares the second with the record. How long reading and exercises
take is counted by tests/book/notebook_rules.py.
"""

from __future__ import annotations

import re

RESULT = re.compile(
    r"\b(accuracy|accuracies|BLEU|chrF|perplexit(y|ies)|exact match|error rates?|AER|F1|loss(es)?|"
    r"nats|seconds?|milliseconds|minutes?|hours?|ms|peak memory|correlations?|cosine|scores?|right|"
    r"correct|correctly|faster|slower|as fast|better|worse)\b",
    re.IGNORECASE,
)
NUMBER = re.compile(
    r"(?<![\w.])(\d[\d,]*\.\d+|\d[\d,.]*\s?%|"
    r"\d[\d,.]*(?:\s?(?:to|–)\s?\d[\d,.]*)?\s"
    r"(?:BLEU|points?|seconds?|milliseconds|ms|minutes?|hours?|MB|GB|nats|"
    r"times (?:as|faster|slower))\b)"
)
# How long a run takes, in words: "in less than half an hour on one core".
DURATION = re.compile(
    r"\b(?:half an?|(?:about|under|over|within|in|than|of) an?|two|three|four|five|six|seven|eight|"
    r"nine|ten|twenty|thirty) (?:second|minute|hour)s?\b"
)
RUN = re.compile(r"\b(train\w*|runs?|ran|core|cores|processor)\b")
CITATION = re.compile(
    r"\]\(https?://[^)]*(?:arxiv\.org|doi\.org|aclanthology|proceedings)[^)]*\)|"
    r"\[[^\]]*\b(?:19|20)\d\d\w?\)?\]\(|\bet al\.|\{cite(?::\w)?\}|"
    r"[A-Z]\w+ (?:and|&) [A-Z]\w+ \(?(?:19|20)\d\d"
)
PROMISE = re.compile(r"\*\*(?:Run time|Time)\*\*")
CLEARED = re.compile(r"<!-- (?:published|given) -->")
_NOT_PROSE = re.compile(
    r"^```.*?^```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]+\$|<summary>|</?\w+[^>]*>",
    re.DOTALL | re.MULTILINE,
)
_REFERENCE = re.compile(
    r"\b(?:tables?|figures?|questions?|exercises?|sections?|equations?|chapters?|rows?|issue|"
    r"appendix|python|torch|version)\s(?:[A-F]\.)?(?:\d+(?:\.\d+)*(?:, | and | to |–)?)+|"
    r"\b\d+ exercises and \d+ questions, about \d+ minutes\b|"
    r"\b(?:left-to-right|right-to-left)\b",
    re.IGNORECASE,
)


def blocks(text: str) -> list[str]:
    """Paragraphs, list items and table rows of a Markdown text, without code and mathematics."""
    kept = _NOT_PROSE.sub(lambda m: m[0] if CLEARED.fullmatch(m[0]) else " ", text)
    return re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.|\||#+) ?)", kept)


def suspects(text: str) -> list[str]:
    """The sentences of a Markdown text that state a result with a typed number."""
    found = []
    for block in blocks(text):
        if CLEARED.search(block) or CITATION.search(block) or PROMISE.search(block):
            continue
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(block.split()))
        for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z(*“])", plain):
            without = _REFERENCE.sub(" ", sentence)
            typed = NUMBER.search(without) and RESULT.search(without)
            if typed or (DURATION.search(without) and RUN.search(without)):
                found.append(sentence.strip())
    return found
