"""The figure in which a reader plays with the kept translators of `page_translators`, and its
still form: what each of them reached, by length."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from matplotlib.figure import Figure

from course_lib.figures import plots
from course_lib.figures.live import live_figure, live_markup
from course_lib.figures.words import say
from course_lib.studies.ch03.bottleneck import RANGES as SHORT
from course_lib.studies.ch07.contest import RANGES
from course_lib.studies.ch07.page_translators import KEPT, LANGUAGES
from course_lib.studies.engine.artifacts import CHECKPOINTS
from course_lib.studies.engine.record import load

NAMES = {"fixed": "fixed vector", "attention": "RNN with attention", "transformer": "Transformer"}
HEADER = ("into", "source words", *NAMES.values())
_LINES = {"fixed": "o-", "attention": "s--", "transformer": "^-."}


def exact_match(model: str, language: str) -> list[float]:
    """Share of sentences without a mistake, by range of lengths, of the very weights that are kept.

    `attention_lab` has shorter ranges, with equally many sentences each: their mean is taken.
    """
    kept = KEPT[language][model]
    study = {"attention": "attention_lab", "transformer_lab": "contest"}.get(
        model if model == "attention" else kept.name, "page_translators"
    )
    record, select = load(study), dict(kept.config)

    def at(a: int, b: int) -> float:
        parts = [(a, b)] if study != "attention_lab" else [r for r in SHORT if a <= r[0] <= b]
        return fmean(record.values(f"exact_match.{c}-{d}", **select)[0] for c, d in parts)

    return [at(a, b) for a, b in RANGES]


def megabytes() -> float:
    """What a reader loads for one language."""
    sizes = [
        sum((CHECKPOINTS / f"{kept.name}.safetensors").stat().st_size for kept in models.values())
        for models in KEPT.values()
    ]
    return round(max(sizes) / 1e6, 1)


def picture() -> Figure:
    """Into French, by length."""
    figure, axes = plots.plt.subplots(figsize=(5.0, 2.9))
    places = [(a + b) / 2 for a, b in RANGES]
    for model, name in NAMES.items():
        found = exact_match(model, "french")
        axes.plot(places, found, _LINES[model], color=plots.COLORS[model], label=name)
    axes.axvline(30.5, color=plots.COLORS["gray"], ls=":")
    axes.set(xlabel="source words", ylabel="exact match", ylim=(-0.03, 1.03))
    axes.legend(loc="center left", bbox_to_anchor=(0.27, 0.5))
    return figure


def rows() -> Sequence[Sequence[str]]:
    """A row for each language and range of lengths."""
    found = []
    for language in LANGUAGES:
        columns = [exact_match(model, language) for model in NAMES]
        for (a, b), *shares in zip(RANGES, *columns, strict=True):
            cells = [f"{share:.2f}" for share in shares]
            found.append((language.title(), f"{a}–{b}", *cells))
    return found


def _parts(caption: str, ask: str) -> dict:
    points = [
        say(
            "{name} {short:.2f} at 4 to 9 words, {long:.2f} at 28 to 30, {beyond:.2f} at 31 to 40",
            name=name,
            short=found[0],
            long=found[-2],
            beyond=found[-1],
        )
        for name, found in ((NAMES[m], exact_match(m, "french")) for m in NAMES)
    ]
    alt = say("Exact match by source length, into French: {points}.", points="; ".join(points))
    given = {"header": HEADER, "rows": rows(), "ask": ask, "megabytes": megabytes()}
    return {"static": picture(), "alt": alt, "caption": caption} | given


def show(caption: str, ask: str) -> None:
    """Display the figure.

    Args:
        caption: one paragraph with light Markdown.
        ask: what the reader is invited to find out: "grow", "look" or "beyond", as in
            `book/_static/live/translator.js`.
    """
    live_figure("translator", **_parts(caption, ask))


def small_markup(caption: str) -> str:
    """The figure for the first page, in one language and without a curve, as HTML."""
    return live_markup("translator", **_parts(caption, "small"), small=True)[0]
