"""Exercises 9.1 and 9.2: dropping whole words, and one mask for all time steps."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor

# --- 9.1 drop_words -------------------------------------------------------------------------------


@exercise(
    hints=(
        "The decision is made once for each *word of the vocabulary*. How many decisions is that?",
        "A vector with one number for each word of the vocabulary, looked up by `tokens`, gives "
        "every occurrence of a word the same number.",
        "What is kept is divided by 1 - p, so that a word is on average as strong as without "
        "dropping.",
    )
)
def drop_words(embedded: Tensor, tokens: Tensor, vocab_size: int, p: float) -> Tensor:
    """Embedding dropout in training: embedded (B, T, E) of the ids tokens (B, T) -> (B, T, E).

    Each word of the vocabulary is dropped with probability p: it is then zero wherever it stands
    in the batch. The others are divided by 1 - p.
    """
    kept = (torch.rand(vocab_size) >= p).float() / (1 - p)  # (V,)
    return embedded * kept[tokens].unsqueeze(-1)


_VOCABULARY, _P = 60, 0.4


def _batch() -> tuple[Tensor, Tensor]:
    """(embedded, tokens): every word stands in the batch about ten times, and is nowhere zero."""
    tokens = torch.randint(0, _VOCABULARY, (20, 30))
    return 1.0 + torch.rand(20, 30, 4), tokens


def _factors(answer, embedded: Tensor, tokens: Tensor) -> Tensor:
    """By how much each number was multiplied, (B, T, E)."""
    result = answer(embedded, tokens, _VOCABULARY, _P)
    expect_tensor(result, embedded.shape)
    return result / embedded


@drop_words.case
def same_shape(answer):
    embedded, tokens = _batch()
    expect_tensor(answer(embedded, tokens, _VOCABULARY, _P), (20, 30, 4))


@drop_words.case
def a_word_goes_as_a_whole(answer):
    embedded, tokens = _batch()
    factors = _factors(answer, embedded, tokens)
    spread = (factors.amax(-1) - factors.amin(-1)).max().item()
    expect(
        spread < 1e-4,
        "At one place some numbers of a word are dropped and others are not. A word is dropped "
        "with all its numbers.",
        factors,
    )


@drop_words.case
def everywhere_or_nowhere(answer):
    embedded, tokens = _batch()
    factors = _factors(answer, embedded, tokens)[..., 0]
    mixed = [
        word
        for word in range(_VOCABULARY)
        if (tokens == word).any() and len(factors[tokens == word].gt(0).unique()) > 1
    ]
    expect(
        not mixed,
        f"{len(mixed)} of {_VOCABULARY} words are dropped at one place of the batch and kept at "
        "another.",
        factors,
    )


@drop_words.case
def as_many_as_asked(answer):
    embedded, tokens = _batch()
    tokens[0] = torch.arange(30)
    tokens[1] = torch.arange(30, 60)
    gone = sum((_factors(answer, embedded, tokens)[:2, :, 0] == 0).sum().item() for _ in range(20))
    share = gone / (20 * _VOCABULARY)
    expect(
        abs(share - _P) < 0.06,
        f"With p = {_P} about {_P:.0%} of the words should be dropped; yours drops {share:.0%}.",
        share,
    )


@drop_words.case
def the_rest_grows(answer):
    embedded, tokens = _batch()
    factors = _factors(answer, embedded, tokens)
    kept = factors[factors > 0]
    expect_close(kept, torch.full_like(kept, 1 / (1 - _P)), "the factor of the words that are kept")


@drop_words.mistake(
    "same_shape", says="You take the dropped words out of the text. They stay, as zeros."
)
def cut_out(embedded, tokens, vocab_size, p):
    kept = torch.rand(vocab_size) >= p
    return embedded[kept[tokens]] / (1 - p)


@drop_words.mistake(
    "a_word_goes_as_a_whole",
    says="That is ordinary dropout: it drops single numbers of a vector, not words.",
)
def single_numbers(embedded, tokens, vocab_size, p):
    return embedded * (torch.rand(embedded.shape) >= p).float() / (1 - p)


@drop_words.mistake(
    "everywhere_or_nowhere",
    says="You decide anew at each place of the text. Decide once for each word of the vocabulary; "
    "otherwise the network can read a dropped word two lines further on.",
)
def single_places(embedded, tokens, vocab_size, p):
    kept = (torch.rand(tokens.shape) >= p).float() / (1 - p)
    return embedded * kept.unsqueeze(-1)


@drop_words.mistake("everywhere_or_nowhere")
def anew_in_each_row(embedded, tokens, vocab_size, p):
    kept = (torch.rand(len(tokens), vocab_size) >= p).float() / (1 - p)
    return embedded * kept.gather(1, tokens).unsqueeze(-1)


@drop_words.mistake(
    "as_many_as_asked",
    says="Your p is the probability of *keeping* a word. It is that of dropping.",
)
def keeps_p(embedded, tokens, vocab_size, p):
    kept = (torch.rand(vocab_size) < p).float() / (1 - p)
    return embedded * kept[tokens].unsqueeze(-1)


@drop_words.mistake(
    "the_rest_grows",
    says="Your words keep their size. In evaluation, where nothing is dropped, the network would "
    "then meet more than it was trained for.",
)
def not_scaled(embedded, tokens, vocab_size, p):
    return embedded * (torch.rand(vocab_size) >= p).float()[tokens].unsqueeze(-1)


@drop_words.alternative
def through_the_matrix(embedded, tokens, vocab_size, p):
    dropped = torch.nonzero(torch.rand(vocab_size) < p)[:, 0]
    gone = torch.isin(tokens, dropped)
    return embedded.masked_fill(gone.unsqueeze(-1), 0.0) / (1 - p)


# --- 9.2 locked_dropout ---------------------------------------------------------------------------


@exercise(
    hints=(
        "Which axes does the mask need, and along which is it the same? An axis of length 1 is "
        "repeated by broadcasting.",
        "In evaluation mode nothing is dropped and nothing is scaled.",
    )
)
def locked_dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Variational dropout: (B, T, D) -> (B, T, D).

    In training each number of a sentence's vectors is dropped with probability p, at *all* time
    steps or at none; the others are divided by 1 - p. Sentences have masks of their own. In
    evaluation nothing happens.
    """
    if not training:
        return x
    mask = (torch.rand(x.shape[0], 1, x.shape[2]) >= p).float()  # (B, 1, D)
    return x * mask / (1 - p)


def _states() -> Tensor:
    return 1.0 + torch.rand(6, 8, 40)


def _mask_of(answer, x: Tensor) -> Tensor:
    result = answer(x, 0.3, True)
    expect_tensor(result, x.shape)
    return result / x


@locked_dropout.case
def shape_stays(answer):
    expect_tensor(answer(_states(), 0.3, True), (6, 8, 40))


@locked_dropout.case
def evaluation_changes_nothing(answer):
    x = _states()
    expect_close(answer(x, 0.3, False), x, "the result in evaluation mode (against the input)")


@locked_dropout.case
def locked_over_time(answer):
    x = _states()
    factors = _mask_of(answer, x)
    expect(
        torch.allclose(factors, factors[:, :1].expand_as(factors), atol=1e-4),
        "A number of the state is dropped at one step and there at the next.",
        factors,
    )


@locked_dropout.case
def one_for_each_sentence_and_number(answer):
    gone = _mask_of(answer, _states())[:, 0] == 0  # (B, D)
    rows, columns = gone.float().mean(1), gone.float().mean(0)
    expect(
        len({tuple(row) for row in gone.tolist()}) > 1 or not gone.any(),
        "All sentences have the same mask.",
        gone,
    )
    whole = ((rows == 0) | (rows == 1)).all() and ((columns > 0) & (columns < 1)).all()
    expect(not whole, "You drop whole sentences. Drop numbers of their vectors.", gone)


@locked_dropout.case
def as_much_as_asked(answer):
    x = _states()
    share = sum((_mask_of(answer, x) == 0).float().mean().item() for _ in range(10)) / 10
    expect(
        abs(share - 0.3) < 0.06,
        f"With p = 0.3 about 30 % of the numbers should be dropped; yours drops {share:.0%}.",
        share,
    )


@locked_dropout.case
def what_is_kept_grows(answer):
    factors = _mask_of(answer, _states())
    kept = factors[factors > 0]
    expect_close(kept, torch.full_like(kept, 1 / 0.7), "the factor of the numbers that are kept")


@locked_dropout.mistake("shape_stays", says="You lose the time axis: its length becomes 1.")
def first_step_only(x, p, training):
    return locked_dropout.answer(x[:, :1], p, training)


@locked_dropout.mistake(
    "evaluation_changes_nothing",
    says="You drop in evaluation as well. The same text would get another answer each time.",
)
def always(x, p, training):
    return locked_dropout.answer(x, p, True)


@locked_dropout.mistake(
    "evaluation_changes_nothing",
    says="You scale in evaluation. The division by 1 - p has been done in training already.",
)
def scaled_in_evaluation(x, p, training):
    return locked_dropout.answer(x, p, True) if training else x * (1 - p)


@locked_dropout.mistake(
    "locked_over_time",
    says="You draw a new mask at each step. What is gone at one step is back at the next, and the "
    "recurrence can copy it over.",
)
def anew_at_each_step(x, p, training):
    return torch.nn.functional.dropout(x, p, training)


@locked_dropout.mistake("one_for_each_sentence_and_number")
def one_for_all_sentences(x, p, training):
    if not training:
        return x
    return x * (torch.rand(1, 1, x.shape[2]) >= p).float() / (1 - p)


@locked_dropout.mistake(
    "one_for_each_sentence_and_number", says="Your mask has one number for each sentence."
)
def whole_sentences(x, p, training):
    if not training:
        return x
    keep = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0]).view(-1, 1, 1)
    return x * keep / (1 - p)


@locked_dropout.mistake(
    "as_much_as_asked", says="Your p is the probability of *keeping*. It is that of dropping."
)
def keeps_p_of_them(x, p, training):
    if not training:
        return x
    return x * (torch.rand(x.shape[0], 1, x.shape[2]) < p).float() / p


@locked_dropout.mistake(
    "what_is_kept_grows", says="What is kept is not divided by anything: the sum gets smaller."
)
def without_scale(x, p, training):
    return locked_dropout.answer(x, p, training) * (1 - p) if training else x


@locked_dropout.alternative
def with_the_library(x, p, training):
    ones = torch.ones(x.shape[0], 1, x.shape[2])
    return x * torch.nn.functional.dropout(ones, p, training)
