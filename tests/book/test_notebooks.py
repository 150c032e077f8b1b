"""The course's notebooks keep the rules of notebook_rules.py, and each rule can be broken."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib.exercises import all_exercises
from tests.book.notebook_rules import KERNEL, RULES, cells
from tools.project import ROOT, config, notebooks
from tools.stamp import stamp

FILES = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))  # my_… are a reader's own
ADDRESS = config()["repository"]["url"]
CHECK = re.compile(r"\b(ch\d\d\.\w+)\.check\(")


@cache
def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_notebook(rule, path):
    assert rule(read(path), path.stem) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_valid_and_stable(path):
    nbformat.validate(read(path))
    identifiers = [cell.id for cell in read(path).cells]
    assert len(set(identifiers)) == len(identifiers)


def test_every_notebook_is_in_the_table_of_contents():
    assert sorted(notebooks()) == FILES


def test_check_cells_name_an_exercise_of_their_chapter_once():
    found = [
        (name, path.stem[:2])
        for path in FILES
        for cell in cells(read(path), "code")
        for name in CHECK.findall(cell.source)
    ]
    counted = Counter(name for name, _ in found)
    assert sorted(counted.keys() - all_exercises().keys()) == [], "no such exercise"
    assert {name: times for name, times in counted.items() if times != 1} == {}
    assert [name for name, chapter in found if name[2:4] != chapter] == []


# Each rule catches what it is for -----------------------------------------------------------------


def code(source: str, *names: str) -> NotebookNode:
    return new_code_cell(source, metadata={"tags": list(names)})


def sample(*extra: NotebookNode) -> NotebookNode:
    """A notebook that keeps every rule of a chapter, with further cells at its end."""
    choices = "".join(
        f'\n\n<details class="choice"><summary>{letter}</summary>\n\n{answer}. Why.\n\n</details>'
        for letter, answer in zip("ABC", ("No", "Yes", "No"), strict=True)
    )
    questions = [new_markdown_cell(f"### Question 9.{i}\n\nWhich?{choices}") for i in range(4)]
    exercises = [
        cell
        for i in range(5)
        for cell in (
            code(f"def task{i}():\n    raise NotImplementedError", "exercise"),
            code(f"ch09.task{i}.check(task{i})"),
            code(f"ch09.task{i}.help()", "hide-input"),
        )
    ]
    opening = new_markdown_cell("# Title\n\n> **Predict.** How many?")
    notebook = new_notebook(
        cells=[opening, *questions, *exercises, *extra], metadata={"kernelspec": dict(KERNEL)}
    )
    stamp(notebook, ADDRESS)
    return notebook


def markdown_after(text: str):
    return lambda: sample(new_markdown_cell(text))


def code_after(text: str):
    return lambda: sample(code(text))


def with_output() -> NotebookNode:
    notebook = sample()
    notebook.cells[-1].outputs = [new_output("stream", text="1\n")]
    return notebook


def with_another_kernel() -> NotebookNode:
    notebook = sample()
    notebook.metadata["kernelspec"]["name"] = "conda-env-course"
    return notebook


def with_another_address() -> NotebookNode:
    notebook = sample()
    stamp(notebook, "https://github.com/someone/else")
    return notebook


def without(text: str):
    def make() -> NotebookNode:
        notebook = sample()
        notebook.cells = [cell for cell in notebook.cells if text not in cell.source]
        return notebook

    return make


BREACHES = {
    "committed_without_outputs": [with_output],
    "one_kernelspec_and_no_other_metadata": [with_another_kernel],
    "colab_cell_first": [with_another_address, without("%pip")],
    "prose_is_plain_commonmark": [
        markdown_after("See {cite}`cho2014`."),
        markdown_after("```{note}\nRead.\n```"),
        markdown_after(":::{admonition} Title\n:::"),
        markdown_after("(label)=\n## Section"),
    ],
    "formulas_have_single_backslashes": [markdown_after(r"The rate $\\eta$.")],
    "blockquotes_open_with_a_bold_word": [markdown_after("Text.\n\n> plain words")],
    "short_cells": [code_after("\n".join(["x = 1"] * 31))],
    "enough_exercises_and_questions": [without("task4"), without("Question 9.3")],
    "exercise_then_check_then_help": [without("task2.check"), without("task2.help")],
    "questions_answer_each_choice": [
        markdown_after(
            '### Question 9.9\n\n<details class="choice"><summary>A</summary>No.</details>'
        )
    ],
    "every_figure_has_words": [
        code_after("plots.show(fig, caption='**Figure 9.1** A line.')"),
        code_after("drawings.show('attention')"),
        code_after("widgets.slider_figure(frames, label='step')"),
        code_after("plt.show()"),
        markdown_after("![](picture.png)"),
    ],
    "cited_papers_are_in_the_bibliography": [
        markdown_after("[Nobody (1999)](https://arxiv.org/abs/9912.99999)"),
        markdown_after("[Nobody (1999)](https://example.org/paper)"),
    ],
    "korean_terms_are_in_the_glossary": [markdown_after("a *chair (의자)*")],
    "library_classes_are_imported": [code_after("class Vocabulary:\n    pass")],
    "links_between_notebooks_resolve": [markdown_after("[next](99_absent.ipynb)")],
}


def test_every_rule_has_a_breach():
    assert sorted(BREACHES) == sorted(RULES)


@pytest.mark.parametrize("name", RULES)
def test_rule_holds_for_the_sample_and_catches_its_breaches(name):
    assert RULES[name](sample(), "09_sample") == []
    for make in BREACHES[name]:
        assert RULES[name](make(), "09_sample") != [], make
