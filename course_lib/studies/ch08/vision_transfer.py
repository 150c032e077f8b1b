"""From printed characters to handwritten digits: what is carried over, and how to tune it.

A cell pre-trains one network on one source and transfers it in several ways to 1 to 50 labeled
digits of each kind. The sources, from near to far: letters with digits; letters; symbols; letters
whose pixels are mixed up by one fixed permutation, which keeps the task and the amount of ink and
destroys every shape. The cell "none" trains the same network from scratch, a head on a frozen
body that nobody has trained, and a logistic regression on the pixels.

Rates and numbers of steps were chosen on the validation writers, with seeds that are not used
here; the test writers had no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib.data import digits, glyphs
from course_lib.data.images import Images, ImageSampler
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.training import loop, schedules
from course_lib.transfer import freezing, networks
from course_lib.transfer.networks import Body, ImageClassifier, ResNetConfig

BATCH = 32
LABELS = (1, 3, 10, 30, 50)  # labeled images of each digit
SOURCES = {  # the classes of each source, from near to far
    "letters and digits": glyphs.LETTERS + glyphs.DIGITS,
    "letters": glyphs.LETTERS,
    "symbols": glyphs.SYMBOLS,
    "mixed pixels": glyphs.LETTERS,
}
RATIOS = {"frozen": 0.0, "tenth": 0.1, "same": 1.0}  # rate of the body / rate of the head
CHECKED = (10, 30, 100, 300)  # steps after which the grid is measured
GRID_LABELS = 10
HELD_OUT = 1000  # source images for the source's own test

# Rates of each group; whether the statistics of the body's batch normalization are held.
FROZEN = {"head": 1e-2}
WAYS: dict[str, tuple[freezing.Rates, bool]] = {
    "frozen": (FROZEN, True),
    "gentle": ({"body": 1e-3, "head": 1e-2}, True),
    "full": ({"body": 3e-3, "head": 3e-3}, False),
}
SCRATCH = {"body": 3e-3, "head": 3e-3}
WITHOUT: dict[str, tuple[freezing.Rates, bool]] = {
    "scratch": (SCRATCH, False),
    "random": (FROZEN, True),  # a control: frozen features that nobody has trained
}
PRETRAINING = 5e-3


def source_images(source: str, count: int, seed: int) -> Images:
    """About `count` images of a source, equally many of each class."""
    characters = SOURCES[source]
    images = glyphs.render(characters, max(1, count // len(characters)), seed)
    return mix(images) if source == "mixed pixels" else images


def mix(images: Images) -> Images:
    """The same images with their pixels in another order, one order for all of them."""
    order = torch.randperm(64, generator=torch.Generator().manual_seed(8))
    mixed = images.pixels.flatten(1)[:, order].view_as(images.pixels)
    return Images(mixed, images.labels)


def pretrain(source: str, seed: int, *, images: int, steps: int) -> ImageClassifier:
    """A network that names the characters of a source."""
    model = networks.build(ResNetConfig.lab(), len(SOURCES[source]), seed).to(device())
    batches = ImageSampler(source_images(source, images, seed), 64, seed)
    schedule = schedules.cosine(steps, warmup=min(50, steps // 4))
    loop.fit(model, networks.loss, batches, steps, lr=PRETRAINING, schedule=schedule)
    return model.eval()


def start(body: Body | None, seed: int) -> ImageClassifier:
    """A new digit classifier, with a copy of the weights of `body` where one is given."""
    model = networks.build(ResNetConfig.lab(), digits.CLASSES, seed).to(device())
    if body is not None:
        model.body.load_state_dict(body.state_dict())
    return model


def tune(
    model: ImageClassifier,
    rates: freezing.Rates,
    few: Images,
    seed: int,
    steps: int,
    *,
    groups: freezing.Groups | None = None,
    hold: bool | Sequence[nn.Module] = True,
    constant: bool = False,
    loss: Callable[[nn.Module, Images], Tensor] = networks.loss,
) -> ImageClassifier:
    """Train the groups that have a rate on few images, in place.

    The groups are body and head unless others are given. `hold` keeps the statistics of batch
    normalization as they are: those of the body, or of the parts named. The rates fall along half
    a cosine, or stay `constant`, so that a short run is the beginning of a long one.
    """
    optimizer = freezing.tuner(model, groups or freezing.body_and_head(model), rates)
    batches = ImageSampler(few, BATCH, seed)
    falling = schedules.cosine(steps, warmup=min(10, steps // 4))
    schedule = schedules.CONSTANT if constant else falling
    still = hold if not isinstance(hold, bool) else [model.body] * hold
    with freezing.held_statistics(*still):
        loop.fit(model, loss, batches, steps, optimizer=optimizer, schedule=schedule)
    return model


def logistic(few: Images, test: Images) -> float:
    """Test accuracy of logistic regression on the 64 pixels, with scikit-learn's settings."""
    from sklearn.linear_model import LogisticRegression

    (known, labels), (asked, right) = (
        (images.pixels.flatten(1).numpy(), images.labels.numpy()) for images in (few, test)
    )
    return LogisticRegression(max_iter=2000).fit(known, labels).score(asked, right)


def nearest(few: Images, test: Images) -> float:
    """Test accuracy of the nearest labeled image: the distance of two is that of their pixels."""
    named = nearest_class(few.pixels.flatten(1), few.labels, test.pixels.flatten(1))
    return (named == test.labels).float().mean().item()


def nearest_class(x: Tensor, y: Tensor, asked: Tensor) -> Tensor:
    """The class of the nearest example: x (N, D), y (N,), asked (M, D) -> (M,)."""
    return y[torch.cdist(asked, x).argmin(1)]


def label_curve(body: Body | None, config: Config, seed: int) -> Metrics:
    """Test accuracy of every way to learn, by number of labeled images of each digit."""
    test = digits.load("test")
    ways = WAYS if body is not None else WITHOUT
    drawn = {str(count): digits.few(count, seed) for count in config["labels"]}
    found: Metrics = {
        way: {
            count: networks.accuracy(
                tune(start(body, seed), rates, few, seed, config["steps"], hold=hold), test
            )
            for count, few in drawn.items()
        }
        for way, (rates, hold) in ways.items()
    }
    if body is None:
        found["logistic"] = {count: logistic(few, test) for count, few in drawn.items()}
    return found


def ratio_grid(body: Body, config: Config, seed: int) -> Metrics:
    """Test accuracy by rate of the body / rate of the head, after more and more steps."""
    checked = config["checked"]
    return {
        name: _course(start(body, seed), ratio, checked, seed) for name, ratio in RATIOS.items()
    }


def _course(model: ImageClassifier, ratio: float, checked: Sequence[int], seed: int) -> Metrics:
    """Test accuracy after each number of steps of one run with constant rates."""
    test, rate = digits.load("test"), FROZEN["head"]
    rates = {"head": rate} | ({"body": ratio * rate} if ratio else {})
    found: Metrics = {}
    done = 0

    def watched(model: nn.Module, batch: Images) -> Tensor:
        nonlocal done
        if done in checked:
            found[str(done)] = networks.accuracy(model, test)
        done += 1
        return networks.loss(model, batch)

    few, steps = digits.few(GRID_LABELS, seed), checked[-1]
    tune(model, rates, few, seed, steps, constant=True, loss=watched)
    return found | {str(steps): networks.accuracy(model, test)}


def run(config: Config, seed: int) -> Metrics:
    """One source: pre-train once, transfer in every way."""
    if config["source"] == "none":
        return {"accuracy": label_curve(None, config, seed)}
    source = config["source"]
    model = pretrain(source, seed, images=config["images"], steps=config["pretraining"])
    own = networks.accuracy(model, source_images(source, HELD_OUT, 10_000 + seed))
    metrics = {
        "source_accuracy": own,
        "accuracy": label_curve(model.body, config, seed),
        "ratio": ratio_grid(model.body, config, seed),
    }
    scores = {"accuracy on new glyphs of the same letters": own}
    KEPT.keep(config, seed, model, scores)
    return metrics


def load_letters(*, folder: Path = artifacts.CHECKPOINTS) -> ImageClassifier:
    """The kept network that was pre-trained on letters with the first seed."""
    model = networks.build(ResNetConfig.lab(), len(glyphs.LETTERS), seed=0)
    KEPT.load(model, folder=folder)
    return model.eval()


def _cell(source: str) -> Config:
    shared: Config = {"source": source, "labels": list(LABELS), "steps": 100}
    if source == "none":
        return shared
    return shared | {"images": 17_000, "pretraining": 600, "checked": list(CHECKED)}


KEPT = artifacts.KeptWeights(
    name="glyph_letters",
    config=_cell("letters"),
    what="Residual network that names printed letters of 8 × 8 pixels, for chapter 08",
    data="Glyphs of the fonts that Matplotlib ships, deformed; no digits",
    licence="MIT (weights)",
    limits="Knows 68 letters at 8 × 8 pixels. For teaching how a body is transferred.",
    half=False,
)

STUDY = Study(
    name="vision_transfer",
    chapter="08",
    title="Printed characters to handwritten digits: ways to transfer, by labels, steps, source",
    cells=[_cell(source) for source in ("none", *SOURCES)],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke=_cell("letters")
    | {"labels": [3], "steps": 20, "images": 1360, "pretraining": 30, "checked": [5, 10]},
    tolerance=0.2,  # hardly trained: an accuracy may move by some images
)
