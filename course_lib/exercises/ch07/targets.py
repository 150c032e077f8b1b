"""Exercises 7.1 and 7.2: what the decoder reads, what it is asked for, and what it may see."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.attention.masks import causal_mask, padding_mask
from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_tensor,
    expect_type,
)
from course_lib.text.words import BOS, EOS, PAD

# --- 7.1 teacher_forcing --------------------------------------------------------------------------


@exercise(
    hints=(
        "For *le chat*, write the two rows below each other: what has been read when the first "
        "word is asked for? And what is asked for when both words have been read?",
        "Both rows have one mark more than the sentence has words: the input a begin mark in "
        "front, the expected row an end mark behind.",
        "Padding comes last, behind the end mark. Make the two lists of lists first and fill each "
        "up to the longest; `torch.tensor` of equally long lists gives (B, T).",
    )
)
def teacher_forcing(sentences: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Target sentences -> what the decoder reads and what it is asked for, (B, T) each.

    sentences: ids without marks, of different lengths. T is the longest sentence and one more.
    Marks: 0 is padding, 1 begin, 2 end. Position t of the second holds the token that follows
    position t of the first; after the end mark, both are padding.
    """
    longest = max(len(sentence) for sentence in sentences)
    read, asked = [], []
    for sentence in sentences:
        padding = [PAD] * (longest - len(sentence))
        read.append([BOS, *sentence, *padding])
        asked.append([*sentence, EOS, *padding])
    return torch.tensor(read), torch.tensor(asked)


def _sentences() -> list[list[int]]:
    return [[7, 8, 9], [5], [6, 4]]


def _two(value: Any) -> tuple[Tensor, Tensor]:
    """The answer's two results, or what is wrong with them."""
    expect_type(value, (tuple, list))
    expect(len(value) == 2, f"You return {len(value)} things, expected two.")
    return value[0], value[1]


@teacher_forcing.case
def two_equal_shapes(answer):
    read, asked = _two(answer(_sentences()))
    expect_tensor(read, (3, 4), torch.long, "what the decoder reads")
    expect_tensor(asked, (3, 4), torch.long, "what it is asked for")


@teacher_forcing.case
def begins_with_the_mark(answer):
    read, _ = answer(_sentences())
    expect(
        read[:, 0].tolist() == [BOS] * 3,
        "The first thing the decoder reads is not the begin mark in every sentence.",
        read,
    )


@teacher_forcing.case
def next_token_is_asked_for(answer):
    read, asked = answer([[7, 8, 9, 6]])
    same = int((read[0] == asked[0]).sum())
    expect(
        same == 0,
        f"At {same} of 5 positions the decoder reads the token that it is asked for. It will "
        "learn to copy, the loss will fall to 0, and it will not write.",
        asked,
    )


@teacher_forcing.case
def ends_with_the_mark(answer):
    _, asked = answer(_sentences())
    after_the_words = [
        asked[row, len(sentence)].item() for row, sentence in enumerate(_sentences())
    ]
    expect(
        after_the_words == [EOS] * 3,
        "Not every sentence is asked for the end mark right after its last word. A model that "
        "has never been asked for it cannot stop.",
        asked,
    )


@teacher_forcing.case
def both_rows(answer):
    expected_read, expected = teacher_forcing.answer(_sentences())
    read, asked = answer(_sentences())
    expect_close(read, expected_read, "the tensor that is read")
    expect_close(asked, expected, "the tensor that is asked for")


def _filled(rows: list[list[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


@teacher_forcing.mistake(
    "two_equal_shapes",
    says="You return whole rows, begin and end mark in both. Each of the two has one mark.",
)
def both_marks_in_both(sentences):
    rows = _filled([[BOS, *sentence, EOS] for sentence in sentences])
    return rows, rows


@teacher_forcing.mistake(
    "begins_with_the_mark",
    says="The two have changed places: the decoder reads what it should be asked for.",
)
def the_other_way_round(sentences):
    return teacher_forcing.answer(sentences)[::-1]


@teacher_forcing.mistake("next_token_is_asked_for", says="The target is not shifted.")
def unshifted(sentences):
    rows = _filled([[BOS, *sentence] for sentence in sentences])
    return rows, rows.clone()


@teacher_forcing.mistake("ends_with_the_mark", says="The end mark is missing.")
def without_end(sentences):
    return (
        _filled([[BOS, *sentence] for sentence in sentences]),
        _filled([[*sentence, PAD] for sentence in sentences]),
    )


@teacher_forcing.mistake(
    "ends_with_the_mark",
    says="The end mark stands in the last column. In a short sentence it comes after the padding, "
    "where the loss does not count it.",
)
def end_after_the_padding(sentences):
    words = _filled(sentences)  # (B, T - 1)
    mark = torch.full((len(sentences), 1), EOS)
    return teacher_forcing.answer(sentences)[0], torch.cat([words, mark], dim=1)


@teacher_forcing.mistake(
    "both_rows",
    says="What the decoder reads has end marks in it: you cut the last column, and in a short "
    "sentence that is padding. Many programs do this, and since the loss does not count what "
    "comes after the end it costs nothing; here the rows are asked for without.",
)
def last_column_cut(sentences):
    rows = _filled([[BOS, *sentence, EOS] for sentence in sentences])
    return rows[:, :-1], rows[:, 1:]


@teacher_forcing.alternative
def filled_in(sentences):
    width = 1 + max(map(len, sentences))
    read = torch.zeros(len(sentences), width, dtype=torch.long)
    asked = read.clone()
    read[:, 0] = BOS
    for row, words in enumerate(map(torch.tensor, sentences)):
        read[row, 1 : len(words) + 1] = words
        asked[row, : len(words)] = words
        asked[row, len(words)] = EOS
    return read, asked


# --- 7.2 decoder_mask -----------------------------------------------------------------------------


@exercise(
    hints=(
        "Two conditions, and both must hold: the key is not after the query, and the key is a "
        "real token.",
        "`causal_mask(T)` is (T, T), the same for all sentences. `padding_mask(ids)` is (B, T), "
        "the same for all queries. Give each the axes that it lacks, then `&`.",
        "A padding mask hides *keys*, so it stands in the last axis: `[:, None, None, :]`.",
    )
)
def decoder_mask(target_in: Tensor) -> Tensor:
    """Where the decoder's self-attention may look: (B, T) ids -> (B, 1, T, T) bool.

    True at [b, 0, t, s] where position t of sentence b may see position s: s is not later than
    t, and s is not padding (0).
    """
    causal = causal_mask(target_in.shape[1], target_in.device)  # (T, T)
    real = padding_mask(target_in)  # (B, T)
    return causal & real[:, None, None, :]


def _read() -> Tensor:
    """Three sentences of 5, 3 and 1 tokens: (B, T)."""
    return torch.tensor([[1, 7, 8, 9, 6], [1, 5, 4, 0, 0], [1, 0, 0, 0, 0]])


@decoder_mask.case
def a_mask_for_each_sentence(answer):
    expect_tensor(answer(_read()), (3, 1, 5, 5), torch.bool)


@decoder_mask.case
def the_past_is_seen(answer):
    mask = answer(_read())
    below = torch.ones(5, 5, dtype=torch.bool).tril()
    hidden = int((~mask[0, 0] & below).sum())
    expect(
        hidden == 0,
        f"In a sentence without padding, {hidden} places at or before the query are hidden. Each "
        "position sees itself and what precedes it.",
        mask,
    )


@decoder_mask.case
def the_future_is_hidden(answer):
    mask = answer(_read())
    seen = int(mask[0, 0].triu(1).sum())
    expect(
        seen == 0,
        f"{seen} places after the query can be seen. In training the next token stands there: the "
        "loss will be too good, and the translations will not.",
        mask,
    )


@decoder_mask.case
def padding_is_hidden(answer):
    mask = answer(_read())
    seen = int(mask[1, 0, :, 3:].sum())
    message = f"In a sentence with two places of padding, they can be seen {seen} times."
    expect(seen == 0, message, mask)


@decoder_mask.case
def every_place(answer):
    for ids in (_read(), torch.tensor([[1, 4], [1, 0]])):
        expect_close(answer(ids), decoder_mask.answer(ids), "the mask")


@decoder_mask.mistake("a_mask_for_each_sentence", says="The axis of the heads is missing.")
def without_heads(target_in):
    return decoder_mask.answer(target_in)[:, 0]


@decoder_mask.mistake(
    "a_mask_for_each_sentence",
    says="This is an additive mask, 0 and −∞, as some libraries want it. Here True means *may "
    "attend*.",
)
def additive(target_in):
    mask = decoder_mask.answer(target_in)
    return torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)


@decoder_mask.mistake("the_past_is_seen", says="Your mask is inverted: True means *may attend*.")
def inverted(target_in):
    return ~decoder_mask.answer(target_in)


@decoder_mask.mistake(
    "the_past_is_seen",
    says="You hide the diagonal too. The token at t has been read; it is the one *after* it that "
    "is asked for. And position 0 would see nothing at all.",
)
def without_the_diagonal(target_in):
    length = target_in.shape[1]
    return causal_mask(length).tril(-1) & padding_mask(target_in)[:, None, None, :]


@decoder_mask.mistake("the_past_is_seen", says="Rows and columns changed places: rows are queries.")
def upper_triangle(target_in):
    return causal_mask(target_in.shape[1]).T & padding_mask(target_in)[:, None, None, :]


@decoder_mask.mistake(
    "the_future_is_hidden",
    says="Only padding is hidden. That is the mask of an *encoder*, where all words are given.",
)
def no_causal_mask(target_in):
    length = target_in.shape[1]
    return padding_mask(target_in)[:, None, None, :].expand(-1, -1, length, -1).clone()


@decoder_mask.mistake(
    "the_future_is_hidden",
    says="You joined the two with *or*. Both conditions must hold.",
)
def joined_with_or(target_in):
    return causal_mask(target_in.shape[1]) | padding_mask(target_in)[:, None, None, :]


@decoder_mask.mistake(
    "padding_is_hidden",
    says="Padding is not masked. With padding on the right the causal mask hides it from the real "
    "words, so the loss stays right; the rows of padding, and any model that pads on the left, "
    "would see it.",
)
def causal_only(target_in):
    length = target_in.shape[1]
    return causal_mask(length).expand(len(target_in), 1, length, length).clone()


@decoder_mask.mistake(
    "every_place",
    says="You hide what padding would *ask*. A row that may see nothing has the softmax 0/0, and "
    "an unguarded one makes NaN of it. What must be hidden is padding as a key.",
)
def queries_masked(target_in):
    return causal_mask(target_in.shape[1]) & padding_mask(target_in)[:, None, :, None]


@decoder_mask.alternative
def place_by_place(target_in):
    rows = target_in.tolist()
    return torch.tensor(
        [
            [[[s <= t and row[s] != 0 for s in range(len(row))] for t in range(len(row))]]
            for row in rows
        ]
    )
