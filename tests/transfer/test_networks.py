"""The residual network equals one written with torch.nn, and its parts are what they say."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.data.images import Images
from course_lib.transfer import freezing, networks
from course_lib.transfer.networks import ResNetConfig


def reference(state, images, training):
    """The lab network as plain function calls, from the paper; by-hand names, no library class."""

    def norm(x, name):
        weights = (state[f"{name}.weight"], state[f"{name}.bias"])
        if training:
            return F.batch_norm(x, None, None, *weights, training=True)
        stored = (state[f"{name}.running_mean"], state[f"{name}.running_var"])
        return F.batch_norm(x, *stored, *weights)

    def block(x, name, stride):
        y = F.conv2d(x, state[f"{name}.conv1.weight"], stride=stride, padding=1)
        y = norm(y, f"{name}.bn1").clamp(min=0)
        y = norm(F.conv2d(y, state[f"{name}.conv2.weight"], padding=1), f"{name}.bn2")
        if f"{name}.downsample.0.weight" in state:
            x = F.conv2d(x, state[f"{name}.downsample.0.weight"], stride=stride)
            x = norm(x, f"{name}.downsample.1")
        return (x + y).clamp(min=0)

    x = norm(F.conv2d(images, state["body.conv1.weight"], padding=1), "body.bn1").clamp(min=0)
    for stage, stride in ((1, 1), (2, 2), (3, 2)):
        x = block(x, f"body.layer{stage}.0", stride)
    features = x.mean(dim=(2, 3))
    return F.linear(features, state["head.weight"], state["head.bias"])


def shaken(model):
    """The model with weights and statistics that no initialization would give."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand(tensor.shape, generator=generator))
    return model


@pytest.mark.parametrize("training", [False, True])
def test_equals_plain_torch_on_copied_weights(training):
    model = shaken(networks.build(ResNetConfig.lab(), 10, seed=0)).train(training)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(model(images), reference(state, images, training))


def test_sizes_and_names():
    model = networks.build(ResNetConfig.lab(), 10, seed=0)
    assert 70_000 < sum(p.numel() for p in model.parameters()) < 90_000
    maps = model.body.maps(torch.rand(2, 1, 8, 8))
    assert list(maps) == ["stem", "block 1", "block 2", "block 3"] == list(model.body.layers())
    assert [tuple(m.shape[1:]) for m in maps.values()] == [
        (16, 8, 8),
        (16, 8, 8),
        (32, 4, 4),
        (64, 2, 2),
    ]
    assert model.body(torch.rand(2, 1, 8, 8)).shape == (2, 64) == (2, model.body.width)
    grouped = freezing.groups(model, networks.layer_prefixes(model.body))
    assert list(grouped) == [*model.body.layers(), "head"]


def test_initialization_follows_the_seed_and_the_paper():
    one, again, other = (
        networks.build(ResNetConfig.lab(), 10, seed).state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    weight, spread = one["body.layer3.0.conv2.weight"], (2 / (9 * 64)) ** 0.5
    assert weight.std().item() == pytest.approx(spread, rel=0.03)
    assert weight.mean().abs() < 0.03 * spread
    assert (one["body.bn1.weight"] == 1).all() and (one["body.bn1.running_var"] == 1).all()


def test_accuracy_counts():
    class Always3(nn.Module):
        def __init__(self):
            super().__init__()
            self.nothing = nn.Parameter(torch.zeros(()))

        def forward(self, x):
            return F.one_hot(torch.full((len(x),), 3), 10).float()

    images = Images(torch.rand(4, 1, 8, 8), torch.tensor([3, 3, 1, 3]))
    assert networks.accuracy(Always3(), images) == 0.75


# Published weights, by their layout; nothing is downloaded ------------------------------------


def layout_of_resnet18():
    """Names and shapes of torchvision's resnet18, written down from its definition."""
    shapes = {"conv1.weight": (64, 3, 7, 7)}

    def norm(name, width):
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (width,)
        shapes[f"{name}.num_batches_tracked"] = ()

    norm("bn1", 64)
    before = 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for number in range(2):
            name = f"layer{stage}.{number}"
            shapes[f"{name}.conv1.weight"] = (width, before, 3, 3)
            norm(f"{name}.bn1", width)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            norm(f"{name}.bn2", width)
            if width != before:
                shapes[f"{name}.downsample.0.weight"] = (width, before, 1, 1)
                norm(f"{name}.downsample.1", width)
            before = width
    return shapes | {"fc.weight": (1000, 512), "fc.bias": (1000,)}


def published():
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.tensor(7)
        if name.endswith("tracked")
        else torch.rand(shape, generator=generator)
        for name, shape in layout_of_resnet18().items()
    }


def test_published_weights_fit():
    weights = published()
    body = networks.torchvision_body(weights, ResNetConfig.resnet18())
    state = body.state_dict()
    assert set(state) == {name for name in weights if not name.startswith("fc.")}
    assert all(torch.equal(state[name], weights[name]) for name in state)
    assert sum(p.numel() for p in body.parameters()) == 11_176_512  # 11 689 512 with its fc
    assert body.eval()(torch.rand(1, 3, 64, 64)).shape == (1, 512)
    pooling = body.maxpool
    assert (pooling.kernel_size, pooling.stride, pooling.padding) == (3, 2, 1)


def test_published_weights_that_do_not_fit_are_named():
    weights = published()
    del weights["layer2.0.downsample.0.weight"]
    weights["layer1.0.conv3.weight"] = torch.zeros(1)
    weights["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    message = (
        r"missing: layer2.0.downsample.0.weight; extra: layer1.0.conv3.weight; "
        r"other shape: conv1.weight \(64, 1, 7, 7\) \(the model has \(64, 3, 7, 7\)\)"
    )
    with pytest.raises(ValueError, match=message):
        networks.torchvision_body(weights, ResNetConfig.resnet18())
