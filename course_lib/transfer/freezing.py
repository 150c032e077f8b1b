"""Which weights are trained, and how fast: parameter groups as plain data.

A *group* is a name with the names of its parameters. Groups are made by pure functions, so they
can be printed and tested before anything is trained: every parameter is in one group, and tied
parameters count once. Rates, freezing and plans refer to groups by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

Groups = dict[str, tuple[str, ...]]  # group → names of its parameters, bottom to top
Rates = dict[str, float]  # group → learning rate

FACTOR = 2.6  # Howard & Ruder (2018), section 3.2: each layer's rate is that of the next / 2.6


def groups(model: nn.Module, prefixes: Mapping[str, Sequence[str]]) -> Groups:
    """Sort the parameters of `model` into groups by the beginnings of their names.

    A prefix names a module ("body.layer1") or one parameter. Tied parameters are counted once,
    under their first name.

    Raises:
        ValueError: a parameter is in no group or in two, or a group has no parameter of its own.
    """
    found: dict[str, list[str]] = {group: [] for group in prefixes}
    problems = []
    for name, _ in model.named_parameters():  # tied ones come once, under their first name
        owners = [
            group
            for group, starts in prefixes.items()
            if any(f"{name}.".startswith(f"{start}.") for start in starts)
        ]
        if len(owners) == 1:
            found[owners[0]].append(name)
        else:
            problems.append(f"{name} is in {' and '.join(owners) or 'no group'}")
    problems += [f"{group} has no parameter" for group, names in found.items() if not names]
    if problems:
        raise ValueError(f"groups must be disjoint and complete: {'; '.join(problems)}")
    return {group: tuple(names) for group, names in found.items()}


def body_and_head(model: nn.Module) -> Groups:
    """The two groups of a model with the parts `body` and `head`."""
    return groups(model, {"body": ("body",), "head": ("head",)})


def parameters(model: nn.Module, names: Collection[str]) -> list[nn.Parameter]:
    """The parameters of these names, in the model's order."""
    there = dict(model.named_parameters())
    _check_names(names, there)
    return [parameter for name, parameter in there.items() if name in set(names)]


def same_rate(grouped: Groups, rate: float) -> Rates:
    """One rate for all groups: full fine-tuning."""
    return dict.fromkeys(grouped, rate)


def discriminative(grouped: Groups, rate: float, factor: float = FACTOR) -> Rates:
    """`rate` for the last group, and for each group below it that of the next / `factor`."""
    top = len(grouped) - 1
    return {group: rate / factor ** (top - place) for place, group in enumerate(grouped)}


def last_layer_only(grouped: Groups, rate: float) -> Rates:
    """A rate for the last group and none for the others: they are frozen."""
    return {list(grouped)[-1]: rate}


def optimizer_groups(model: nn.Module, grouped: Groups, rates: Rates) -> list[dict[str, Any]]:
    """What a torch optimizer takes: one entry with `params`, `lr` and `name` per group.

    A group without a rate is left out and never changes. A group whose parameters are frozen for
    now *is* in it, so that it trains as soon as it is unfrozen: torch skips parameters without
    a gradient.
    """
    _check_names(rates, grouped)
    return [
        {"params": parameters(model, names), "lr": rates[group], "name": group}
        for group, names in grouped.items()
        if group in rates
    ]


def train_only(model: nn.Module, grouped: Groups, trained: Collection[str]) -> None:
    """Unfreeze the groups named in `trained` and freeze all others (`requires_grad`).

    This stops weights, not statistics: see `held_statistics`.
    """
    _check_names(trained, grouped)
    for group, names in grouped.items():
        for parameter in parameters(model, names):
            parameter.requires_grad_(group in trained)
            if group not in trained:
                parameter.grad = None


def tuner(
    model: nn.Module,
    grouped: Groups,
    rates: Rates,
    kind: Callable[[Any], torch.optim.Optimizer] = torch.optim.Adam,
) -> torch.optim.Optimizer:
    """Freeze the groups without a rate, and return an optimizer for the others."""
    train_only(model, grouped, rates)
    return kind(optimizer_groups(model, grouped, rates))


@contextmanager
def held_statistics(*modules: nn.Module) -> Iterator[list[str]]:
    """Batch normalization inside `modules` keeps its statistics, whatever `train()` is called.

    Frozen weights are not enough: in training mode a normalization uses the batch's own mean and
    variance and moves its running ones towards them. Inside the `with` block these layers stay in
    evaluation mode at every forward pass; afterwards each has the mode that it had before.
    Gives the names of the layers held, for the reader to see.
    """

    def evaluate(layer: nn.Module, _: object) -> None:
        layer.eval()

    held = [
        (name, layer, layer.training, layer.register_forward_pre_hook(evaluate))
        for module in modules
        for name, layer in module.named_modules()
        if isinstance(layer, _BatchNorm)
    ]
    try:
        yield [name for name, *_ in held]
    finally:
        for _, layer, mode, hook in held:
            hook.remove()
            layer.train(mode)


@dataclass(frozen=True)
class Stage:
    """From step `first` on, the groups named in `trained` are trained and no others."""

    first: int
    trained: tuple[str, ...]


def gradual_unfreezing(grouped: Groups, steps: int) -> tuple[Stage, ...]:
    """The last group first, then after every `steps` steps the next one below it as well.

    Source: Howard & Ruder (2018), section 3.3, with an epoch of theirs as `steps`.
    """
    names, count = tuple(grouped), len(grouped)
    return tuple(Stage(number * steps, names[count - 1 - number :]) for number in range(count))


def stage_at(plan: Sequence[Stage], step: int) -> Stage:
    """The stage of a plan in force at training step 0, 1, 2, …"""
    return max((stage for stage in plan if stage.first <= step), key=lambda stage: stage.first)


class Unfreezing:
    """A sampler that keeps to a plan: before it hands out the batch of a step it (un)freezes.

    Which groups are trained depends on the step only, so a resumed run goes on as planned.
    The optimizer must know all groups from the start: see `optimizer_groups`.

    Args:
        sampler: makes the batch of a step from the step's number, as in `training.loop`.
    """

    def __init__(
        self, sampler: Any, model: nn.Module, grouped: Groups, plan: Sequence[Stage]
    ) -> None:
        self.sampler, self.model, self.groups, self.plan = sampler, model, grouped, tuple(plan)
        self._now: Stage | None = None

    def batch(self, step: int) -> Any:
        """The sampler's batch of this step, with the plan's stage in force."""
        stage = stage_at(self.plan, step)
        if stage != self._now:
            train_only(self.model, self.groups, stage.trained)
            self._now = stage
        return self.sampler.batch(step)


def _check_names(asked: Collection[str], there: Collection[str]) -> None:
    unknown = sorted(set(asked) - set(there))
    if unknown:
        raise ValueError(f"there is no {', '.join(unknown)}, but {', '.join(there)}")
