"""Do the tests notice a wrong program? `python -m tools.mutants [--count 300] [NAME …]`.

Each mutant is one module of the library with one small change: `<` for `<=`, `+` for `-`, a number
one larger, an argument left out. The tests of its room run on it, in a copy of the repository, so
that the processes which a test starts run it too. A mutant that no test kills is printed with its
line, to be judged: either a test is missing, or no test can tell it from the original. The latter
are named with the reason in tools/equal_mutants.yml and drawn no more. A mutant under which
the tests do not come to an end is listed apart and is not counted as killed.

torch is imported once; each mutant is a fork of this process.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from tools.project import ROOT

ROOMS = ("attention", "transformer", "decoding", "evaluation", "training")
EQUAL = ROOT / "tools" / "equal_mutants.yml"
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


class Mutant(NamedTuple):
    """One change of one module: its number there, its line, that line's text, what changes."""

    module: str
    number: int
    line: int
    text: str
    change: str

    def key(self) -> tuple[str, str, str]:
        """What names it when lines move."""
        return self.module, self.text, self.change


class Site(NamedTuple):
    """Where in a tree a node may be replaced, and by what."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    new: ast.AST


def sites(tree: ast.AST) -> Iterator[Site]:
    """All the changes that this program knows, for one module."""
    skipped = {id(part) for node in ast.walk(tree) for part in unimportant(node)}
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(node, ast.AST) and id(node) not in skipped:
                    for new in changed(node):
                        yield Site(parent, field, index, node, new)


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module, such as attention/masks.py."""
    lines = source.splitlines()
    for number, (parent, field, index, node, new) in enumerate(sites(ast.parse(source))):
        before, after = ast.unparse(node), ast.unparse(new)
        if isinstance(node, ast.Constant) and isinstance(parent, ast.expr):
            before = ast.unparse(parent)  # a number alone says too little
            put(parent, field, index, new)
            after = ast.unparse(parent)
            put(parent, field, index, node)
        change = f"{before}  ->  {after}"
        yield Mutant(module, number, node.lineno, lines[node.lineno - 1].strip(), change)


def mutated(source: str, number: int) -> str:
    """The source of a module with one of its changes made."""
    tree = ast.parse(source)
    parent, field, index, _, new = list(sites(tree))[number]
    put(parent, field, index, new)
    return ast.unparse(ast.fix_missing_locations(tree))


def judged_equal() -> dict[tuple[str, str, str], str]:
    """The mutants that no test can tell from the original, each with the reason."""
    there = yaml.safe_load(EQUAL.read_text("utf8")) or []
    return {(one["module"], one["line"], one["change"]): one["because"] for one in there}


def drawn(sources: dict[str, str], count: int, seed: int) -> list[Mutant]:
    """About `count` mutants, from each module as many as its share of the lines, at least one."""
    generator, equal = random.Random(seed), judged_equal()
    lines = {module: len(source.splitlines()) for module, source in sources.items()}
    chosen = []
    for module, source in sources.items():
        there = [one for one in mutants(module, source) if one.key() not in equal]
        share = max(1, round(count * lines[module] / sum(lines.values())))
        chosen += generator.sample(there, min(share, len(there)))
    return chosen


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


class Seconds:
    """A plugin of pytest that notes how long the tests of each file take."""

    def __init__(self) -> None:
        self.by_file: Counter = Counter()

    def pytest_runtest_logreport(self, report) -> None:
        self.by_file[report.nodeid.split("::")[0]] += report.duration


class Copy:
    """A copy of the repository, whose tests run on one mutant at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        leave = shutil.ignore_patterns(".git", ".venv", "_build", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, root, ignore=leave)

    def run(self, room: str, first: str = "", limit: float = 3600) -> tuple[int | None, float]:
        """The exit status of the tests of a room, None after `limit` seconds; and the seconds.

        The first run of a room, without a mutant, notes which test files are slow. For a mutant of
        the module `first` its own tests come first and slow ones last: most runs end early.
        """
        began = time.monotonic()
        process = os.fork()
        if not process:
            if first:  # the byte code of what is unchanged is there; that of a mutant must not stay
                os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
                sys.dont_write_bytecode = True
            self.test(room, first)
        status = None
        while status is None and time.monotonic() - began < limit:
            time.sleep(0.02)
            ended, code = os.waitpid(process, os.WNOHANG)
            status = code if ended else None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)  # what a test started ends with it
        if status is None:
            os.waitpid(process, 0)
        return status, time.monotonic() - began

    def test(self, room: str, first: str) -> None:
        """Run the tests of a room in this process, and end it."""
        os.setsid()
        os.chdir(self.root)
        sys.path[:] = [str(self.root), *(p for p in sys.path if p not in ("", str(ROOT)))]
        os.environ["PYTHONPATH"] = str(self.root)
        for name in [name for name in sys.modules if name.split(".")[0] == "tools"]:
            del sys.modules[name]
        import pytest

        noted, seconds = self.root / f"{room}.json", Seconds()
        parts = [[f"tests/{room}"]]
        if first:
            took = json.loads(noted.read_text("utf8"))
            own = f"tests/{room}/test_{Path(first).stem}.py"
            rest = sorted(took.keys() - {own}, key=took.get)
            parts = [[own], rest] if own in took else [rest]  # most need no more than the first
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            with contextlib.suppress(BaseException):
                quiet = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
                for paths in filter(None, parts):
                    status = 1  # unless pytest comes to an end of its own
                    status = int(pytest.main([*quiet, *paths], plugins=[seconds]))
                    if status:
                        break
        if not first:
            noted.write_text(json.dumps(seconds.by_file), "utf8")
        os._exit(status)

    @contextlib.contextmanager
    def holding(self, mutant: Mutant) -> Iterator[None]:
        """While the module is a changed one."""
        path = self.root / "course_lib" / mutant.module
        source, before = path.read_text("utf8"), path.stat()
        path.write_text(mutated(source, mutant.number), "utf8")
        try:
            yield
        finally:
            path.write_text(source, "utf8")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="attention, attention/masks.py …")
    parser.add_argument("--count", type=int, default=300, help="mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    library = ROOT / "course_lib"
    paths = [library / name for name in options.names or ROOMS]
    modules = [one for path in paths for one in (sorted(path.glob("*.py")) or [path])]
    sources = {path.relative_to(library).as_posix(): path.read_text("utf8") for path in modules}
    chosen = drawn(sources, options.count, options.seed)
    os.environ["OMP_NUM_THREADS"] = "1"  # a fork of a process with threads waits for them
    import torch  # noqa: F401  (once for all forks)
    import transformers  # noqa: F401

    ends: dict[str, Counter] = {}
    with tempfile.TemporaryDirectory() as folder:
        copied = Copy(Path(folder, "copy"))
        for one in chosen:
            room = one.module.split("/")[0]
            if room not in ends:
                ends[room] = Counter()
                status, seconds = copied.run(room)
                if status != 0:
                    sys.exit(f"the tests of {room} fail without any change")
            with copied.holding(one):
                status, _ = copied.run(room, one.module, limit=20 + 4 * seconds)
            end = {0: "alive", None: "timed out"}.get(status, "killed")
            ends[room][end] += 1
            if end != "killed":
                print(f"{end}: {one.module}:{one.line}  {one.text}  |  {one.change}", flush=True)
    for room, counts in [*ends.items(), ("all", sum(ends.values(), Counter()))]:
        of = counts.total()
        told = ", ".join(f"{counts[end]} {end}" for end in ("killed", "alive", "timed out"))
        print(f"{room}: {told} of {of} ({counts['killed'] / of:.1%} killed)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
