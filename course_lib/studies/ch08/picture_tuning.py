"""Tuning a body from ImageNet to a few OpenMoji pictures: how fast may the body learn?

All ways start from the same weights. "gentle" tunes the body at a low rate below a head at the
head's own rate, "low" tunes everything at one low rate, "same" everything at the head's rate.
"cut" is "gentle" on the body up to stage 6, whose features are the better ones to read. For them
`picture_tuning_search` tries the same six settings on validation pictures, with a draw that is not
reported: three rates of the body, two numbers of steps ("same" has no rate to choose).

Further ways try what might help, with 10 labeled pictures a class: rates that fall from layer to
layer, four times as many steps, statistics of batch normalization that move, 160 pixels, and a
head that is fitted on the frozen body before anything is tuned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from course_lib.data import pictures
from course_lib.data.images import Images, ImageSampler
from course_lib.studies.ch08 import frozen, picture_transfer
from course_lib.studies.ch08.picture_transfer import SEARCH_SEED, Setting, choose
from course_lib.studies.engine import record
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.support.modes import evaluating
from course_lib.training import loop, schedules
from course_lib.transfer import efficientnet, freezing, networks
from course_lib.transfer.efficientnet import EfficientNetBody
from course_lib.transfer.networks import ImageClassifier

BATCH = 16
LABELS = (1, 3, 5, 10)
MOST = (10,)
HEAD, CUT_HEAD = 1e-2, 3e-3  # of a new last layer on a frozen body: see the search of "head"
RATES, HIGHER, STEPS = (1e-4, 3e-4, 1e-3), (3e-4, 1e-3, 3e-3), (30, 60)
FITTED = 0.1  # C of the logistic regression that a fitted head comes from


@dataclass(frozen=True)
class Way:
    """How a network is tuned.

    Attributes:
        body: rates of the body to choose from; none: it is frozen.
        head: rates of the new last layer to choose from; none: that of the body.
        depth: stages that are kept; None: all, and the last convolution.
        layered: the body's rate is that of its last layer, and falls from layer to layer.
        moving: batch normalization follows the new pictures.
        side: pixels.
        longer: the chosen number of steps times this.
        fitted: logistic regression on the frozen features is the first head.
        like: the way whose chosen setting is taken over; "": it has a search of its own.
    """

    body: tuple[float, ...] = RATES
    head: tuple[float, ...] = (HEAD,)
    depth: int | None = None
    layered: bool = False
    moving: bool = False
    side: int = frozen.PIXELS
    longer: int = 1
    fitted: bool = False
    like: str = ""

    def settings(self) -> list[Setting]:
        """Six settings, or fewer."""
        rates = [
            {"body": body, "head": head}
            for body in self.body or (0.0,)
            for head in self.head or (body,)
        ]
        return [rate | {"steps": steps} for rate in rates for steps in STEPS]


GENTLE = Way()
CUT = Way(depth=6, head=(CUT_HEAD,))
WAYS = {
    "head": Way(body=(), head=(3e-3, HEAD, 3e-2)),
    "cut head": Way(body=(), head=(1e-3, CUT_HEAD, 1e-2), depth=6),
    "gentle": GENTLE,
    "cut": CUT,
    "low": Way(head=()),
    "same": Way(body=(HEAD,)),
}
MAIN = ("gentle", "cut", "low", "same")
# Tried with 10 labels a class, each a change of "gentle" or of "cut".
TRIED = {
    f"{name} {change}": changed
    for name, way in (("gentle", GENTLE), ("cut", CUT))
    for change, changed in {
        "layered": replace(way, layered=True, body=HIGHER),
        "fitted": replace(way, fitted=True, head=()),
        "longer": replace(way, longer=4, like=name),
        "moving": replace(way, moving=True, like=name),
        "160": replace(way, side=160, like=name),
    }.items()
}
ALL = WAYS | TRIED


def learn(way: Way, setting: Setting, labels: int, seed: int) -> ImageClassifier:
    """A tuned classifier of the eleven classes."""
    few = draw(way.side, labels, seed)
    model = start(way, few, seed).to(device(), memory_format=torch.channels_last)
    groups = freezing.groups(model, networks.layer_prefixes(model.body))
    below = {layer: groups[layer] for layer in model.body.layers()}
    rates = {"head": setting["head"]}
    if way.layered:
        rates |= freezing.discriminative(below, setting["body"])
    elif setting["body"]:
        rates |= freezing.same_rate(below, setting["body"])
    steps = int(setting["steps"]) * way.longer
    with freezing.held_statistics(*([] if way.moving else [model.body])):
        loop.fit(
            model,
            networks.loss,
            ImageSampler(few, BATCH, seed),
            steps,
            optimizer=freezing.tuner(model, groups, rates),
            schedule=schedules.cosine(steps, warmup=min(10, steps // 4)),
            progress=False,
        )
    return model


def draw(side: int, labels: int, seed: int) -> Images:
    """The labeled pictures, as EfficientNet wants them."""
    pool = pictures.load("train", side).take(pictures.few_places(labels, seed))
    return Images(_last(efficientnet.normalize(pool.pixels)), pool.labels)


def start(way: Way, few: Images, seed: int) -> ImageClassifier:
    """The body from ImageNet, or its first stages, under a new head."""
    body = EfficientNetBody(way.depth)
    state = _published()
    body.load_state_dict({name: state[name] for name in body.state_dict()})
    model = ImageClassifier(body, len(pictures.NAMES))
    networks.init_he_(model.head, torch.Generator().manual_seed(seed))
    if way.fitted:
        with evaluating(body):
            weight, bias = frozen.logistic(body(few.pixels), few.labels, FITTED)
        model.head.load_state_dict({"weight": weight, "bias": bias})
    return model


@cache
def _published() -> dict[str, Tensor]:
    return efficientnet.load().body.state_dict()


def _last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)  # a fifth faster


def scores(model: ImageClassifier, part: str, side: int) -> frozen.Scores:
    """Of a part of the pictures."""
    asked = pictures.load(part, side)
    with evaluating(model):
        pieces = _last(efficientnet.normalize(asked.pixels)).split(64)
        logits = torch.cat([model(piece.to(device())).cpu() for piece in pieces])
    return frozen.scores(logits, asked.labels)


def search(config: Config, seed: int) -> Metrics:
    """Accuracy and loss on validation pictures with every setting."""
    way, labels = ALL[config["way"]], config["labels"]
    found = []
    for setting in config.get("settings") or way.settings():
        scored = scores(learn(way, setting, labels, seed), "validation", way.side)
        found.append({"accuracy": round(scored.accuracy, 4), "loss": round(scored.loss, 4)})
    return {"tried": found}


def best(name: str, labels: int) -> Setting:
    """The setting that the search found best; see `choose`."""
    name = ALL[name].like or name
    tried = record.load("picture_tuning_search").values("tried", way=name, labels=labels)[0]
    return ALL[name].settings()[choose(tried)]


def run(config: Config, seed: int) -> Metrics:
    """Accuracy on the test pictures, with the searched setting, beside the body left frozen."""
    way, labels = ALL[config["way"]], config["labels"]
    setting = config.get("setting") or best(config["way"], labels)
    scored = scores(learn(way, setting, labels, seed), "test", way.side)
    found = {
        "accuracy": round(scored.accuracy, 4),
        "flowers": round(scored.classes[frozen.FLOWERS], 4),
        "loss": round(scored.loss, 4),
        "setting": setting,
    }
    if "setting" not in config:
        layer = "last" if way.depth is None else f"stage{way.depth}"
        found["frozen"] = picture_transfer.tested("imagenet", layer, "pictures", labels, seed)
    return found


def _cells(names: Iterable[str], labels: Sequence[int]) -> list[Config]:
    return [{"way": name, "labels": count} for count in labels for name in names]


SMOKE: Config = {"way": "cut", "labels": 1}
SMOKE_SETTING = {"body": 1e-4, "head": CUT_HEAD, "steps": 3}

SEARCH = Study(
    name="picture_tuning_search",
    chapter="08",
    title="Rates and steps for tuning a body from ImageNet, chosen on validation pictures",
    cells=[
        *_cells(MAIN, LABELS),
        *_cells([name for name in ALL if name not in MAIN and not ALL[name].like], MOST),
    ],
    seeds=(SEARCH_SEED,),
    run=search,
    smoke=SMOKE | {"settings": [SMOKE_SETTING]},
    tolerance=0.2,
)

STUDY = Study(
    name="picture_tuning",
    chapter="08",
    title="Tuning a body from ImageNet to pictures: gently, at one rate, at the head's rate",
    cells=[*_cells(MAIN, LABELS), *_cells(TRIED, MOST)],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke=SMOKE | {"setting": SMOKE_SETTING},
    tolerance=0.2,
)
