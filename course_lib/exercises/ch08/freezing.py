"""Exercises 8.5 and 8.6, both with a bug to find: frozen features, and a forgetful optimizer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_tensor,
    expect_type,
)

# --- 8.5 frozen_features --------------------------------------------------------------------------


@exercise(
    hints=(
        "`requires_grad` says which *weights* may change. Which numbers of a batch normalization "
        "are not weights, and when do they change?",
        "In evaluation mode it reads its memory and leaves it as it is. Only the body's mode is "
        "at stake: `body.training` says which one it is in now.",
        "Put the mode back when you are done: somebody else may be in the middle of training.",
    )
)
def frozen_features(body: nn.Module, images: Tensor) -> Tensor:
    """Features of a frozen body for a batch: (B, C, H, W) -> (B, D), without gradient.

    An image has the same features whatever stands beside it in the batch, and the body is
    afterwards what it was before: weights, statistics and mode.
    """
    was_training = body.training
    body.eval()
    with torch.no_grad():
        features = body(images)
    body.train(was_training)
    return features


def _body() -> nn.Module:
    """A body (B, 2, 4, 4) -> (B, 3) whose statistics are not those of the images below."""
    body = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()
    )
    with torch.no_grad():
        body[1].running_mean.copy_(torch.tensor([0.3, -0.2, 0.1]))
        body[1].running_var.copy_(torch.tensor([2.0, 0.5, 1.5]))
    return body.train()


def _pictures() -> Tensor:
    return torch.rand(6, 2, 4, 4)


@frozen_features.case
def one_vector_for_each_image(answer):
    expect_tensor(answer(_body(), _pictures()), (6, 3))


@frozen_features.case
def statistics_stay(answer):
    body, images = _body(), _pictures()
    before = body[1].running_mean.clone()
    answer(body, images)
    moved = (body[1].running_mean - before).abs().max().item()
    expect(
        moved == 0,
        f"A call moved the running mean of the body by up to {moved:.2g}.",
        body[1].running_mean,
    )


@frozen_features.case
def company_does_not_matter(answer):
    body, images = _body(), _pictures()
    alone = answer(body, images[:2])
    together = answer(body, images)[:2]
    expect_close(alone, together, "the features of two images (alone, against in a batch of six)")


@frozen_features.case
def no_gradient(answer):
    features = answer(_body(), _pictures())
    expect(
        not features.requires_grad,
        "Your features carry a gradient back into the body. Nothing below them is trained.",
        features.requires_grad,
    )


@frozen_features.case
def mode_is_put_back(answer):
    found = []
    for mode in (True, False):
        body = _body().train(mode)
        answer(body, _pictures())
        found.append(body.training and body[1].training)
    expect(
        found == [True, False],
        f"A body in training mode comes back in training mode: {found[0]}; one in evaluation mode "
        f"comes back in training mode: {found[1]}.",
        found,
    )


@frozen_features.mistake(
    "one_vector_for_each_image", says="You average over the batch. Each image keeps its features."
)
def mean_of_the_batch(body, images):
    return frozen_features.answer(body, images).mean(dim=0)


@frozen_features.mistake(
    "statistics_stay",
    says="The weights are frozen. The memory of the normalization is no weight, and in training "
    "mode every batch moves it.",
)
def only_weights_frozen(body, images):
    for parameter in body.parameters():
        parameter.requires_grad_(False)
    return body(images)


@frozen_features.mistake("statistics_stay")
def only_no_grad(body, images):
    with torch.no_grad():
        return body(images)


@frozen_features.mistake(
    "company_does_not_matter",
    says="You repair the memory afterwards, but the features were made in training mode, with the "
    "mean and variance of this batch.",
)
def memory_put_back(body, images):
    memory = {name: tensor.clone() for name, tensor in body.state_dict().items()}
    with torch.no_grad():
        features = body.train()(images)
    body.load_state_dict(memory)
    return features


@frozen_features.mistake("no_gradient", says="The mode is right. The gradient still flows.")
def evaluation_mode_only(body, images):
    was_training = body.training
    features = body.eval()(images)
    body.train(was_training)
    return features


@frozen_features.mistake(
    "mode_is_put_back",
    says="You leave the body in evaluation mode. When it is unfrozen and trained later, its "
    "statistics stand still without anybody having asked for it.",
)
def left_in_evaluation(body, images):
    body.eval()
    with torch.no_grad():
        return body(images)


@frozen_features.mistake(
    "mode_is_put_back", says="You always switch to training mode at the end, whatever it was."
)
def always_back_to_training(body, images):
    body.eval()
    with torch.no_grad():
        features = body(images)
    body.train()
    return features


@frozen_features.alternative
def layer_by_layer(body, images):
    modes = [(module, module.training) for module in body.modules()]
    try:
        with torch.inference_mode():
            features = body.eval()(images)
    finally:
        for module, mode in modes:
            module.training = mode
    return features.clone()


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
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def _frozen_model() -> _Model:
    model = _Model()
    model.body.requires_grad_(False)
    return model


def _step(model: _Model, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """Unfreeze all, do one step; how far each part moved, per unit of its gradient."""
    model.requires_grad_(True)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer.zero_grad()
    model(torch.randn(8, 4)).square().sum().backward()
    optimizer.step()
    rates: dict[str, float] = {}
    for name in ("body.0.weight", "head.weight"):
        parameter = dict(model.named_parameters())[name]
        moved = (before[name] - parameter.detach()).norm() / parameter.grad.norm()
        rates[name.split(".")[0]] = moved.item()
    return rates


@make_optimizer.case
def an_optimizer(answer):
    expect_type(answer(_frozen_model(), 0.01, 0.1), torch.optim.SGD, "your result")


@make_optimizer.case
def every_parameter_once(answer):
    model = _frozen_model()
    optimizer = answer(model, 0.01, 0.1)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    wanted = [id(p) for p in model.parameters()]
    expect(
        sorted(held) == sorted(wanted),
        f"Your optimizer holds {len(held)} parameters; the model has {len(wanted)}, of which the "
        "body's are frozen for now.",
        len(held),
    )


@make_optimizer.case
def body_trains_once_it_is_unfrozen(answer):
    model = _frozen_model()
    moved = _step(model, answer(model, 0.01, 0.1))["body"]
    expect_number(moved, 0.01, "the step of the body after unfreezing, per unit of gradient,")


@make_optimizer.case
def head_has_its_own_rate(answer):
    model = _frozen_model()
    moved = _step(model, answer(model, 0.01, 0.1))["head"]
    expect_number(moved, 0.1, "the step of the head, per unit of gradient,")


@make_optimizer.mistake("an_optimizer")
def adam(model, body_rate, head_rate):
    return torch.optim.Adam(model.parameters(), lr=head_rate)


@make_optimizer.mistake(
    "every_parameter_once",
    says="You hand over what is trainable *now*. What is unfrozen later is not in the list, and "
    "no error says so.",
)
def trainable_now(model, body_rate, head_rate):
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=head_rate)


@make_optimizer.mistake(
    "body_trains_once_it_is_unfrozen",
    says="The body gets the head's rate. That is the fast way to forget what it knew.",
)
def one_rate(model, body_rate, head_rate):
    return torch.optim.SGD(model.parameters(), lr=head_rate)


@make_optimizer.mistake("body_trains_once_it_is_unfrozen")
def swapped(model, body_rate, head_rate):
    return make_optimizer.answer(model, head_rate, body_rate)


@make_optimizer.mistake(
    "head_has_its_own_rate", says="The head gets the body's rate: the new part learns too slowly."
)
def gentle_everywhere(model, body_rate, head_rate):
    return torch.optim.SGD(model.parameters(), lr=body_rate)


@make_optimizer.alternative
def one_group_added(model, body_rate, head_rate):
    optimizer = torch.optim.SGD(model.head.parameters(), lr=head_rate)
    optimizer.add_param_group({"params": model.body.parameters(), "lr": body_rate})
    return optimizer
