"""What a reader has done is remembered, shown, saved and loaded, and never lost."""

import json

import pytest

from course_lib.exercises import all_exercises
from course_lib.exercises.engine.codes import code_of, code_of_several
from tests.browser.accessible import broken
from tests.browser.visit import Visit
from tools.project import HTML

pytestmark = pytest.mark.browser

PAGE = "notebooks/03_the_bottleneck_exercises"
YOURS, INDEX, START = "book/your_progress", "book/exercises", "book/index"
EXERCISES = list(all_exercises())
CHAPTER = [one for one in EXERCISES if one.startswith("ch03")]
KEPT = "() => JSON.parse(localStorage.getItem('am-progress') || '{}').items"
RING = ".bd-sidebar-primary a:has-text('3. The bottleneck') .am-ring"


def enter(page, code: str) -> str:
    """Enter a code as a reader does; what the page answers."""
    page.locator(".am-code-box input").fill(code)
    page.keyboard.press("Enter")
    return page.locator(".am-code-box p").inner_text()


def row(page, chapter: str = "03") -> list[str]:
    return page.locator(f"tr[data-chapter='{chapter}'] td").all_inner_texts()


def mark_some(page) -> None:
    """The right choice of question 3.1 after a wrong one, and exercises 3.1 and 3.4."""
    for choice in (0, 1):
        page.locator("#question-3-1 summary").nth(choice).click()
    enter(page, code_of_several({CHAPTER[0], CHAPTER[3]}, CHAPTER))


def go(visit, site: str, name: str) -> None:
    visit.page.goto(f"{site}{name}.html")


def test_answers_and_codes_are_remembered_and_shown_on_all_pages(chromium, site):
    with Visit(chromium, site, PAGE, "light") as visit:
        page = visit.page
        assert page.locator(RING).is_hidden(), "no sign before anything is done"
        said = page.locator("#question-3-1 .am-did")
        page.locator("#question-3-1 summary").nth(0).click()
        assert "not the right one" in said.inner_text()
        page.locator("#question-3-1 summary").nth(1).click()
        assert said.inner_text() == "✓ Answered, after another choice."
        page.locator("#question-3-2 summary").nth(1).click()
        assert "at the first try" in page.locator("#question-3-2 .am-did").inner_text()
        assert enter(page, code_of(CHAPTER[3])) == f"Marked as done: {CHAPTER[3]}."
        ticks = page.locator(".am-did input")
        ticks.nth(0).check()
        page.reload()
        assert [tick.is_checked() for tick in ticks.all()] == [
            True,
            False,
            False,
            True,
            False,
            False,
        ]
        assert "by its code" in page.locator(".am-did:has(input)").nth(3).inner_text()
        assert said.inner_text() == "✓ Answered, after another choice."
        assert "2 of 6 exercises, 2 of 5 questions" in page.locator(".am-progress").inner_text()
        assert page.locator(RING).inner_text() == "4 of 11 done"
        ticks.nth(0).uncheck()
        assert page.locator(RING).inner_text() == "3 of 11 done"
        go(visit, site, START)
        assert page.locator(".am-chapters .am-share:visible").all_inner_texts() == ["3 of 11 done"]
        go(visit, site, YOURS)
        assert row(page) == ["1 of 6", "2 of 5, 1 at the first try"]
        assert row(page, "04") == ["0 of 7", "0 of 6"]
        go(visit, site, INDEX)
        assert page.locator("tr:has(.am-done:not(:empty))").evaluate_all(
            "(all) => all.map((one) => one.dataset.id)"
        ) == [CHAPTER[3]]
        assert visit.errors == [] and visit.outside == []


def test_codes_of_the_checker_are_those_of_the_page(chromium, site):
    chapters = {}
    for one in EXERCISES:
        chapters.setdefault(one[:4], []).append(one)
    codes = {code_of(one): [one] for one in EXERCISES}
    for ids in chapters.values():
        codes |= {code_of_several(ids, ids): ids, code_of_several(ids[::2], ids): ids[::2]}
    with Visit(chromium, site, YOURS, "light") as visit:
        read = visit.page.evaluate(
            "(codes) => codes.map((code) => Codes.read(`text \\`${code}\\`.`))", list(codes)
        )
        assert read == [{"ids": ids, "problems": []} for ids in codes.values()]


def test_a_mistyped_code_is_told_what_is_wrong(chromium, site):
    right = code_of(CHAPTER[3])
    digits = right[-3:]
    with Visit(chromium, site, YOURS, "light") as visit:
        page = visit.page
        for wrong, part in {
            "7K2": "There is no code in what you entered",
            CHAPTER[3]: "There is no code",
            f"{CHAPTER[3]}-000": "do not fit",
            f"{right}A": "There is no code",
            f"ch03.revers_source-{digits}": f"By its digits, the code is {right}.",
            "ch03.nothing-000": "No exercise is called ch03.nothing",
            "ch03.1+9-000": "Chapter 3 has no exercise 9.",
            "ch77.latch-000": "No chapter has exercises under ch77.latch",
        }.items():
            assert part in enter(page, wrong), wrong
            assert page.evaluate(KEPT) is None
        several = f"{code_of(CHAPTER[0]).lower()}  ch03.1+2-000"
        assert "Marked as done" in enter(page, several) and "do not fit" in enter(page, several)
        assert list(page.evaluate(KEPT)) == [CHAPTER[0]]
        # What is read off a screen: another dash, o for 0 and l for 1.
        body, typed = right[:-4], digits.replace("0", "o").replace("1", "l")
        assert "Marked as done" in enter(page, f"{body} · {typed}")


def test_a_saved_file_brings_everything_back_and_loses_nothing(chromium, site, tmp_path):
    with Visit(chromium, site, PAGE, "light") as visit:
        page = visit.page
        mark_some(page)
        go(visit, site, YOURS)
        before, shown = page.evaluate(KEPT), row(page)
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save as a file").click()
        file = tmp_path / saved.value.suggested_filename
        saved.value.save_as(file)
        page.once("dialog", lambda dialog: dialog.dismiss())
        page.get_by_role("button", name="Clear everything").click()
        assert page.evaluate(KEPT) == before, "it asked, and the answer was no"
        page.evaluate("localStorage.setItem('guesses/04_attention', '{}')")
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Clear everything").click()
        assert page.evaluate("localStorage.getItem('guesses/04_attention')") is None
        assert page.evaluate(KEPT) is None and row(page) == ["0 of 6", "0 of 5"]
        load = page.get_by_label("Load a file")
        load.set_input_files(file)
        page.wait_for_function(KEPT)
        assert page.evaluate(KEPT) == before and row(page) == shown

        # Another machine's file, of an older form, with what this edition does not have.
        enter(page, code_of("ch00.softmax"))
        older = tmp_path / "older.json"
        older.write_text(json.dumps(["ch03.latch_of_old", CHAPTER[1], CHAPTER[0]]), "utf8")
        load.set_input_files(older)
        page.get_by_text("New marks from the file: 2.").wait_for()
        assert page.evaluate(KEPT).keys() >= before.keys() | {"ch00.softmax", CHAPTER[1]}
        assert row(page) == ["3 of 6", "1 of 5, 0 at the first try"]
        assert "1 (ch03.latch_of_old)" in page.locator(".am-your-progress").inner_text()

        kept = page.evaluate(KEPT)
        for number, (text, part) in enumerate(
            {
                "{": "no progress that can be read",
                '"text"': "no progress that can be read",
                '{"form": 9, "items": {}}': "later edition",
                '{"form": 1, "items": {"ch01.latch": 3}}': "make no sense and were left out: 1.",
            }.items()
        ):
            bad = tmp_path / f"{number}.json"
            bad.write_text(text, "utf8")
            load.set_input_files(bad)
            page.get_by_text(part).wait_for()
            assert page.evaluate(KEPT) == kept


def test_what_cannot_be_read_is_set_aside_and_said(chromium, site):
    with Visit(chromium, site, PAGE, "light") as visit:
        page = visit.page
        page.evaluate("localStorage.setItem('am-progress', '{\"items\": {\"ch03.')")
        page.reload()
        assert "It is not lost" in page.locator(".am-progress").inner_text()
        page.locator(".am-did input").nth(0).check()
        assert list(page.evaluate(KEPT)) == [CHAPTER[0]]
        go(visit, site, YOURS)
        assert "cannot be read" in page.locator(".am-your-progress").inner_text()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save what cannot be read").click()
        assert saved.value.path().read_text("utf8") == '{"items": {"ch03.'
        assert visit.errors == []


@pytest.mark.parametrize(
    ("breaks", "part"),
    [
        (
            "Storage.prototype.setItem = () => "
            "{ throw new DOMException('', 'QuotaExceededError') }",
            "memory for this site is full",
        ),
        (
            "Object.defineProperty(window, 'localStorage', "
            "{ get() { throw new DOMException('', 'SecurityError') } })",
            "keeps nothing for this site",
        ),
    ],
)
def test_without_storage_marks_hold_as_long_as_the_page(chromium, site, tmp_path, breaks, part):
    context = chromium.new_context()
    context.add_init_script(breaks)
    page = context.new_page()
    page.goto(f"{site}{YOURS}.html")
    enter(page, code_of(CHAPTER[0]))
    assert row(page)[0] == "1 of 6" and part in page.locator(".am-your-progress").inner_text()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as a file").click()
    assert CHAPTER[0] in saved.value.path().read_text("utf8")
    page.goto(f"{site}{PAGE}.html")
    page.locator(".am-did input").nth(0).check()
    page.locator("#question-3-1 summary").nth(1).click()
    assert part in page.locator(".am-progress").inner_text()
    assert "1 of 6 exercises, 1 of 5 questions" in page.locator(".am-progress").inner_text()
    context.close()


def test_another_tab_is_heard(chromium, site):
    with Visit(chromium, site, YOURS, "light") as visit:
        other = visit.context.new_page()
        other.goto(f"{site}{PAGE}.html")
        mark_some(other)
        visit.page.wait_for_function("() => document.querySelector('.am-sign:not([hidden])')")
        assert row(visit.page) == ["2 of 6", "1 of 5, 0 at the first try"]
        enter(visit.page, code_of("ch00.softmax"))
        other.locator(".am-did input").nth(1).check()
        assert len(visit.page.evaluate(KEPT)) == 5


def test_by_keyboard_alone(chromium, site):
    with Visit(chromium, site, PAGE, "light") as visit:
        page = visit.page
        page.locator(".am-code-box input").focus()
        page.keyboard.type(code_of(CHAPTER[3]))
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert page.locator(".am-did input").nth(3).is_checked()
        page.locator(".am-did input").nth(1).focus()
        page.keyboard.press("Space")
        page.locator("#question-3-1 summary").nth(1).focus()
        page.keyboard.press("Enter")
        assert "3 of 11" in page.locator(RING).inner_text()


def test_exercises_are_chosen_and_ordered_by_keyboard(chromium, site):
    with Visit(chromium, site, INDEX, "light") as visit:
        page, rows = visit.page, visit.page.locator("tr[data-id]:visible")
        page.evaluate("(id) => Progress.mark(id, 'done', 'code')", CHAPTER[5])

        def press(group: str, name: str) -> list[str]:
            button = page.get_by_role("group", name=group).get_by_role(
                "button", name=name, exact=True
            )
            button.focus()
            page.keyboard.press("Enter")
            assert button.get_attribute("aria-pressed") == "true"
            found = rows.evaluate_all("(all) => all.map((one) => one.dataset.id)")
            assert page.locator(".am-exercises > [role=status]").inner_text() == (
                f"{len(found)} of {len(EXERCISES)} exercises are shown."
            )
            return found

        assert press("Difficulty", "all") == EXERCISES
        hard = press("Difficulty", "hard")
        assert CHAPTER[5] in hard and 13 <= len(hard) < 20
        assert press("State", "not done yet") == [one for one in hard if one != CHAPTER[5]]
        assert press("State", "done") == [CHAPTER[5]]
        assert page.locator(".am-exercises th[scope=rowgroup]:visible").count() == 1
        press("State", "all")
        press("Difficulty", "all")
        ordered = press("Order", "by difficulty")
        assert ordered != EXERCISES and sorted(ordered) == sorted(EXERCISES)
        assert ordered[-len(hard) :] == hard
        heads = page.locator(".am-exercises th[scope=rowgroup]:visible").all_inner_texts()
        assert heads == ["easy", "medium", "hard"]
        assert 5 <= len(press("Skill", "decoding")) <= 20
        press("Skill", "all")
        assert press("Order", "by chapter") == EXERCISES


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_marks_are_accessible_and_fit_a_phone(chromium, site, axe, look):
    with Visit(chromium, site, PAGE, look) as visit:
        page = visit.page
        mark_some(page)
        enter(page, f"{code_of(CHAPTER[2])} ch03.1+2-000 ch03.nothing-000")
        for name in (PAGE, YOURS, INDEX, START):
            if name != PAGE:
                go(visit, site, name)
            page.evaluate("scrollTo(0, 0)")
            page.locator("#pst-back-to-top").wait_for(state="hidden")
            assert broken(page, axe) == {}, name
            assert page.locator(".am-cue:visible").count() == 0 or name == PAGE
            width, room = page.evaluate(
                "[document.scrollingElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert width <= room, name
        table = page.locator("table.am-chapters")
        assert table.evaluate("(one) => one.scrollWidth <= one.parentElement.clientWidth + 1")


def test_without_scripts_both_tables_stand_there(chromium, site):
    with Visit(chromium, site, INDEX, "no script") as visit:
        assert visit.page.locator("tr[data-id]:visible").count() == len(EXERCISES)
        assert visit.page.locator(".am-exercises button").count() == 0
        go(visit, site, YOURS)
        assert row(visit.page) == ["6", "5"]


def test_opened_as_files_the_pages_remember_too(chromium):
    page = chromium.new_context().new_page()
    page.goto((HTML / f"{PAGE}.html").as_uri())
    mark_some(page)
    page.goto((HTML / f"{YOURS}.html").as_uri())
    assert row(page) == ["2 of 6", "1 of 5, 0 at the first try"]
    assert "make serve" in page.locator(".am-your-progress").inner_text()
    page.context.close()


def test_every_page_of_exercises_takes_ticks_and_answers(chromium, site):
    with Visit(chromium, site, YOURS, "light") as visit:
        course = visit.page.evaluate("() => COURSE")
        for about in course.values():
            go(visit, site, f"notebooks/{about['page']}_exercises")
            assert visit.page.locator(".am-did input").count() == len(about["exercises"])
            first_words = visit.page.locator("section[id^=question-]").evaluate_all(
                "(all) => all.map((one) => [...one.querySelectorAll('details.choice')]"
                ".map((choice) => choice.querySelector('p').textContent.trim().slice(0, 3)))"
            )
            assert [words.index("Yes") for words in first_words] == about["questions"]
        assert visit.errors == []
