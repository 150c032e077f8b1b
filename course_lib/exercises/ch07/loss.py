"""Exercises 7.3 and 7.5: the loss, and one loss over several processes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor

# --- 7.3 smoothed_loss ----------------------------------------------------------------------------


@exercise(
    hints=(
        "The smoothed target is a distribution: every token has ε/V, and the right one 1 − ε on "
        "top. Cross-entropy with a distribution is −Σ (target · log p).",
        "That sum falls into two parts: (1 − ε) times −log p of the right token, and ε times the "
        "*mean* of −log p over the vocabulary.",
        "`log_probs.gather(-1, targets[..., None])` picks the right tokens. Count real tokens "
        "only, in the sum and in the number that you divide by.",
    )
)
def smoothed_loss(logits: Tensor, targets: Tensor, epsilon: float) -> Tensor:
    """Cross-entropy with label smoothing, in nats per real token: (B, T, V), (B, T) -> scalar.

    The target of each position is 1 − epsilon for the right token, and epsilon spread evenly over
    all V tokens (the right one included). Targets of 0 are padding and do not count.
    """
    log_probs = logits.log_softmax(dim=-1)  # (B, T, V)
    right = -log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)  # (B, T)
    anything = -log_probs.mean(dim=-1)  # (B, T)
    loss = (1 - epsilon) * right + epsilon * anything
    real = targets != 0
    return loss[real].sum() / real.sum()


def _batch() -> tuple[Tensor, Tensor]:
    targets = torch.tensor([[3, 1, 4, 2], [5, 2, 0, 0]])
    return 2 * torch.randn(2, 4, 6), targets


@smoothed_loss.case
def one_number(answer):
    expect_tensor(answer(*_batch(), 0.1), ())


@smoothed_loss.case
def padding_does_not_count(answer):
    logits, targets = _batch()
    other = logits.clone()
    other[1, 2:] = 2 * torch.randn(2, 6)
    change = (answer(logits, targets, 0.1) - answer(other, targets, 0.1)).abs().item()
    message = f"Other logits at the padding move your loss by {change:.2g}."
    expect(change < 1e-5, message, answer(logits, targets, 0.1))


@smoothed_loss.case
def without_smoothing(answer):
    logits, targets = _batch()
    expected = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)
    expect_close(answer(logits, targets, 0.0), expected, "the loss with ε = 0, cross-entropy,")


@smoothed_loss.case
def with_smoothing(answer):
    logits, targets = _batch()
    for epsilon in (0.1, 0.5, 1.0):
        expected = smoothed_loss.answer(logits, targets, epsilon)
        expect_close(answer(logits, targets, epsilon), expected, f"the loss with ε = {epsilon}")


def _parts(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    log_probs = logits.log_softmax(-1)
    right = -log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return log_probs, right, -log_probs.mean(-1), targets != 0


@smoothed_loss.mistake("one_number", says="You return a loss for each position.")
def not_averaged(logits, targets, epsilon):
    _, right, anything, real = _parts(logits, targets)
    return ((1 - epsilon) * right + epsilon * anything) * real


@smoothed_loss.mistake("padding_does_not_count", says="Padding counts like a word.")
def padding_counts(logits, targets, epsilon):
    _, right, anything, _ = _parts(logits, targets)
    return ((1 - epsilon) * right + epsilon * anything).mean()


@smoothed_loss.mistake(
    "padding_does_not_count",
    says="Only the part with the right token leaves padding out; the smoothing part still counts "
    "it.",
)
def padding_smoothed(logits, targets, epsilon):
    _, right, anything, real = _parts(logits, targets)
    return (1 - epsilon) * right[real].mean() + epsilon * anything.mean()


@smoothed_loss.mistake(
    "without_smoothing",
    says="You divide by all positions, padding included. The loss then depends on how much "
    "padding a batch happens to hold.",
)
def divided_by_positions(logits, targets, epsilon):
    _, right, anything, real = _parts(logits, targets)
    loss = ((1 - epsilon) * right + epsilon * anything) * real
    return loss.sum() / loss.numel()


@smoothed_loss.mistake(
    "without_smoothing",
    says="You divide by the number of sentences. Each token of a long batch then counts more.",
)
def divided_by_sentences(logits, targets, epsilon):
    _, right, anything, real = _parts(logits, targets)
    return (((1 - epsilon) * right + epsilon * anything) * real).sum() / len(targets)


@smoothed_loss.mistake("without_smoothing", says="ε and 1 − ε changed places.")
def swapped(logits, targets, epsilon):
    return smoothed_loss.answer(logits, targets, 1 - epsilon)


@smoothed_loss.mistake(
    "with_smoothing",
    says="You add ε times the *sum* over the vocabulary. The shares of all tokens together are ε, "
    "so each of the V tokens has one V-th of it.",
)
def sum_over_the_vocabulary(logits, targets, epsilon):
    log_probs, right, _, real = _parts(logits, targets)
    loss = (1 - epsilon) * right - epsilon * log_probs.sum(-1)
    return loss[real].mean()


@smoothed_loss.mistake(
    "with_smoothing",
    says="You spread ε over the *other* tokens only. That definition is in use too; the one asked "
    "for, as in PyTorch, gives the right token its share as well.",
)
def other_tokens_only(logits, targets, epsilon):
    log_probs, right, _, real = _parts(logits, targets)
    others = (-log_probs.sum(-1) - right) / (logits.shape[-1] - 1)
    return ((1 - epsilon) * right + epsilon * others)[real].mean()


@smoothed_loss.mistake(
    "with_smoothing",
    says="You smooth the *prediction* and take its logarithm. Smoothed is the target: the "
    "logarithms are averaged.",
)
def prediction_smoothed(logits, targets, epsilon):
    probs = (1 - epsilon) * logits.softmax(-1) + epsilon / logits.shape[-1]
    right = -probs.log().gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return right[targets != 0].mean()


@smoothed_loss.alternative
def by_torch(logits, targets, epsilon):
    return F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=0, label_smoothing=epsilon
    )


@smoothed_loss.alternative
def with_the_whole_distribution(logits, targets, epsilon):
    tokens = logits.shape[-1]
    wanted = (1 - epsilon) * F.one_hot(targets, tokens).float() + epsilon / tokens
    each = -(wanted * logits.log_softmax(-1)).sum(-1)
    real = (targets != 0).float()
    return (each * real).sum() / real.sum()


# --- 7.5 process_loss -----------------------------------------------------------------------------


@exercise(
    hints=(
        "What would one process compute that saw all batches? One sum of losses, divided by one "
        "number of tokens.",
        "Each process contributes its sum, divided by the tokens of *all* processes. Then the "
        "contributions only have to be added.",
        "But they are not added: the gradients are *averaged* over the processes. What undoes a "
        "division by their number?",
    )
)
def process_loss(loss_sum: Tensor, tokens: list[int], rank: int) -> Tensor:
    """What process `rank` calls backward on: its loss, summed over its tokens -> scalar.

    tokens: the number of real tokens of every process, `tokens[rank]` its own. Afterwards the
    gradients of all processes are averaged, as DistributedDataParallel does. The result must be
    the gradient of the mean loss over all tokens of all processes.
    """
    return loss_sum * len(tokens) / sum(tokens)


def _averaged(answer: Callable, sums: list[float], tokens: list[int]) -> Tensor:
    """The mean over the processes of what each of them returns."""
    parts = [answer(torch.tensor(one), tokens, rank) for rank, one in enumerate(sums)]
    return torch.stack(parts).mean()


@process_loss.case
def a_tensor_with_a_gradient(answer):
    weight = nn.Parameter(torch.tensor(2.0))
    loss = answer(weight * 3.0, [4, 6], 0)
    expect_tensor(loss, ())
    expect(loss.requires_grad, "Your loss has lost its gradient: `backward` would fail.", loss)


@process_loss.case
def one_process_is_the_mean(answer):
    loss = answer(torch.tensor(12.0), [8], 0)
    expect_close(loss, torch.tensor(1.5), "the loss of a process that is alone")


@process_loss.case
def equal_batches(answer):
    found = _averaged(answer, [12.0, 20.0], [8, 8])
    expect_close(found, torch.tensor(2.0), "the average over two processes with equal batches")


@process_loss.case
def unequal_batches(answer):
    found = _averaged(answer, [10.0, 90.0], [10, 30])
    what = "the average over two processes with 10 and 30 tokens"
    expect_close(found, torch.tensor(2.5), what)


@process_loss.case
def an_empty_process(answer):
    found = _averaged(answer, [0.0, 30.0, 30.0], [0, 10, 20])
    what = "the average over three processes, one of them without a token,"
    expect_close(found, torch.tensor(2.0), what)


@process_loss.mistake(
    "a_tensor_with_a_gradient",
    says="You return a plain number. The graph behind the loss is gone with `.item()`.",
)
def an_item(loss_sum, tokens, rank):
    return torch.tensor(loss_sum.item() * len(tokens) / sum(tokens))


@process_loss.mistake("one_process_is_the_mean", says="You return the sum as it is.")
def the_sum(loss_sum, tokens, rank):
    return loss_sum * 1.0


@process_loss.mistake(
    "equal_batches",
    says="Right, if the gradients were added. They are averaged, so yours come out too small by "
    "the number of processes.",
)
def not_undone(loss_sum, tokens, rank):
    return loss_sum / sum(tokens)


@process_loss.mistake(
    "unequal_batches",
    says="Each process takes the mean over its own tokens. A mean of means gives a token of the "
    "small batch more weight than one of the large batch.",
)
def mean_of_its_own(loss_sum, tokens, rank):
    return loss_sum / max(tokens[rank], 1)


@process_loss.mistake(
    "unequal_batches",
    says="You divide by the largest number of tokens, as if all batches were as large.",
)
def by_the_largest(loss_sum, tokens, rank):
    return loss_sum / max(tokens)


@process_loss.mistake(
    "an_empty_process",
    says="You leave the empty process out of the number of processes. It takes part in the "
    "average, with a gradient of 0.",
)
def empty_left_out(loss_sum, tokens, rank):
    return loss_sum * sum(n > 0 for n in tokens) / sum(tokens)


@process_loss.alternative
def by_the_average_batch(loss_sum, tokens, rank):
    return loss_sum / (sum(tokens) / len(tokens))


@process_loss.alternative
def own_mean_weighted(loss_sum, tokens, rank):
    if tokens[rank] == 0:
        return loss_sum * 0.0
    share = tokens[rank] / sum(tokens)
    return loss_sum / tokens[rank] * share * len(tokens)
