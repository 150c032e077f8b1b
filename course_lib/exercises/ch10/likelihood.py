"""Exercises 10.7 and 10.8: how likely is a continuation, and which token is asked for."""

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
)

# --- 10.7 continuation_nats -----------------------------------------------------------------------


@exercise(
    hints=(
        "The row of logits at position t scores the token at position t + 1. Which row scores the "
        "first token of the continuation?",
        "With P tokens of prompt and T of continuation: rows P − 1 to P + T − 2.",
    )
)
def continuation_nats(logits: Tensor, prompt: Tensor, continuation: Tensor) -> Tensor:
    """−log p(continuation | prompt) in nats, summed over its tokens: a scalar.

    logits: (P + T, V), what a language model gives for the prompt (P,) followed by the continuation
    (T,); P and T are at least 1. Tokens of the prompt do not count.
    """
    start = len(prompt) - 1
    asked = logits[start : start + len(continuation)]  # (T, V)
    return F.cross_entropy(asked, continuation, reduction="sum")


def _read() -> tuple[Tensor, Tensor, Tensor]:
    return 2 * torch.randn(9, 13), torch.randint(0, 13, (5,)), torch.randint(0, 13, (4,))


@continuation_nats.case
def gives_one_number(answer):
    found = answer(*_read())
    expect_tensor(found, None)
    shape = tuple(found.shape)
    expect(found.dim() == 0, f"Your result has shape {shape}, expected one number.", found)


@continuation_nats.case
def the_prompt_does_not_count(answer):
    logits, prompt, continuation = _read()
    other = (prompt + 1) % 13
    what = "the result after the tokens of the prompt have changed, with the same logits"
    expect_close(answer(logits, other, continuation), answer(logits, prompt, continuation), what)


@continuation_nats.case
def each_row_scores_the_next_token(answer):
    prompt, continuation = torch.tensor([3, 4]), torch.tensor([5, 6, 7])
    tokens = torch.cat([prompt, continuation])
    logits = torch.zeros(5, 13)
    logits[torch.arange(4), tokens[1:]] = 40.0  # sure of the next token
    expect_close(
        answer(logits, prompt, continuation),
        torch.tensor(0.0),
        "the nats of a model that is sure of each next token and right",
    )


@continuation_nats.case
def the_sum_in_nats(answer):
    given = _read()
    expect_number(answer(*given), continuation_nats.answer(*given).item(), "the sum")


@continuation_nats.mistake("gives_one_number", says="You return one number a token. Add them up.")
def one_a_token(logits, prompt, continuation):
    start = len(prompt) - 1
    asked = logits[start : start + len(continuation)]
    return F.cross_entropy(asked, continuation, reduction="none")


@continuation_nats.mistake(
    "the_prompt_does_not_count",
    says="You score the whole text. A prompt that is unlikely would count against every "
    "continuation of it.",
)
def all_of_it(logits, prompt, continuation):
    tokens = torch.cat([prompt, continuation])
    return F.cross_entropy(logits[:-1], tokens[1:], reduction="sum")


@continuation_nats.mistake(
    "each_row_scores_the_next_token",
    says="Your rows are one too late: row t scores the token at t + 1, so the token at t has "
    "already been read there.",
)
def one_too_late(logits, prompt, continuation):
    return F.cross_entropy(logits[len(prompt) :], continuation, reduction="sum")


@continuation_nats.mistake(
    "the_sum_in_nats",
    says="You take the mean over tokens. That is another question: then long continuations are "
    "not less likely than short ones.",
)
def mean(logits, prompt, continuation):
    return continuation_nats.answer(logits, prompt, continuation) / len(continuation)


@continuation_nats.mistake("the_sum_in_nats", says="Your logarithm has base 2: these are bits.")
def in_bits(logits, prompt, continuation):
    return continuation_nats.answer(logits, prompt, continuation) / torch.tensor(2.0).log()


@continuation_nats.alternative
def by_log_softmax(logits, prompt, continuation):
    log_probs = logits.log_softmax(-1)
    total = torch.zeros(())
    for place, token in enumerate(continuation):
        total = total - log_probs[len(prompt) + place - 1, token]
    return total


# --- 10.8 next_token_loss (find the bug) ----------------------------------------------------------


@exercise(
    hints=(
        "What would this loss be for a model that gives back the token it has just read?",
        "Row t of the logits has read tokens 0 to t. Which token is it asked for?",
        "The last row has no answer in the batch, and the first token is no answer to any row.",
    )
)
def next_token_loss(logits: Tensor, tokens: Tensor, pad: int) -> Tensor:
    """The loss of a language model: logits (B, T, V) of tokens (B, T) -> mean nats, a scalar.

    The row at position t scores the token at t + 1. Positions whose answer is `pad` do not count.
    """
    asked = tokens[:, 1:]
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), asked.flatten(), ignore_index=pad)


def _batch() -> tuple[Tensor, Tensor]:
    tokens = torch.randint(1, 9, (3, 7))
    tokens[1, 4:] = 0
    return 2 * torch.randn(3, 7, 9), tokens


@next_token_loss.case
def gives_one_number(answer):  # noqa: F811
    found = answer(*_batch(), 0)
    expect_tensor(found, None)
    shape = tuple(found.shape)
    expect(found.dim() == 0, f"Your result has shape {shape}, expected one number.", found)


@next_token_loss.case
def copying_is_no_success(answer):
    tokens = torch.randint(1, 9, (3, 7))
    copy = 20 * F.one_hot(tokens, 9).float()
    right = next_token_loss.answer(copy, tokens, 0)
    expect_close(answer(copy, tokens, 0), right, "the loss of a model that copies what it reads")


@next_token_loss.case
def padding_is_not_asked_for(answer):
    logits, tokens = _batch()
    for pad in (0, 8):
        some = torch.where(tokens == 0, pad, tokens)
        right = next_token_loss.answer(logits, some, pad)
        expect_close(answer(logits, some, pad), right, f"the loss where padding is {pad}")


@next_token_loss.mistake("gives_one_number", says="You return one loss a token. Take their mean.")
def one_a_place(logits, tokens, pad):
    return F.cross_entropy(
        logits[:, :-1].transpose(1, 2), tokens[:, 1:], ignore_index=pad, reduction="none"
    )


@next_token_loss.mistake(
    "copying_is_no_success",
    says="The labels are not shifted: your model is asked for the token that it has just read. "
    "The loss goes to zero and the model has learned to copy.",
)
def not_shifted(logits, tokens, pad):
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), ignore_index=pad)


@next_token_loss.mistake(
    "copying_is_no_success",
    says="You shift twice: row t is asked for the token at t + 2.",
)
def shifted_twice(logits, tokens, pad):
    return F.cross_entropy(logits[:, :-2].flatten(0, 1), tokens[:, 2:].flatten(), ignore_index=pad)


@next_token_loss.mistake(
    "padding_is_not_asked_for",
    says="You shift the wrong way: row t is asked for the token at t − 1, which it has read.",
)
def backwards(logits, tokens, pad):
    return F.cross_entropy(logits[:, 1:].flatten(0, 1), tokens[:, :-1].flatten(), ignore_index=pad)


@next_token_loss.mistake(
    "padding_is_not_asked_for", says="Padding counts in your loss, as if it were a word."
)
def padding_counts(logits, tokens, pad):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


@next_token_loss.alternative
def by_gathering(logits, tokens, pad):
    log_probs = logits[:, :-1].log_softmax(-1)
    asked = tokens[:, 1:]
    right = log_probs.gather(-1, asked.unsqueeze(-1)).squeeze(-1)
    return -right[asked != pad].mean()
