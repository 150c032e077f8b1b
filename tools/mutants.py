"""Do the tests notice a wrong program? `python -m tools.mutants [--count 300] [MODULE …]`.

Each mutant is one module of the library with one small change: `<` for `<=`, `+` for `-`, a number
one larger, an argument left out. The tests of its room run on it, and then, if it lives, those of
the other rooms named below. A mutant that no test kills is printed with its line, to be judged: it
is either equal to the original in all that matters, or a test is missing.

torch is imported once; each mutant is a fork of this process, two at a time.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.util
import io
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.project import ROOT

ROOMS = ("attention", "transformer", "decoding", "evaluation", "training")
SECONDS = 240  # a mutant that runs longer, such as an endless loop, counts as killed
SWAPS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


def changed(node: ast.AST) -> Iterator[ast.AST]:
    """The wrong nodes that may stand in the place of `node`."""
    new = copy.deepcopy(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        new.ops[0] = SWAPS[type(node.ops[0])]()
        yield new
    elif isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in SWAPS:
        new.op = SWAPS[type(node.op)]()
        yield new
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
        yield new.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Call) and node.keywords and node.keywords[-1].arg:
        new.keywords.pop()
        yield new
    elif isinstance(node, ast.IfExp):
        yield new.body
        yield new.orelse


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, what was changed, and the whole changed source, for every mutant of a module."""
    tree = ast.parse(source)
    skipped = {id(part) for node in ast.walk(tree) for part in unimportant(node)}
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            places = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for index, node in places:
                if not isinstance(node, ast.AST) or id(node) in skipped:
                    continue
                for new in changed(node):
                    put(parent, field, index, new)
                    said = f"{ast.unparse(node)}  ->  {ast.unparse(new)}"
                    yield (
                        getattr(node, "lineno", 0),
                        said,
                        ast.unparse(ast.fix_missing_locations(tree)),
                    )
                    put(parent, field, index, node)


def put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def unimportant(node: ast.AST) -> Iterator[ast.AST]:
    """What a test need not notice: annotations, and the text of messages."""
    inner = [getattr(node, name, None) for name in ("annotation", "returns")]
    if isinstance(node, ast.Raise):
        inner.append(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "TypeVar":
        inner.append(node)
    for part in filter(None, inner):
        yield from ast.walk(part)


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Imports one module from changed source."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self.name, self.path, self.source = name, path, source

    def find_spec(self, name, path=None, target=None):
        if name == self.name:
            return importlib.util.spec_from_file_location(name, self.path, loader=self)
        return None

    def get_filename(self, name):
        return str(self.path)

    def get_data(self, path):
        return self.source.encode()


def start(module: Path, source: str) -> int:
    """Fork a process that runs the tests on a mutant; its exit status is 0 when it survives."""
    process = os.fork()
    if process:
        return process
    signal.alarm(SECONDS)
    import pytest

    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    sys.meta_path.insert(0, Mutated(name, module, source))
    own = module.relative_to(ROOT / "course_lib").parts[0]
    quiet = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    status = 1
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        rooms = [f"tests/{room}" for room in (own, *ROOMS) if (ROOT / "tests" / room).is_dir()]
        with contextlib.suppress(BaseException):
            status = int(pytest.main([*quiet, *dict.fromkeys(rooms)]))
    os._exit(0 if status == 0 else 1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="attention/masks.py …")
    parser.add_argument("--count", type=int, default=300, help="mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    library = ROOT / "course_lib"
    chosen = [library / name for name in options.modules]
    chosen = chosen or [path for room in ROOMS for path in sorted((library / room).glob("*.py"))]
    there = [(path, *one) for path in chosen for one in mutants(path.read_text("utf8"))]
    drawn = random.Random(options.seed).sample(there, min(options.count, len(there)))
    print(f"{len(drawn)} of {len(there)} mutants", flush=True)
    import torch  # noqa: F401  (once for all forks)
    import transformers  # noqa: F401

    running: dict[int, tuple] = {}
    alive = []
    for mutant in [*drawn, *[None] * options.jobs]:
        if mutant is not None:
            running[start(mutant[0], mutant[3])] = mutant
        if running and (mutant is None or len(running) >= options.jobs):
            process, status = os.wait()
            path, line, said, _ = running.pop(process)
            if status == 0:
                alive.append(said)
                print(f"alive: {path.relative_to(ROOT)}:{line}  {said}", flush=True)
    killed = len(drawn) - len(alive)
    print(f"{killed} of {len(drawn)} killed ({killed / len(drawn):.1%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
