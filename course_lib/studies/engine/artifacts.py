"""Weights that a study leaves behind: a safetensors file and a model card beside it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.support.files import write_atomically

if TYPE_CHECKING:
    from torch import nn

    from course_lib.text.bpe import BPE
    from course_lib.text.wordpiece import WordPiece
    from course_lib.text.words import WordTokenizer

    Tokenizer = BPE | WordTokenizer | WordPiece

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"


def save(name: str, model: nn.Module, card: dict[str, Any]) -> Path | None:
    """Called by a study's ``run``: keep ``model`` as ``NAME.safetensors`` with ``NAME.json``.

    ``card`` says how the weights came about (configuration, seed, data, licence, scores); the
    number of parameters and the file's hash are added. Outside the runner, and in smoke cells,
    nothing is written and the answer is None.

    Raises:
        OSError: the files cannot be written; former ones stay.
    """
    folder = os.environ.get("COURSE_ARTIFACTS", "")
    if not folder:
        return None
    from course_lib.training.checkpoint import save_weights

    path = Path(folder) / f"{name}.safetensors"
    save_weights(model, path)
    full = {
        "name": name,
        **card,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    text = json.dumps(full, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path.with_suffix(".json"), text.encode())
    return path


def find(name: str, *, folder: Path = CHECKPOINTS) -> Path:
    """The file of the kept weights ``name``; their card, and what else was kept, lie beside it.

    Raises:
        KeyError: no such weights; the message lists those there are.
    """
    path = Path(folder) / f"{name}.safetensors"
    if not (path.is_file() and path.with_suffix(".json").is_file()):
        there = sorted(file.stem for file in Path(folder).glob("*.safetensors"))
        raise KeyError(f"no weights {name!r}; there are: {', '.join(there) or 'none yet'}")
    return path


def load(name: str, model: nn.Module, *, folder: Path = CHECKPOINTS) -> dict[str, Any]:
    """Load the kept weights ``name`` into ``model`` and return their card.

    Raises:
        KeyError: as ``find``.
        ValueError: weights and card do not belong together, or do not fit the model.
    """
    from course_lib.training.checkpoint import load_weights

    path = find(name, folder=folder)
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if hashlib.sha256(path.read_bytes()).hexdigest() != card["sha256"]:
        raise ValueError(f"{path.name} is not the file its card describes; make both again")
    load_weights(model, path)
    return card


def save_reader(name: str, model: nn.Module, card: dict[str, Any], tokens: Tokenizer) -> None:
    """As :func:`save`, in 16 bits, with the model's one tokenizer beside the weights."""
    path = save(name, model.half(), card | {"storage": "16-bit floats"})
    if path is not None:
        tokens.save(path.with_name(f"{name}.tokens.json"))


def tokenizer(name: str, kind: type[Tokenizer], *, folder: Path = CHECKPOINTS) -> Tokenizer:
    """The tokenizer that :func:`save_reader` kept.

    Raises:
        KeyError: no such weights.
        FileNotFoundError: the tokenizer is not there.
    """
    return kind.load(find(name, folder=folder).with_name(f"{name}.tokens.json"))


def save_translator(
    name: str, model: nn.Module, card: dict[str, Any], source: Tokenizer, target: Tokenizer
) -> None:
    """As :func:`save`, in 16 bits, with the two tokenizers beside the weights."""
    path = save(name, model.half(), card)
    if path is not None:
        source.save(path.with_name(f"{name}.source.json"))
        target.save(path.with_name(f"{name}.target.json"))


def tokenizers(
    name: str, kind: type[Tokenizer], *, folder: Path = CHECKPOINTS
) -> tuple[Tokenizer, Tokenizer]:
    """The tokenizers of source and target that :func:`save_translator` kept.

    Raises:
        KeyError: no such weights.
        FileNotFoundError: a tokenizer is not there.
    """
    weights = find(name, folder=folder)
    source, target = (
        kind.load(weights.with_name(f"{name}.{side}.json")) for side in ("source", "target")
    )
    return source, target
