"""The rules for Korean catalogs. `make test` holds the catalogs themselves against the pages."""

from babel.messages.catalog import Catalog

from tools import catalogs, translations
from tools.project import toc_files

PAGE = "notebooks/03_the_bottleneck"


def catalog(*messages: tuple[str, str]) -> Catalog:
    made = Catalog(locale="ko")
    for number, (english, korean) in enumerate(messages):
        made.add(english, korean, locations=[(f"{PAGE}.ipynb#c00{number}", None)])
    return made


ENGLISH = catalog(("The vector is narrow.", ""), ("Measure it.", ""))


def test_a_finished_page_is_whole():
    korean = catalog(("The vector is narrow.", "벡터가 좁습니다."), ("Measure it.", "재 보세요."))
    assert translations.problems_of(ENGLISH, korean, [PAGE]) == []
    [problem] = translations.problems_of(ENGLISH, catalog(("Measure it.", "재 보세요.")))
    assert problem == f"{PAGE}.ipynb#c000: no Korean for “The vector is narrow.”"


def test_one_changed_sentence_is_one_stale_message():
    korean = catalog(("The vector was narrow.", "벡터가 좁습니다."), ("Measure it.", "재 보세요."))
    korean.update(ENGLISH)
    [problem] = translations.problems_of(ENGLISH, korean, [PAGE])
    assert problem == f"{PAGE}.ipynb#c000: the English has changed: “The vector is narrow.”"


def test_another_page_may_be_unfinished():
    assert translations.problems_of(ENGLISH, catalog(), ["book/index"]) == []


def test_the_rules_hold_for_every_message():
    korean = catalog(("The vector is narrow.", "벡터가 좁다."))
    assert "해라체" in "".join(translations.problems_of(ENGLISH, korean, []))


def test_finished_pages_are_pages():
    assert set(catalogs.finished() or []) <= set(toc_files())


def test_a_comment_allows_what_a_rule_finds_wrong():
    korean = Catalog(locale="ko")
    korean.add("Measure it.", "40번 재 보세요.", user_comments=["allow numbers are new"])
    assert translations.problems_of(ENGLISH, korean, []) == []


def test_a_number_that_is_measured_anew_makes_no_korean_stale():
    assert all(map(translations.is_number, ["1,492", "0.84–0.97", "−3.2 %"]))
    assert not any(map(translations.is_number, ["48 MB", "약 3", "×2 heads"]))


def test_words_that_only_a_model_of_another_machine_writes_need_no_korean(monkeypatch):
    monkeypatch.setattr(translations.outputs, "literals", lambda: {"Measure it."})
    place = f"{PAGE}.ipynb#c000"
    kept = Catalog(locale="ko")
    kept.add("**la reine**", "la reine", locations=[(place, None)])
    assert translations.cells_of_data([kept, catalog(("{1} words", "{1} words"))]) == {place}
    shown = Catalog(locale="ko")
    for text in ("la fille", "Measure it."):
        shown.add(text, locations=[(place, None)])
    [problem] = translations.problems_of(shown, kept, None, {place})
    assert problem == f"{place}: no Korean for “Measure it.”"
    assert len(translations.problems_of(shown, kept)) == 2
