"""Exercises of chapter 00: tensors, shapes, softmax, cross-entropy, gradients, gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.exercises.engine.core import (
    REGISTRY,
    Outcome,
    exercise,
    expect,
    expect_close,
    expect_equal,
    expect_tensor,
    expect_type,
    expect_unchanged,
)

# --- 0.1 shapes -----------------------------------------------------------------------------------


@exercise(
    answer="value",
    hints=(
        "Write the two shapes under each other, aligned at the right. Axes of length 1 stretch.",
        "A matrix product `(…, n, m) @ (…, m, p)` uses up the `m` and broadcasts what stands "
        "before the last two axes. A reduction over an axis removes it, unless `keepdim=True`.",
        "Indexing with a tensor of numbers puts the shape of the *index* in the place of the axis "
        "that it picks from.",
    ),
)
def shapes():
    """The shapes of five results, as a list of tuples."""
    return [
        (4, 3),  # (4, 3) + (3,): the vector is added to each row
        (4, 3),  # (4, 1) + (1, 3): both stretch
        (2, 5, 7),  # (2, 5, 3) @ (3, 7): one matrix for all of the batch
        (2, 5),  # the last axis is summed away
        (2, 6, 8),  # each of the 2 × 6 numbers becomes a row of 8
    ]


@shapes.case
def five_tuples(answer):
    expect_type(answer, (list, tuple), "`shapes`")
    expect(len(answer) == 5, f"`shapes` has {len(answer)} entries, expected five.", list(answer))
    for letter, shape in zip("abcde", answer, strict=True):
        expect_type(shape, tuple, f"shape {letter}")


@shapes.case
def broadcasting(answer):
    for place, letter in enumerate("ab"):
        expect_equal(tuple(answer[place]), shapes.answer[place], f"shape {letter}")


@shapes.case
def products_and_sums(answer):
    for place, letter in ((2, "c"), (3, "d")):
        expect_equal(tuple(answer[place]), shapes.answer[place], f"shape {letter}")


@shapes.case
def looking_up_rows(answer):
    expect_equal(tuple(answer[4]), shapes.answer[4], "shape e")


@shapes.mistake("five_tuples")
def as_numbers():
    return [4, 4, 2, 2, 2]


@shapes.mistake("broadcasting", says="An axis of length 1 stretches; it does not stay 1.")
def ones_do_not_stretch():
    return [(4, 3), (4, 1), (2, 5, 7), (2, 5), (2, 6, 8)]


@shapes.mistake(
    "products_and_sums",
    says="The axis that both factors share is summed over: it is gone from the product.",
)
def inner_axis_kept():
    return [(4, 3), (4, 3), (2, 5, 3, 7), (2, 5), (2, 6, 8)]


@shapes.mistake("products_and_sums", says="Without `keepdim` the summed axis disappears.")
def summed_axis_kept():
    return [(4, 3), (4, 3), (2, 5, 7), (2, 5, 1), (2, 6, 8)]


@shapes.mistake("looking_up_rows", says="Each number of the index brings a whole row with it.")
def lookup_without_rows():
    return [(4, 3), (4, 3), (2, 5, 7), (2, 5), (2, 6)]


# --- 0.2 centered ---------------------------------------------------------------------------------


@exercise(
    hints=(
        "Which axis runs along a row? That is the one to average over.",
        "The means have shape (N,). Aligned at the right against (N, D), which axis do they meet?",
        "`mean(dim=…, keepdim=True)` gives (N, 1), which stretches along the row.",
    )
)
def centered(table: Tensor) -> Tensor:
    """Subtract from each row of the table (N, D) the mean of that row."""
    return table - table.mean(dim=1, keepdim=True)


@centered.case
def keeps_the_shape(answer):
    expect_tensor(answer(torch.randn(4, 4)), (4, 4))


@centered.case
def leaves_its_argument_alone(answer):
    table = torch.randn(4, 4)
    before = table.clone()
    answer(table)
    expect_unchanged(table, before, "the table")


@centered.case
def rows_have_mean_zero(answer):
    table = torch.randn(4, 4) + 10 * torch.arange(4.0)[:, None]
    result = answer(table)
    largest = result.mean(1).abs().max()
    expect(largest < 1e-4, f"A row still has a mean of size {largest:.2g}.", result)


@centered.case
def values(answer):
    table = torch.randn(3, 5)
    expect_close(answer(table), centered.answer(table))


@centered.mistake("keeps_the_shape")
def only_the_means(table):
    return table.mean(1, keepdim=True)


@centered.mistake("leaves_its_argument_alone")
def in_place(table):
    table -= table.mean(1, keepdim=True)
    return table


@centered.mistake(
    "rows_have_mean_zero", says="You subtract the mean of each *column*. A row runs along axis 1."
)
def columns(table):
    return table - table.mean(0)


@centered.mistake(
    "rows_have_mean_zero",
    says="Each row loses the mean of *another* row: a vector (N,) is laid along the last axis. In "
    "a square table nothing complains; in any other the shapes clash.",
)
def without_keepdim(table):
    return table - table.mean(1)


@centered.mistake("rows_have_mean_zero", says="You subtract one mean, that of the whole table.")
def one_mean(table):
    return table - table.mean()


@centered.mistake("values", says="The mean is right; you also changed the spread of the rows.")
def standardized(table):
    return (table - table.mean(1, keepdim=True)) / table.std(1, keepdim=True)


@centered.alternative
def row_by_row(table):
    return torch.stack([row - row.sum() / len(row) for row in table])


# --- 0.3 similarities -----------------------------------------------------------------------------


@exercise(
    hints=(
        "Entry (b, t, s) is the dot product of query t and key s of sentence b. Over which axis "
        "is summed?",
        "A matrix product sums over the last axis of the first factor and the *second to last* of "
        "the second. Which two axes of `keys` have to change places?",
        "`keys.transpose(1, 2)` has shape (B, D, S).",
    )
)
def similarities(queries: Tensor, keys: Tensor) -> Tensor:
    """Dot products of all queries (B, T, D) with all keys (B, S, D) of a sentence: (B, T, S)."""
    return queries @ keys.transpose(1, 2)


@similarities.case
def one_score_a_pair(answer):
    expect_tensor(answer(torch.randn(2, 3, 4), torch.randn(2, 5, 4)), (2, 3, 5))


@similarities.case
def sentences_stay_apart(answer):
    queries, keys = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    changed = keys.clone()
    changed[1] += 1.0
    before, after = answer(queries, keys)[0], answer(queries, changed)[0]
    expect(
        torch.allclose(before, after, atol=1e-5),
        "Changing the keys of the second sentence changes the scores of the first.",
    )


@similarities.case
def dot_products(answer):
    queries, keys = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    expect_close(answer(queries, keys), similarities.answer(queries, keys))


@similarities.mistake(
    "one_score_a_pair",
    says="You pair every key with every query in that order: queries belong to the rows.",
)
def keys_first(queries, keys):
    return keys @ queries.transpose(1, 2)


@similarities.mistake("sentences_stay_apart")
def over_all_sentences(queries, keys):
    return queries @ keys.mean(0).T


@similarities.mistake(
    "dot_products",
    says="You take the length into account: that is the cosine. Here a long vector scores higher.",
)
def cosine(queries, keys):
    queries, keys = (x / x.norm(dim=-1, keepdim=True) for x in (queries, keys))
    return queries @ keys.transpose(1, 2)


@similarities.alternative
def by_einsum(queries, keys):
    return torch.einsum("btd,bsd->bts", queries, keys)


@similarities.alternative
def by_broadcasting(queries, keys):
    return (queries[:, :, None, :] * keys[:, None, :, :]).sum(-1)


# --- 0.4 softmax ----------------------------------------------------------------------------------


@exercise(
    hints=(
        "Exponentials are positive; dividing by their sum makes them add up to 1. Along which "
        "axis?",
        "`exp(1000)` is infinite in float32. Adding the same number to all scores of a row does "
        "not change the result: which number makes the largest exponent harmless?",
        "Subtract `amax(dim=-1, keepdim=True)` before you take exponentials, and divide the scores "
        "by the temperature before that.",
    )
)
def softmax(scores: Tensor, temperature: float = 1.0) -> Tensor:
    """Probabilities from scores (…, V), along the last axis, without `torch.softmax`."""
    scaled = scores / temperature
    exponentials = (scaled - scaled.amax(dim=-1, keepdim=True)).exp()
    return exponentials / exponentials.sum(dim=-1, keepdim=True)


@softmax.case
def one_probability_a_score(answer):
    expect_tensor(answer(torch.randn(3, 4)), (3, 4))
    expect_tensor(answer(torch.randn(2, 3, 4)), (2, 3, 4))


@softmax.case
def sums_to_one(answer):
    expect_close(answer(torch.randn(3, 3)).sum(-1), torch.ones(3), "the sum along the last axis")


@softmax.case
def only_differences_count(answer):
    scores = torch.randn(3, 4)
    expect_close(answer(scores + 2.0), answer(scores), "the result after adding 2 to all scores")


@softmax.case
def large_scores(answer):
    probabilities = answer(torch.tensor([[1000.0, 0.0], [0.0, -1000.0]]))
    expect_close(probabilities, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), "softmax of large scores")


@softmax.case
def temperature_one(answer):
    scores = torch.randn(3, 4)
    expect_close(answer(scores), scores.softmax(-1))


@softmax.case
def other_temperatures(answer):
    scores = torch.randn(3, 4)
    for temperature in (0.5, 2.0):
        expected = (scores / temperature).softmax(-1)
        expect_close(
            answer(scores, temperature), expected, f"the result at temperature {temperature}"
        )


@softmax.mistake("one_probability_a_score", says="You return the largest entry, not all of them.")
def only_the_largest(scores, temperature=1.0):
    return (scores / temperature).softmax(-1).amax(-1)


@softmax.mistake("sums_to_one", says="You normalize over the *first* axis: the columns sum to 1.")
def first_axis(scores, temperature=1.0):
    return (scores / temperature).softmax(0)


@softmax.mistake("sums_to_one", says="You divide by the sum over the *whole* tensor.")
def whole_tensor(scores, temperature=1.0):
    exponentials = (scores / temperature).exp()
    return exponentials / exponentials.sum()


@softmax.mistake("sums_to_one", says="Each score goes through a *sigmoid* of its own.")
def sigmoid(scores, temperature=1.0):
    return (scores / temperature).sigmoid()


@softmax.mistake(
    "only_differences_count",
    says="Dividing by the sum is not enough: scores may be negative, and only their *differences* "
    "may matter.",
)
def no_exponential(scores, temperature=1.0):
    positive = scores.abs()
    return positive / positive.sum(-1, keepdim=True)


@softmax.mistake(
    "large_scores",
    says="The formula is right on paper. In float32 an exponential beyond about 88 overflows.",
)
def overflowing(scores, temperature=1.0):
    exponentials = (scores / temperature).exp()
    return exponentials / exponentials.sum(-1, keepdim=True)


@softmax.mistake("temperature_one", says="These are powers of 2; softmax uses powers of e.")
def powers_of_two(scores, temperature=1.0):
    return (scores * 0.6931472 / temperature).softmax(-1)


@softmax.mistake("other_temperatures", says="The temperature has no effect.")
def temperature_ignored(scores, temperature=1.0):
    return scores.softmax(-1)


@softmax.mistake(
    "other_temperatures",
    says="Your temperature works the wrong way round: a high one must make the result *flatter*.",
)
def temperature_inverted(scores, temperature=1.0):
    return (scores * temperature).softmax(-1)


@softmax.alternative
def by_logsumexp(scores, temperature=1.0):
    scaled = scores / temperature
    return (scaled - scaled.logsumexp(-1, keepdim=True)).exp()


# --- 0.5 cross_entropy ----------------------------------------------------------------------------


@exercise(
    hints=(
        "Three steps: the logarithms of all probabilities, the one of the right token in each "
        "row, the mean of these with a minus sign.",
        "`log_softmax` gives the logarithms without the detour over probabilities that round to 0.",
        "One entry a row: index with two tensors of numbers, `x[rows, columns]`, or `gather`.",
    )
)
def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean of −log p(target) over rows: logits (N, V), targets (N,) → a scalar.

    Without `functional.cross_entropy`.
    """
    log_probabilities = logits.log_softmax(dim=-1)  # (N, V)
    rows = torch.arange(len(targets))
    return -log_probabilities[rows, targets].mean()


def _guesses() -> tuple[Tensor, Tensor]:
    return torch.randn(6, 5), torch.randint(5, (6,))


@cross_entropy.case
def one_number(answer):
    expect_tensor(answer(*_guesses()), ())


@cross_entropy.case
def not_negative(answer):
    loss = answer(*_guesses())
    expect(loss > 0, "The loss is negative or zero, but −log p is positive for p < 1.", loss)


@cross_entropy.case
def uniform_guess(answer):
    loss = answer(torch.zeros(6, 5), torch.arange(6) % 5)
    expect_close(loss, torch.tensor(5.0).log(), "the loss of a blind guess")


@cross_entropy.case
def agrees_on_random_logits(answer):
    logits, targets = _guesses()
    expect_close(answer(logits, targets), cross_entropy.answer(logits, targets))


@cross_entropy.case
def hopeless_guess(answer):
    loss = answer(torch.tensor([[200.0, 0.0]]), torch.tensor([1]))
    expect(
        torch.isfinite(loss),
        "The loss is not finite where the right token has a very small probability. In float32 it "
        "rounds to 0, and the logarithm of 0 is −∞.",
    )
    expect_close(loss, torch.tensor(200.0), "the loss of a hopeless guess")


@cross_entropy.mistake("one_number", says="This is one loss a row. Training needs their mean.")
def no_mean(logits, targets):
    return -logits.log_softmax(-1)[torch.arange(len(targets)), targets]


@cross_entropy.mistake("not_negative", says="The minus sign is missing.")
def sign_forgotten(logits, targets):
    return -cross_entropy.answer(logits, targets)


@cross_entropy.mistake(
    "not_negative", says="You average the *logits* of the targets; they are no probabilities yet."
)
def no_softmax(logits, targets):
    return -logits[torch.arange(len(targets)), targets].mean()


@cross_entropy.mistake(
    "uniform_guess", says="You add the losses up; the mean does not grow with the number of rows."
)
def summed(logits, targets):
    return len(targets) * cross_entropy.answer(logits, targets)


@cross_entropy.mistake("uniform_guess", says="This is in *bits*; we use natural logarithms.")
def in_bits(logits, targets):
    return cross_entropy.answer(logits, targets) / 0.6931472


@cross_entropy.mistake(
    "uniform_guess", says="You average the probabilities of the targets; their *logarithms* count."
)
def no_logarithm(logits, targets):
    return 1 - logits.softmax(-1)[torch.arange(len(targets)), targets].mean()


@cross_entropy.mistake(
    "agrees_on_random_logits",
    says="You take the logarithm of the mean probability. First the logarithm, then the mean.",
)
def logarithm_last(logits, targets):
    return -logits.softmax(-1)[torch.arange(len(targets)), targets].mean().log()


@cross_entropy.mistake(
    "uniform_guess", says="Your softmax runs over the rows instead of the vocabulary."
)
def softmax_over_rows(logits, targets):
    return -logits.log_softmax(0)[torch.arange(len(targets)), targets].mean()


@cross_entropy.mistake("hopeless_guess")
def softmax_then_log(logits, targets):
    return -logits.softmax(-1)[torch.arange(len(targets)), targets].log().mean()


@cross_entropy.alternative
def by_logsumexp_and_gather(logits, targets):
    chosen = logits.gather(1, targets[:, None]).squeeze(1)
    return (logits.logsumexp(1) - chosen).mean()


# --- 0.6 slope ------------------------------------------------------------------------------------


@exercise(
    hints=(
        "Autograd records only what is computed from a tensor with `requires_grad=True`. The point "
        "that you get may not have it, and belongs to somebody else.",
        "`point.detach().clone().requires_grad_()` is a fresh leaf with the same values.",
        "Call the function on the leaf, then `backward()` on the result; or `torch.autograd.grad`.",
    )
)
def slope(function: Callable[[Tensor], Tensor], point: Tensor) -> Tensor:
    """The gradient of a function (tensor → scalar) at a point, by autograd."""
    leaf = point.detach().clone().requires_grad_()
    function(leaf).backward()
    return leaf.grad


def _bowl(x: Tensor) -> Tensor:
    return (x**2).sum() + (x[0] * x[1]).sin()


def _slope_of_bowl(x: Tensor) -> Tensor:
    return 2 * x + (x[0] * x[1]).cos() * torch.stack([x[1], x[0], torch.tensor(0.0)])


@slope.case
def as_many_as_the_point(answer):
    expect_tensor(answer(_bowl, torch.randn(3)), (3,))


@slope.case
def leaves_the_point_alone(answer):
    point = torch.randn(3)
    answer(_bowl, point)
    expect(
        not point.requires_grad and point.grad is None,
        "After the call the point requires gradients or has one. It belongs to the caller.",
    )


@slope.case
def same_answer_twice(answer):
    point = torch.randn(3, requires_grad=True)
    first = answer(_bowl, point).detach().clone()
    expect_close(answer(_bowl, point), first, "the gradient at the second call")


@slope.case
def right_slope(answer):
    point = torch.randn(3)
    expect_close(answer(_bowl, point), _slope_of_bowl(point))


@slope.mistake("as_many_as_the_point", says="This is the value of the function, not its slope.")
def value_only(function, point):
    return function(point)


@slope.mistake("leaves_the_point_alone")
def on_the_callers_tensor(function, point):
    point.requires_grad_()
    point.grad = None
    function(point).backward()
    return point.grad


@slope.mistake(
    "same_answer_twice",
    says="`backward()` *adds* to `.grad`. What an earlier call left there is still in it.",
)
def accumulating(function, point):
    leaf = point if point.requires_grad else point.clone().requires_grad_()
    function(leaf).backward()
    return leaf.grad


@slope.mistake("right_slope", says="A difference quotient is only close; autograd is exact.")
def difference_quotient(function, point):
    point = point.detach()
    steps = 1e-3 * torch.eye(len(point))
    return torch.stack([(function(point + step) - function(point)) / 1e-3 for step in steps])


@slope.alternative
def by_autograd_grad(function, point):
    leaf = point.detach().requires_grad_()
    return torch.autograd.grad(function(leaf), leaf)[0]


# --- 0.7 descend ----------------------------------------------------------------------------------


@exercise(
    hints=(
        "Repeat `steps` times: gradient of the loss where you are, then one step against it.",
        "Autograd must not record the step itself, and the gradient of the step before must not be "
        "added to the new one.",
        "In the loop: make a fresh leaf of the current point, `backward()`, then subtract "
        "`rate * leaf.grad` from the detached point.",
    )
)
def descend(
    loss: Callable[[Tensor], Tensor], start: Tensor, rate: float = 0.1, steps: int = 10
) -> Tensor:
    """Where `steps` steps of gradient descent on `loss` end, from `start`; no `torch.optim`."""
    point = start.detach().clone()
    for _ in range(steps):
        leaf = point.requires_grad_()
        loss(leaf).backward()
        point = (leaf - rate * leaf.grad).detach()
    return point


def _valley(x: Tensor) -> Tensor:
    return 0.5 * (torch.tensor([1.0, 4.0]) * x**2).sum()


@descend.case
def a_point_like_the_start(answer):
    end = answer(_valley, torch.tensor([2.0, 1.0]))
    expect_tensor(end, (2,))
    expect(not end.requires_grad, "The result still hangs on the whole computation: detach it.")


@descend.case
def leaves_the_start_alone(answer):
    start = torch.tensor([2.0, 1.0])
    answer(_valley, start)
    expect_unchanged(start, torch.tensor([2.0, 1.0]), "the start")


@descend.case
def goes_downhill(answer):
    start = torch.tensor([2.0, 1.0])
    end = answer(_valley, start, 0.05, 3)
    expect(_valley(end) < _valley(start), "The loss is not lower at the end than before.", end)


@descend.case
def one_step(answer):
    expect_close(
        answer(_valley, torch.tensor([2.0, 1.0]), 0.1, 1), torch.tensor([1.8, 0.6]), "one step"
    )


@descend.case
def several_steps(answer):
    start = torch.tensor([2.0, 1.0])
    for steps in (2, 7):
        expected = start * (1 - 0.1 * torch.tensor([1.0, 4.0])) ** steps
        expect_close(answer(_valley, start, 0.1, steps), expected, f"the point after {steps} steps")


@descend.mistake("a_point_like_the_start")
def not_detached(loss, start, rate=0.1, steps=10):
    return descend.answer(loss, start, rate, steps).requires_grad_()


@descend.mistake("leaves_the_start_alone")
def moves_the_start(loss, start, rate=0.1, steps=10):
    start.copy_(descend.answer(loss, start, rate, steps))
    return start


@descend.mistake("goes_downhill", says="You climb: the gradient points *up*hill.")
def uphill(loss, start, rate=0.1, steps=10):
    return descend.answer(loss, start, -rate, steps)


@descend.mistake("goes_downhill", says="The point has not moved at all.")
def standing_still(loss, start, rate=0.1, steps=10):
    return start.clone()


@descend.mistake("one_step", says="You take one step too many.")
def one_too_many(loss, start, rate=0.1, steps=10):
    return descend.answer(loss, start, rate, steps + 1)


@descend.mistake(
    "goes_downhill",
    says="You jump across the valley: your steps are longer than `rate` asks for.",
)
def rate_ignored(loss, start, rate=0.1, steps=10):
    return descend.answer(loss, start, 1.0, steps)


@descend.mistake(
    "several_steps",
    says="One step is right, the next ones are too long: `backward()` adds to the gradient of the "
    "step before.",
)
def gradients_pile_up(loss, start, rate=0.1, steps=10):
    leaf = start.clone().requires_grad_()
    for _ in range(steps):
        loss(leaf).backward()
        leaf.data -= rate * leaf.grad
    return leaf.detach()


@descend.mistake(
    "several_steps", says="You use the gradient at the *start* for all steps. It changes."
)
def one_gradient(loss, start, rate=0.1, steps=10):
    first = descend.answer(loss, start, rate, 1)
    return start + steps * (first - start)


@descend.alternative
def without_backward(loss, start, rate=0.1, steps=10):
    point = start.clone().requires_grad_()
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(loss(point), point)
        with torch.no_grad():
            point -= rate * gradient
    return point.detach()


# --- The last cell of the notebook ----------------------------------------------------------------

_TUTORIALS = "https://docs.pytorch.org/tutorials/beginner/basics"
_BROADCASTING = "https://docs.pytorch.org/docs/stable/notes/broadcasting.html"

READ_FIRST = {
    "ch00.shapes": f"[Broadcasting semantics]({_BROADCASTING})",
    "ch00.centered": f"[Broadcasting semantics]({_BROADCASTING})",
    "ch00.similarities": "[Linear algebra, Dive into Deep Learning]"
    "(https://d2l.ai/chapter_preliminaries/linear-algebra.html)",
    "ch00.softmax": "[Softmax regression, Dive into Deep Learning]"
    "(https://d2l.ai/chapter_linear-classification/softmax-regression.html)",
    "ch00.cross_entropy": "[Softmax regression, Dive into Deep Learning]"
    "(https://d2l.ai/chapter_linear-classification/softmax-regression.html)",
    "ch00.slope": f"[Automatic differentiation]({_TUTORIALS}/autogradqs_tutorial.html)",
    "ch00.descend": "[Gradient descent, Dive into Deep Learning]"
    "(https://d2l.ai/chapter_optimization/gd.html)",
}
_STATE = {
    Outcome.PASS: "✓ passed",
    Outcome.FAIL: "✗ not yet",
    Outcome.TODO: "○ not started",
    Outcome.ERROR: "! error",
}


def readiness(**answers: Any) -> tuple[list[list[str]], str]:
    """Check answers, given by the names of their exercises.

    Returns rows (exercise, result, what to read) for a table, and a sentence that sums them up.
    """
    results = [REGISTRY[f"ch00.{name}"].check(answer) for name, answer in answers.items()]
    rows = [
        [
            f"`{result.exercise.removeprefix('ch00.')}`",
            _STATE[result.outcome],
            "ready" if result.passed else READ_FIRST[result.exercise],
        ]
        for result in results
    ]
    passed = sum(result.passed for result in results)
    count = f"**{passed} of {len(results)}** exercises passed."
    if passed == len(results):
        return rows, f"{count} You are ready for chapter 1."
    if passed >= len(results) - 2:
        return rows, f"{count} Start chapter 1, and read what the table names beside it."
    return rows, f"{count} Work through what the table names before you start chapter 1."
