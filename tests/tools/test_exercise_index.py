"""The exercises of all chapters as the pages know them."""

import re

from docutils import nodes
from docutils.core import publish_doctree

from course_lib.exercises import all_exercises
from course_lib.exercises.skills import skills_of
from tools import exercise_index
from tools.project import ROOT, config

COURSE = exercise_index.chapters()


def test_every_exercise_is_known_in_the_order_of_its_number():
    """The code of several exercises names them by their numbers."""
    found = [one for chapter in COURSE for one in chapter.exercises]
    assert [one.id for one in found] == list(all_exercises())
    for chapter in COURSE:
        numbers = [f"{int(chapter.number)}.{n}" for n in range(1, len(chapter.exercises) + 1)]
        assert [one.number for one in chapter.exercises] == numbers
    assert {one.difficulty for one in found} == set(exercise_index.DIFFICULTIES)


def test_the_right_choice_is_the_one_whose_feedback_says_yes():
    assert [len(chapter.questions) for chapter in COURSE[:4]] == [6, 5, 5, 5]
    assert COURSE[0].questions == [1, 1, 0, 1, 2, 1]


def test_the_table_has_a_row_for_each_exercise_and_a_head_for_each_chapter():
    table = exercise_index.exercise_table(COURSE)
    assert re.findall(r'data-id="([\w.]+)"', table) == list(all_exercises())
    assert table.count('scope="rowgroup"') == len(COURSE)
    row = exercise_index.row(COURSE[3].exercises[3], COURSE[3].address)
    assert 'href="../notebooks/03_the_bottleneck_exercises.html#exercise-3-4"' in row
    assert re.findall(r"<li>(.*?)</li>", row) == skills_of("ch03.reverse_source")


def test_an_exercise_is_found_by_its_number_whatever_its_title_is():
    doctree = publish_doctree("Exercise 3.4 — Old\n==================\n\nx\n\nOther\n=====\n\ny\n")

    class App:
        class env:  # noqa: N801
            docname = "notebooks/03_the_bottleneck_exercises"

    exercise_index.add_anchors(App, doctree)
    exercise_index.add_anchors(App, doctree)
    ids = [section["ids"] for section in doctree.findall(nodes.section)]
    ids = ids or [doctree["ids"]]
    assert sum(one.count("exercise-3-4") for one in ids) == 1


def test_each_script_has_its_page():
    """Those of every page stand in _config.yml, the others beside the page that needs them."""
    everywhere = config()["sphinx"]["config"]["html_js_files"]
    named = {one for scripts in exercise_index.SCRIPTS.values() for one in scripts}
    named |= {one[9:-3] for one in everywhere if one.startswith("progress/")}
    files = {path.stem for path in (ROOT / "book" / "_static" / "progress").glob("*.js")}
    assert named == files | {"items"}
