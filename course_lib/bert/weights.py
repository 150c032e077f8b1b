"""Weights of others in our :class:`~course_lib.bert.model.Bert`: MiniLM, and files in Hugging
Face's layout.

A folder holds ``config.json`` (sizes), ``model.safetensors`` (weights) and ``vocab.txt``. Weights
are read with safetensors only, so that reading them never runs code. Names are compared before
anything is copied; what is missing, extra or of another shape is named.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from course_lib.bert.model import Bert, BertConfig, BertForPreTraining
from course_lib.data import archives
from course_lib.support import published
from course_lib.text.wordpiece import WordPiece
from course_lib.training import checkpoint

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
    return BertConfig(**published.read_config(path, "BERT", _SIZES, _FIXED, _OPTIONAL))


def load_weights(model: Bert | BertForPreTraining, path: str | Path) -> None:
    """Copy a safetensors file of Hugging Face's ``BertModel`` or ``BertForPreTraining`` into ours.

    A body alone also takes the file of a model with heads; the heads are left out. Tied matrices
    may stand in the file once. Nothing is copied unless everything fits.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no whole safetensors file; missing, extra or misshapen names; or
            numbers that are NaN or infinite.
    """
    tensors = in_our_names(
        checkpoint.read_tensors(path), with_heads=isinstance(model, BertForPreTraining)
    )
    checkpoint.copy_tensors(tensors, model.state_dict(), str(path), type(model).__name__)


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
