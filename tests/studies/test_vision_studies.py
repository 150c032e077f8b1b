"""The studies of chapter 08: nothing is tuned on test digits, and frozen means untouched."""

import pytest
import torch

from course_lib.data import digits
from course_lib.studies.ch08 import layer_transfer, vision_transfer
from course_lib.studies.ch08.vision_transfer import WAYS
from course_lib.transfer import networks

SMALL = vision_transfer.STUDY.smoke


@pytest.fixture(scope="module")
def body():
    return vision_transfer.pretrain("letters", 0, images=680, steps=2).body


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_mixing_keeps_ink_and_moves_all_images_alike():
    plain = vision_transfer.source_images("letters", 136, 0)
    mixed = vision_transfer.source_images("mixed pixels", 136, 0)
    assert torch.equal(plain.labels, mixed.labels) and not torch.equal(plain.pixels, mixed.pixels)
    one, other = (images.pixels.flatten(1) for images in (plain, mixed))
    assert torch.equal(one.sort(dim=1).values, other.sort(dim=1).values)
    assert torch.equal(vision_transfer.mix(plain).pixels, mixed.pixels)


def test_a_start_copies_the_body_and_shares_nothing(body):
    before = state(body)
    model = vision_transfer.start(body, 1)
    assert same(state(model.body), before)
    vision_transfer.tune(model, WAYS["full"][0], digits.few(1, 0), 0, 3, hold=False)
    assert same(state(body), before) and not same(state(model.body), before)
    assert same(state(vision_transfer.start(None, 1)), state(vision_transfer.start(None, 1)))


def test_a_frozen_body_is_bit_equal_and_a_gentle_one_keeps_its_statistics(body):
    before = state(body)
    model = vision_transfer.start(body, 1)
    vision_transfer.tune(model, WAYS["frozen"][0], digits.few(1, 0), 0, 3)
    assert same(before, state(model.body))
    vision_transfer.tune(model, WAYS["gentle"][0], digits.few(1, 0), 0, 3)
    after = state(model.body)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and not any("running" in name or "tracked" in name for name in moved)


def test_a_course_is_one_run_looked_at_on_the_way(body):
    config = SMALL | {"checked": [2, 4]}
    grid = vision_transfer.ratio_grid(body, config, 0)
    assert list(grid) == ["frozen", "tenth", "same"]
    assert all(list(course) == ["2", "4"] for course in grid.values())
    model = vision_transfer.start(body, 0)
    rates = {"head": WAYS["frozen"][0]["head"]}
    few = digits.few(vision_transfer.GRID_LABELS, 0)
    vision_transfer.tune(model, rates, few, 0, 2, constant=True)
    assert grid["frozen"]["2"] == networks.accuracy(model, digits.load("test"))


@pytest.mark.parametrize("depth", [0, 2, 4])
def test_the_first_layers_are_copied_and_no_others(body, depth):
    into = vision_transfer.start(None, 3).body
    before = state(into)
    names = layer_transfer.copy_layers(body, into, depth)
    assert list(names) == list(body.layers())[:depth]
    for name, parts in into.layers().items():
        for part, source in zip(parts, body.layers()[name], strict=True):
            if part.state_dict():
                assert same(state(part), state(source)) == (name in names), name
    assert same(before, state(into)) == (depth == 0)


def test_frozen_layers_stay_and_the_others_learn(body):
    model = vision_transfer.start(None, 3)
    names = layer_transfer.copy_layers(body, model.body, 2)
    before = {name: state(part) for name, (part, *_) in model.body.layers().items()}
    layer_transfer.learn(model, names, digits.few(1, 0), 0, 3)
    for name, (part, *_) in model.body.layers().items():
        assert same(before[name], state(part)) == (name in names), name


def test_the_nearest_labeled_image_names_a_digit():
    few = digits.few(1, 0)
    assert vision_transfer.nearest(few, few) == 1.0
    test = digits.load("test")
    distances = (test.pixels[:, None] - few.pixels[None]).square().sum(dim=(2, 3, 4))
    right = few.labels[distances.argmin(1)] == test.labels
    assert vision_transfer.nearest(few, test) == right.float().mean().item()
