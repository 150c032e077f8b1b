"""EfficientNet-Lite0: a body trained on ImageNet, with published weights.

Tan & Le (2019), Table 1, in the "Lite" form for phones: ReLU6 and no squeeze-and-excitation. The
weights were trained in TensorFlow and converted. Two habits of TensorFlow come with them: "same"
padding, which puts the odd row of zeros below and to the right, and ε = 1e-3 in batch
normalization. Left out is what only acts in training from scratch: dropout and dropped blocks.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.data import archives
from course_lib.training import checkpoint
from course_lib.transfer.networks import Body, ImageClassifier

WEIGHTS = "efficientnet-lite0-57934424.pth"
# Each stage: blocks, kernel, stride of the first block, expansion, channels out.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, LAST = 32, 1280  # channels of the first and of the last convolution


def normalize(pictures: Tensor) -> Tensor:
    """Pictures as the published weights want them: from [0, 1] to (255 p − 127) / 128."""
    return (255 * pictures - 127) / 128


class SamePadded(nn.Conv2d):
    """A convolution that gives ⌈H / stride⌉ rows, as TensorFlow does: (B, C, H, W) → the same."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        high, wide = (max(0, kernel - (n % stride or stride)) for n in x.shape[-2:])
        padded = F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
        return F.conv2d(padded, self.weight, None, stride, groups=self.groups)


def unit(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list:
    """Convolution and batch normalization."""
    convolution = SamePadded(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs, eps=1e-3)]


class InvertedResidual(nn.Module):
    """Widen, look around in each channel alone, narrow: (B, C, H, W) → (B, C', H / s, W / s).

    Source: Sandler et al. (2018), Table 1.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        widen = [*unit(inputs, wide, 1), nn.ReLU6()] if expansion > 1 else []
        look = [*unit(wide, wide, kernel, stride, groups=wide), nn.ReLU6()]
        self.layers = nn.Sequential(*widen, *look, *unit(wide, outputs, 1))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.shortcut else y


class EfficientNetBody(Body):
    """Everything but the head, for pictures (B, 3, H, W).

    Args:
        depth: layers that are kept: the stem and so many of `STAGES`; all with the last
            convolution where it is None, and then D is 1280.
    """

    def __init__(self, depth: int | None = None) -> None:
        super().__init__()
        self.stem = nn.Sequential(*unit(3, STEM, 3, 2), nn.ReLU6())
        inputs = STEM
        for number, (blocks, kernel, stride, expansion, width) in enumerate(STAGES[:depth], 1):
            stage = nn.Sequential()
            for place in range(blocks):
                step = 1 if place else stride
                stage.append(InvertedResidual(inputs, width, kernel, step, expansion))
                inputs = width
            self.add_module(f"stage{number}", stage)
        if depth is None:
            self.last = nn.Sequential(*unit(inputs, LAST, 1), nn.ReLU6())
        self.width = LAST if depth is None else inputs

    def layers(self) -> dict[str, tuple[nn.Module, ...]]:
        return {name: (part,) for name, part in self.named_children()}

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        x = images.contiguous(memory_format=torch.channels_last)  # a third faster on a CPU
        return {name: (x := part(x)) for name, part in self.named_children()}


def load(path: str | Path | None = None) -> ImageClassifier:
    """The published network, 1,000 classes, in evaluation mode; its file is fetched if need be.

    Raises:
        ValueError: the file is damaged or holds another network.
    """
    path = Path(path or archives.fetch("imagenet") / WEIGHTS)
    model = ImageClassifier(EfficientNetBody(), classes=1000)
    state = model.state_dict()
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)  # runs no code
        # Their names are others, their order is ours: from the picture to the head.
        named = dict(zip(state, tensors.values(), strict=True))
    except (RuntimeError, EOFError, AttributeError, ValueError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is no whole file of these weights: {error}") from error
    checkpoint.copy_tensors(named, state, str(path), "EfficientNet-Lite0")
    return model.eval()
