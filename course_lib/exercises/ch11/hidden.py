"""Exercises 11.3, 11.4 and 11.7: what the model sees, what counts, and which places are asked."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_tensor,
    expect_unchanged,
)

MASK = 4

# --- 11.3 corrupt ---------------------------------------------------------------------------------


@exercise(
    hints=(
        "Three things can stand at a chosen place. `draw` decides: below 0.8, from there to 0.9, "
        "above. Elsewhere nothing changes.",
        "`torch.where(condition, a, b)` twice. Both conditions begin with `chosen`.",
    )
)
def corrupt(tokens: Tensor, chosen: Tensor, draw: Tensor, others: Tensor, mask_id: int) -> Tensor:
    """What BERT sees in pre-training: (B, S) -> (B, S).

    Where chosen (B, S) is True: `mask_id` if draw (B, S) is below 0.8, the random token of others
    (B, S) if it is at least 0.8 and below 0.9, else the token itself. Everywhere else the token
    itself. tokens is not changed.
    """
    seen = torch.where(chosen & (draw < 0.8), mask_id, tokens)
    return torch.where(chosen & (draw >= 0.8) & (draw < 0.9), others, seen)


def _draws() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    tokens = torch.randint(5, 100, (6, 50))
    return tokens, torch.rand(6, 50) < 0.5, torch.rand(6, 50), torch.randint(100, 200, (6, 50))


@corrupt.case
def gives_ids_of_the_same_shape(answer):
    tokens, chosen, draw, others = _draws()
    before = tokens.clone()
    expect_tensor(answer(tokens, chosen, draw, others, MASK), (6, 50), torch.int64)
    expect_unchanged(tokens, before, "tokens")


@corrupt.case
def what_is_not_chosen_stays(answer):
    tokens, chosen, draw, others = _draws()
    seen = answer(tokens, chosen, draw, others, MASK)
    expect_close(seen[~chosen], tokens[~chosen], "the tokens that were not chosen")


@corrupt.case
def eighty_are_masked(answer):
    tokens, chosen, draw, others = _draws()
    masked = answer(tokens, chosen, draw, others, MASK) == MASK
    expect_close(masked, chosen & (draw < 0.8), "the set of places with [MASK]")


@corrupt.case
def ten_are_random_and_ten_stay(answer):
    given = _draws()
    expect_close(answer(*given, MASK), corrupt.answer(*given, MASK), "what stands at chosen places")


@corrupt.mistake("gives_ids_of_the_same_shape", says="You write into the true tokens.")
def in_place(tokens, chosen, draw, others, mask_id):
    tokens[chosen & (draw < 0.8)] = mask_id
    return tokens


@corrupt.mistake("what_is_not_chosen_stays", says="Your draw decides at all places, chosen or not.")
def everywhere(tokens, chosen, draw, others, mask_id):
    return corrupt.answer(tokens, torch.ones_like(chosen), draw, others, mask_id)


@corrupt.mistake(
    "eighty_are_masked",
    says="All chosen places are masked. Then [MASK] is the only sign that a word is asked for, and "
    "a text without it gets no good states.",
)
def all_masked(tokens, chosen, draw, others, mask_id):
    return torch.where(chosen, mask_id, tokens)


@corrupt.mistake(
    "ten_are_random_and_ten_stay", says="A tenth should stay as it is; yours are all replaced."
)
def twenty_random(tokens, chosen, draw, others, mask_id):
    seen = torch.where(chosen & (draw < 0.8), mask_id, tokens)
    return torch.where(chosen & (draw >= 0.8), others, seen)


@corrupt.mistake("ten_are_random_and_ten_stay", says="No random token appears: a tenth should.")
def none_random(tokens, chosen, draw, others, mask_id):
    return torch.where(chosen & (draw < 0.8), mask_id, tokens)


@corrupt.alternative
def by_a_copy(tokens, chosen, draw, others, mask_id):
    seen = tokens.clone()
    seen[chosen & (draw < 0.8)] = mask_id
    swap = chosen & (draw >= 0.8) & (draw < 0.9)
    seen[swap] = others[swap]
    return seen


# --- 11.4 masked_loss -----------------------------------------------------------------------------


@exercise(
    hints=(
        "At how many places is the model asked? The mean runs over those, and over no other.",
        "A boolean tensor (B, S) as index turns (B, S, V) into (n, V), and (B, S) into (n,).",
    )
)
def masked_loss(logits: Tensor, tokens: Tensor, chosen: Tensor) -> Tensor:
    """Mean −log p of the true tokens at the chosen places, in nats: a scalar.

    logits: (B, S, V). tokens: (B, S), the true ones. chosen: (B, S) bool; the others do not count.
    """
    return F.cross_entropy(logits[chosen], tokens[chosen])


def _scored() -> tuple[Tensor, Tensor, Tensor]:
    chosen = torch.zeros(3, 8, dtype=torch.bool)
    chosen[0, 2] = chosen[0, 5] = chosen[1, 1] = chosen[2, 6] = True  # two, one, one
    return torch.randn(3, 8, 11), torch.randint(0, 11, (3, 8)), chosen


@masked_loss.case
def gives_one_number(answer):
    found = answer(*_scored())
    expect_tensor(found, None)
    shape = tuple(found.shape)
    expect(found.dim() == 0, f"Your result has shape {shape}, expected one number.", found)


@masked_loss.case
def other_places_do_not_count(answer):
    logits, tokens, chosen = _scored()
    moved = logits + 3 * torch.randn_like(logits) * ~chosen.unsqueeze(-1)
    what = "the loss after only the scores of other places have changed"
    expect_close(answer(moved, tokens, chosen), answer(logits, tokens, chosen), what)


@masked_loss.case
def a_sure_and_right_model_loses_nothing(answer):
    logits, tokens, chosen = _scored()
    sure = 50 * F.one_hot(tokens, logits.shape[-1]).float()
    expect_close(
        answer(sure, tokens, chosen), torch.tensor(0.0), "the loss of a sure and right model"
    )


@masked_loss.case
def the_mean_runs_over_chosen_places(answer):
    given = _scored()
    expect_number(answer(*given), masked_loss.answer(*given).item(), "the loss")


@masked_loss.mistake("gives_one_number", says="You return one loss a place. Take their mean.")
def one_a_place(logits, tokens, chosen):
    return F.cross_entropy(logits[chosen], tokens[chosen], reduction="none")


@masked_loss.mistake(
    "other_places_do_not_count",
    says="You count all places. Most of them the model can copy from its input, so the loss looks "
    "good while it learns to copy.",
)
def all_places(logits, tokens, chosen):
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten())


@masked_loss.mistake(
    "a_sure_and_right_model_loses_nothing",
    says="A model that is certain and right should lose nothing. Is −log p made twice?",
)
def softmax_twice(logits, tokens, chosen):
    return F.cross_entropy(logits[chosen].softmax(-1), tokens[chosen])


@masked_loss.mistake(
    "the_mean_runs_over_chosen_places",
    says="You divide by all places, also by those that do not count.",
)
def divided_by_all(logits, tokens, chosen):
    return F.cross_entropy(logits[chosen], tokens[chosen], reduction="sum") / chosen.numel()


@masked_loss.mistake(
    "the_mean_runs_over_chosen_places",
    says="You take a mean in each text, then the mean of those: places in texts with few of them "
    "count more.",
)
def mean_of_means(logits, tokens, chosen):
    rows = zip(logits, tokens, chosen, strict=True)
    return torch.stack([F.cross_entropy(a[c], b[c]) for a, b, c in rows]).mean()


@masked_loss.alternative
def by_log_softmax(logits, tokens, chosen):
    right = logits.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)  # (B, S)
    return -(right * chosen).sum() / chosen.sum()


@masked_loss.alternative
def by_ignoring(logits, tokens, chosen):
    targets = torch.where(chosen, tokens, -100)
    return F.cross_entropy(logits.transpose(1, 2), targets)


# --- 11.7 choose_places (find the bug) ------------------------------------------------------------


@exercise(
    hints=(
        "Print the tokens that are chosen in a batch of texts of different lengths. What stands "
        "there most often?",
        "Which ids may never be asked for? `torch.isin(tokens, ids)` marks them.",
        "The draw of a forbidden place must lose, whatever it is.",
    )
)
def choose_places(tokens: Tensor, draw: Tensor, specials: list[int], share: float) -> Tensor:
    """Which places the model is asked for: (B, S) bool.

    A place is chosen where its draw (B, S), uniform in [0, 1), is below `share`; but never at a
    special token, which padding is, too. specials: the ids of all special tokens.
    """
    ordinary = ~torch.isin(tokens, torch.tensor(specials))
    return (draw < share) & ordinary


_SPECIALS = [0, 1, 2, 3, 4]


def _padded() -> tuple[Tensor, Tensor]:
    tokens = torch.randint(5, 60, (4, 30))
    tokens[:, 0] = 2
    for row, length in enumerate((30, 20, 12, 6)):
        tokens[row, length - 1] = 3
        tokens[row, length:] = 0
    return tokens, torch.rand(4, 30)


@choose_places.case
def gives_true_and_false(answer):
    tokens, draw = _padded()
    expect_tensor(answer(tokens, draw, _SPECIALS, 0.5), (4, 30), torch.bool)


@choose_places.case
def padding_is_never_asked_for(answer):
    tokens, draw = _padded()
    found = answer(tokens, draw, _SPECIALS, 0.9)
    expect(not (found & (tokens == 0)).any(), "Some of your places are padding.", found)


@choose_places.case
def no_mark_is_asked_for(answer):
    tokens, draw = _padded()
    found = answer(tokens, draw, _SPECIALS, 0.9)
    hit = found & torch.isin(tokens, torch.tensor(_SPECIALS))
    expect(not hit.any(), "Some of your places hold a special token.", found)


@choose_places.case
def the_draw_decides_elsewhere(answer):
    tokens, draw = _padded()
    for share in (0.15, 0.6, 1.0):
        right = choose_places.answer(tokens, draw, _SPECIALS, share)
        expect_close(answer(tokens, draw, _SPECIALS, share), right, f"the places at share {share}")


@choose_places.mistake("gives_true_and_false", says="You return ids of places, not a mask.")
def indices(tokens, draw, specials, share):
    return choose_places.answer(tokens, draw, specials, share).nonzero()


@choose_places.mistake(
    "padding_is_never_asked_for",
    says="In short texts most places are padding, and a model that always answers [PAD] there "
    "looks good.",
)
def what_was_there(tokens, draw, specials, share):
    return draw < share


@choose_places.mistake("no_mark_is_asked_for", says="[CLS] and [SEP] are always in the same place.")
def padding_only(tokens, draw, specials, share):
    return (draw < share) & (tokens != 0)


@choose_places.mistake("the_draw_decides_elsewhere", says="Your share seems fixed, or turned over.")
def above(tokens, draw, specials, share):
    return (draw >= share) & (tokens > 4)


@choose_places.alternative
def by_filling(tokens, draw, specials, share):
    for special in specials:
        draw = draw.masked_fill(tokens == special, 2.0)
    return draw < share
