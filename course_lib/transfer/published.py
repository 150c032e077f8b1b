"""Published models in Hugging Face's layout: a `config.json` and named tensors.

A configuration says more than sizes. What it says otherwise than we compute would give wrong
numbers without an error, so it is refused; and no tensor is copied unless all of them fit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from course_lib.training import checkpoint


def read_config(
    path: str | Path,
    kind: str,
    sizes: Mapping[str, str],
    fixed: Mapping[str, tuple[Any, ...]],
    optional: Collection[str] = (),
) -> dict[str, Any]:
    """The sizes in a `config.json`, under our names.

    Args:
        path: of the file.
        kind: name of the model, for messages.
        sizes: their name → ours.
        fixed: what else must be said: their name → the values that mean what we compute, the usual
            one first; None among them: it need not be said.
        optional: names among `sizes` that need not be said.

    Raises:
        ValueError: it is not JSON, lacks a size, or says something that we do not compute.
    """
    try:
        said: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    problems = [
        f"{name} is missing" for name in sizes if name not in said and name not in optional
    ] + [
        f"{name} is {said.get(name)!r} (expected {known[0]!r})"
        for name, known in fixed.items()
        if said.get(name) not in known
    ]
    if problems:
        raise ValueError(f"{path} describes another model than a {kind}: {', '.join(problems)}")
    return {ours: said[theirs] for theirs, ours in sizes.items() if theirs in said}


def copy_tensors(
    tensors: Mapping[str, Tensor],
    state: dict[str, Tensor],
    our_name: Callable[[str], str | None],
    source: str,
    kind: str,
) -> None:
    """Copy published tensors into `state`, which has our names; see `checkpoint.copy_tensors`.

    Args:
        our_name: of a name in the file; None: the tensor is left out.
        source, kind: what a message calls the tensors and the model.
    """
    ours = {our_name(name): tensor for name, tensor in tensors.items()}
    named = {name: tensor for name, tensor in ours.items() if name is not None}
    checkpoint.copy_tensors(named, state, source, kind)
