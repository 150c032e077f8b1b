import pytest
import torch
from torch import nn

from course_lib.support.modes import evaluating


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
