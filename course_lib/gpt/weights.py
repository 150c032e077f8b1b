"""Real GPT-2 weights in our :class:`~course_lib.gpt.model.GPT`.

A folder in Hugging Face's layout holds ``config.json`` (sizes) and ``model.safetensors``
(weights). Weights are read with safetensors only, so that reading them never runs code. Names and
shapes are compared before anything is copied.

Three things about such files are worth knowing.

- Their linear maps are ``Conv1D`` layers, which keep a matrix as (in, out) and compute x W + b.
  ``torch.nn.Linear`` keeps (out, in) and computes x Wᵀ + b. So every matrix is turned, also the
  square ones, where a forgotten turn gives no error, only a model that writes nonsense.
- Names may begin with "transformer." (a file of ``GPT2LMHeadModel``) or not (``GPT2Model``, and
  the files that OpenAI's weights were first published in).
- Old files also hold the causal masks, as ``attn.bias`` and ``attn.masked_bias``, and any file may
  hold the output matrix a second time. They are left out; the second matrix must be equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from course_lib.gpt.model import GPT, GPTConfig
from course_lib.support import published
from course_lib.training import checkpoint

# Theirs → ours.
_SIZES = {
    "vocab_size": "vocab_size",
    "n_positions": "context",
    "n_embd": "width",
    "n_head": "heads",
    "n_layer": "layers",
}
# What else must be said as we compute it; None: not said at all.
_FIXED = {
    "model_type": ("gpt2", None),
    "activation_function": ("gelu_new", None),
    "layer_norm_epsilon": (1e-5, None),
    "n_inner": (None,),
    "scale_attn_weights": (True, None),
    "scale_attn_by_inverse_layer_idx": (False, None),
    "tie_word_embeddings": (True, None),
}
_PREFIX, _HEAD = "transformer.", "lm_head.weight"
_MASKS = re.compile(r"h\.\d+\.attn\.(masked_)?bias")
_TURNED = re.compile(r"h\.\d+\.(attn|mlp)\.c_\w+\.weight")


def load(folder: str | Path) -> GPT:
    """The model of a folder in Hugging Face's layout, in evaluation mode.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is damaged, or is not a GPT-2 of the kind that we compute; the message
            names what differs.
    """
    folder = Path(folder)
    model = GPT(read_config(folder / "config.json"))
    load_weights(model, folder / "model.safetensors")
    return model.eval()


def read_config(path: str | Path) -> GPTConfig:
    """The sizes in a ``config.json`` of Hugging Face's. Dropout stays 0.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no JSON, lacks a size, or says something that we do not compute.
    """
    return GPTConfig(**published.read_config(path, "GPT-2", _SIZES, _FIXED))


def load_weights(model: GPT, path: str | Path) -> None:
    """Copy a safetensors file of ``GPT2LMHeadModel`` or ``GPT2Model`` into ours.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no whole safetensors file, or as :func:`load_state`.
    """
    load_state(model, checkpoint.read_tensors(path), str(path))


def load_state(model: GPT, tensors: Mapping[str, Tensor], source: str = "the state dict") -> None:
    """Copy tensors with GPT-2's names into ours. Nothing is copied unless everything fits.

    Raises:
        ValueError: missing, extra or misshapen names; numbers that are NaN or infinite; or an
            output matrix of its own, unequal to the embedding.
    """
    found = _without_extras(tensors)
    head = found.pop(_HEAD, None)
    if head is not None and "wte.weight" in found and not torch.equal(head, found["wte.weight"]):
        raise ValueError(
            f"{source} does not fit this GPT; unequal: {_HEAD} and wte.weight, which are one "
            "matrix in GPT-2."
        )
    as_in_file = {  # the same memory, seen as the file has it
        name: tensor.T if _TURNED.fullmatch(name) else tensor
        for name, tensor in model.body.state_dict().items()
    }
    checkpoint.copy_tensors(found, as_in_file, source, "GPT")


def _without_extras(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefix, and without the masks of old files."""
    names = {name: name.removeprefix(_PREFIX) for name in tensors}
    return {ours: tensors[name] for name, ours in names.items() if not _MASKS.fullmatch(ours)}
