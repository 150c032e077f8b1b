"""Exercises of chapter 00: tensors, shapes, softmax, cross-entropy, gradients, gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode

from course_lib.exercises.engine.core import (
    REGISTRY,
    exercise,
    expect,
    expect_close,
    expect_equal,
    expect_type,
    named,
    say,
)


class Calls(TorchFunctionMode):
    """A context that notes the names of torch's functions that are called in it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(
        self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        self.names.add(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))


def expect_own_work(call: Callable[[], Any], part: str) -> None:
    """The call uses no function of torch with this part in its name."""
    with Calls() as calls:
        call()
    used = [name for name in calls.names if part in name]
    problem = say("You call `{name}` of torch: write it yourself.", name="".join(used[:1]))
    expect(not used, problem, used)


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
    problem = say("`shapes` has the length {count}, expected 5.", count=len(answer))
    expect(len(answer) == 5, problem, list(answer))
    for letter, shape in zip("abcde", answer, strict=True):
        expect_type(shape, tuple, say("shape {letter}", letter=letter))


@shapes.case
def each_shape(answer):
    for letter, shape, expected in zip("abcde", answer, shapes.answer, strict=True):
        expect_equal(tuple(shape), expected, say("shape {letter}", letter=letter))


shapes.mistake(
    "each_shape",
    "An axis of length 1 stretches; it does not stay 1.",
    "(4, 3),  # (4, 1) -> (4, 1),  # (4, 1)",
)
shapes.mistake(
    "each_shape",
    "The axis that both factors share is summed over: it is gone from the product.",
    "(2, 5, 7), -> (2, 5, 3, 7),",
)
shapes.mistake(
    "each_shape",
    "Without `keepdim` the summed axis disappears.",
    "(2, 5),  # the -> (2, 5, 1),  # the",
)
shapes.mistake(
    "each_shape", "Each number of the index brings a whole row with it.", "(2, 6, 8) -> (2, 6)"
)


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


@centered.same_as_answer("the centered table", grad=True)
def rows_around_zero():
    yield torch.randn(4, 4) + 10 * torch.arange(4.0)[:, None]
    yield 3 * torch.randn(3, 5) - 7
    yield torch.randn(1, 6)
    yield torch.randn(5, 1)
    yield torch.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, 5.0]])  # zeros count


centered.mistake(
    "rows_around_zero",
    "You subtract the mean of each *column*. A row runs along axis 1.",
    "dim=1, keepdim=True -> dim=0",
)
centered.mistake(
    "rows_around_zero",
    "Each row loses the mean of *another* row: a vector (N,) is laid along the last axis. In a "
    "square table nothing complains; in any other the shapes clash.",
    ", keepdim=True ->",
)


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


@similarities.same_as_answer("the dot products", grad=True)
def one_score_a_pair():
    yield torch.randn(2, 3, 4), torch.randn(2, 4, 4)
    yield torch.randn(3, 2, 5), torch.randn(3, 6, 5)
    yield torch.randn(1, 4, 2), torch.randn(1, 1, 2)
    yield torch.randn(4, 1, 3), torch.randn(4, 2, 3)


similarities.mistake(
    "one_score_a_pair",
    "The keys are not transposed: you sum over the keys instead of over the width. With as many "
    "keys as numbers in a key nothing complains.",
    "keys.transpose(1, 2) -> keys",
)
similarities.mistake(
    "one_score_a_pair",
    "You pair every key with every query in that order: queries belong to the rows.",
    "queries @ keys.transpose(1, 2) -> keys @ queries.transpose(1, 2)",
)
similarities.mistake(
    "one_score_a_pair",
    "You divide by the lengths of the vectors: that is the cosine. Here a long vector scores "
    "higher.",
    "queries @ keys.transpose(1, 2) -> "
    "torch.cosine_similarity(queries[:, :, None], keys[:, None], dim=-1)",
)


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


@softmax.same_as_answer("the probabilities", grad=True)
def along_the_last_axis():
    yield torch.randn(3, 3)
    yield 2 * torch.randn(2, 3, 4)
    yield torch.randn(5) - 3
    yield torch.randn(2, 1)


@softmax.same_as_answer("the probabilities", grad=True)
def large_scores():
    yield torch.tensor([[1000.0, 0.0], [0.0, -1000.0]])
    yield torch.tensor([[1000.0, 999.0, 0.0], [-1000.0, -1001.0, -1002.0]])


@softmax.same_as_answer("the probabilities", grad=True, atol=1e-4)
def other_temperatures():
    yield torch.randn(3, 4), 0.5
    yield torch.randn(2, 5), named(temperature=2.0)
    yield torch.randn(4, 2, 3), 0.1
    yield torch.randn(6), 7
    yield torch.tensor([[1000.0, 999.0, 5.0], [-1000.0, -998.0, -1005.0]]), 0.5
    yield torch.tensor([1000.0, 990.0]), 20.0


@softmax.case
def without_the_softmax_of_torch(answer):
    expect_own_work(lambda: answer(torch.randn(2, 3)), "softm")


softmax.mistake(
    "along_the_last_axis",
    "You normalize over the *first* axis: the columns sum to 1.",
    "exponentials.sum(dim=-1, -> exponentials.sum(dim=0,",
)
softmax.mistake(
    "large_scores",
    "The formula is right on paper. In float32 an exponential beyond about 88 overflows.",
    "(scaled - scaled.amax(dim=-1, keepdim=True)) -> scaled",
)
softmax.mistake(
    "other_temperatures",
    "Your temperature works the wrong way round: a high one must make the result *flatter*.",
    "scores / temperature -> scores * temperature",
)


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


@cross_entropy.same_as_answer("the loss", grad=True)
def mean_over_the_rows():
    for rows, words in ((6, 5), (2, 9), (1, 4), (30, 3)):
        yield 2 * torch.randn(rows, words), torch.randint(words, (rows,))
    yield torch.zeros(4, 7), torch.tensor([6, 0, 3, 3])  # a blind guess


@cross_entropy.same_as_answer("the loss", grad=True)
def hopeless_guess():
    yield torch.tensor([[200.0, 0.0]]), torch.tensor([1])
    yield torch.tensor([[0.0, 1.0, 1000.0], [3.0, -500.0, 2.0]]), torch.tensor([0, 1])


@cross_entropy.case
def without_the_cross_entropy_of_torch(answer):
    expect_own_work(lambda: answer(torch.randn(2, 3), torch.tensor([2, 0])), "cross_entropy")


cross_entropy.mistake(
    "mean_over_the_rows",
    "You add the losses up; the mean does not grow with the number of rows.",
    ".mean() -> .sum()",
)
cross_entropy.mistake(
    "mean_over_the_rows",
    "You average the *logits* of the targets; they are no probabilities yet.",
    ".log_softmax(dim=-1) ->",
)
cross_entropy.mistake(
    "hopeless_guess",
    "In float32 a very small probability rounds to 0, and the logarithm of 0 is −∞.",
    ".log_softmax(dim=-1) -> .softmax(dim=-1).log()",
)


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
    """The gradient of a function (tensor → scalar) at a point, by autograd; it is like the point
    in shape and dtype."""
    leaf = point.detach().clone().requires_grad_()
    function(leaf).backward()
    return leaf.grad


def bowl(x: Tensor) -> Tensor:
    return (x**2).sum() + (x[0] * x[1]).sin().sum()


@slope.same_as_answer("the gradient")
def right_slope():
    yield bowl, torch.randn(3)
    yield bowl, torch.randn(2, 4)
    yield bowl, torch.randn(4, dtype=torch.float64)
    yield torch.exp, torch.randn(())
    yield lambda x: (x[1:] ** 3).sum(), torch.randn(5)
    yield lambda x: (x * x.detach()).sum(), torch.randn(3)  # only autograd sees half of it


def expect_own_gradients(plain: Tensor, learns: Tensor, what: str) -> None:
    """The first tensor still has no `.grad`, and that of the second is still all ones."""
    new = say("After the call {what} has a `.grad`. It had none before.", what=what)
    expect(plain.grad is None, new)
    kept = learns.grad is not None and torch.equal(learns.grad, torch.ones_like(learns))
    expect(kept, say("After the call {what} has another `.grad` than before.", what=what))


@slope.case
def point_of_somebody_else(answer):
    plain, learns, computed = torch.randn(3), torch.randn(3), torch.randn(3, requires_grad=True) * 2
    learns.requires_grad_().grad = torch.ones(3)
    for point in (plain, learns, computed):
        expected = slope.answer(bowl, point)
        for what in ("the gradient at the first call", "the gradient at the second call"):
            got = answer(bowl, point)
            expect_close(got, expected, what)
        expect_own_gradients(plain, learns, "the point")
    plain.add_(1.0)
    expect_close(answer(bowl, plain), slope.answer(bowl, plain), "the gradient at a moved point")


slope.mistake(
    "right_slope",
    "This is the value of the function, not its slope.",
    "return leaf.grad -> return function(point)",
)
slope.mistake(
    "point_of_somebody_else",
    "`backward()` *adds* to `.grad`. What an earlier call left there is still in it.",
    "point.detach().clone().requires_grad_() -> "
    "point if point.requires_grad else point.clone().requires_grad_()",
)


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


def valley(x: Tensor) -> Tensor:
    return 0.5 * (torch.tensor([1.0, 4.0]) * x**2).sum()


@descend.same_as_answer("the point after one step")
def one_step():
    yield valley, torch.tensor([2.0, 1.0]), 0.1, 1
    yield bowl, torch.randn(2, 3), 0.02, 1


@descend.same_as_answer("the point at the end")
def several_steps():
    yield valley, torch.tensor([2.0, 1.0]), 0.1, 2
    yield valley, torch.tensor([2.0, -3.0]), 0.3, 7
    yield valley, torch.tensor([0.5, 1.0]), 0.6, 3  # steps too long: the loss grows
    yield bowl, torch.randn(3), named(steps=5)
    yield bowl, torch.randn(2, 2), named(rate=0.01)
    yield lambda x: (x - 1) ** 4 / 4, torch.tensor(0.2)
    yield valley, torch.randn(2), 0.2, 0
    yield lambda x: 1e-7 * bowl(x), torch.randn(3), 1e5, 6  # a small gradient is no reason to stop


@descend.case
def start_of_somebody_else(answer):
    plain, learns = torch.tensor([2.0, 1.0]), torch.tensor([2.0, 1.0], requires_grad=True)
    learns.grad = torch.ones(2)
    expected = descend.answer(valley, plain, 0.1, 3)
    for start in (plain, learns):
        end = answer(valley, start, 0.1, 3)
        expect_close(end, expected, "the point at the end")
        expect(not end.requires_grad, "The result still hangs on the whole computation: detach it.")
        expect_own_gradients(plain, learns, "the start")


@descend.case
def without_torch_optim(answer):
    used = []
    hook = register_optimizer_step_pre_hook(lambda *about: used.append(type(about[0]).__name__))
    try:
        answer(valley, torch.tensor([2.0, 1.0]))
    finally:
        hook.remove()
    problem = say("You use `{name}` of torch: write the step yourself.", name="".join(used[:1]))
    expect(not used, problem, used)


descend.mistake(
    "one_step", "You climb: the gradient points *up*hill.", "leaf - rate -> leaf + rate"
)
descend.mistake(
    "several_steps",
    "One step is right, the next ones are too long: `backward()` adds to the gradient of the step "
    "before.",
    "point = (leaf - rate * leaf.grad).detach() -> point.data -= rate * leaf.grad",
)
descend.mistake(
    "several_steps",
    "You use the gradient at the *start* for all steps. It changes.",
    "leaf = point.requires_grad_() -> leaf = start.detach().clone().requires_grad_() ;; "
    "(leaf - rate -> (point - rate",
)


# --- The last cell of the notebook ----------------------------------------------------------------

_BROADCASTING = say(
    "[Broadcasting semantics](https://docs.pytorch.org/docs/stable/notes/broadcasting.html)"
)
_SOFTMAX = say(
    "[Softmax regression, Dive into Deep Learning]"
    "(https://d2l.ai/chapter_linear-classification/softmax-regression.html)"
)
READ_FIRST = {
    "shapes": _BROADCASTING,
    "centered": _BROADCASTING,
    "similarities": say(
        "[Linear algebra, Dive into Deep Learning]"
        "(https://d2l.ai/chapter_preliminaries/linear-algebra.html)"
    ),
    "softmax": _SOFTMAX,
    "cross_entropy": _SOFTMAX,
    "slope": say(
        "[Automatic differentiation]"
        "(https://docs.pytorch.org/tutorials/beginner/basics/autogradqs_tutorial.html)"
    ),
    "descend": say(
        "[Gradient descent, Dive into Deep Learning](https://d2l.ai/chapter_optimization/gd.html)"
    ),
}


def readiness(**answers: Any) -> tuple[list[list[str]], str]:
    """Check answers, given by the names of their exercises.

    Returns rows (exercise, result, what to read) for a table, and a sentence that sums them up.
    """
    results = {name: REGISTRY[f"ch00.{name}"].check(answer) for name, answer in answers.items()}
    rows = [
        [
            f"`{name}`",
            result.outcome.word,
            say("ready") if result.passed else READ_FIRST[name],
        ]
        for name, result in results.items()
    ]
    passed = sum(result.passed for result in results.values())
    verdict = (
        "**{passed} of {count}** exercises passed. Work through what the table names before you "
        "start chapter 1."
    )
    if passed >= len(results) - 2:
        verdict = (
            "**{passed} of {count}** exercises passed. Start chapter 1, and read what the table "
            "names beside it."
        )
    if passed == len(results):
        verdict = "**{passed} of {count}** exercises passed. You are ready for chapter 1."
    return rows, say(verdict, passed=passed, count=len(results))
