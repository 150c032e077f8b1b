"""Real GPT-2 weights in our :class:`~course_lib.gpt.GPT`.

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

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from course_lib.gpt import GPT, GPTConfig

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
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no configuration at {path}; expected GPT-2's config.json there")
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    missing = [name for name in _SIZES if name not in said]
    if missing:
        raise ValueError(f"{path} does not say {', '.join(missing)}; is it a GPT-2's config.json?")
    other = [
        f"{name} {said.get(name)!r} (expected {known[0]!r})"
        for name, known in _FIXED.items()
        if said.get(name) not in known
    ]
    if other:
        raise ValueError(f"{path} describes another kind of model: {', '.join(other)}")
    return GPTConfig(**{ours: said[theirs] for theirs, ours in _SIZES.items()})


def load_weights(model: GPT, path: str | Path) -> None:
    """Copy a safetensors file of ``GPT2LMHeadModel`` or ``GPT2Model`` into ours.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no whole safetensors file, or as :func:`load_state`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; expected GPT-2's model.safetensors there")
    try:
        tensors = safetensors.torch.load_file(path)
    except (SafetensorError, ValueError) as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}); get it once more"
        ) from error
    load_state(model, tensors, str(path))


def load_state(model: GPT, tensors: Mapping[str, Tensor], source: str = "the state dict") -> None:
    """Copy tensors with GPT-2's names into ours. Nothing is copied unless everything fits.

    Raises:
        ValueError: missing, extra or misshapen names; numbers that are NaN or infinite; or an
            output matrix of its own, unequal to the embedding.
    """
    found = _without_extras(tensors)
    wanted = model.body.state_dict()
    head = found.pop(_HEAD, None)
    turned = {
        name: tensor.T if _TURNED.fullmatch(name) and tensor.dim() == 2 else tensor
        for name, tensor in found.items()
    }
    both = [name for name in wanted if name in turned]
    problems = {
        "missing": [name for name in wanted if name not in turned],
        "extra": [name for name in turned if name not in wanted],
        "other shape": [
            f"{name} {tuple(found[name].shape)} (expected {_in_file(name, wanted[name])})"
            for name in both
            if turned[name].shape != wanted[name].shape
        ],
        "not finite": [name for name in both if not turned[name].isfinite().all()],
    }
    if head is not None and "wte.weight" in found and not torch.equal(head, found["wte.weight"]):
        problems["unequal"] = [f"{_HEAD} and wte.weight, which are one matrix in GPT-2"]
    said = [f"{label}: {', '.join(names)}" for label, names in problems.items() if names]
    if said:
        raise ValueError(
            f"{source} does not fit this GPT; {'; '.join(said)}. Is the model built with the sizes "
            "of its config.json, and is it a GPT-2?"
        )
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(turned[name])


def _without_extras(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefix, and without the masks of old files."""
    names = {name: name.removeprefix(_PREFIX) for name in tensors}
    return {ours: tensors[name] for name, ours in names.items() if not _MASKS.fullmatch(ours)}


def _in_file(name: str, ours: Tensor) -> tuple[int, ...]:
    """The shape that a tensor of ours has in a file."""
    return tuple(ours.T.shape if _TURNED.fullmatch(name) else ours.shape)
