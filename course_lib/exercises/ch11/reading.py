"""Exercises 11.5 and 11.6: who may see whom, and one vector for a text."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.engine.core import exercise, expect_close, expect_tensor

PAD = 0

# --- 11.5 both_ways -------------------------------------------------------------------------------


@exercise(
    hints=(
        "Which tokens must nobody look at? Does it matter who is asking?",
        "Two axes of length 1 let one row serve all heads and all places that ask: `[:, None, "
        "None, :]`.",
    )
)
def both_ways(tokens: Tensor, pad: int) -> Tensor:
    """BERT's attention mask: (B, S) ids -> (B, 1, 1, S) bool, True = may be attended to.

    Every place may attend to every real token of its text, on both sides, and to no padding.
    """
    return (tokens != pad)[:, None, None, :]


def _texts() -> Tensor:
    return torch.tensor([[5, 6, 7, 8], [9, 5, 0, 0]])


@both_ways.case
def shape_and_type(answer):
    expect_tensor(answer(_texts(), PAD), (2, 1, 1, 4), torch.bool)


@both_ways.case
def a_text_without_padding_is_open(answer):
    found = answer(_texts()[:1], PAD)
    expect_close(found, torch.ones(1, 1, 1, 4, dtype=torch.bool), "the mask without padding")


@both_ways.case
def padding_is_closed_whatever_its_id(answer):
    for pad in (0, 7):
        right = both_ways.answer(_texts(), pad)
        expect_close(answer(_texts(), pad), right, f"the mask where padding is {pad}")


@both_ways.mistake(
    "shape_and_type",
    says="Beside weights (B, H, T, S) your first axis would be taken for the heads or for the "
    "places that ask.",
)
def two_axes(tokens, pad):
    return tokens != pad


@both_ways.mistake(
    "shape_and_type",
    says="You made it causal: BERT reads both sides, and the mask needs one row only.",
)
def causal(tokens, pad):
    length = tokens.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool).tril()
    return (tokens != pad)[:, None, None, :] & earlier


@both_ways.mistake(
    "shape_and_type", says="Your last axis is the place that asks. It must be the one asked."
)
def rows_in_place_of_columns(tokens, pad):
    return (tokens != pad)[:, None, :, None]


@both_ways.mistake("a_text_without_padding_is_open", says="Your mask is inverted: True = may.")
def inverted(tokens, pad):
    return (tokens == pad)[:, None, None, :]


@both_ways.mistake(
    "padding_is_closed_whatever_its_id", says="The id of padding is an argument here."
)
def zero_only(tokens, pad):
    return (tokens != 0)[:, None, None, :]


@both_ways.alternative
def by_view(tokens, pad):
    return tokens.ne(pad).unsqueeze(1).unsqueeze(2)


# --- 11.6 text_vector (find the bug) --------------------------------------------------------------


@exercise(
    hints=(
        "Give the same text alone and beside a longer one. Which vector changes, and why?",
        "Padding has states, too, and they are not zero. How many states should be in the sum, "
        "and by what is it divided?",
        "`real.unsqueeze(-1)` (B, S, 1) times the states removes padding from the sum.",
    )
)
def text_vector(states: Tensor, real: Tensor) -> Tensor:
    """The mean of the states of real tokens: (B, S, D), (B, S) bool -> (B, D)."""
    total = (states * real.unsqueeze(-1)).sum(dim=1)
    return total / real.sum(dim=1, keepdim=True)


def _states() -> tuple[Tensor, Tensor]:
    real = torch.arange(7) < torch.tensor([[7], [3], [1]])
    return torch.randn(3, 7, 5) + 1, real


@text_vector.case
def one_vector_a_text(answer):
    expect_tensor(answer(*_states()), (3, 5))


@text_vector.case
def more_padding_changes_nothing(answer):
    states, real = _states()
    longer = torch.cat([states, torch.randn(3, 4, 5)], dim=1)
    with_more = torch.cat([real, torch.zeros(3, 4, dtype=torch.bool)], dim=1)
    expect_close(
        answer(longer, with_more), answer(states, real), "the vectors with more padding behind"
    )


@text_vector.case
def it_is_the_mean(answer):
    states, real = _states()
    expect_close(answer(states, real), text_vector.answer(states, real))


@text_vector.mistake("one_vector_a_text", says="You mix the numbers of a state, not the states.")
def over_the_width(states, real):
    return states.mean(dim=2)


@text_vector.mistake(
    "more_padding_changes_nothing",
    says="You average padding, too: a text's vector depends on the longest text beside it.",
)
def what_was_there(states, real):
    return states.mean(dim=1)


@text_vector.mistake(
    "more_padding_changes_nothing",
    says="Padding is out of the sum, but it still counts in the number that you divide by.",
)
def divided_by_all(states, real):
    return (states * real.unsqueeze(-1)).mean(dim=1)


@text_vector.mistake("it_is_the_mean", says="This is the sum: long texts get long vectors.")
def the_sum(states, real):
    return (states * real.unsqueeze(-1)).sum(dim=1)


@text_vector.mistake("it_is_the_mean", says="This is the first state alone.")
def the_first(states, real):
    return states[:, 0]


@text_vector.alternative
def one_by_one(states, real):
    return torch.stack([row[mask].mean(dim=0) for row, mask in zip(states, real, strict=True)])


@text_vector.alternative
def by_weights(states, real):
    weights = real / real.sum(dim=1, keepdim=True)
    return torch.einsum("bs,bsd->bd", weights, states)
