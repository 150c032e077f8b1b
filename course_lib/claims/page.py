"""The ledger on the page: the main claims in each chapter, and the whole of it with filters.

A row is an anchor, "claim-" and the claim's id, in chapter 12 and, where it stands there too, on
the page of its chapter; each links to the other one. The whole ledger is one plain table; a script
of its own (`page.js`) adds the controls, so without it nothing is missing but the controls. The
address `#chapter-04` shows the claims of one chapter.
"""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from course_lib.claims.ledger import KINDS, UNDECIDED, VERDICTS, Claim, load
from course_lib.claims.quantities import number
from course_lib.figures.plots import COLORS, emit, markdown_light, plain, require_text
from course_lib.figures.words import say

LEDGER_PAGE = "12_what_we_measured"
_COLOR = {
    name: COLORS[color]
    for name, color in zip(VERDICTS, ("green", "blue", "orange", "pink"), strict=True)
}
_SORTABLE = {"Chapter": "chapter", "Claim": "claim", "Verdict": "verdict"}
_WIDE, _HIGH = 132, 30
_EXPLAINED = (
    "Means over seeds with 95% t-intervals in brackets. The picture is the difference of the two "
    "quantities, seed by seed, with its interval against zero; as claimed is to the right, or "
    "inside the gray band where two are claimed to be about equal. The verdict follows from it; "
    f"where other seeds give another one, it is *{UNDECIDED}*. Below it stands the kind of the "
    "claim. *Tested*: it could have failed, on equal terms. *Weaker opponent*: one side had less "
    "search, less training or another handicap. *By construction*: nothing could have made it fail."
)


def table(chapter: str) -> None:
    """Display the main claims of a chapter: published, measured, the difference, the verdict.

    A link leads to all of its claims in chapter 12.

    Raises:
        ValueError: the ledger has no claim of that chapter.
    """
    claims = load(chapter=chapter)
    if not claims:
        raise ValueError(f"the ledger has no claim of chapter {chapter!r}")
    main = [claim for claim in claims if claim.shown]
    all_of_it = "The ledger of chapter 12"
    if there := address(LEDGER_PAGE, f"chapter-{chapter}"):
        all_of_it = f"[{all_of_it}]({there})"
    more = f"{all_of_it} has {len(claims)} of this chapter." * (len(claims) > len(main))
    _show(main, f"**Main claims.** {_EXPLAINED}", whole=False, more=more)


def ledger(caption: str) -> None:
    """Display the whole ledger, to be filtered by chapter, kind and verdict, and sorted.

    `caption` is one paragraph with light Markdown; how to read the table is added to it.
    """
    caption = f"{require_text(caption, 'caption')} {_EXPLAINED}"
    _show(sorted(load(), key=lambda claim: claim.chapter), caption, whole=True)


def address(page: str, anchor: str) -> str:
    """A link to a place on a page, or nothing where the page is not at hand.

    The book's pages end in .html, as the environment variable COURSE_PAGES says while the book is
    built. A notebook has its neighbors beside it, or, in Colab, none.
    """
    found = sorted(Path.cwd().glob(f"{page}*.ipynb"))
    ending = os.environ.get("COURSE_PAGES", "ipynb")
    return f"{found[0].stem}.{ending}#{anchor}" if found else ""


def strength(claim: Claim) -> float:
    """How far the difference is on the claimed side, in half widths of its interval."""
    mean, low, _ = claim.difference
    beyond = mean if claim.margin is None else claim.margin - abs(mean)
    half = mean - low
    return beyond / half if half else (beyond > 0) * 1e9 - (beyond < 0) * 1e9


def interval_plot(claim: Claim) -> str:
    """The difference with its interval as a small picture, named in words."""
    mean, low, high = claim.difference
    reach = 1.1 * max(abs(low), abs(high), claim.margin or 0.0) or 1.0

    def x(value: float) -> float:
        return round(_WIDE / 2 + value / reach * (_WIDE / 2 - 5), 1)

    left, right = (0.0, reach) if claim.margin is None else (-claim.margin, claim.margin)
    color, middle = _COLOR[claim.verdict], _HIGH / 2
    said = f"Difference {number(mean, '+')}, interval {number(low, '+')} to {number(high, '+')}"
    if claim.margin is not None:
        said += f"; equal means within {number(claim.margin)}"
    return (
        f'<svg role="img" aria-label="{said}." viewBox="0 0 {_WIDE} {_HIGH}" '
        f'style="width:{_WIDE}px;height:{_HIGH}px;display:block;overflow:visible">'
        f'<rect x="{x(left)}" y="2" width="{x(right) - x(left):.1f}" height="{_HIGH - 4}" '
        'fill="#6d737b" fill-opacity=".15"/>'
        f'<path d="M{x(0)} 0V{_HIGH}" stroke="currentColor" stroke-width="1"/>'
        f'<path d="M{x(low)} {middle}H{x(high)}M{x(low)} {middle - 4}v8M{x(high)} {middle - 4}v8" '
        f'stroke="{color}" stroke-width="2.5" fill="none"/>'
        f'<circle cx="{x(mean)}" cy="{middle}" r="4.5" fill="{color}"/></svg>'
    )


def _show(claims: Sequence[Claim], caption: str, *, whole: bool, more: str = "") -> None:
    columns = ["Chapter"] * whole + ["Claim", "Published", "Measured here", "Verdict"]
    head = "".join(
        f'<th role="columnheader" scope="col"{_data("sort", _SORTABLE.get(name, "") * whole)}>'
        f"{name}</th>"
        for name in columns
    )
    chapters = [claim.chapter for claim in claims]
    body = "".join(
        _row(claim, place, whole, first=claim.chapter not in chapters[:place])
        for place, claim in enumerate(claims)
    )
    inner = (
        '<div class="am-table" style="overflow-x:auto" tabindex="0" role="group" '
        'aria-label="Table of claims"><table role="table">'
        f"<caption>{markdown_light(caption)}</caption>"
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table></div>'
    )
    if more:
        inner += f"<p>{markdown_light(more)}</p>"
    script = ""
    if whole:
        inner = _controls(claims) + inner
        script = f"<script>{_read('page.js')}</script>"
    markup = f'<style>{_read("page.css")}</style><div class="am-ledger">{inner}{script}</div>'
    lines = [plain(caption), *(_line(claim) for claim in claims), plain(more)]
    emit(markup, "\n".join(filter(None, lines)))


def _row(claim: Claim, place: int, whole: bool, first: bool) -> str:
    """One claim; the first of its chapter is where a link to the chapter leads."""
    anchor = f"claim-{claim.id}" if claim.shown else "what-was-claimed-what-we-measured"
    there = address(f"{claim.chapter}_" if whole else LEDGER_PAGE, anchor)
    mean, low, high = claim.difference
    said = f"{number(mean, '+')} [{number(low, '+')}, {number(high, '+')}]"
    chapter = str(int(claim.chapter))
    name = html.escape(claim.claim)
    number_cell = ""
    if whole:
        label = html.escape(say("Chapter {chapter}: {claim}", chapter=chapter, claim=claim.claim))
        link = f'<a href="{there}" aria-label="{label}">{chapter}</a>' if there else chapter
        target = f' id="chapter-{claim.chapter}"' * first
        number_cell = f'<td role="cell" data-label="Chapter"{target}>{link}</td>'
    elif there:
        name = f'<span>{name}</span> <a href="{there}" class="am-there">In the ledger</a>'
    notes = "".join(
        f'<br><span class="am-small">{html.escape(note)}</span>' for note in _notes(claim)
    )
    cells = {
        "Published": f"<span>{html.escape(claim.published)}</span> "
        f"<span>{markdown_light(f'[{claim.citation}]({claim.url}), {claim.where}')}</span>",
        "Measured here": f"{html.escape(claim.a.text)}<br>{html.escape(claim.b.text)}"
        f'<br><span class="am-small">{markdown_light(_seeds(claim))}</span>',
        "Verdict": f"<strong>{claim.verdict}</strong>{interval_plot(claim)}"
        f'<span class="am-number">{said}</span>{notes}',
    }
    texts = "".join(
        f'<td role="cell" data-label="{label}">{cell}</td>' for label, cell in cells.items()
    )
    keys = {
        "chapter": claim.chapter,
        "verdict": str(VERDICTS.index(claim.verdict)),
        "kind": str(KINDS.index(claim.kind)),
        "claim": claim.claim.lower(),
        "strength": f"{strength(claim):.4g}",
        "place": str(place),
    }
    data = "".join(_data(key, value) for key, value in keys.items()) if whole else ""
    return (
        f'<tr role="row" id="claim-{claim.id}"{data}>'
        f'{number_cell}<th role="rowheader" scope="row">{name}</th>{texts}</tr>'
    )


def _notes(claim: Claim) -> list[str]:
    """What stands below a verdict: the kind, the other seeds, the reason, the history."""
    kind = claim.kind.capitalize()
    if claim.because:
        kind = say("{kind}: {because}", kind=kind, because=claim.because)
    return [kind, *other_seeds(claim), *reason(claim), *filter(None, [claim.history])]


def other_seeds(claim: Claim) -> list[str]:
    """The verdicts by both sets of seeds, where they differ."""
    if claim.verdict != UNDECIDED or not claim.again:
        return []
    return [
        say(
            "With the seeds {seeds}: {verdict}. With the seeds {others}: {other_verdict}.",
            seeds=_range(claim.seeds),
            verdict=claim.by_its_seeds,
            others=_range(claim.again.seeds),
            other_verdict=claim.again.by_its_seeds,
        )
    ]


def _range(seeds: Sequence[int]) -> str:
    return f"{seeds[0]}–{seeds[-1]}"


def reason(claim: Claim) -> list[str]:
    """Why a claim did not reproduce, with the measurement that says so."""
    shown = [
        say("the claim “{claim}”", claim=x) if isinstance(x, str) else x.text
        for x in claim.shown_by
    ]
    if claim.why and shown:
        return [say("{why} [{shown}]", why=claim.why, shown="; ".join(shown))]
    return [claim.why] if claim.why else []


def _seeds(claim: Claim) -> str:
    told = {"count": len(claim.seeds), "study": claim.study}
    if claim.margin is None:
        return say("{count} seeds, study `{study}`", **told)
    template = "{count} seeds, study `{study}`; equal: within {margin}"
    return say(template, **told, margin=number(claim.margin))


def _controls(claims: Sequence[Claim]) -> str:
    """The filters, hidden until the script has made them work."""
    chapters = [(c, f"Chapter {int(c)}") for c in sorted({claim.chapter for claim in claims})]
    verdicts = [(str(place), verdict) for place, verdict in enumerate(VERDICTS)]
    kinds = [(str(place), kind) for place, kind in enumerate(KINDS)]
    choices = (
        ("Chapter", "chapter", chapters),
        ("Verdict", "verdict", verdicts),
        ("Kind", "kind", kinds),
    )
    selects = "".join(
        f'<label>{name} <select data-filter="{key}"><option value="">All</option>'
        + "".join(f'<option value="{value}">{text}</option>' for value, text in options)
        + "</select></label>"
        for name, key, options in choices
    )
    return (
        f'<div class="am-controls" hidden>{selects}<button type="button">Show all</button>'
        '<span role="status" aria-live="polite"></span></div>'
    )


def _line(claim: Claim) -> str:
    published = f"{claim.published} {claim.citation}, {claim.where}"
    found = f"{claim.verdict} ({claim.kind})"
    return f"{claim.claim} | {published} | {claim.a.text}; {claim.b.text} | {found}"


def _data(name: str, value: str) -> str:
    return f' data-{name}="{html.escape(value)}"' if value else ""


def _read(name: str) -> str:
    return resources.files("course_lib.claims").joinpath(name).read_text("utf8").strip()
