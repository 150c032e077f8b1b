"""Exercise 6.5: the two masks of a decoder."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.engine.core import exercise, expect, expect_tensor, expect_type

# --- 6.5 decoder_masks ----------------------------------------------------------------------------


@exercise(
    hints=(
        "Two questions for each mask: who asks, and who is asked? The last axis belongs to those "
        "who are asked.",
        "Self-attention of the decoder: the target asks the target. Source attention: the target "
        "asks the *source*. Whose padding must stay unseen in the second?",
        "Position t may see the columns 0 to t: `torch.ones(T, T, dtype=torch.bool).tril()`. For "
        "the source, `(B, S)` needs two axes of length 1, for heads and for those who ask.",
    )
)
def decoder_masks(source: Tensor, target: Tensor, pad: int = 0) -> tuple[Tensor, Tensor]:
    """Masks of self-attention and of source attention: (B, S), (B, T) ids -> two bool masks.

    The first broadcasts to (B, H, T, T), the second to (B, H, T, S); True = may attend. Sentences
    are padded on the right. What padding itself sees is of no interest, and is left as it comes.
    """
    length = target.shape[1]
    own = torch.ones(length, length, dtype=torch.bool, device=target.device).tril()
    return own, (source != pad)[:, None, None, :]


def _padded(lengths: list[int], pad: int) -> Tensor:
    """Random ids from 10 on, padded on the right."""
    ids = torch.randint(10, 99, (len(lengths), max(lengths)))
    return ids.where(torch.arange(max(lengths)) < torch.tensor(lengths)[:, None], pad)


def _both_sides():
    yield _padded([4, 2, 6], 0), _padded([3, 4, 1], 0)
    yield _padded([2, 5], 7), _padded([6, 3], 7), 7
    yield _padded([1, 3], 1), _padded([3, 2], 1), 1  # of one length


def _spread(answer, source: Tensor, target: Tensor, pad: int = 0) -> tuple[Tensor, Tensor]:
    """The rows of the real target words in the two masks: (words, T) and (words, S)."""
    masks = answer(source, target) if pad == 0 else answer(source, target, pad)
    expect_type(masks, (tuple, list))
    expect(len(masks) == 2, f"You return {len(masks)} masks, expected two.", len(masks))
    rows = []
    for mask, asked, name in zip(masks, (target, source), ("first", "second"), strict=True):
        expect_tensor(mask, dtype=torch.bool, what=f"the {name} mask")
        shape = (len(target), 5, target.shape[1], asked.shape[1])  # five heads
        try:
            wide = mask.expand(shape)
        except RuntimeError:
            expect(
                False,
                f"The {name} mask of shape {tuple(mask.shape)} does not broadcast to "
                f"(B, H, T, {'T' if asked is target else 'S'}) = {shape}.",
                mask,
            )
        rows.append(wide[:, 0][target != pad])
    return rows[0], rows[1]


@decoder_masks.same_as_answer("the shapes of the masks", call=_spread, see=lambda masks: len(masks))
def two_boolean_masks():
    yield from _both_sides()


@decoder_masks.same_as_answer(
    "the first mask",
    call=_spread,
    see=lambda masks: masks[0],
    says="A target position may see itself and the past, and in the past everything.",
)
def the_past_and_not_the_future():
    yield from _both_sides()


@decoder_masks.same_as_answer(
    "the second mask",
    call=_spread,
    see=lambda masks: masks[1],
    says="Hidden is the padding of the source and nothing else, from every position of the "
    "target. (True means *may attend*.)",
)
def all_of_the_source_and_no_padding():
    yield from _both_sides()


decoder_masks.mistake(
    "two_boolean_masks",
    "This is the function as it was: the second mask comes from the padding of the *target*. It "
    "ran because both sides had the same length. Here they differ.",
    "(source != pad) -> (target != pad)",
)
decoder_masks.mistake(
    "the_past_and_not_the_future",
    "The triangle lies the other way round: rows ask, columns are asked. Your positions see the "
    "future, and in training would read the words that they are to predict.",
    ".tril() -> .triu()",
)
decoder_masks.mistake(
    "the_past_and_not_the_future",
    "Your positions do not see themselves. The first one then sees nothing at all. What is read at "
    "position t is the word *before* the one that is predicted there, so it may be seen.",
    ".tril() -> .tril(-1)",
)
decoder_masks.mistake(
    "all_of_the_source_and_no_padding",
    "You compare with 0, whatever `pad` says.",
    "source != pad -> source != 0",
)
