"""Layer by layer: how many layers of a network for letters are worth copying to digits?

After Yosinski et al. (2014), at a size that fits this course. A network is pre-trained on printed
letters, or, as a control, on the target itself. The first k of its layers are copied into a new
network; the layers above start anew. The copied layers are then frozen, or tuned with the rest.
With k = 0 nothing is copied. The control ("itself") separates two effects that freezing mixes:
layers too special for their old task, and layers that had grown used to partners which are gone.
"""

from __future__ import annotations

from course_lib.data import digits
from course_lib.data.images import Images
from course_lib.studies.ch08.vision_transfer import SCRATCH, pretrain, start, tune
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.transfer import freezing, networks
from course_lib.transfer.networks import Body, ImageClassifier

RATE = SCRATCH["body"]  # one rate for all layers that are trained
DEPTHS = (0, 1, 2, 3, 4)  # layers of the body that are copied: stem, then three blocks


def copy_layers(body: Body, into: Body, count: int) -> tuple[str, ...]:
    """Copy the first `count` layers, statistics included; return their names."""
    names = tuple(body.layers())[:count]
    for name in names:
        for old, new in zip(body.layers()[name], into.layers()[name], strict=True):
            new.load_state_dict(old.state_dict())
    return names


def learn(
    model: ImageClassifier, frozen: tuple[str, ...], few: Images, seed: int, steps: int
) -> ImageClassifier:
    """Train the layers that are not named in `frozen`, in place; those keep their statistics."""
    groups = freezing.groups(model, networks.layer_prefixes(model.body))
    trained = {name: names for name, names in groups.items() if name not in frozen}
    rates = freezing.same_rate(trained, RATE)
    still = [part for name in frozen for part in model.body.layers()[name]]
    return tune(model, rates, few, seed, steps, groups=groups, hold=still)


def run(config: Config, seed: int) -> Metrics:
    """Test accuracy by number of copied layers, frozen and tuned."""
    few, test = digits.few(config["labels"], seed), digits.load("test")
    if config["source"] == "itself":
        first = learn(start(None, 500 + seed), (), few, seed, config["steps"])
    else:
        images, steps = config["images"], config["pretraining"]
        first = pretrain(config["source"], seed, images=images, steps=steps)
    found: Metrics = {"frozen": {}, "tuned": {}}
    for depth in DEPTHS:
        for way in found:
            if depth == 0 and way == "tuned":  # nothing is copied: the two ways are one
                found[way]["0"] = found["frozen"]["0"]
                continue
            model = start(None, seed)
            copied = copy_layers(first.body, model.body, depth)
            learn(model, copied if way == "frozen" else (), few, seed, config["steps"])
            found[way][str(depth)] = networks.accuracy(model, test)
    return {"accuracy": found}


def _cell(source: str, labels: int) -> Config:
    cell: Config = {"source": source, "labels": labels, "steps": 100}
    return cell if source == "itself" else cell | {"images": 17_000, "pretraining": 600}


STUDY = Study(
    name="layer_transfer",
    chapter="08",
    title="How many layers are worth copying: frozen or tuned, from letters or from itself",
    cells=[_cell("letters", 30), _cell("itself", 30), _cell("mixed pixels", 30)],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke=_cell("letters", 3) | {"steps": 20, "images": 1360, "pretraining": 30},
    tolerance=0.2,  # hardly trained: an accuracy may move by some images
)
