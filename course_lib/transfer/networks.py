"""A small residual network for images, in two parts: a body that sees and a head that names.

He et al. (2016), with the names of torchvision's ResNet inside the body (conv1, bn1, layer1.0.conv1
and so on), so that its published weights fit; `torchvision_body` takes them over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.support.modes import evaluating
from course_lib.training import checkpoint

Some = TypeVar("Some", bound=nn.Module)


@dataclass(frozen=True)
class ResNetConfig:
    """Sizes of a residual network.

    Attributes:
        widths: channels of each stage; every stage after the first halves height and width.
        blocks: basic blocks of each stage.
        channels: of the input, 1 for gray.
        large_stem: begin with 7 × 7 at stride 2 and a max pooling, for images of 224 × 224 (He et
            al. 2016, Table 1), instead of with one 3 × 3 convolution.
    """

    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    channels: int = 1
    large_stem: bool = False

    @classmethod
    def tiny(cls) -> ResNetConfig:
        """For tests: two stages of one block."""
        return cls(widths=(4, 8), blocks=(1, 1))

    @classmethod
    def lab(cls) -> ResNetConfig:
        """For the 8 × 8 images of chapter 08: three blocks, about 78 000 weights."""
        return cls(widths=(16, 32, 64), blocks=(1, 1, 1))

    @classmethod
    def resnet18(cls) -> ResNetConfig:
        """The smallest network of He et al. (2016), for color images of 224 × 224."""
        return cls(widths=(64, 128, 256, 512), blocks=(2, 2, 2, 2), channels=3, large_stem=True)


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut: (B, C_in, H, W) → (B, C_out, H / s, W / s).

    out = ReLU(x' + BN(conv(ReLU(BN(conv(x)))))), where x' is x, or a 1 × 1 convolution of x where
    the shapes differ (He et al. 2016, section 3.3, option B).
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(shortcut + self.bn2(self.conv2(y)))


class Body(nn.Module):
    """What an `ImageClassifier` stands on: images (B, C, H, W) → features (B, D)."""

    width: int  # numbers in a feature vector, D

    def layers(self) -> dict[str, tuple[nn.Module, ...]]:
        """The layers that may be frozen or copied one by one, bottom to top, by name."""
        raise NotImplementedError

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """What each layer responds with: name → (B, channels, H, W), bottom to top."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        *_, last = self.maps(images).values()
        return last.mean(dim=(2, 3))  # (B, D)


class ResNetBody(Body):
    """Everything but the last layer; D is the last width."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config, self.width = config, config.widths[-1]
        first, large = config.widths[0], config.large_stem
        size, stride = (7, 2) if large else (3, 1)
        self.conv1 = nn.Conv2d(
            config.channels, first, size, stride=stride, padding=size // 2, bias=False
        )
        self.bn1 = nn.BatchNorm2d(first)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        inputs = first
        for stage, (width, count) in enumerate(zip(config.widths, config.blocks, strict=True), 1):
            blocks = nn.Sequential()
            for number in range(count):
                blocks.append(BasicBlock(inputs, width, stride=2 if number == 0 < stage - 1 else 1))
                inputs = width
            setattr(self, f"layer{stage}", blocks)

    def layers(self) -> dict[str, tuple[nn.Module, ...]]:
        found: dict[str, tuple[nn.Module, ...]] = {"stem": (self.conv1, self.bn1, self.maxpool)}
        for stage in range(1, len(self.config.widths) + 1):
            for block in getattr(self, f"layer{stage}"):
                found[f"block {len(found)}"] = (block,)
        return found

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        x = self.maxpool(F.relu(self.bn1(self.conv1(images))))
        for name, (first, *_) in self.layers().items():
            x = found[name] = x if name == "stem" else first(x)
        return found


class ImageClassifier(nn.Module):
    """Body and head: images (B, C, H, W) → logits (B, classes). The head is one linear layer."""

    def __init__(self, body: Body, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(body.width, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))


def build(config: ResNetConfig, classes: int, seed: int) -> ImageClassifier:
    """A new classifier with weights by `init_he_` from `seed`."""
    model = ImageClassifier(ResNetBody(config), classes)
    return init_he_(model, torch.Generator().manual_seed(seed))


def init_he_(module: Some, generator: torch.Generator) -> Some:
    """Initialize in place: convolutions by He et al. (2015), equation 14; linear layers small.

    A convolution with n outputs per input number gets the variance 2 / n, n = kernel² · channels
    out. Batch normalization starts as the identity. Linear layers: uniform within ±1/√D, bias 0.
    """
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Conv2d):
                fan_out = part.out_channels * math.prod(part.kernel_size)
                part.weight.normal_(0, math.sqrt(2 / fan_out), generator=generator)
            elif isinstance(part, nn.BatchNorm2d):
                part.reset_parameters()  # also the statistics: mean 0, variance 1
            elif isinstance(part, nn.Linear):
                bound = part.in_features**-0.5
                part.weight.uniform_(-bound, bound, generator=generator)
                part.bias.zero_()
    return module


def layer_prefixes(body: Body) -> dict[str, tuple[str, ...]]:
    """Where the layers of an `ImageClassifier` with this body are, bottom to top, head last.

    Layer name → beginnings of its parameters' names, as `freezing.groups` wants them.
    """
    names = {part: name for name, part in body.named_modules()}
    prefixes = {
        layer: tuple(f"body.{names[part]}" for part in parts)
        for layer, parts in body.layers().items()
    }
    return prefixes | {"head": ("head",)}


def loss(model: nn.Module, batch: Any) -> Tensor:
    """Mean cross-entropy in nats; `batch` has `pixels` and `labels`."""
    device = next(model.parameters()).device
    return F.cross_entropy(model(batch.pixels.to(device)), batch.labels.to(device))


def accuracy(model: nn.Module, images: Any) -> float:
    """Share of images named rightly, in evaluation mode."""
    device = next(model.parameters()).device
    with evaluating(model):
        guesses = [model(some.to(device)).argmax(-1).cpu() for some in images.pixels.split(1024)]
    return (torch.cat(guesses) == images.labels).float().mean().item()


def torchvision_body(weights: Mapping[str, Tensor], config: ResNetConfig) -> ResNetBody:
    """A body with published weights: torchvision's ResNet state dict without its head `fc`.

    Raises:
        ValueError: names or shapes differ from the configuration's; all of them are listed.
    """
    body = ResNetBody(config)
    given = {name: tensor for name, tensor in weights.items() if not name.startswith("fc.")}
    checkpoint.copy_tensors(given, body.state_dict(), "the state dict", "ResNet")
    return body
