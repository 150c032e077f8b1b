"""Sphinx extension: the exercises and questions of all chapters, as the pages need them.

- The directive `exercise-index` writes the table of all exercises, `your-progress` the table in
  which `book/_static/progress/page.js` counts.
- Each exercise and question gets an anchor by its number, such as `exercise-3-4`.
- `progress/items.js` names for the scripts the exercises of each chapter, and the right choice of
  each question; a page loads only the scripts that it needs.

Everything comes from the notebooks and from `course_lib.exercises.skills`.
"""

import html
import json
import re
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from course_lib.exercises.skills import skills_of
from tools.pages import minutes_of_exercises
from tools.project import exercises_of, is_lesson, notebooks

DIFFICULTIES = ("easy", "medium", "hard")
# Which pages load what, beside the scripts that _config.yml names for all.
SCRIPTS = {
    r"notebooks/\d\d_\w+_exercises": ("codes", "answers"),
    "book/your_progress": ("codes", "page"),
    "book/exercises": ("filter",),
}


class Exercise(NamedTuple):
    id: str
    number: str
    title: str
    difficulty: str

    @property
    def anchor(self) -> str:
        return f"exercise-{self.number.replace('.', '-')}"


class Chapter(NamedTuple):
    """`questions` holds the place of the right choice of each, counted from 0."""

    number: str
    page: str
    title: str
    minutes: int
    exercises: list[Exercise]
    questions: list[int]

    @property
    def address(self) -> str:
        """Of its exercises, seen from a page in book/."""
        return f"../notebooks/{self.page}_exercises.html"


def chapter_of(lesson: Path) -> Chapter:
    """The exercises and questions of a lesson, read from their notebook."""
    path = exercises_of(lesson)
    cells = json.loads(path.read_text("utf8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells)
    title = re.match(r"# (.+): exercises", text)[1]
    exercises, questions = [], []
    for part in re.split(r"(?m)^(?=### )", text):
        if found := re.match(r"### Exercise (\S+) — (.+)", part):
            difficulty = re.search(r"(?m)^Difficulty: (\w+)", part)[1]
            name = re.search(r"(ch\d\d\.\w+)\.check\(", part)[1]
            exercises.append(Exercise(name, found[1], found[2].strip(), difficulty))
        elif part.startswith("### Question "):
            said = re.findall(r'(?s)<details class="choice">.*?</summary>\W*(\w+)', part)
            questions.append(said.index("Yes"))
    minutes = minutes_of_exercises(path)
    return Chapter(lesson.stem[:2], lesson.stem, title, minutes, exercises, questions)


def chapters() -> list[Chapter]:
    return [chapter_of(path) for path in notebooks() if is_lesson(path)]


def items(course: list[Chapter]) -> str:
    """The script that names what can be done, by chapter."""
    named = {
        one.number: {
            "page": one.page,
            "exercises": [exercise.id.partition(".")[2] for exercise in one.exercises],
            "questions": one.questions,
        }
        for one in course
    }
    lines = ",\n".join(f'"{number}": {json.dumps(about)}' for number, about in named.items())
    return (
        "/* Written by tools/exercise_index.py: the exercises of each chapter by name, and the\n"
        f"   right choice of each question, counted from 0. */\nconst COURSE = {{\n{lines}\n}};\n"
    )


def row(exercise: Exercise, address: str) -> str:
    skills = "".join(f"<li>{html.escape(skill)}</li>" for skill in skills_of(exercise.id))
    return (
        f'<tr data-id="{exercise.id}" data-level="{DIFFICULTIES.index(exercise.difficulty)}">'
        f'<td><a href="{address}#{exercise.anchor}">{exercise.number} {html.escape(exercise.title)}'
        f"</a></td><td>{exercise.difficulty}</td><td><ul>{skills}</ul></td></tr>"
    )


def exercise_table(course: list[Chapter]) -> str:
    """Every exercise with its difficulty and skills, under the head of its chapter."""
    bodies = []
    for one in course:
        said = (
            f'<a href="{one.address}">{html.escape(one.title)}</a>: {len(one.exercises)} exercises '
            f"and {len(one.questions)} questions, about {one.minutes} minutes"
        )
        rows = "".join(row(exercise, one.address) for exercise in one.exercises)
        head = f'<tr><th colspan="3" scope="rowgroup">{said}</th></tr>'
        bodies.append(f"<tbody>{head}{rows}</tbody>")
    names = "".join(f'<th scope="col">{name}</th>' for name in ("Exercise", "Difficulty", "Skills"))
    return (
        f'<div class="am-exercises"><table class="table"><thead><tr>{names}</tr></thead>'
        f"{''.join(bodies)}</table></div>"
    )


def progress_table(course: list[Chapter]) -> str:
    """How many exercises and questions each chapter has; the script adds how many are done."""
    rows = "".join(
        f'<tr data-chapter="{one.number}"><th scope="row"><a href="{one.address}">'
        f"{html.escape(one.title)}</a></th><td>{len(one.exercises)}</td>"
        f"<td>{len(one.questions)}</td></tr>"
        for one in course
    )
    names = ("Chapter", "Exercises", "Questions")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f'<div class="am-your-progress"><table class="table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


class ExerciseIndex(Directive):
    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", exercise_table(chapters()), format="html")]


class YourProgress(Directive):
    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", progress_table(chapters()), format="html")]


def add_anchors(app: Sphinx, doctree: nodes.document) -> None:
    """A section “Exercise 3.4 — …” can be found as exercise-3-4, whatever its title becomes."""
    if not re.fullmatch(r"notebooks/\w+_exercises", app.env.docname):
        return
    for section in doctree.findall(nodes.section):
        # The name that the English title gives is the same in every language.
        found = re.match(r"(exercise|question)-\d+-\d+", section["ids"][0])
        if found and found[0] not in section["ids"]:
            section["ids"].append(found[0])


def add_scripts(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    for pattern, scripts in SCRIPTS.items():
        if re.fullmatch(pattern, pagename):
            for script in scripts:
                app.add_js_file(f"progress/{script}.js")


def write_items(app: Sphinx, error: Exception | None) -> None:
    if not error and app.builder.name == "html":
        path = Path(app.outdir) / "_static" / "progress" / "items.js"
        path.write_text(items(chapters()), "utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("exercise-index", ExerciseIndex)
    app.add_directive("your-progress", YourProgress)
    app.connect("doctree-read", add_anchors)
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write_items)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
