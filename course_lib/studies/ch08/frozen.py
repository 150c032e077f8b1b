"""Frozen bodies as measuring instruments: what each layer sees, and a linear head on it.

Two targets: OpenMoji's pictures and handwritten digits. Four bodies: EfficientNet-Lite0 trained on
ImageNet, the small residual network trained on printed letters, and both with random weights,
whose batch normalization has at least seen the target's pictures. A layer's features are the means
of its channels over the picture.

Features of a trained body do not depend on the draw, so they are computed once in a process.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.data import digits, pictures
from course_lib.data.images import SIDE, Images
from course_lib.studies.ch08 import vision_transfer
from course_lib.studies.engine.core import device
from course_lib.support.modes import evaluating
from course_lib.transfer import efficientnet, networks
from course_lib.transfer.efficientnet import EfficientNetBody
from course_lib.transfer.networks import Body, ResNetBody, ResNetConfig

PARTS = ("train", "validation", "test")
PIXELS = 96  # along one side of a picture
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)  # C of logistic regression
LABELS = {"pictures": (1, 3, 5, 10), "digits": (1, 3, 10, 30, 50)}  # labeled images a class
FLOWERS = pictures.NAMES.index("flowers and plants")


class Scores(NamedTuple):
    """How good a head is: accuracy averaged over classes, that of each class, loss in nats."""

    accuracy: float
    classes: list[float]
    loss: float


@cache
def target(name: str, part: str) -> Images:
    """Color pictures (N, 3, 96, 96), or handwritten digits (N, 1, 8, 8)."""
    return pictures.load(part, PIXELS) if name == "pictures" else digits.load(part)


def drawn(name: str, labels: int, seed: int) -> Tensor:
    """Places of the labeled images in the train part."""
    return (pictures if name == "pictures" else digits).few_places(labels, seed)


def large(images: Tensor) -> Tensor:
    """As EfficientNet wants them; a digit is enlarged and drawn dark on white."""
    if images.shape[1] == 1:
        enlarged = F.interpolate(1 - images, size=PIXELS, mode="bicubic").clamp(0, 1)
        images = enlarged.expand(-1, 3, -1, -1)
    return efficientnet.normalize(images)


def small(images: Tensor, side: int = SIDE, *, gray: bool = True) -> Tensor:
    """Counted down to (N, 1 or 3, side, side), from 0 (paper) to 1 (ink)."""
    ink = 1 - images if images.shape[1] == 3 else images
    ink = ink.mean(1, keepdim=True) if gray else ink
    return ink if ink.shape[-1] == side else F.interpolate(ink, size=side, mode="area")


def body(name: str, seed: int) -> Body:
    """A body by name; the seed is that of random weights."""
    generator = torch.Generator().manual_seed(seed)
    if name == "imagenet":
        return efficientnet.load().body
    if name == "letters":
        return vision_transfer.load_letters().body
    if name == "random large":
        return networks.init_he_(EfficientNetBody(), generator)
    return networks.init_he_(ResNetBody(ResNetConfig.lab()), generator)


def features(name: str, on: str, seed: int) -> dict[str, dict[str, Tensor]]:
    """Layer → part → (N, D): the channels' means of every layer, for all images of a target."""
    return _features(name, on, seed if name.startswith("random") else 0)


@cache
def _features(name: str, on: str, seed: int) -> dict[str, dict[str, Tensor]]:
    made = body(name, seed).to(device())
    view = small if isinstance(made, ResNetBody) else large
    if name.startswith("random"):
        settle(made, view(target(on, "train").pixels))
    found: dict[str, dict[str, Tensor]] = {layer: {} for layer in made.layers()}
    with evaluating(made):
        for part in PARTS:
            pieces = view(target(on, part).pixels).split(64)
            seen = [channels(made.maps(piece.to(device()))) for piece in pieces]
            for layer in found:
                found[layer][part] = torch.cat([some[layer] for some in seen]).cpu()
    return found


def channels(maps: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean of each channel over the picture: layer → (B, C, H, W) becomes layer → (B, C)."""
    return {layer: responses.mean(dim=(2, 3)) for layer, responses in maps.items()}


def settle(made: nn.Module, images: Tensor) -> None:
    """Give batch normalization the statistics of some images, in one pass, in place."""
    norms = [part for part in made.modules() if isinstance(part, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # the plain mean over batches
    with torch.no_grad():
        for piece in images.split(64):
            made.train()(piece.to(device()))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def scores(logits: Tensor, labels: Tensor) -> Scores:
    """Of (N, classes) and (N,)."""
    right = (logits.argmax(-1) == labels).float()
    classes = [right[labels == c].mean().item() for c in range(logits.shape[1])]
    accuracy = sum(classes) / len(classes)
    return Scores(accuracy, classes, F.cross_entropy(logits, labels).item())


def logistic(x: Tensor, y: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Weight (classes, D) and bias (classes,) of logistic regression with C = `strength`.

    It sees features (N, D) centered and divided by one number, their spread over examples and
    features, so that one C means much the same everywhere; what it learns is for `x` as it is.
    """
    from sklearn.linear_model import LogisticRegression

    middle = x.mean(0)
    spread = (x - middle).square().mean().sqrt().clamp_min(1e-6)
    fitted = LogisticRegression(C=strength, max_iter=1000)
    fitted.fit(((x - middle) / spread).numpy(), y.numpy())
    weight = torch.tensor(fitted.coef_, dtype=torch.float32) / spread
    return weight, torch.tensor(fitted.intercept_, dtype=torch.float32) - weight @ middle


def nearest(x: Tensor, y: Tensor, asked: Tensor) -> Tensor:
    """The class of the nearest example (Euclidean), as logits (N, classes) of 0 and 1."""
    return F.one_hot(vision_transfer.nearest_class(x, y, asked), int(y.max()) + 1).float()
