"""The translators that a reader can try in the pages, in the browser.

For each language a fixed vector, an RNN with attention and a Transformer: contestants of `contest`
with the settings that its search found, its sentences and its first seed, 2,000 steps each. Three
of the six are kept by studies of chapters 4 and 7 (`KEPT` names them); this study trains and keeps
the other three. The fixed vector into French is a cell of `contest`, and its weights are kept here.

`tools/live.py` writes all six for the browser.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from course_lib.decoding.translation import Translator
from course_lib.studies.ch04 import attention_lab
from course_lib.studies.ch07 import contest
from course_lib.studies.engine import artifacts, translators
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.text.words import WordTokenizer

MODELS = {"fixed": "fixed", "attention": "attention", "transformer": "sinusoidal"}
LANGUAGES = ("french", "korean")
STEPS = 2000


def run(config: Config, seed: int) -> Metrics:
    """Train, judge and keep one contestant."""
    translator, metrics = contest.judged(config, seed)
    for kept in KEPT_HERE:
        translators.keep(kept, config, seed, translator, metrics["overall"])
    return metrics


def load_translator(
    model: str, language: str = "french", *, folder: Path = artifacts.CHECKPOINTS
) -> Translator:
    """The kept "fixed", "attention" or "transformer" into "french" or "korean"."""
    build = partial(contest.build, MODELS[model])
    return translators.load_kept(KEPT[language][model], WordTokenizer, build, folder)


def _cell(model: str, language: str) -> Config:
    return contest.cell(MODELS[model], STEPS, language)


def _kept(model: str, language: str, name: str, what: str) -> artifacts.KeptWeights:
    sizes = contest.TRANSFORMER if model == "transformer" else {}
    what = f"English→{language.title()} {what}, for the pages"
    config = _cell(model, language)
    return artifacts.KeptWeights(name, config, what, sizes=sizes, **translators.LAB)


FIXED = "GRU encoder–decoder with one fixed vector"
KEPT = {  # language -> model
    language: {
        "fixed": _kept("fixed", language, f"fixed_lab_{language}", FIXED),
        "attention": attention_lab.KEPT[language],
    }
    for language in LANGUAGES
}
KEPT["french"]["transformer"] = contest.KEPT
LAYERS = "Transformer, 2 layers of 4 heads on each side"
KEPT["korean"]["transformer"] = _kept("transformer", "korean", "transformer_lab_korean", LAYERS)
KEPT_HERE = (KEPT["french"]["fixed"], KEPT["korean"]["fixed"], KEPT["korean"]["transformer"])

STUDY = Study(
    name="page_translators",
    chapter="07",
    title="Translators for the pages: the fixed vector, and the Transformer into Korean",
    cells=[kept.config for kept in KEPT_HERE],
    seeds=(0,),
    run=run,
    smoke=_cell("fixed", "korean") | {"steps": 40, "warmup": 10, "pairs": 1000, "sentences": 20},
    tolerance=0.25,  # 20 sentences a bucket: one sentence is worth 0.05
)
