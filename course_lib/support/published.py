"""The ``config.json`` of a model in Hugging Face's layout: its sizes, and whether it is ours.

A configuration says more than sizes. What it says otherwise than we compute would give wrong
numbers without an error, so it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any


def read_config(
    path: str | Path,
    kind: str,
    sizes: Mapping[str, str],
    fixed: Mapping[str, tuple[Any, ...]],
    optional: Collection[str] = (),
) -> dict[str, Any]:
    """The sizes in a ``config.json``, under our names.

    Args:
        path: of the file.
        kind: name of the model, for messages.
        sizes: their name → ours.
        fixed: what else must be said: their name → the values that mean what we compute, the usual
            one first; None among them: it need not be said.
        optional: names among ``sizes`` that need not be said.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no JSON, lacks a size, or says something that we do not compute.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no configuration at {path}; expected {kind}'s config.json there")
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    missing = [name for name in sizes if name not in said and name not in optional]
    if missing:
        raise ValueError(f"{path} does not say {', '.join(missing)}; is it a {kind}'s config.json?")
    other = [
        f"{name} {said.get(name)!r} (expected {known[0]!r})"
        for name, known in fixed.items()
        if said.get(name) not in known
    ]
    if other:
        raise ValueError(f"{path} describes another kind of model: {', '.join(other)}")
    return {ours: said[theirs] for theirs, ours in sizes.items() if theirs in said}
