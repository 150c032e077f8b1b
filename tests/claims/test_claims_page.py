"""The ledger on the page: whole without a script, linked both ways, described in words."""

import html
import re
import xml.etree.ElementTree as ElementTree

import pytest

from course_lib import claims
from course_lib.claims import page
from course_lib.claims.ledger import UNDECIDED, VERDICTS

LEDGER = "12_what_we_measured"


@pytest.fixture
def displayed(shown, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURSE_PAGES", raising=False)
    return shown


@pytest.fixture
def folder(tmp_path):
    chapters = ("04_attention", "04_attention_exercises", "07_training_a_transformer")
    for name in (LEDGER, f"{LEDGER}_exercises", *chapters):
        (tmp_path / f"{name}.ipynb").touch()
    return tmp_path


def ids(markup):
    return re.findall(r'<tr role="row" id="([^"]+)"', markup)


def test_the_ledger_holds_every_claim_once_with_all_it_says(displayed):
    claims.ledger("**Table 1** All.")
    [one] = displayed
    markup = one["text/html"]
    loaded = claims.load()
    assert sorted(ids(markup)) == sorted(f"claim-{claim.id}" for claim in loaded)
    text = re.sub(r"<(script|style)>.*?</\1>|<[^>]+>", "", markup, flags=re.DOTALL)
    for claim in loaded:
        for part in (claim.published, claim.citation, claim.a.text, claim.b.text, claim.verdict):
            assert part.replace("&", "&amp;") in text
            assert part in one["text/plain"] or part == claim.citation
        for part in (claim.because, claim.why, claim.history):
            assert html.escape(part) in text
    assert text.index("Table 1") < text.index("95%")


def row(markup, claim):
    return re.search(rf'id="claim-{claim.id}".*?</tr>', markup, flags=re.DOTALL)[0]


def test_a_row_says_its_kind_and_can_be_filtered_by_it(displayed):
    claims.ledger("**Table 1** All.")
    claims.table("04")
    whole, chapter = (one["text/html"] for one in displayed)
    for claim in claims.load():
        for markup in [whole, *([chapter] if claim.shown and claim.chapter == "04" else [])]:
            assert f">{claim.kind.capitalize()}" in row(markup, claim), claim.id
        assert f'data-kind="{claims.KINDS.index(claim.kind)}"' in row(whole, claim)
    assert '<select data-filter="kind">' in whole


def test_what_other_seeds_say_and_what_shows_a_reason_stand_in_the_row(displayed):
    claims.ledger("**Table 1** All.")
    markup = displayed[0]["text/html"]
    loaded = claims.load()
    assert any(claim.verdict == UNDECIDED for claim in loaded)
    for claim in loaded:
        if claim.verdict == UNDECIDED:
            for one in (claim, claim.again):
                found = f"with the seeds {one.seeds[0]}–{one.seeds[-1]}: {one.by_its_seeds}"
                assert found.lower() in row(markup, claim).lower()
        for shown in claim.shown_by:
            text = shown if isinstance(shown, str) else shown.text
            assert html.escape(text) in row(markup, claim)


def test_without_a_script_there_are_no_controls_and_no_row_is_hidden(displayed):
    claims.ledger("**Table 1** All.")
    markup = displayed[0]["text/html"]
    assert '<div class="am-controls" hidden>' in markup
    assert "<button" not in re.search(r"<thead.*?</thead>", markup)[0]
    assert "am-off" not in re.search(r"<tbody.*?</tbody>", markup, flags=re.DOTALL)[0]


def test_a_chapter_shows_its_own_main_claims_only(displayed):
    claims.table("04")
    markup = displayed[0]["text/html"]
    loaded = claims.load(chapter="04")
    main = [claim for claim in loaded if claim.shown]
    assert 0 < len(main) < len(loaded)
    assert ids(markup) == [f"claim-{claim.id}" for claim in main]
    assert f"The ledger of chapter 12 has {len(loaded)} of this chapter." in markup
    assert "<script" not in markup and "<select" not in markup
    assert "<a" not in re.search("<caption>.*?</caption>", markup)[0]  # axe: no child of a table
    with pytest.raises(ValueError, match="no claim of chapter '98'"):
        claims.table("98")


@pytest.mark.parametrize(("setting", "ending"), [(None, "ipynb"), ("html", "html")])
def test_rows_link_both_ways(displayed, folder, monkeypatch, setting, ending):
    if setting:
        monkeypatch.setenv("COURSE_PAGES", setting)
    claims.table("04")
    claims.ledger("**Table 1** All.")
    chapter, whole = (one["text/html"] for one in displayed)
    for claim in claims.load(chapter="04"):
        anchor = f"#claim-{claim.id}"
        assert (f'href="{LEDGER}.{ending}{anchor}"' in chapter) == claim.shown
        there = anchor if claim.shown else "#what-was-claimed-what-we-measured"
        assert f'href="04_attention.{ending}{there}"' in row(whole, claim)
    assert f'href="{LEDGER}.{ending}#chapter-04"' in chapter
    assert whole.count(' id="chapter-04"') == 1


def test_there_is_no_link_to_a_page_that_is_not_there(displayed):
    claims.table("04")
    claims.ledger("**Table 1** All.")
    for one in displayed:
        assert not re.search(r'href="(?!https?:)', one["text/html"])


def test_a_plot_lies_as_its_verdict_says():
    for claim in claims.load():
        lies_as_its_verdict_says(claim)


def lies_as_its_verdict_says(claim):
    picture = ElementTree.fromstring(page.interval_plot(claim))
    band, zero, bar, dot = picture
    left, right = float(band.get("x")), float(band.get("x")) + float(band.get("width"))
    low, high = (float(x) for x in re.match(r"M([\d.]+) [\d.]+H([\d.]+)", bar.get("d")).groups())
    mean = float(dot.get("cx"))
    inside = (claim.by_its_seeds == VERDICTS[0], claim.by_its_seeds != VERDICTS[2])
    slack = 0.2  # of a pixel: coordinates are rounded
    assert (left - slack <= low and high <= right + slack) >= inside[0]
    assert (left - slack <= mean <= right + slack) >= inside[1]
    assert 0 <= low <= mean <= high <= page._WIDE
    assert picture.get("aria-label").startswith("Difference ")


def test_strength_orders_from_clear_to_clearly_against():
    loaded = claims.load()
    by_verdict = {
        verdict: [page.strength(claim) for claim in loaded if claim.by_its_seeds == verdict]
        for verdict in VERDICTS
    }
    assert min(by_verdict[VERDICTS[0]]) > 1 >= max(by_verdict[VERDICTS[1]]) > 0
    assert max(by_verdict[VERDICTS[2]]) <= 0
