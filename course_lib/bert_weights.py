"""Weights of others in our :class:`~course_lib.bert.Bert`: MiniLM, and files in Hugging Face's
layout.

A folder holds ``config.json`` (sizes), ``model.safetensors`` (weights) and ``vocab.txt``. Weights
are read with safetensors only, so that reading them never runs code. Names are compared before
anything is copied; what is missing, extra or of another shape is named.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from course_lib.bert import Bert, BertConfig, BertForPreTraining
from course_lib.data import archives
from course_lib.wordpiece import WordPiece

# Theirs → ours.
_SIZES = {
    "vocab_size": "vocab_size",
    "hidden_size": "width",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "intermediate_size": "hidden",
    "max_position_embeddings": "positions",
    "type_vocab_size": "segments",
    "hidden_dropout_prob": "dropout",
    "layer_norm_eps": "epsilon",
}
# What else must be said as we compute it; None: not said at all, as in older files.
_FIXED = {
    "model_type": ("bert",),
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
}
_OPTIONAL = ("hidden_dropout_prob", "layer_norm_eps")
_OLD_ENDS = {".gamma": ".weight", ".beta": ".bias"}  # of LayerNorm, in the first BERT files


class Pretrained(NamedTuple):
    """A body with weights, in evaluation mode, and the tokenizer that belongs to it."""

    body: Bert
    tokens: WordPiece


def minilm() -> Pretrained:
    """MiniLM from the course's archive: 6 layers, 384 wide (Wang et al. 2020), later tuned to give
    similar sentences similar vectors (as in Reimers & Gurevych 2019).

    Raises:
        course_lib.data.archives.ArchiveError: it is neither cached nor reachable, or damaged.
    """
    return load(archives.fetch("minilm"))


def load(folder: str | Path) -> Pretrained:
    """Body and tokenizer of a folder in Hugging Face's layout.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is damaged, or is not a BERT of the kind that we compute; the message
            names what differs.
    """
    folder = Path(folder)
    body = Bert(read_config(folder / "config.json"))
    load_weights(body, folder / "model.safetensors")
    tokens = WordPiece.read_vocab(folder / "vocab.txt")
    if len(tokens) > body.config.vocab_size:
        raise ValueError(
            f"{folder / 'vocab.txt'} has {len(tokens)} tokens, the weights know "
            f"{body.config.vocab_size}; do both files belong to one model?"
        )
    return Pretrained(body.eval(), tokens)


def read_config(path: str | Path) -> BertConfig:
    """The sizes in a ``config.json`` of Hugging Face's.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no JSON, lacks a size, or says something that we do not compute.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no configuration at {path}; expected BERT's config.json there")
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    missing = [name for name in _SIZES if name not in said and name not in _OPTIONAL]
    if missing:
        raise ValueError(f"{path} does not say {', '.join(missing)}; is it a BERT's config.json?")
    other = [
        f"{name} {said.get(name)!r} (expected {known[0]!r})"
        for name, known in _FIXED.items()
        if said.get(name) not in known
    ]
    if other:
        raise ValueError(f"{path} describes another kind of model: {', '.join(other)}")
    return BertConfig(**{ours: said[theirs] for theirs, ours in _SIZES.items() if theirs in said})


def load_weights(model: Bert | BertForPreTraining, path: str | Path) -> None:
    """Copy a safetensors file of Hugging Face's ``BertModel`` or ``BertForPreTraining`` into ours.

    A body alone also takes the file of a model with heads; the heads are left out. Tied matrices
    may stand in the file once. Nothing is copied unless everything fits.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no whole safetensors file; missing, extra or misshapen names; or
            numbers that are NaN or infinite.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; expected a safetensors file there")
    try:
        found = safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}); fetch or make it again"
        ) from error
    tensors = in_our_names(found, with_heads=isinstance(model, BertForPreTraining))
    state = _once(model)
    problems = differences(tensors, state)
    if problems:
        raise ValueError(f"{path} does not fit this {type(model).__name__}; {problems}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            state[name].copy_(tensor)


def in_our_names(found: dict[str, Tensor], *, with_heads: bool) -> dict[str, Tensor]:
    """The tensors under the names of a ``Bert``, or with heads of a ``BertForPreTraining``."""
    whole = any(name.startswith("bert.") for name in found)
    tensors = {}
    for name, tensor in found.items():
        for old, new in _OLD_ENDS.items():
            name = name.removesuffix(old) + new if name.endswith(old) else name
        if name.endswith("embeddings.position_ids"):  # 0, 1, 2, …: no weight
            continue
        if name in ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias"):
            continue  # tied: the embedding and cls.predictions.bias
        if whole and not with_heads:
            if name.startswith("cls."):
                continue
            name = name.removeprefix("bert.")
        tensors[name] = tensor
    return tensors


def differences(tensors: dict[str, Tensor], state: dict[str, Tensor]) -> str:
    """What keeps the tensors from being copied, or ""."""
    both = [name for name in tensors if name in state]
    problems = {
        "missing": [name for name in state if name not in tensors],
        "extra": [name for name in tensors if name not in state],
        "other shape": [
            f"{name} {tuple(tensors[name].shape)} (the model has {tuple(state[name].shape)})"
            for name in both
            if tensors[name].shape != state[name].shape
        ],
        "not finite": [name for name in both if not bool(torch.isfinite(tensors[name]).all())],
    }
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in problems.items() if names)


def _once(model: nn.Module) -> dict[str, Tensor]:
    """The state without the second name of what is tied."""
    tied = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")
    return {name: tensor for name, tensor in model.state_dict().items() if name not in tied}
