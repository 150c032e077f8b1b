"""The study of gradients before training: what it calls a gradient and a size are just that."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from course_lib.attention.masks import padding_mask
from course_lib.data.batching import Batch
from course_lib.studies.ch06 import norm_gradients
from course_lib.training.losses import translation_loss


@pytest.fixture(params=norm_gradients.NORMS)
def made(request):
    model, batch = norm_gradients.build(request.param, layers=3, seed=4)
    return model.double(), batch


@pytest.mark.parametrize(("name", "place"), [("last", -1), ("first", 0)])
def test_the_loss_rises_along_the_gradient_by_its_length(made, name, place):
    model, batch = made
    length = norm_gradients.measure(model, batch)[name]
    weight = model.decoder.layers[place].feed_forward.output.weight
    direction, step, losses = weight.grad / weight.grad.norm(), 1e-5, []
    with torch.no_grad():
        for sign in (1, -2):  # to one side of where the weight is, then to the other
            weight.add_(direction, alpha=sign * step)
            losses.append(translation_loss(model, batch).item())
    assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(length, rel=1e-5)


def test_the_size_is_that_of_what_the_last_norm_reads(made):
    model, batch = made
    bare, read = copy.deepcopy(model), []
    if model.config.norm == "pre":
        bare.decoder.norm = nn.Identity()
    else:
        bare.decoder.layers[-1].feed_residual.norm = nn.Identity()
    bare.output.register_forward_hook(lambda module, inputs, output: read.append(inputs[0]))
    with torch.no_grad():
        bare(batch.source, batch.target[:, :-1])
    numbers = read[0][padding_mask(batch.target[:, 1:])]
    found = norm_gradients.measure(model, batch)["size"]
    assert found == pytest.approx(numbers.square().mean().sqrt().item())


def test_padding_and_a_second_look_change_nothing(made):
    model, batch = made
    once = norm_gradients.measure(model, batch)
    wider = Batch(pad(batch.source, (0, 3)), pad(batch.target, (0, 5)))
    again = norm_gradients.measure(model, wider)
    assert again.pop("log2") == pytest.approx(once.pop("log2"))
    assert again == pytest.approx(once)
