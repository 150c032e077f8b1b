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


def train_briefly(model, optimizer, steps=4, sampler=None):
    sampler = sampler or ImageSampler(images(), 8, seed=0)
    return loop.fit(model, networks.loss, sampler, steps, optimizer=optimizer, progress=False)


def changed(module, before):
    after = module.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


class Tied(nn.Module):
    """Embedding and output share one matrix, as in a language model."""

    def __init__(self):
        super().__init__()
        self.body = nn.Embedding(5, 4)
        self.head = nn.Linear(4, 5)
        self.head.weight = self.body.weight


# Groups ----------------------------------------------------------------------------------------


def test_groups_are_disjoint_and_complete(model, layers):
    for grouped in (layers, freezing.body_and_head(model)):
        names = [name for group in grouped.values() for name in group]
        assert len(names) == len(set(names))
        assert set(names) == {name for name, _ in model.named_parameters()}
    assert list(layers) == ["stem", "block 1", "block 2", "head"]


def test_making_groups_changes_nothing(model):
    before = state(model)
    freezing.body_and_head(model)
    assert changed(model, before) == set()
    assert all(p.requires_grad for p in model.parameters())


def test_tied_weights_count_once():
    model = Tied()
    grouped = freezing.body_and_head(model)
    assert grouped == {"body": ("body.weight",), "head": ("head.bias",)}
    entries = freezing.optimizer_groups(model, grouped, freezing.same_rate(grouped, 0.1))
    counted = [id(p) for entry in entries for p in entry["params"]]
    assert len(counted) == len(set(counted)) == len(list(model.parameters())) == 2
    torch.optim.Adam(entries)  # torch refuses a parameter in two groups


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


# Rates -----------------------------------------------------------------------------------------


def test_discriminative_rates_fall_by_the_factor(layers):
    rates = freezing.discriminative(layers, 0.01)
    assert list(rates) == list(layers) and rates["head"] == 0.01
    values = list(rates.values())
    assert all(b / a == pytest.approx(2.6) for a, b in zip(values, values[1:], strict=False))


def test_last_layer_only(layers):
    assert freezing.last_layer_only(layers, 0.1) == {"head": 0.1}


@pytest.mark.parametrize("wrong", [{}, {"tail": 0.1}, {"head": 0.0}, {"head": -1}])
def test_rates_that_cannot_be_are_refused(model, layers, wrong):
    with pytest.raises(ValueError, match="leave a frozen group out"):
        freezing.optimizer_groups(model, layers, wrong)


def test_other_mistakes_are_said(model, layers):
    with pytest.raises(ValueError, match="factor >= 1"):
        freezing.discriminative(layers, 0.1, factor=0.5)
    with pytest.raises(ValueError, match="no group tail"):
        freezing.train_only(model, layers, {"tail"})
    with pytest.raises(ValueError, match="no parameter nothing"):
        freezing.parameters(model, ["nothing"])


def test_each_group_moves_by_its_own_rate(model, layers):
    """One step of plain gradient descent moves a parameter by rate times gradient, no more."""
    rates = freezing.discriminative(layers, 0.5)
    optimizer = freezing.tuner(model, layers, rates, torch.optim.SGD)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    sampler = ImageSampler(images(), 8, seed=0)
    loop.fit(model, networks.loss, sampler, 1, optimizer=optimizer, clip=None, progress=False)
    there = dict(model.named_parameters())
    for group, names in layers.items():
        for name in names:
            step = before[name] - rates[group] * there[name].grad
            torch.testing.assert_close(there[name].detach(), step, msg=f"{name} in {group}")
            assert there[name].grad.abs().max() > 0


def test_schedule_scales_all_rates_alike(model, layers):
    rates = freezing.discriminative(layers, 0.01)
    optimizer = freezing.tuner(model, layers, rates)
    sampler = ImageSampler(images(), 8, seed=0)
    half = {"schedule": lambda step: 0.5, "progress": False}
    loop.fit(model, networks.loss, sampler, 2, optimizer=optimizer, **half)
    for group in optimizer.param_groups:
        assert group["lr"] == pytest.approx(rates[group["name"]] / 2)


# Freezing --------------------------------------------------------------------------------------


def test_frozen_parameters_are_bit_equal_after_training(model, layers):
    optimizer = freezing.tuner(model, layers, {"block 2": 0.1, "head": 0.1})
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    train_briefly(model, optimizer)
    frozen = {*layers["stem"], *layers["block 1"]}
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == (name in frozen), name


def test_frozen_weights_do_not_stop_statistics_and_holding_does(model):
    grouped = freezing.body_and_head(model)
    optimizer = freezing.tuner(model, grouped, {"head": 0.1})
    before = state(model.body)
    train_briefly(model, optimizer)
    drifted = changed(model.body, before)
    assert drifted and all("running" in name or "tracked" in name for name in drifted)

    before = state(model.body)
    with freezing.held_statistics(model.body) as names:
        train_briefly(model, optimizer)
        model.train()
        model(images().pixels)  # whatever else calls train()
    assert changed(model.body, before) == set()
    assert len(names) == sum(isinstance(m, nn.BatchNorm2d) for m in model.body.modules())


def test_held_layers_use_the_stored_statistics_and_are_free_afterwards(model):
    x = images().pixels
    model.eval()
    still = model.body(x)
    model.train()
    with freezing.held_statistics(model.body):
        torch.testing.assert_close(model.body(x), still)
    assert all(m.training for m in model.modules())
    assert not torch.allclose(model.body(x), still)


def test_statistics_are_free_again_after_an_error(model):
    with pytest.raises(RuntimeError), freezing.held_statistics(model.body):
        raise RuntimeError
    before = state(model.body)
    model.train()(images().pixels)
    assert changed(model.body, before)


def test_parts_can_be_held(model):
    model.train()
    before = state(model.body)
    with freezing.held_statistics(model.body.layer1):
        model(images().pixels)
    moved = changed(model.body, before)
    assert moved and not any(name.startswith("layer1") for name in moved)


# Plans -----------------------------------------------------------------------------------------


def test_plan_goes_down_from_the_head_one_group_a_stage(layers):
    plan = freezing.gradual_unfreezing(layers, 10)
    assert plan == (
        Stage(0, ("head",)),
        Stage(10, ("block 2", "head")),
        Stage(20, ("block 1", "block 2", "head")),
        Stage(30, ("stem", "block 1", "block 2", "head")),
    )
    assert [freezing.stage_at(plan, step).first for step in (0, 9, 10, 29, 30, 999)] == [
        0,
        0,
        10,
        20,
        30,
        30,
    ]


@pytest.mark.parametrize(
    ("plan", "step"),
    [((), 0), ((Stage(5, ()),), 9), ((Stage(0, ()), Stage(0, ())), 0), ((Stage(0, ()),), -1)],
)
def test_plans_that_cannot_be_are_refused(plan, step):
    with pytest.raises(ValueError, match="expected 0, then rising"):
        freezing.stage_at(plan, step)


def test_stages_need_a_step(layers):
    with pytest.raises(ValueError, match="at least 1"):
        freezing.gradual_unfreezing(layers, 0)


def test_gradual_unfreezing_trains_what_the_plan_says(model, layers):
    plan = freezing.gradual_unfreezing(layers, 2)
    optimizer = freezing.tuner(model, layers, freezing.discriminative(layers, 0.1))
    sampler = freezing.Unfreezing(ImageSampler(images(), 8, seed=0), model, layers, plan)
    seen = {}
    for stage in plan:
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        for step in (stage.first, stage.first + 1):
            optimizer.zero_grad()
            networks.loss(model, sampler.batch(step)).backward()
            optimizer.step()
        moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
        seen[stage.first] = {group for group, names in layers.items() if moved & set(names)}
    assert seen == {stage.first: set(stage.trained) for stage in plan}


def test_plan_runs_inside_the_training_loop(model, layers):
    plan = freezing.gradual_unfreezing(layers, 3)[:2]
    optimizer = freezing.tuner(model, layers, freezing.same_rate(layers, 0.1))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    sampler = freezing.Unfreezing(ImageSampler(images(), 8, seed=0), model, layers, plan)
    train_briefly(model, optimizer, steps=6, sampler=sampler)
    still = {*layers["stem"], *layers["block 1"]}
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == (name in still), name


def test_an_optimizer_of_the_trained_ones_only_misses_what_is_unfrozen_later(model, layers):
    """The bug of chapter 08, and what the optimizer of this module does about it."""
    freezing.train_only(model, layers, {"head"})
    forgetful = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
    freezing.train_only(model, layers, set(layers))
    before = state(model.body.conv1)
    train_briefly(model, forgetful)
    assert changed(model.body.conv1, before) == set()

    freezing.train_only(model, layers, {"head"})
    entries = freezing.optimizer_groups(model, layers, freezing.same_rate(layers, 0.1))
    knows_all = torch.optim.Adam(entries)
    freezing.train_only(model, layers, set(layers))
    train_briefly(model, knows_all)
    assert changed(model.body.conv1, before)
