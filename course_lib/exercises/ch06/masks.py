"""Exercise 6.5: the two masks of a decoder."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_tensor,
    expect_type,
)

# --- 6.5 decoder_masks ----------------------------------------------------------------------------

SOURCE = torch.tensor([[5, 6, 7, 8], [9, 4, 0, 0]])
TARGET = torch.tensor([[1, 5, 6, 7], [1, 8, 9, 0]])


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


def _spread(masks, what: str) -> tuple[Tensor, Tensor]:
    """The two masks as (B, T, T) and (B, T, S), real rows of the target only."""
    expect_type(masks, (tuple, list), "your result")
    expect(len(masks) == 2, f"You return {len(masks)} masks, expected two.")
    shapes = ((2, 1, TARGET.shape[1], TARGET.shape[1]), (2, 1, TARGET.shape[1], SOURCE.shape[1]))
    spread = []
    for mask, shape, name in zip(masks, shapes, ("first", "second"), strict=True):
        expect_tensor(mask, dtype=torch.bool, what=f"the {name} mask")
        fits = mask.dim() <= 4 and all(
            have in (1, want) for have, want in zip(mask.shape[::-1], shape[::-1], strict=False)
        )
        expect(
            fits and not (mask.dim() == 3),
            f"The {name} mask has shape {tuple(mask.shape)}, which does not broadcast to "
            f"(B, H, T, {'S' if name == 'second' else 'T'}) with an axis for the heads.",
            mask,
        )
        spread.append(mask.expand(shape)[:, 0])
    return spread[0], spread[1]


@decoder_masks.case
def two_boolean_masks(answer):
    _spread(answer(SOURCE, TARGET), "masks")


@decoder_masks.case
def nobody_sees_the_future(answer):
    own, _ = _spread(answer(SOURCE, TARGET), "masks")
    expect(
        not own.triu(1)[:, :2].any(),
        "A position of the target may see a later one. In training it would read the word that it "
        "is to predict.",
        own,
    )


@decoder_masks.case
def everybody_sees_the_past(answer):
    own, _ = _spread(answer(SOURCE, TARGET), "masks")
    past = torch.ones(4, 4, dtype=torch.bool).tril()
    # In row 1 only the three real words count: what padding sees is of no interest.
    found = torch.cat([own[0].flatten(), own[1, :3].flatten()])
    expect_close(found, torch.cat([past.flatten(), past[:3].flatten()]), "the first mask")


@decoder_masks.case
def all_of_the_source_and_no_padding(answer):
    _, across = _spread(answer(SOURCE, TARGET), "masks")
    real = torch.tensor([[True] * 4, [True, True, False, False]])
    rows = torch.cat([across[0], across[1, :3]])  # (7, S): real words of the target
    expected = torch.cat([real[:1].expand(4, 4), real[1:].expand(3, 4)])
    expect_close(rows, expected, "the second mask")


@decoder_masks.case
def another_padding_id(answer):
    source, target = SOURCE + 1, TARGET + 1
    _, across = _spread(answer(source, target, pad=1), "masks")
    expected = (source != 1)[:, None].expand(2, 4, 4)
    expect_close(across[:, :3], expected[:, :3], "the second mask where the padding id is 1")


@decoder_masks.mistake(
    "two_boolean_masks",
    says="Your masks hold the numbers 0 and 1. In this book a mask is boolean.",
)
def numbers(source, target, pad=0):
    return tuple(mask.float() for mask in decoder_masks.answer(source, target, pad))


@decoder_masks.mistake("two_boolean_masks")
def without_an_axis_for_heads(source, target, pad=0):
    own, _ = decoder_masks.answer(source, target, pad)
    return own, (source != pad)[:, None, :]


@decoder_masks.mistake("nobody_sees_the_future")
def padding_only(source, target, pad=0):
    _, across = decoder_masks.answer(source, target, pad)
    return (target != pad)[:, None, None, :], across


@decoder_masks.mistake(
    "nobody_sees_the_future",
    says="The triangle lies the other way round: rows ask, columns are asked.",
)
def triangle_turned(source, target, pad=0):
    own, across = decoder_masks.answer(source, target, pad)
    return own.T, across


@decoder_masks.mistake(
    "everybody_sees_the_past",
    says="Your positions do not see themselves. The first one then sees nothing at all. What is "
    "read at position t is the word *before* the one that is predicted there, so it may be seen.",
)
def strictly_before(source, target, pad=0):
    own, across = decoder_masks.answer(source, target, pad)
    return own.tril(-1), across


@decoder_masks.mistake(
    "all_of_the_source_and_no_padding",
    says="This is the function as it was: the second mask comes from the padding of the *target*. "
    "It runs because both sides have the same length here.",
)
def padding_of_the_target(source, target, pad=0):
    own, _ = decoder_masks.answer(source, target, pad)
    return own, (target != pad)[:, None, None, :]


@decoder_masks.mistake(
    "all_of_the_source_and_no_padding",
    says="Your padding mask stands on the axis of those who ask. Hidden must be those who are "
    "asked.",
)
def padding_on_the_wrong_axis(source, target, pad=0):
    own, _ = decoder_masks.answer(source, target, pad)
    return own, (source != pad)[:, None, :, None]


@decoder_masks.mistake(
    "all_of_the_source_and_no_padding",
    says="The second mask is causal, too. But the source is known as a whole before the first "
    "word is written.",
)
def causal_over_the_source(source, target, pad=0):
    own, across = decoder_masks.answer(source, target, pad)
    return own, across & torch.ones(target.shape[1], source.shape[1]).tril().bool()


@decoder_masks.mistake(
    "all_of_the_source_and_no_padding",
    says="Your second mask is inverted: True means *may attend*.",
)
def inverted(source, target, pad=0):
    own, across = decoder_masks.answer(source, target, pad)
    return own, ~across


@decoder_masks.mistake("another_padding_id", says="You compare with 0, whatever `pad` says.")
def zero_is_padding(source, target, pad=0):
    return decoder_masks.answer(source, target)


@decoder_masks.alternative
def with_the_padding_of_the_target(source, target, pad=0):
    place = torch.arange(target.shape[1])
    own = (place[:, None] >= place[None, :]) & (target != pad)[:, None, None, :]
    across = (source != pad)[:, None, None, :].expand(-1, 1, target.shape[1], -1)
    return own, across
