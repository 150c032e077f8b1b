"""Frozen bodies: what a layer sees, and a linear head on it."""

import pytest
import torch

from course_lib.studies.ch08 import frozen
from course_lib.support.modes import evaluating
from tests.fetched import fetched


@pytest.fixture(scope="module", autouse=True)
def cached():
    for name in ("imagenet", "pictures"):
        fetched(name)


def test_accuracy_is_averaged_over_classes():
    logits = torch.eye(2)[torch.tensor([0, 0, 0, 0])]
    scored = frozen.scores(logits, torch.tensor([0, 0, 0, 1]))
    assert scored.accuracy == 0.5 and scored.classes == [1.0, 0.0]
    assert scored.loss == pytest.approx(
        torch.nn.functional.cross_entropy(logits, torch.tensor([0, 0, 0, 1])).item()
    )


def test_logistic_regression_learns_and_answers_in_the_units_of_the_features():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(3).repeat(20)
    x = 100 + 5 * torch.nn.functional.one_hot(y, 3) + torch.randn(60, 3, generator=generator)
    weight, bias = frozen.logistic(x, y, 1.0)
    assert ((x @ weight.T + bias).argmax(1) == y).all()
    ten_times, moved = frozen.logistic(10 * x, y, 1.0)
    torch.testing.assert_close(10 * x @ ten_times.T + moved, x @ weight.T + bias, atol=1e-2, rtol=0)


def test_the_nearest_neighbor_is_the_nearest():
    x, y = torch.tensor([[0.0], [10.0], [20.0]]), torch.tensor([2, 0, 1])
    answers = frozen.nearest(x, y, torch.tensor([[4.0], [14.0], [16.0]]))
    assert answers.argmax(1).tolist() == [2, 0, 1]


def test_a_frozen_body_sees_an_image_alike_whatever_the_draw():
    first = frozen.features("letters", "digits", 0)
    assert frozen.features("letters", "digits", 7) is first
    assert list(first) == ["stem", "block 1", "block 2", "block 3"]
    body = frozen.body("letters", 0)
    images = frozen.target("digits", "test").pixels
    with evaluating(body):
        torch.testing.assert_close(first["block 3"]["test"], body(images), atol=1e-5, rtol=1e-4)


def test_a_random_body_has_seen_the_training_images_and_keeps_its_momenta():
    body = frozen.body("random small", 3)
    images = frozen.target("digits", "train").pixels
    frozen.settle(body, images)
    assert body.bn1.momentum == 0.1
    stem = torch.nn.functional.conv2d(images, body.conv1.weight, padding=1)
    torch.testing.assert_close(body.bn1.running_mean, stem.mean(dim=(0, 2, 3)), atol=1e-2, rtol=0)
    again = frozen.features("random small", "digits", 3)
    assert again is not frozen.features("random small", "digits", 4)
