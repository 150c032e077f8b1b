"""Files that are checked when they are read: a fault is named with its file and field.

The form of a file is a JSON Schema, which is written down as YAML.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any


def read(path: Path, schema: Path, remedy: str) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: the file is cut off or is not JSON, holds NaN or infinity, or has another form.
            The message names the file, each field at fault, and the `remedy`.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except ValueError as error:  # also UnicodeDecodeError
        faults = [str(error)]
    else:
        found = problems(data, schema)
        faults = [f"field {'.'.join(map(str, place)) or '-'}: {said}" for place, said in found]
    if faults:
        raise ValueError(f"{path}: {'; '.join(faults[:3])}. {remedy}")
    return data


def problems(data: Any, schema: Path) -> list[tuple[tuple[str | int, ...], str]]:
    """Where and how `data` differs from its form: (keys to get there, what is wrong).

    Numbers must be finite. A part of the schema may word its own message, as "says".
    """
    errors = _validator(schema).iter_errors(data)
    return [(tuple(error.absolute_path), _message(error)) for error in errors]


@cache
def _validator(schema: Path) -> Any:
    import yaml

    with _not_there("rfc3987_syntax"):
        from jsonschema import Draft202012Validator, validators

    checker = Draft202012Validator.TYPE_CHECKER.redefine("number", _is_number)
    kind = validators.extend(Draft202012Validator, type_checker=checker)
    return kind(yaml.safe_load(schema.read_text(encoding="utf-8")))


@contextmanager
def _not_there(module: str) -> Iterator[None]:
    """Let `import module` fail inside.

    JupyterLab brings a grammar of international addresses, which jsonschema takes in when it is
    imported: more than a second in each notebook that reads a record, for a format of no use here.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


def _message(error: Any) -> str:
    own = error.schema.get("says")
    return f"{error.instance!r}: {own}" if own else error.message[:200]


def _is_number(_: Any, value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _refuse(constant: str) -> None:
    raise ValueError(f"it holds {constant}, which is not a number")
