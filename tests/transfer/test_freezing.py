"""Groups are disjoint and complete, frozen means bit-equal, and every group has its own rate."""

import pytest
import torch
from torch import nn

from course_lib.data.images import Images, ImageSampler
from course_lib.training import loop
from course_lib.transfer import freezing, networks
from course_lib.transfer.freezing import Stage
from course_lib.transfer.networks import ResNetConfig


@pytest.fixture
def model():
    return networks.build(ResNetConfig.tiny(), 3, seed=0)


@pytest.fixture
def layers(model):
    return freezing.groups(model, networks.layer_prefixes(model.body))


def images(count=24):
    generator = torch.Generator().manual_seed(0)
    return Images(torch.rand(count, 1, 8, 8, generator=generator), torch.arange(count) % 3)


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def fit(model, optimizer, steps=4, sampler=None, **changes):
    sampler = sampler or ImageSampler(images(), 8, seed=0)
    loop.fit(model, networks.loss, sampler, steps, optimizer=optimizer, progress=False, **changes)


def moved(model, before):
    """Names in a state dict or of parameters whose numbers are others now."""
    after = model.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


def moved_groups(model, grouped, before):
    names = moved(model, before)
    return {group for group, inside in grouped.items() if names & set(inside)}


class Tied(nn.Module):
    """Embedding and output share one matrix, as in a language model."""

    def __init__(self):
        super().__init__()
        self.body = nn.Embedding(5, 4)
        self.head = nn.Linear(4, 5)
        self.head.weight = self.body.weight


# Groups and rates -------------------------------------------------------------------------------


def test_groups_are_disjoint_and_complete(model, layers):
    before = state(model)
    for grouped in (layers, freezing.body_and_head(model)):
        names = [name for group in grouped.values() for name in group]
        assert len(names) == len(set(names))
        assert set(names) == {name for name, _ in model.named_parameters()}
    assert list(layers) == ["stem", "block 1", "block 2", "head"]
    assert not moved(model, before) and all(p.requires_grad for p in model.parameters())


def test_tied_weights_count_once():
    model = Tied()
    grouped = freezing.body_and_head(model)
    assert grouped == {"body": ("body.weight",), "head": ("head.bias",)}
    entries = freezing.optimizer_groups(model, grouped, freezing.same_rate(grouped, 0.1))
    counted = [id(p) for entry in entries for p in entry["params"]]
    assert len(counted) == len(set(counted)) == len(list(model.parameters())) == 2


@pytest.mark.parametrize(
    ("prefixes", "message"),
    [
        ({"body": ("body",)}, "head.weight is in no group"),
        ({"body": ("body",), "rest": ("body.conv1", "head")}, "body.conv1.weight is in body and"),
        ({"body": ("body",), "head": ("head",), "neck": ("neck",)}, "neck has no parameter"),
        ({"body": ("bod",), "head": ("head",)}, "is in no group"),  # a whole name, not a beginning
    ],
)
def test_groups_that_overlap_or_miss_something_are_refused(model, prefixes, message):
    with pytest.raises(ValueError, match=message):
        freezing.groups(model, prefixes)


def test_unknown_names_are_refused(model, layers):
    for call in (freezing.tuner, freezing.optimizer_groups, freezing.train_only):
        with pytest.raises(ValueError, match="no tail, but stem, block 1"):
            call(model, layers, {"tail": 0.1})
    with pytest.raises(ValueError, match="no nothing"):
        freezing.parameters(model, ["nothing"])


def test_rates_by_group(layers):
    rates = freezing.discriminative(layers, 0.01)
    assert list(rates) == list(layers) and rates["head"] == 0.01
    values = list(rates.values())
    assert all(b / a == pytest.approx(2.6) for a, b in zip(values, values[1:], strict=False))
    assert freezing.discriminative(layers, 0.08, factor=2)["stem"] == pytest.approx(0.01)
    assert freezing.last_layer_only(layers, 0.1) == {"head": 0.1}
    assert set(freezing.same_rate(layers, 0.2).values()) == {0.2}


def test_each_group_moves_by_its_own_rate(model, layers):
    """One step of plain gradient descent moves a parameter by rate times gradient, no more."""
    rates = freezing.discriminative(layers, 0.5)
    optimizer = freezing.tuner(model, layers, rates, torch.optim.SGD)
    before = state(model)
    fit(model, optimizer, 1, schedule=lambda step: 0.5, clip=None)
    there = dict(model.named_parameters())
    for group, names in layers.items():
        for name in names:
            step = before[name] - rates[group] / 2 * there[name].grad
            torch.testing.assert_close(there[name].detach(), step, msg=f"{name} in {group}")
            assert there[name].grad.abs().max() > 0


# Freezing ---------------------------------------------------------------------------------------


def test_frozen_parameters_are_bit_equal_after_training(model, layers):
    model.body.conv1.weight.grad = torch.ones_like(model.body.conv1.weight)
    optimizer = freezing.tuner(model, layers, {"block 2": 0.1, "head": 0.1})
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    fit(model, optimizer)
    assert moved(model, before) == {*layers["block 2"], *layers["head"]}
    assert all((p.grad is None) == (not p.requires_grad) for p in model.parameters())


def test_frozen_weights_do_not_stop_statistics_and_holding_does(model):
    optimizer = freezing.tuner(model, freezing.body_and_head(model), {"head": 0.1})
    before = state(model.body)
    fit(model, optimizer)
    drifted = moved(model.body, before)
    assert drifted and all("running" in name or "tracked" in name for name in drifted)

    before = state(model.body)
    with freezing.held_statistics(model.body) as names:
        fit(model, optimizer)
        model.train()
        model(images().pixels)  # whatever else calls train()
    assert not moved(model.body, before)
    assert len(names) == sum(isinstance(m, nn.BatchNorm2d) for m in model.body.modules())


def test_held_layers_use_the_stored_statistics_and_get_their_own_mode_back(model):
    x = images().pixels
    model.eval()
    still = model.body(x)
    model.train()
    model.body.bn1.eval()  # on purpose, and so it stays
    modes = [part.training for part in model.modules()]
    with pytest.raises(ZeroDivisionError), freezing.held_statistics(model.body):
        torch.testing.assert_close(model.body(x), still)
        raise ZeroDivisionError
    assert [part.training for part in model.modules()] == modes
    assert not torch.allclose(model.body(x), still)


def test_parts_can_be_held(model):
    before = state(model.body)
    with freezing.held_statistics(model.body.layer1):
        model.train()(images().pixels)
    names = moved(model.body, before)
    assert names and not any(name.startswith("layer1") for name in names)


# Plans ------------------------------------------------------------------------------------------


def test_plan_goes_down_from_the_head_one_group_a_stage(layers):
    plan = freezing.gradual_unfreezing(layers, 10)
    assert plan == (
        Stage(0, ("head",)),
        Stage(10, ("block 2", "head")),
        Stage(20, ("block 1", "block 2", "head")),
        Stage(30, ("stem", "block 1", "block 2", "head")),
    )
    stages = [freezing.stage_at(plan, step).first for step in (0, 9, 10, 29, 30, 999)]
    assert stages == [0, 0, 10, 20, 30, 30]
    with pytest.raises(ValueError):
        freezing.stage_at(plan[1:], 9)


def test_gradual_unfreezing_trains_what_the_plan_says_inside_the_loop(model, layers):
    plan = freezing.gradual_unfreezing(layers, 2)
    sampler = freezing.Unfreezing(ImageSampler(images(), 8, seed=0), model, layers, plan)
    rates = freezing.discriminative(layers, 0.1)
    for stage in plan:
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimizer = freezing.tuner(model, layers, rates)
        later = Later(sampler, stage.first)
        fit(model, optimizer, 2, later)
        assert moved_groups(model, layers, before) == set(stage.trained)


class Later:
    """A sampler that begins at a later step."""

    def __init__(self, sampler, first):
        self.sampler, self.first = sampler, first

    def batch(self, step):
        return self.sampler.batch(self.first + step)
