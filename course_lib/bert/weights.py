"""Weights of others in our `Bert`: MiniLM, and files in Hugging Face's layout.

A folder holds `config.json` (sizes), `model.safetensors` (weights) and `vocab.txt`. Weights are
read with safetensors only, so that reading them never runs code. Names are compared before anything
is copied; what is missing, extra or of another shape is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from course_lib.bert.model import Bert, BertConfig, BertForPreTraining
from course_lib.data import archives
from course_lib.text.wordpiece import WordPiece
from course_lib.training import checkpoint
from course_lib.transfer import published

SIZES = {  # theirs → ours
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
OPTIONAL = ("hidden_dropout_prob", "layer_norm_eps")
FIXED = {  # what else must be said as we compute it; None: not said at all, as in older files
    "model_type": ("bert",),
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
    "pad_token_id": (0, None),
}
OLD_ENDS = {".gamma": ".weight", ".beta": ".bias"}  # of LayerNorm, in the first BERT files


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
    """Body and tokenizer of a folder in Hugging Face's layout."""
    folder = Path(folder)
    body = Bert(read_config(folder / "config.json"))
    file = folder / "model.safetensors"
    load_state(body, checkpoint.read_tensors(file), str(file))
    tokens = WordPiece.read_vocab(folder / "vocab.txt")
    if len(tokens) > body.config.vocab_size:
        raise ValueError(
            f"{folder / 'vocab.txt'} has {len(tokens)} tokens, the weights know "
            f"{body.config.vocab_size}; do both files belong to one model?"
        )
    return Pretrained(body.eval(), tokens)


def read_config(path: str | Path) -> BertConfig:
    """The sizes in a `config.json` of Hugging Face's."""
    return BertConfig(**published.read_config(path, "BERT", SIZES, FIXED, OPTIONAL))


def load_state(
    model: Bert | BertForPreTraining, tensors: Mapping[str, Tensor], source: str = "the state dict"
) -> None:
    """Copy tensors of Hugging Face's `BertModel` or `BertForPreTraining` into ours.

    A body alone also takes those of a model with heads; the heads are left out. Of tied matrices
    one is enough. Nothing is copied unless everything fits.

    Raises:
        ValueError: missing, extra or misshapen names, numbers that are NaN or infinite, or tied
            matrices that differ.
    """
    rename = partial(our_name, with_heads=isinstance(model, BertForPreTraining))
    published.copy_tensors(tensors, model.state_dict(), rename, source, type(model).__name__)


def our_name(name: str, *, with_heads: bool) -> str | None:
    """In a `Bert`, or with heads in a `BertForPreTraining`; None where it has no such tensor."""
    for old, new in OLD_ENDS.items():
        name = name.removesuffix(old) + new if name.endswith(old) else name
    if name.endswith("embeddings.position_ids"):  # 0, 1, 2, …: not a weight
        return None
    if with_heads:
        return name
    return None if name.startswith("cls.") else name.removeprefix("bert.")
