"""Habits of the whole library that no single test sees."""

import ast
import re
from collections import Counter, defaultdict

import pytest

from tests.book import notebook_rules
from tests.test_architecture import LIBRARY, ROOT, modules

MOST_RAISES = 15  # per 1,000 lines of code that explain
APART = ("exercises", "studies", "claims")


def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


def type_names(name: str) -> set[str]:
    """The classes of a module, and its aliases of types."""
    found = set()
    for node in tree(name).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found |= set(re.findall(r"^[A-Z][a-z]\w*$", node.targets[0].id))
    return found


def test_a_name_is_given_once():
    """A class, or an alias of a type, has one meaning in the library. (An exercise may ask for
    what the library has.)"""
    places = defaultdict(list)
    for name in modules():
        if not re.match(r"exercises/ch", name):
            for one in type_names(name):
                places[one].append(name)
    assert {one: where for one, where in places.items() if len(where) > 1} == {}


def test_checks_stand_where_a_message_would_mislead_and_not_elsewhere():
    raises = lines = 0
    for name, path in modules().items():
        if name.split("/")[0] not in APART:
            raises += sum(isinstance(node, ast.Raise) for node in ast.walk(tree(name)))
            lines += len(re.findall(r"(?m)^\s*[^#\s]", path.read_text(encoding="utf-8")))
    assert 1000 * raises / lines <= MOST_RAISES


@pytest.mark.parametrize("name", modules())
def test_docstrings_are_plain(name):
    """One style of code in docstrings: single backticks, no roles."""
    for node in ast.walk(tree(name)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node) or ""
            odd = re.findall(r"``.*?``|:(?:class|func|mod|meth|data):`", text)
            assert not odd, f"{getattr(node, 'name', name)}: {odd}"


def test_a_percent_sign_follows_its_number():
    """On the pages, in what the library says, and in what the scripts of the pages say."""
    said = {name: [*notebook_rules.texts(tree(name))] for name in modules()}
    files = [*(ROOT / "book").glob("*.md"), *(ROOT / "book" / "_static").glob("*.js")]
    files += [*(ROOT / "book" / "_static" / "live").glob("*.js"), *LIBRARY.rglob("*.yml")]
    said |= {path.name: [path.read_text(encoding="utf-8")] for path in files}
    apart = [name for name, lines in said.items() if any(map(notebook_rules.APART.search, lines))]
    assert apart == []


def test_every_file_of_tests_has_a_name_of_its_own():
    """Without packages, pytest cannot collect two files of one name together."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
