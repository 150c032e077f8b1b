"""Exercises of chapter 08: the parts of a residual network, rates, freezing, unfreezing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_type,
    say,
)

# --- 8.1 residual_block ---------------------------------------------------------------------------


@exercise(
    hints=(
        "Two ways lead from x to the end: one through both functions, one through nothing. Where "
        "do they meet?",
        "The last ReLU acts on the sum, not on the second function's result alone.",
    )
)
def residual_block(
    x: Tensor, first: Callable[[Tensor], Tensor], second: Callable[[Tensor], Tensor]
) -> Tensor:
    """ReLU(x + second(ReLU(first(x)))): (B, C, H, W) -> (B, C, H, W).

    first, second: a convolution with its normalization each; shapes stay as they are.
    """
    inside = torch.relu(first(x))
    return torch.relu(x + second(inside))


@residual_block.same_as_answer("the result where both functions give zero")
def without_functions_the_shortcut_is_left():
    yield torch.rand(2, 3, 4, 5), torch.zeros_like, torch.zeros_like


@residual_block.same_as_answer(grad=True)
def values_and_gradients():
    yield torch.randn(2, 3, 4, 5), lambda x: 2 * x - 0.5, lambda x: 0.3 - x
    yield torch.randn(3, 2, 6, 1), lambda x: -x.square(), lambda x: x.flip(-2) * 1.5 - 0.2


@residual_block.case
def each_function_is_called_once(answer):
    calls = {"first": 0, "second": 0}

    def counted(name):
        def function(x):
            calls[name] += 1
            return 0.5 * x

        return function

    answer(torch.rand(2, 3, 4, 5), counted("first"), counted("second"))
    expect(
        calls == {"first": 1, "second": 1},
        "Call each function once: a normalization in it moves its statistics at every call.",
        calls,
    )


residual_block.mistake(
    "without_functions_the_shortcut_is_left",
    "The shortcut is missing. It is what lets a gradient pass a deep stack unharmed.",
    "x + second -> second",
)
residual_block.mistake(
    "values_and_gradients",
    "You apply a ReLU to the second function before the sum. It may also subtract.",
    "x + second(inside) -> x + torch.relu(second(inside))",
)
residual_block.mistake(
    "values_and_gradients",
    "Between the two functions a ReLU is missing: two maps in a row are one map.",
    "torch.relu(first(x)) -> first(x)",
)

# --- 8.2 normalize --------------------------------------------------------------------------------


@exercise(
    hints=(
        "Which axes of (B, C, H, W) does one channel's mean run over? Three of the four.",
        "In training mode the numbers come from this batch, in evaluation mode from the memory. "
        "The formula is the same. `view(1, -1, 1, 1)` makes a row of channels fit an image.",
        "`x.var(dim=…, correction=0)` divides by the count, not by the count less one.",
    )
)
def normalize(
    x: Tensor, running_mean: Tensor, running_var: Tensor, training: bool, eps: float = 1e-5
) -> Tensor:
    """Batch normalization without scale and shift: (B, C, H, W) -> (B, C, H, W).

    (x - mean) / sqrt(variance + eps), channel by channel. training=True: mean and variance of this
    batch (variance divided by the count). False: running_mean and running_var, both (C,). The
    memory is read only; a layer would update it, this function does not.
    """
    mean, variance = running_mean, running_var
    if training:
        mean, variance = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)
    centered = x - mean.view(1, -1, 1, 1)
    return centered / (variance + eps).sqrt().view(1, -1, 1, 1)


def _batch(sentences: int = 4, height: int = 2, width: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Images of three unlike channels, and a memory that is not theirs."""
    scale, shift = torch.tensor([1.0, 5.0, 0.2]), torch.tensor([0.0, -3.0, 2.0])
    x = torch.randn(sentences, 3, height, width) * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)
    return x, torch.tensor([0.5, -1.0, 1.0]), torch.tensor([4.0, 1.0, 0.25])


@normalize.same_as_answer("the result in evaluation mode")
def in_evaluation_from_the_memory():
    yield *_batch(), False
    yield *_batch(1), False  # one image alone
    yield *_batch(5, 3, 1), False, 0.5


@normalize.same_as_answer("the result in training mode", atol=1e-4)
def in_training_from_the_batch():
    yield *_batch(), True
    yield *_batch(3, 4, 2), True, 0.3
    yield *_batch(1, 4, 5), True  # one image has many pixels


def _in_training(answer, x: Tensor, *rest: float) -> Tensor:
    return answer(x, torch.zeros(3), torch.ones(3), True, *rest)


@normalize.same_as_answer("the result in training mode", call=_in_training, grad=True, atol=1e-4)
def a_gradient_through_mean_and_variance():
    yield (_batch()[0],)
    yield _batch(3, 4, 2)[0], 0.3


normalize.mistake(
    "in_evaluation_from_the_memory",
    "In evaluation mode you still use the batch. Then what a model says of one image depends on "
    "the others beside it.",
    "if training: -> if True:",
)
normalize.mistake(
    "in_training_from_the_batch",
    "Your mean and variance run over too many axes, or too few. Each channel has one of its own, "
    "over all images and pixels.",
    "x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0) -> "
    "x.mean().expand(3), x.var(correction=0).expand(3)",
)

# --- 8.3 discriminative_rates ---------------------------------------------------------------------


@exercise(
    hints=(
        "The last layer has the rate `top`. How often has it been divided by `factor` at the layer "
        "just below? At the first of `layers` layers?",
        "Going up through the layers, the exponent falls by one at each and ends at 0.",
    )
)
def discriminative_rates(layers: int, top: float, factor: float = 2.6) -> list[float]:
    """A list of learning rates, one for each of `layers` layers (a whole number), bottom first.

    The last layer has the rate `top`, each other one the rate of the layer above it divided by
    `factor` (Howard & Ruder 2018, section 3.2).
    """
    return [top / factor ** (layers - 1 - layer) for layer in range(layers)]


@discriminative_rates.same_as_answer("the rates", rtol=1e-6)
def with_the_usual_factor():
    yield 3, 0.5
    yield 1, 0.1


@discriminative_rates.same_as_answer("the rates", rtol=1e-6)
def each_is_the_next_divided():
    yield 4, 0.01, 2.0
    yield 5, 1.0, 10.0
    yield 3, 0.3, 1.0
    yield 9, 0.01, 2.6  # down to 5e-6


discriminative_rates.mistake(
    "with_the_usual_factor",
    "Your list begins with `top`. Bottom first: the first layer learns most gently, and the last "
    "one has the rate `top`.",
    "(layers - 1 - layer) -> layer",
)
discriminative_rates.mistake(
    "each_is_the_next_divided",
    "You divide by 2.6, whatever `factor` says.",
    "top / factor -> top / 2.6",
)

# --- 8.4 trained_at -------------------------------------------------------------------------------


@exercise(
    hints=(
        "How many layers are trained at step 0? At step `every`? Count before you name them.",
        "The number of whole stages that have passed is `step // every`. In the end all layers are "
        "trained, and there are no more to add.",
        "The last n elements of a list: `names[len(names) - n:]`, for every n from 0 up.",
    )
)
def trained_at(names: Sequence[str], every: int, step: int) -> list[str]:
    """The layers that gradual unfreezing trains at a step, bottom first.

    names: all layers, bottom first. Only the last is trained from step 0 on; after each `every`
    steps one more is unfrozen, from the top down (Howard & Ruder 2018, section 3.3).
    """
    count = min(1 + step // every, len(names))
    return list(names[len(names) - count :])


def _plan(every: int, *steps: int):
    return ((["stem", "block 1", "block 2", "head"], every, step) for step in steps)


@trained_at.same_as_answer("the list of what is trained")
def only_the_last_at_the_start():
    yield from _plan(10, 0, 9)
    yield ["zebra"], 3, 0


@trained_at.same_as_answer("the list of what is trained")
def one_more_after_each_stage():
    yield from _plan(10, 10, 19, 20, 25, 30)
    yield from _plan(7, 6, 7, 13, 14)
    yield ["head", "a", "b"], 1, 1


@trained_at.same_as_answer("the list of what is trained")
def all_of_them_in_the_end():
    yield from _plan(10, 39, 40, 50, 1000)
    yield list("edcba"), 2, 100
    yield ["zebra"], 3, 100


trained_at.mistake(
    "only_the_last_at_the_start",
    "You begin at the bottom. The head is new: it goes first.",
    "names[len(names) - count :] -> names[:count]",
)
trained_at.mistake(
    "one_more_after_each_stage",
    "You train one layer at a time. What has been unfrozen stays unfrozen.",
    "names[len(names) - count :] -> names[len(names) - count :][:1]",
)
trained_at.mistake(
    "all_of_them_in_the_end",
    "You count further than there are layers, and a negative index then starts from the other end.",
    "min(1 + step // every, len(names)) -> 1 + step // every",
)

# --- 8.5 frozen_features --------------------------------------------------------------------------


@exercise(
    hints=(
        "`requires_grad` says which *weights* may change. Which numbers of a batch normalization "
        "are not weights, and when do they change?",
        "In evaluation mode it reads its memory and leaves it as it is. Each part of the body has "
        "a mode of its own: `part.training` for each `part` of `body.modules()`.",
        "Put every mode back when you are done: somebody else may be in the middle of training, "
        "with some parts held in evaluation mode.",
    ),
    changes=("body",),  # the cases look at it themselves
)
def frozen_features(body: nn.Module, images: Tensor) -> Tensor:
    """Features of a frozen body for a batch: (B, C, H, W) -> (B, D), without gradient.

    An image has the same features whatever stands beside it in the batch, and the body is
    afterwards what it was before: weights, statistics and the mode of each part.
    """
    modes = [(part, part.training) for part in body.modules()]
    body.eval()
    with torch.no_grad():
        features = body(images)
    for part, mode in modes:
        part.training = mode
    return features


def _body() -> nn.Sequential:
    """A body (B, 2, 4, 4) -> (B, 3) whose statistics are not those of any batch."""
    parts = (nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten())
    body = nn.Sequential(*parts, nn.Dropout())
    statistics = dict(body.named_buffers())
    statistics["1.running_mean"].copy_(torch.tensor([0.3, -0.2, 0.1]) + 0.1 * torch.rand(3))
    statistics["1.running_var"].copy_(torch.tensor([2.0, 0.5, 1.5]))
    return body.train()


@frozen_features.case
def statistics_stay(answer):
    body = _body()
    mean = body.get_buffer("1.running_mean")
    before = mean.clone()
    answer(body, torch.rand(6, 2, 4, 4))
    moved = (mean - before).abs().max().item()
    expect(
        moved == 0,
        say("A call moved the running mean of the body by up to {moved:.2g}.", moved=moved),
        body[1].running_mean,
    )


@frozen_features.case
def company_does_not_matter(answer):
    body, images = _body(), torch.rand(6, 2, 4, 4)
    expected = body.eval()(images).detach()
    what = "the features (against each image's own)"
    for count in (2, 6):
        expect_close(answer(body.train(), images[:count]), expected[:count], what)
        expect_close(answer(body.eval(), images[:count]), expected[:count], what)


@frozen_features.case
def no_gradient(answer):
    features = answer(_body(), torch.rand(5, 2, 4, 4))
    expect(
        not features.requires_grad,
        "Your features carry a gradient back into the body. Nothing below them is trained.",
        features.requires_grad,
    )


@frozen_features.case
def mode_is_put_back(answer):
    for what, body in (
        ("training mode", _body()),
        ("evaluation mode", _body().eval()),
        ("training mode with its normalization held in evaluation mode", _body()),
    ):
        body[1].train(what == "training mode")
        body = nn.Sequential(body)  # a part of a part has its mode, too
        before = [part.training for part in body.modules()]
        answer(body, torch.rand(3, 2, 4, 4))
        after = [part.training for part in body.modules()]
        left = say("You get a body in {what} and leave it in another.", what=what)
        expect(after == before, left, after)


@frozen_features.case
def nothing_else_is_left_behind(answer):
    for frozen in (True, False):
        body = _body().requires_grad_(not frozen)
        answer(body, torch.rand(3, 2, 4, 4))
        flags = [parameter.requires_grad for parameter in body.parameters()]
        expect(
            flags == [not frozen] * len(flags),
            "Your function changes which weights of the body may be trained. That is for its owner "
            "to say.",
            flags,
        )
    expect(torch.is_grad_enabled(), "Gradients are switched off when your function is done.", False)
    with torch.no_grad():
        answer(_body(), torch.rand(3, 2, 4, 4))
        expect(not torch.is_grad_enabled(), "Gradients were off before, and are on after it.", True)


@frozen_features.case
def a_head_can_be_trained_on_them(answer):
    features = answer(_body(), torch.rand(5, 2, 4, 4))
    expect(
        not features.is_inference(),
        "No head can be trained on tensors of `torch.inference_mode`. `torch.no_grad` gives plain "
        "ones.",
        features.is_inference(),
    )


frozen_features.mistake(
    "statistics_stay",
    "The weights are frozen. The memory of the normalization is no weight, and in training mode "
    "every batch moves it.",
    "body.eval() -> body.requires_grad_(False)",
)
frozen_features.mistake(
    "no_gradient",
    "The mode is right. The gradient still flows.",
    "torch.no_grad() -> torch.enable_grad()",
)
frozen_features.mistake(
    "mode_is_put_back",
    "You leave the body in evaluation mode. When it is unfrozen and trained later, its statistics "
    "stand still without anybody having asked for it.",
    "part.training = mode -> pass",
)
frozen_features.mistake(
    "mode_is_put_back",
    "You put back the mode of the whole, and `train` gives it to all parts. A normalization that "
    "somebody had put into evaluation mode is awake again.",
    "part.training = mode -> body.train(modes[0][1])",
)

# --- 8.6 make_optimizer ---------------------------------------------------------------------------


@exercise(
    hints=(
        "An optimizer keeps the list of parameters that it was given. What does it do with one "
        "that becomes trainable afterwards?",
        "A parameter without a gradient is skipped by torch. So a body that is frozen for now may "
        "be in the list from the start.",
        "A list of dictionaries, each with `params` and `lr`, gives groups their own rates.",
    ),
    seconds=30.0,  # the first optimizer of a session loads much of torch
)
def make_optimizer(model: nn.Module, body_rate: float, head_rate: float) -> torch.optim.Optimizer:
    """Plain SGD for a model with the parts `body` and `head`, a rate for each.

    The body may be frozen now and unfrozen later. From then on it trains, at `body_rate`.
    """
    return torch.optim.SGD(
        [
            {"params": list(model.body.parameters()), "lr": body_rate},
            {"params": list(model.head.parameters()), "lr": head_rate},
        ]
    )


class _Model(nn.Module):
    """A body that is frozen for now, and a head."""

    def __init__(self) -> None:
        super().__init__()
        parts = OrderedDict(heads=nn.Linear(4, 4), bend=nn.Tanh(), top=nn.Linear(4, 3))
        self.body = nn.Sequential(parts).requires_grad_(False)  # a name may mislead
        self.head = nn.Sequential(OrderedDict(antibody=nn.Linear(3, 2)))


def _steps(answer, body_rate: float, head_rate: float) -> dict[str, float]:
    """Unfreeze all, do two steps; how far each part moved in the second, per unit of gradient."""
    model = _Model()
    optimizer = answer(model, body_rate, head_rate)
    model.requires_grad_(True)
    parts: dict[str, Any] = {"body": model.body[0].weight, "head": model.head[0].weight}
    moved = {}
    for _ in range(2):
        before = {name: weight.detach().clone() for name, weight in parts.items()}
        optimizer.zero_grad()
        model.head(model.body(torch.randn(8, 4))).square().sum().backward()
        optimizer.step()
        for name, weight in parts.items():
            step = before[name] - weight.detach()
            along = (step * weight.grad).sum() / weight.grad.square().sum()
            moved[name] = along.item()
            off = (step - along * weight.grad).norm() / step.norm().clamp_min(1e-9)
            expect(
                off < 1e-3,
                say(
                    "A step of `model.{name}` is not a multiple of its gradient. Plain SGD has no "
                    "momentum and no weight decay.",
                    name=name,
                ),
                name,
            )
    return moved


@make_optimizer.case
def every_parameter_once(answer):
    model = _Model()
    optimizer = answer(model, 0.01, 0.1)
    expect_type(optimizer, torch.optim.SGD, "your result")
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    expect(
        sorted(held) == sorted(map(id, model.parameters())),
        say(
            "Your optimizer holds {held} parameters; the model has {count}, of which the body's "
            "are frozen for now.",
            held=len(held),
            count=len(list(model.parameters())),
        ),
        len(held),
    )
    flags = [p.requires_grad for p in model.body.parameters()]
    expect(not any(flags), "Your function unfreezes the body. It stays frozen for now.", flags)
    answer(model.requires_grad_(True), 0.01, 0.1)
    flags = [p.requires_grad for p in model.parameters()]
    expect(all(flags), "Your function freezes something. That is for the owner to say.", flags)


@make_optimizer.case
def nothing_moves_without_a_gradient(answer):
    model = _Model()
    optimizer = answer(model, 0.01, 0.1)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter in model.requires_grad_(True).parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    same = all(map(torch.equal, before, model.parameters()))
    expect(same, "A weight moves where its gradient is zero. Plain SGD has no weight decay.")


@make_optimizer.case
def body_trains_once_it_is_unfrozen(answer):
    for rates in ((0.01, 0.1), (0.03, 0.02)):
        moved = _steps(answer, *rates)["body"]
        expect_number(moved, rates[0], "the step of the body, per unit of gradient,")


@make_optimizer.case
def head_has_its_own_rate(answer):
    for rates in ((0.01, 0.1), (0.03, 0.02)):
        moved = _steps(answer, *rates)["head"]
        expect_number(moved, rates[1], "the step of the head, per unit of gradient,")


@make_optimizer.case
def a_body_may_be_frozen_in_part(answer):
    model = _Model()
    model.body[-1].requires_grad_(True)
    for part, rate in ((model.body, 0.01), (model.head, 0.1)):
        groups = answer(model, 0.01, 0.1).param_groups
        held = {id(p) for group in groups if group["lr"] == rate for p in group["params"]}
        ours = set(map(id, part.parameters()))
        other = say("The rate {rate} is not that of all of one part and of it alone.", rate=rate)
        expect(held == ours, other)


make_optimizer.mistake(
    "every_parameter_once",
    "You hand over what is trainable *now*. What is unfrozen later is not in the list, and no "
    "error says so.",
    "list(model.body.parameters()) -> [p for p in model.body.parameters() if p.requires_grad]",
)
make_optimizer.mistake(
    "body_trains_once_it_is_unfrozen",
    "The body gets the head's rate. That is the fast way to forget what it knew.",
    '"lr": body_rate -> "lr": head_rate',
)
make_optimizer.mistake(
    "head_has_its_own_rate",
    "The head gets the body's rate: the new part learns too slowly.",
    '"lr": head_rate -> "lr": body_rate',
)
