"""The printed source of a solution: what a learner can paste and run."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from typing import Any


def printed_source(definition: Any, *, as_value: bool = False) -> str:
    """The source of a function or class without its decorators, below the imports that it uses.

    as_value: print the body of a function without arguments, its last line `return x` turned
    into `name = x`.
    """
    source = textwrap.dedent(inspect.getsource(definition))
    node: Any = ast.parse(source).body[0]
    lines = source.splitlines()
    code = _as_assignment(node, lines) if as_value else lines[node.lineno - 1 :]
    node.decorator_list.clear()  # the names in the decorator are ours, not the learner's
    imports = _imports_used(node, inspect.getsource(sys.modules[definition.__module__]))
    gap = [""] * (1 if as_value else 2) if imports else []
    return "\n".join([*imports, *gap, *code]) + "\n"


def patched(definition: Any, patch: str) -> Any:
    """The function or class with its source changed: "old -> new", several joined by " ;; ".

    `old` stands exactly once in the source below the signature's decorators, without the
    docstring; nothing behind the arrow deletes it. The new code sees the names of its file.
    Raises: ValueError where a part does not apply.
    """
    source = textwrap.dedent(inspect.getsource(definition))
    node: Any = ast.parse(source).body[0]
    lines = source.splitlines()
    if ast.get_docstring(node):
        said = node.body[0]
        lines[said.lineno - 1 : said.end_lineno] = []
    code = "\n".join(lines[node.lineno - 1 :])
    for part in patch.split(";;"):
        old, arrow, new = f"{part} ".partition(" -> ")
        old, new = old.strip(), new.strip()
        if not arrow or code.count(old) != 1:
            times = code.count(old) if arrow and old else "without an arrow or"
            raise ValueError(f"{part!r} does not apply to {node.name}: found {times} times.")
        code = code.replace(old, new)
    namespace = dict(vars(sys.modules[definition.__module__]))
    exec(compile(f"from __future__ import annotations\n{code}", f"<{patch}>", "exec"), namespace)
    return namespace[definition.__name__]


def _as_assignment(node: Any, lines: list[str]) -> list[str]:
    statements = node.body[1:] if ast.get_docstring(node) else node.body
    first, last = statements[0].lineno, statements[-1].lineno
    body = textwrap.dedent("\n".join(lines[first - 1 :])).splitlines()
    body[last - first] = body[last - first].replace("return", f"{node.name} =", 1)
    return body


def _imports_used(node: ast.AST, file_source: str) -> list[str]:
    used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    lines = []
    for statement in ast.parse(file_source).body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            continue
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            statement.names = [one for one in statement.names if _bound_name(one) in used]
            if statement.names:
                lines.append(ast.unparse(statement))
    return lines


def _bound_name(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]
