"""Exercises 11.1 and 11.2: the longest match, and a pair of texts with its segments."""

from __future__ import annotations

from collections.abc import Sequence

from course_lib.exercises.engine.core import exercise, expect, expect_equal, expect_type

# --- 11.1 longest_match ---------------------------------------------------------------------------


@exercise(
    hints=(
        "Stand at the first letter. Which pieces of the vocabulary does the rest of the word begin "
        "with? Take the longest, go behind it, repeat.",
        "Inside the word a piece carries the prefix ##. At its beginning it does not.",
        "Let `end` fall from the length of the word. The first hit is the longest. No hit at all: "
        "the whole word is unknown, also the pieces that were found before.",
    )
)
def longest_match(word: str, vocabulary: set[str]) -> list[str]:
    """Cut a word into pieces of a vocabulary: WordPiece's greedy rule.

    From the left, always the longest piece that fits. A piece that does not begin the word is
    looked up, and returned, with "##" before it. If the word cannot be cut to its end, the answer
    is ["[UNK]"].
    """
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        for end in range(len(word), start, -1):
            if prefix + word[start:end] in vocabulary:
                pieces.append(prefix + word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    return pieces


_PIECES = {
    "un",
    "unbe",
    "##be",
    "##lie",
    "##liev",
    "##able",
    "##vable",
    "low",
    "##low",
    "##er",
    "a",
}


@longest_match.case
def a_word_of_the_vocabulary_is_one_piece(answer):
    expect_equal(answer("low", _PIECES), ["low"], "the pieces of “low”")


@longest_match.case
def pieces_inside_carry_the_prefix(answer):
    expect_equal(answer("lower", _PIECES), ["low", "##er"], "the pieces of “lower”")
    expect_equal(answer("lowlow", _PIECES), ["low", "##low"], "the pieces of “lowlow”")


@longest_match.case
def the_longest_piece_is_taken(answer):
    right = longest_match.answer("unbelievable", _PIECES)
    expect_equal(answer("unbelievable", _PIECES), right, "the pieces of “unbelievable”")


@longest_match.case
def an_unknown_rest_makes_the_word_unknown(answer):
    for word in ("lowx", "xlow", "er"):
        found = answer(word, _PIECES)
        expect_type(found, list, f"the pieces of “{word}”")
        expect_equal(found, ["[UNK]"], f"the pieces of “{word}”, which cannot be cut to its end")


@longest_match.mistake(
    "a_word_of_the_vocabulary_is_one_piece",
    says="You write ## before the first piece as well. It marks pieces that continue a word.",
)
def prefix_everywhere(word, vocabulary):
    return ["##" + piece.removeprefix("##") for piece in longest_match.answer(word, vocabulary)]


@longest_match.mistake(
    "pieces_inside_carry_the_prefix",
    says="You look pieces inside the word up without ##, as if a new word began there.",
)
def no_prefix(word, vocabulary):
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            if word[start:end] in vocabulary or "##" + word[start:end] in vocabulary:
                pieces.append(word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    return pieces


@longest_match.mistake(
    "the_longest_piece_is_taken",
    says="You take the shortest piece that fits. The rule is greedy: the longest.",
)
def shortest_first(word, vocabulary):
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        for end in range(start + 1, len(word) + 1):
            if prefix + word[start:end] in vocabulary:
                pieces.append(prefix + word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    return pieces


@longest_match.mistake(
    "an_unknown_rest_makes_the_word_unknown",
    says="You keep the pieces found so far and mark the rest as unknown. In WordPiece the whole "
    "word is.",
)
def unknown_rest_only(word, vocabulary):
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        ends = [e for e in range(len(word), start, -1) if prefix + word[start:e] in vocabulary]
        if not ends:
            return [*pieces, "[UNK]"]
        pieces.append(prefix + word[start : ends[0]])
        start = ends[0]
    return pieces


@longest_match.alternative
def by_recursion(word, vocabulary, prefix=""):
    for end in range(len(word), 0, -1):
        piece = prefix + word[:end]
        if piece in vocabulary:
            rest = by_recursion(word[end:], vocabulary, "##") if word[end:] else []
            return ["[UNK]"] if rest == ["[UNK]"] else [piece, *rest]
    return ["[UNK]"]


# --- 11.2 encode_pair -----------------------------------------------------------------------------


@exercise(
    hints=(
        "One mark at the very beginning, one after each text: three in all.",
        "A segment belongs to a text *and* the mark that ends it. To which does the first mark "
        "belong?",
    )
)
def encode_pair(
    first: Sequence[int], second: Sequence[int], cls: int, sep: int
) -> tuple[list[int], list[int]]:
    """[CLS] first [SEP] second [SEP], and the segment of each token: 0 up to the first [SEP] and
    with it, 1 after it.

    first, second: token ids without marks. Returns two lists of equal length.
    """
    ids = [cls, *first, sep, *second, sep]
    segments = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    return ids, segments


def _taken(answer, first, second) -> tuple[list[int], list[int]]:
    found = answer(first, second, 101, 102)
    expect_type(found, tuple, "your result")
    expect(len(found) == 2, f"You return {len(found)} things, expected ids and segments.", found)
    return found


@encode_pair.case
def marks_stand_where_bert_expects_them(answer):
    for first, second in (([7, 8, 9], [4, 5]), ([7], [4, 5, 6])):
        right = encode_pair.answer(first, second, 101, 102)[0]
        expect_equal(_taken(answer, first, second)[0], right, "the list of ids")


@encode_pair.case
def one_segment_for_each_token(answer):
    ids, segments = _taken(answer, [7, 8, 9], [4, 5])
    expect_type(segments, list, "the list of segments")
    counts = f"{len(segments)} segments for {len(ids)} tokens."
    expect(len(ids) == len(segments), counts, segments)


@encode_pair.case
def segments_change_after_the_first_text_and_its_mark(answer):
    for first, second in (([7, 8, 9], [4, 5]), ([7], [4, 5, 6])):
        right = encode_pair.answer(first, second, 101, 102)[1]
        expect_equal(_taken(answer, first, second)[1], right, "the list of segments")


@encode_pair.mistake("marks_stand_where_bert_expects_them", says="The [SEP] at the end is missing.")
def no_last_mark(first, second, cls, sep):
    return [cls, *first, sep, *second], [0] * (len(first) + 2) + [1] * len(second)


@encode_pair.mistake(
    "marks_stand_where_bert_expects_them",
    says="You begin the second text with [CLS] again. There is one for the pair: its state is read "
    "for the pair's class.",
)
def two_beginnings(first, second, cls, sep):
    ids = [cls, *first, sep, cls, *second, sep]
    return ids, [0] * (len(first) + 2) + [1] * (len(second) + 2)


@encode_pair.mistake(
    "one_segment_for_each_token", says="The marks have no segment in your lists. They need one."
)
def segments_of_words_only(first, second, cls, sep):
    return encode_pair.answer(first, second, cls, sep)[0], [0] * len(first) + [1] * len(second)


@encode_pair.mistake(
    "segments_change_after_the_first_text_and_its_mark",
    says="Your first [SEP] is in segment 1. It ends the first text and belongs to it.",
)
def mark_in_the_second(first, second, cls, sep):
    ids = encode_pair.answer(first, second, cls, sep)[0]
    return ids, [0] * (len(first) + 1) + [1] * (len(second) + 2)


@encode_pair.mistake(
    "segments_change_after_the_first_text_and_its_mark",
    says="All your segments are 0: the model is not told where the second text begins.",
)
def forgotten(first, second, cls, sep):
    ids = encode_pair.answer(first, second, cls, sep)[0]
    return ids, [0] * len(ids)


@encode_pair.alternative
def step_by_step(first, second, cls, sep):
    ids, segments = [cls], [0]
    for number, text in enumerate((first, second)):
        for token in [*text, sep]:
            ids.append(token)
            segments.append(number)
    return ids, segments
