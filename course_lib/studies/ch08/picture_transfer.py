"""Frozen bodies, pixels and a net from scratch, on pictures and on digits, by number of labels.

This is the 2 × 2 of source and target: a large body from a rich source (ImageNet) and a small one
from a near source (printed letters), on pictures and on handwritten digits. Every contestant is
searched first, with a draw that is not reported and on validation images only (`picture_search`):
six settings for each number of labels; of the layers of a body, each has six. `run` then takes the
best settings from that record, and the test images say how good they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from course_lib.data.images import Images, ImageSampler
from course_lib.studies.ch08 import frozen
from course_lib.studies.ch08.frozen import LABELS, STRENGTHS, Scores
from course_lib.studies.engine import record
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.support.modes import evaluating
from course_lib.training import loop, schedules
from course_lib.transfer import networks
from course_lib.transfer.networks import ResNetConfig

SEARCH_SEED = 100
BODIES = ("imagenet", "letters", "random large", "random small")
WAYS = ("pixels", "neighbor", *BODIES, "scratch")
VIEWS = {  # of the pixels: side, gray
    "pictures": [(side, gray) for side in (8, 16, 32) for gray in (True, False)],
    "digits": [(8, True)],
}
PIXEL_VIEW = {"pictures": (16, False), "digits": (8, True)}  # for logistic regression
SCRATCH_SIDE, SCRATCH_BATCH = 24, 16

Setting = dict[str, float]
Guesses = Callable[[str], Tensor]  # part → logits (N, classes)


def settings(way: str, on: str) -> list[Setting]:
    """What a way is searched over, six settings at most."""
    if way == "scratch":
        return [
            {"rate": rate, "steps": steps} for rate in (1e-3, 3e-3, 1e-2) for steps in (60, 200)
        ]
    if way == "neighbor":
        return [{"view": view} for view in range(len(VIEWS[on]))]
    return [{"C": strength} for strength in STRENGTHS]


def layers(way: str) -> tuple[str, ...]:
    """The layers of a body that are asked; "all" where the way has no body."""
    return tuple(frozen.body(way, 0).layers()) if way in BODIES else ("all",)


def guess(way: str, layer: str, setting: Setting, on: str, labels: int, seed: int) -> Guesses:
    """How one part is answered after learning from a few labeled images: part → logits."""
    places = frozen.drawn(on, labels, seed)
    y = frozen.target(on, "train").labels[places]
    if way == "scratch":
        return scratch(on, places, setting, seed)
    if way == "neighbor":
        x = pixels(on, *VIEWS[on][int(setting["view"])])
        return lambda part: frozen.nearest(x["train"][places], y, x[part])
    x = frozen.features(way, on, seed)[layer] if way in BODIES else pixels(on, *PIXEL_VIEW[on])
    weight, bias = frozen.logistic(x["train"][places], y, setting["C"])
    return lambda part: x[part] @ weight.T + bias


def pixels(on: str, side: int, gray: bool) -> dict[str, Tensor]:
    """Part → the pixels as plain vectors (N, D)."""
    return {
        part: frozen.small(frozen.target(on, part).pixels, side, gray=gray).flatten(1)
        for part in frozen.PARTS
    }


def scratch(on: str, places: Tensor, setting: Setting, seed: int) -> Guesses:
    """A small residual network that has seen nothing before: on color pictures of 24 × 24."""
    side, gray = (SCRATCH_SIDE, False) if on == "pictures" else PIXEL_VIEW[on]
    seen = {
        part: frozen.small(frozen.target(on, part).pixels, side, gray=gray) for part in frozen.PARTS
    }
    few = Images(seen["train"][places], frozen.target(on, "train").labels[places])
    config = replace(ResNetConfig.lab(), channels=1 if gray else 3)
    model = networks.build(config, int(few.labels.max()) + 1, seed).to(device())
    steps = int(setting["steps"])
    loop.fit(
        model,
        networks.loss,
        ImageSampler(few, SCRATCH_BATCH, seed),
        steps,
        lr=setting["rate"],
        schedule=schedules.cosine(steps, warmup=10),
        progress=False,
    )

    def answer(part: str) -> Tensor:
        with evaluating(model):
            return model(seen[part].to(device())).cpu()

    return answer


def best(way: str, on: str, labels: int, layer: str = "all") -> Setting:
    """The setting that the search found best: accuracy on validation, then the smaller loss."""
    tried = record.load("picture_search").values(f"tried.{layer}.{labels}", way=way, on=on)[0]
    return settings(way, on)[choose(tried)]


def choose(tried: Sequence[Metrics]) -> int:
    """The place of the best of some results."""
    return max(range(len(tried)), key=lambda i: (tried[i]["accuracy"], -tried[i]["loss"]))


def search(config: Config, seed: int) -> Metrics:
    """Accuracy and loss on validation for every layer, number of labels and setting."""
    way, on = config["way"], config["on"]
    return {
        "tried": {
            layer: {
                str(labels): [
                    _summary(frozen.scores(*answered(way, layer, setting, on, labels, seed)))
                    for setting in config.get("settings") or settings(way, on)
                ]
                for labels in config.get("labels") or LABELS[on]
            }
            for layer in layers(way)
        }
    }


def answered(
    way: str,
    layer: str,
    setting: Setting,
    on: str,
    labels: int,
    seed: int,
    part: str = "validation",
) -> tuple[Tensor, Tensor]:
    """Logits and true labels of one part."""
    logits = guess(way, layer, setting, on, labels, seed)(part)
    return logits, frozen.target(on, part).labels


def tested(way: str, layer: str, on: str, labels: int, seed: int) -> float:
    """Accuracy on the test images of one draw, with the searched setting."""
    setting = best(way, on, labels, layer)
    scored = frozen.scores(*answered(way, layer, setting, on, labels, seed, part="test"))
    return round(scored.accuracy, 4)


def run(config: Config, seed: int) -> Metrics:
    """Accuracy on the test images by layer and number of labels, with the searched settings."""
    way, on = config["way"], config["on"]
    found: Metrics = {"accuracy": {}, "setting": {}}
    if on == "pictures":
        found["flowers"] = {}
    for layer in layers(way):
        for metric in found.values():
            metric[layer] = {}
        for labels in map(str, config.get("labels") or LABELS[on]):
            setting = config.get("setting") or best(way, on, int(labels), layer)
            scored = frozen.scores(
                *answered(way, layer, setting, on, int(labels), seed, part="test")
            )
            found["accuracy"][layer][labels] = round(scored.accuracy, 4)
            found["setting"][layer][labels] = setting
            if on == "pictures":
                found["flowers"][layer][labels] = round(scored.classes[frozen.FLOWERS], 4)
    return found


def _summary(scored: Scores) -> Metrics:
    return {"accuracy": round(scored.accuracy, 4), "loss": round(scored.loss, 4)}


CELLS: list[Config] = [{"way": way, "on": on} for way in WAYS for on in ("pictures", "digits")]

SEARCH = Study(
    name="picture_search",
    chapter="08",
    title="Settings for frozen bodies and baselines, chosen on validation images",
    cells=CELLS,
    seeds=(SEARCH_SEED,),
    run=search,
    smoke={"way": "pixels", "on": "digits", "labels": [3], "settings": [{"C": 1.0}]},
)

STUDY = Study(
    name="picture_transfer",
    chapter="08",
    title="Frozen bodies and baselines on pictures and digits, by layer and number of labels",
    cells=CELLS,
    seeds=tuple(range(10)),
    run=run,
    smoke={"way": "pixels", "on": "digits", "labels": [3], "setting": {"C": 1.0}},
)
