"""The rules of a notebook that is a page, a Colab notebook and a local notebook at once.

Each rule takes a notebook and its file name and returns one line for each breach. test_notebooks.py
applies them to the course's notebooks: lessons, and the exercises that stand beside each.
"""

import ast
import builtins
import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from tools.pages import minutes_to_read, words
from tools.project import ROOT, config, deeper_of, exercises_of, is_exercises, is_lesson
from tools.stamp import colab_source

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
LONGEST_CELL = 30
MOST_WORDS = 3000  # 45 minutes
MOST_LINES = 220  # of code that is shown
# Coding exercises and concept questions at least; the self-test of chapter 00 is shorter.
LEAST = {"00": (1, 2)}
LEAST_ELSEWHERE = (5, 4)
# A percent sign that stands apart from its number.
APART = re.compile(r"[\d}][ \u00a0\u202f]%(?!\w)")
# About how long one takes; a page says the sum, rounded to five minutes.
MINUTES = {"easy": 4, "medium": 8, "hard": 15}
MINUTES_A_QUESTION = 2

Rule = Callable[[NotebookNode, str], list[str]]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    RULES[function.__name__] = function
    return function


def cells(notebook: NotebookNode, kind: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def first_line(cell: NotebookNode) -> str:
    return cell.source.split("\n")[0]


def prose(notebook: NotebookNode) -> str:
    """All Markdown, without fenced and inline code."""
    text = "\n\n".join(cell.source for cell in cells(notebook, "markdown"))
    return re.sub(r"(?m)^```[a-z]*\n.*?^```$|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)


def syntax(cell: NotebookNode) -> ast.Module:
    """The syntax tree of a code cell, its magics turned into calls."""
    return ast.parse(TransformerManager().transform_cell(cell.source))


def calls(notebook: NotebookNode) -> Iterator[tuple[str, set[str]]]:
    """The dotted name and the keywords of every call in the code."""
    for cell in cells(notebook, "code"):
        for node in ast.walk(syntax(cell)):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), {keyword.arg for keyword in node.keywords}


def texts(tree: ast.AST) -> Iterator[str]:
    """The strings of code; what an f-string fills in is a brace."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(_text(piece) or "}" for piece in node.values)
        elif isinstance(node, ast.Constant):
            yield _text(node) if isinstance(node.value, str) else ""


@cache
def library_classes() -> dict[str, str]:
    """Name and module of every class that course_lib defines."""
    return {
        node.name: path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "course_lib").rglob("*.py"))
        for node in ast.parse(path.read_text("utf8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


@cache
def bibliography() -> str:
    return (ROOT / "book" / "references.bib").read_text("utf8").lower()


@cache
def glossary() -> str:
    return (ROOT / "book" / "glossary.md").read_text("utf8")


@rule
def committed_without_outputs(notebook: NotebookNode, name: str) -> list[str]:
    return [
        f"outputs in: {first_line(cell)}"
        for cell in cells(notebook, "code")
        if cell.outputs or cell.execution_count is not None
    ]


@rule
def one_kernelspec_and_no_other_metadata(notebook: NotebookNode, name: str) -> list[str]:
    problems = []
    if notebook.metadata.get("kernelspec") != KERNEL:
        problems.append(f"kernelspec is {notebook.metadata.get('kernelspec')}, not {KERNEL}")
    return problems + [
        f"metadata of an editor or a run: {key}"
        for key in sorted(set(notebook.metadata) - {"kernelspec", "language_info"})
    ]


@rule
def colab_cell_first(notebook: NotebookNode, name: str) -> list[str]:
    code = cells(notebook, "code")
    if not code or "colab" not in tags(code[0]):
        return ["the first code cell is not the Colab cell: run `make stamp`"]
    if code[0].source != colab_source(config()["repository"]["url"]):
        return ["the Colab cell and _config.yml disagree: run `make stamp`"]
    return []


@rule
def prose_is_plain_commonmark(notebook: NotebookNode, name: str) -> list[str]:
    text = "\n\n".join(cell.source for cell in cells(notebook, "markdown"))
    myst = r"\{[a-z:-]+\}`[^`]*`|^[`~:]{3,}\s*\{[a-z:-]+\}.*|^\([\w-]+\)=$"
    return [f"MyST: {found}" for found in re.findall(myst, text, flags=re.MULTILINE)]


@rule
def formulas_have_single_backslashes(notebook: NotebookNode, name: str) -> list[str]:
    # A doubled one is a new line to MathJax, and the command after it plain letters.
    return [f"doubled backslash: {found}" for found in re.findall(r"\\\\[a-z]+", prose(notebook))]


@rule
def percent_signs_follow_their_number(notebook: NotebookNode, name: str) -> list[str]:
    """As `{share:.0%}` writes it."""
    said = [cell.source for cell in cells(notebook, "markdown")]
    said += [text for cell in cells(notebook, "code") for text in texts(syntax(cell))]
    return [text[:80] for text in said if APART.search(text)]


@rule
def blockquotes_open_with_a_bold_word(notebook: NotebookNode, name: str) -> list[str]:
    starts = re.findall(r"(?:^|\n\s*\n)(>.*)", prose(notebook))
    return [f"plain blockquote: {line}" for line in starts if not re.match(r"> \*\*[^*]", line)]


@rule
def short_cells(notebook: NotebookNode, name: str) -> list[str]:
    return [
        f"{cell.source.count(chr(10)) + 1} lines: {first_line(cell)}"
        for cell in notebook.cells
        if cell.source.count("\n") + 1 > LONGEST_CELL
    ]


def is_hidden(cell: NotebookNode) -> bool:
    return bool({"colab", "hide-input", "hide-cell", "remove-input"} & set(tags(cell)))


@rule
def short_enough(notebook: NotebookNode, name: str) -> list[str]:
    """A lesson, and what goes deeper, are read in 45 minutes, with little code."""
    if is_exercises(file_of(name)):
        return []
    text = "\n".join(cell.source for cell in cells(notebook, "markdown"))
    shown = [cell.source for cell in cells(notebook, "code") if not is_hidden(cell)]
    lines = sum(bool(line.strip()) for source in shown for line in source.split("\n"))
    problems = []
    if words(text) > MOST_WORDS:
        problems.append(f"{words(text)} words, the most is {MOST_WORDS}")
    if lines > MOST_LINES:
        problems.append(f"{lines} lines of visible code, the most is {MOST_LINES}")
    return problems


@rule
def says_what_it_takes(notebook: NotebookNode, name: str) -> list[str]:
    if is_exercises(file_of(name)):
        return []
    said = f"**Time** about {5 * math.ceil(minutes_to_read(file_of(name)) / 5)} minutes to read"
    return [] if said in notebook.cells[0].source else [f"not said: {said}"]


@rule
def sentences_are_whole_templates(notebook: NotebookNode, name: str) -> list[str]:
    """No f-string or sum of strings with words in it, but what a learner prints or raises."""
    if is_exercises(file_of(name)):
        return []
    return [problem for cell in cells(notebook, "code") for problem in glued(syntax(cell))]


def glued(tree: ast.AST) -> list[str]:
    """Sentences made of pieces, which no translation can take whole."""
    problems = []
    printed = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise | ast.Assert)
        or (isinstance(node, ast.Call) and ast.unparse(node.func) == "print")
        or (isinstance(node, ast.FunctionDef) and node.name in ("__repr__", "__str__"))
        for inner in ast.walk(node)
    }
    for node in set(ast.walk(tree)) - printed:
        if isinstance(node, ast.JoinedStr):
            pieces = node.values
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            pieces = [node.left, node.right]
        elif isinstance(node, ast.Attribute) and node.attr == "format":
            pieces = [node.value]
        else:
            continue
        if any(re.search(r"[^\W\d_]{2,} | [^\W\d_]{2,}", _text(piece)) for piece in pieces):
            problems.append(f"glued: {ast.unparse(node)[:80]}")
    return problems


def _text(node: ast.expr) -> str:
    """What a literal says."""
    return str(node.value) if isinstance(node, ast.Constant) else ""


def file_of(name: str) -> Path:
    return ROOT / "notebooks" / f"{name}.ipynb"


@cache
def headings(lesson: Path) -> list[str]:
    """The numbers in the headings of a lesson's exercises: "Exercise 9.1", "Question 9.1"."""
    beside = exercises_of(lesson)
    text = prose(nbformat.read(beside, as_version=4)) if beside.is_file() else ""
    return re.findall(r"(?m)^### ((?:Exercise|Question) \d+\.\d+)", text)


def extent(notebook: NotebookNode) -> str:
    """How many exercises and questions a notebook holds, and about how long they take."""
    exercises = sum("exercise" in tags(cell) for cell in cells(notebook, "code"))
    questions = len(re.findall(r"(?m)^### Question \d+\.\d+", prose(notebook)))
    levels = re.findall(r"(?m)^Difficulty: (easy|medium|hard)\b", prose(notebook))
    if len(levels) != exercises:
        return f"{exercises} exercises, of which {len(levels)} say how difficult they are"
    minutes = sum(map(MINUTES.__getitem__, levels)) + MINUTES_A_QUESTION * questions
    minutes = 5 * round(minutes / 5)
    return f"{exercises} exercises and {questions} questions, about {minutes} minutes"


@rule
def enough_exercises_and_questions(notebook: NotebookNode, name: str) -> list[str]:
    found = re.findall(r"(?m)^#+ (Exercise|Question) \d+\.\d+", prose(notebook))
    starters = sum("exercise" in tags(cell) for cell in cells(notebook, "code"))
    if not is_exercises(file_of(name)):
        return ["exercises or questions in a lesson: they stand beside it"] * bool(
            found or starters
        )
    least = LEAST.get(name[:2], LEAST_ELSEWHERE)
    questions = found.count("Question")
    problems = []
    if starters < least[0]:
        problems.append(f"{starters} coding exercises, at least {least[0]} are due")
    if questions < least[1]:
        problems.append(f"{questions} concept questions, at least {least[1]} are due")
    return problems


@rule
def exercises_are_numbered_in_order(notebook: NotebookNode, name: str) -> list[str]:
    found = re.findall(r"(?m)^### (Exercise|Question) (\S+)", prose(notebook))
    wanted = []
    for kind in ("Exercise", "Question"):
        count = sum(one == kind for one, _ in found)
        wanted += [(kind, f"{int(name[:2])}.{number}") for number in range(1, count + 1)]
    return [] if found == wanted else [f"not exercises, then questions, in order: {found}"]


@rule
def pages_of_a_chapter_lead_to_each_other(notebook: NotebookNode, name: str) -> list[str]:
    """Lesson and exercises both say how much the exercises are."""
    lesson = file_of(re.sub("_(exercises|deeper)$", "", name))
    if deeper_of(lesson) == file_of(name):
        return [] if f"]({lesson.name})" in notebook.cells[0].source else ["no link to the lesson"]
    if lesson == file_of(name):
        if deeper_of(lesson).is_file() and f"]({deeper_of(lesson).name}" not in prose(notebook):
            return ["no link to the deeper page"]
        beside = exercises_of(lesson)
        if not beside.is_file():
            return [f"there is no {beside.name}"]
        said, target = extent(nbformat.read(beside, as_version=4)), beside.name
        sections = re.split(r"(?m)^(?=## )", prose(notebook))
        places = [part for part in sections if part.startswith("## Exercises\n")]
        if len(places) != 1:
            return [f"{len(places)} sections “## Exercises”"]
    else:
        said, target = extent(notebook), lesson.name
        places = [notebook.cells[0].source]
    return [f"not said: {wanted}" for wanted in (said, f"]({target})") if wanted not in places[0]]


@rule
def exercises_need_no_lesson(notebook: NotebookNode, name: str) -> list[str]:
    """Their code uses what it defines, and neither data nor records; they run in seconds."""
    if not is_exercises(file_of(name)):
        return []
    problems, known = [], set(dir(builtins)) | {"get_ipython"}
    for cell in cells(notebook, "code"):
        nodes = list(ast.walk(syntax(cell)))
        for node in nodes:
            if isinstance(node, ast.ImportFrom | ast.Import):
                known |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                known.add(node.name)
            elif isinstance(node, ast.arg):
                known.add(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                known.add(node.id)
            if isinstance(node, ast.ImportFrom) and re.match(
                r"course_lib\.(data|studies|claims)\b|course_lib$", node.module or ""
            ):
                problems.append(f"loads what the lesson loads: {ast.unparse(node)}")
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        problems += [f"not defined here: {one}" for one in sorted(used - known)]
    if "**Run time** a few seconds on" not in notebook.cells[0].source:
        problems.append("does not promise to run in a few seconds")
    return problems


@rule
def exercises_that_are_named_are_there(notebook: NotebookNode, name: str) -> list[str]:
    """A lesson names one with a link to where it stands."""
    problems = []
    code = "\n".join(cell.source for cell in cells(notebook, "code"))
    for text, linked in ((prose(notebook), not is_exercises(file_of(name))), (code, False)):
        for match in re.finditer(r"\b(?:Exercise|Question) (\d+)\.\d+", text):
            lessons = (ROOT / "notebooks").glob(f"{int(match[1]):02}_*.ipynb")
            home = [lesson for lesson in lessons if is_lesson(lesson)]
            if not home or match[0] not in headings(home[0]):
                problems.append(f"there is no {match[0]}")
            elif linked and not text[match.end() :].startswith(f"]({exercises_of(home[0]).name})"):
                problems.append(f"{match[0]} is not linked")
    return problems


@rule
def exercise_then_check_then_help(notebook: NotebookNode, name: str) -> list[str]:
    code = cells(notebook, "code")
    problems = []
    for place, cell in enumerate(code):
        if "exercise" not in tags(cell):
            continue
        later = [other.source for other in code[place + 1 : place + 3]]
        checked = re.search(r"(ch\d\d\.\w+)\.check\(", later[0] if later else "")
        if not checked:
            problems.append(f"no check after the exercise: {first_line(cell)}")
        elif len(later) < 2 or f"{checked[1]}.help()" not in later[1]:
            problems.append(f"no help after the check of {checked[1]}")
    return problems


@rule
def questions_answer_each_choice(notebook: NotebookNode, name: str) -> list[str]:
    problems = []
    parts = re.split(r"(?m)^(?=#{2,3} )", prose(notebook))
    for part in parts:
        if not part.startswith("### Question"):
            continue
        title = part.split("\n")[0]
        choices = re.findall(
            r'<details class="choice">\s*<summary>(.*?)</summary>(.*?)</details>', part, re.DOTALL
        )
        verdicts = [re.match(r"\s*(?:<\w+>)?\**(Yes|No)\b", feedback) for _, feedback in choices]
        if not 3 <= len(choices) <= 5:
            problems.append(f"{title}: {len(choices)} choices")
        if not all(verdicts):
            problems.append(f"{title}: a feedback does not begin with “Yes.” or “No.”")
        elif not any(verdict[1] == "Yes" for verdict in verdicts):
            problems.append(f"{title}: no right choice")
    return problems


@rule
def every_figure_has_words(notebook: NotebookNode, name: str) -> list[str]:
    """A caption and an alt text; the states of an interactive figure bring their own."""
    duties = {
        "plots.show": {"alt", "caption"},
        "drawings.show": {"caption"},
        "widgets.slider_figure": {"caption"},
        "widgets.choice_figure": {"caption"},
    }
    problems = []
    for function, keywords in calls(notebook):
        for wanted in duties.get(function, set()) - keywords:
            problems.append(f"a call of {function} without {wanted}=")
        if function in ("plt.show", "fig.show", "show", "slider_figure", "choice_figure"):
            problems.append(f"{function}(): figures go through plots.show and widgets")
    problems += [
        f"no alt text: ![]({link})" for link in re.findall(r"!\[\]\((.*?)\)", prose(notebook))
    ]
    images = re.findall(r"<img\b[^>]*>", prose(notebook))
    return problems + [f"no alt text: {image}" for image in images if "alt=" not in image]


@rule
def cited_papers_are_in_the_bibliography(notebook: NotebookNode, name: str) -> list[str]:
    problems = []
    for text, link in re.findall(r"\[([^\]]+)\]\((https?://[^\s)]+)\)", prose(notebook)):
        paper = re.search(r"(?:arxiv\.org/(?:abs|pdf)|doi\.org)/(.+?)(?:v\d+|\.pdf)?$", link)
        if not paper and not re.search(r"\(\d{4}\w?\)$", text):
            continue
        wanted = (paper[1] if paper else link).lower().rstrip("/")
        if wanted not in bibliography():
            problems.append(f"not in book/references.bib: [{text}]({link})")
    return problems


@rule
def korean_terms_are_in_the_glossary(notebook: NotebookNode, name: str) -> list[str]:
    terms = re.findall(r"[(,]\s*([가-힣][가-힣 ]*)\)", prose(notebook))
    return [f"not in book/glossary.md: {term}" for term in terms if f"({term})" not in glossary()]


@rule
def library_classes_are_imported(notebook: NotebookNode, name: str) -> list[str]:
    return [
        f"class {node.name} is in {library_classes()[node.name]} already"
        for cell in cells(notebook, "code")
        if "exercise" not in tags(cell)
        for node in ast.walk(syntax(cell))
        if isinstance(node, ast.ClassDef) and node.name in library_classes()
    ]


@rule
def links_between_notebooks_resolve(notebook: NotebookNode, name: str) -> list[str]:
    links = re.findall(r"\]\(((?!https?:|#|mailto:)[^)\s]+)\)", prose(notebook))
    files = [link.split("#")[0] for link in links]
    return [f"no such file: {file}" for file in files if not (ROOT / "notebooks" / file).exists()]


PREDICT = r"> \*\*Predict\.\*\*"


@rule
def predictions_wait_for_their_answers(notebook: NotebookNode, name: str) -> list[str]:
    """Each Predict box has cells tagged `answer` behind it, before the next box; if it has a name,
    they are anywhere behind it and tagged with that name, too (see book/_static/guess.js)."""
    problems, boxes, named = [], [], {}  # a box: its first words, its answer's name, its answers
    for cell in notebook.cells:
        answers = [tag for tag in tags(cell) if re.match(r"answer\b", tag)]
        wanted = [tag.removeprefix("answer-") for tag in answers if tag != "answer"]
        if answers and "answer" not in answers:
            problems.append(f"tagged {answers[0]}, but not answer: {first_line(cell)}")
        elif answers and re.search(PREDICT, cell.source):
            problems.append(f"an answer with a prediction in it: {first_line(cell)}")
        elif answers and cell.cell_type == "markdown" and re.search("(?m)^#+ ", cell.source):
            problems.append(f"an answer with a heading in it: {first_line(cell)}")
        elif wanted and wanted[0] not in named:
            problems.append(f"an answer before its prediction {wanted[0]}: {first_line(cell)}")
        elif wanted:
            named[wanted[0]][2].append(cell)
        elif answers and (not boxes or boxes[-1][1]):
            problems.append(f"the answer to which prediction? {first_line(cell)}")
        elif answers:
            boxes[-1][2].append(cell)
        for text in re.split(PREDICT, cell.source)[1:]:
            said = text.strip()[:50]
            names = set(re.findall(r'data-answer="([a-z]+)"', text))
            boxes.append((said, names, []))
            named |= dict.fromkeys(names, boxes[-1])
            for field in re.findall(r'<span class="guess"(.*?)></span>', text, re.DOTALL):
                kinds = re.sub(r'="[^"]*"', "", field).split()
                choices = re.findall(r'data-choices="([^"]*)"', field)
                if set(kinds) - {"data-choices", "data-number", "data-label", "data-answer"}:
                    problems.append(f"a field that guess.js does not know: {field}")
                if any("" in one.split("|") or "|" not in one for one in choices):
                    problems.append(f"nothing to choose from: {field}")
        if 'class="guess"' in re.split(PREDICT, cell.source)[0]:
            problems.append(f"a field outside of a prediction: {first_line(cell)}")
    return problems + [f"no answer behind: {said}" for said, _, found in boxes if not found]
