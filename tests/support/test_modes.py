import pytest
import torch
from torch import nn

from course_lib.data.images import Images
from course_lib.support.modes import evaluating
from course_lib.transfer import networks
from course_lib.transfer.networks import ResNetConfig


def test_each_part_keeps_its_own_mode_and_gradients_come_back():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 1))
    model.train()
    model[0].eval()  # as of a frozen body
    with pytest.raises(ZeroDivisionError), evaluating(model):
        assert not any(part.training for part in model.modules())
        assert not model(torch.ones(3, 2)).requires_grad
        raise ZeroDivisionError
    assert [part.training for part in model] == [False, True, True] and model.training
    assert torch.is_grad_enabled()


# Every function of the library that evaluates a model, on a model in training mode of which one
# part was set to evaluation on purpose: its modes are the same afterwards.


def score_images():
    model = networks.build(ResNetConfig.tiny(), 3, seed=0)
    images = Images(torch.rand(4, 1, 8, 8), torch.arange(4) % 3)
    return model, model.body.bn1, lambda: networks.accuracy(model, images)


@pytest.mark.parametrize("make", [score_images])
def test_whoever_evaluates_puts_the_mode_of_each_part_back(make):
    model, part, evaluate = make()
    model.train()
    part.eval()
    before = [module.training for module in model.modules()]
    seen = []
    hook = part.register_forward_hook(
        lambda *_: seen.append(any(m.training for m in model.modules()))
    )
    evaluate()
    assert seen and not any(seen)
    assert [module.training for module in model.modules()] == before
    hook.remove()
    part.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluate()
    assert [module.training for module in model.modules()] == before
