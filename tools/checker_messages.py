"""What the exercises say to a learner, as it stands in the code: `messages()` lists it all.

A message is a literal that the code gives to `say` or to `wrong`, or for a parameter of one of the
names in `TOLD`, whichever function of the exercises has it; a default of such a parameter; a key
where a dictionary is given. Of a name the code must say in the same function, or on top of the
file, which literals it may stand for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog

from course_lib.figures.language import counted, worded
from tools.project import ROOT

EXERCISES = ROOT / "course_lib" / "exercises"
TOLD = {"hints", "message", "remarks", "says", "template", "what"}


def files() -> list[Path]:
    """The chapters' exercises and what judges them."""
    return sorted([*EXERCISES.glob("ch[0-9][0-9].py"), *(EXERCISES / "engine").glob("*.py")])


def messages() -> Catalog:
    """The messages, each with the places where it stands: path:line."""
    trees = {path: ast.parse(path.read_text("utf8")) for path in files()}
    signatures = {"say": ["template"]}
    for path, tree in trees.items():
        if path.parent.name == "engine":
            signatures |= dict(signatures_in(tree))
    catalog = Catalog(locale="ko")
    for path, tree in trees.items():
        for literal in Listing(tree, signatures).found():
            place = f"{path.relative_to(ROOT).as_posix()}:{literal.lineno}"
            catalog.add(counted(literal.value), locations=[(place, None)])
    return catalog


def signatures_in(tree: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """The parameters of each function, by its name; those of `__init__` under the class's name."""
    for node in ast.walk(tree):
        inside = getattr(node, "body", [])
        for one in inside if isinstance(inside, list) else []:
            if isinstance(one, ast.FunctionDef):
                in_class = isinstance(node, ast.ClassDef) and one.name == "__init__"
                name = node.name if in_class else one.name
                names = [arg.arg for arg in [*one.args.posonlyargs, *one.args.args]]
                names = names[1:] if names[:1] == ["self"] else names
                yield name, names + ([f"*{one.args.vararg.arg}"] if one.args.vararg else [])


class Listing:
    """The messages in one file.

    Args:
        tree: the file.
        signatures: the parameters of the functions that it may import.
    """

    def __init__(self, tree: ast.Module, signatures: dict[str, list[str]]) -> None:
        self.tree = tree
        self.signatures = signatures | dict(signatures_in(tree))

    def found(self) -> Iterator[ast.Constant]:
        """The literals with words in them."""
        for node in self.within(self.tree, [self.tree]):
            if isinstance(node.value, str) and worded(node.value):
                yield node

    def within(self, node: ast.AST, around: list[ast.AST]) -> Iterator[ast.Constant]:
        """The literals that are told in a part of the file; `around` are the scopes it is in."""
        if isinstance(node, ast.FunctionDef):
            for arg, default in defaults(node.args):
                if arg.arg in TOLD:
                    yield from self.literals(default, around)
            around = [*around, node]
        if isinstance(node, ast.Call):
            for told in self.told_by(node):
                yield from self.literals(told, around)
        for child in ast.iter_child_nodes(node):
            yield from self.within(child, around)

    def told_by(self, call: ast.Call) -> Iterator[ast.expr]:
        """The arguments of a call that a learner reads."""
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        name = call.func.id if isinstance(call.func, ast.Name) else name
        parameters = self.signatures.get(name, [])
        for place, value in enumerate(call.args):
            last = parameters[-1] if parameters else ""
            parameter = parameters[place] if place < len(parameters) else last
            if parameter.removeprefix("*") in TOLD and (
                place < len(parameters) or last.startswith("*")
            ):
                yield value
        yield from (keyword.value for keyword in call.keywords if keyword.arg in TOLD)

    def literals(self, value: ast.AST | None, around: list[ast.AST]) -> Iterator[ast.Constant]:
        """The literals that an expression may stand for."""
        if isinstance(value, ast.Constant):
            yield value
        elif isinstance(value, ast.IfExp):
            yield from self.literals(value.body, around)
            yield from self.literals(value.orelse, around)
        elif isinstance(value, (ast.Tuple, ast.List)):
            for one in value.elts:
                yield from self.literals(one, around)
        elif isinstance(value, ast.Starred):
            yield from self.literals(value.value, around)
        elif isinstance(value, ast.Dict):
            for one in value.keys:
                yield from self.literals(one, around)
        elif isinstance(value, ast.Name):
            for one in self.given(value.id, around):
                yield from self.literals(one, around)
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            for function in self.tree.body:
                if isinstance(function, ast.FunctionDef) and function.name == value.func.id:
                    for node in ast.walk(function):
                        if isinstance(node, ast.Return):
                            yield from self.literals(node.value, [self.tree, function])

    def given(self, name: str, around: list[ast.AST]) -> Iterator[ast.AST]:
        """What is assigned to a name in the innermost scope that assigns it, or looped over."""
        for scope in reversed(around):
            found = []
            for node in ast.walk(scope):
                if isinstance(node, ast.Assign):
                    found += [v for target in node.targets for v in part(target, node.value, name)]
                elif isinstance(node, ast.For):
                    found += looped(node, name)
            if found:
                yield from found
                return


def defaults(args: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr]]:
    """The parameters that have a default, and it."""
    positional = [*args.posonlyargs, *args.args]
    if args.defaults:
        yield from zip(positional[-len(args.defaults) :], args.defaults, strict=True)
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        if default is not None:
            yield arg, default


def part(target: ast.expr, value: ast.expr, name: str) -> list[ast.expr]:
    """What an assignment gives to a name: of `a, b = 1, 2` it gives 2 to b."""
    if isinstance(target, ast.Name):
        return [value] if target.id == name else []
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False)
        return [found for one, of_it in pairs for found in part(one, of_it, name)]
    return []


def looped(loop: ast.For, name: str) -> list[ast.expr]:
    """What a name stands for in a loop over literals, or over literals in a `zip`."""
    target, over = loop.target, loop.iter
    if isinstance(target, ast.Name):
        return [over] if target.id == name else []
    if not isinstance(target, ast.Tuple):
        return []
    if isinstance(over, ast.Call) and ast.unparse(over.func) == "zip":
        pairs = zip(target.elts, over.args, strict=False)
        return [of_it for one, of_it in pairs if isinstance(one, ast.Name) and one.id == name]
    return [found for row in getattr(over, "elts", []) for found in part(target, row, name)]
