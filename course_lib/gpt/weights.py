"""Real GPT-2 weights in our `GPT`.

A folder in Hugging Face's layout holds `config.json` (sizes) and `model.safetensors` (weights).
Weights are read with safetensors only, so that reading them never runs code. Names and shapes are
compared before anything is copied.

Three things about such files are worth knowing.

- Their linear maps are `Conv1D` layers, which keep a matrix as (in, out) and compute x W + b.
  `torch.nn.Linear` keeps (out, in) and computes x Wᵀ + b. So every matrix is turned, also the
  square ones, where a forgotten turn gives no error, only a model that writes nonsense.
- Names may begin with "transformer." (a file of `GPT2LMHeadModel`) or not (`GPT2Model`, and the
  files that OpenAI's weights were first published in).
- Old files also hold the causal masks, as `attn.bias` and `attn.masked_bias`, and any file may hold
  the output matrix a second time. The masks are left out; the second matrix must be equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from course_lib.gpt.model import GPT, GPTConfig
from course_lib.training import checkpoint
from course_lib.transfer import published

SIZES = {  # theirs → ours
    "vocab_size": "vocab_size",
    "n_positions": "context",
    "n_embd": "width",
    "n_head": "heads",
    "n_layer": "layers",
}
FIXED = {  # what else must be said as we compute it; None: not said at all
    "model_type": ("gpt2", None),
    "activation_function": ("gelu_new", None),
    "layer_norm_epsilon": (1e-5, None),
    "n_inner": (None,),
    "scale_attn_weights": (True, None),
    "scale_attn_by_inverse_layer_idx": (False, None),
    "tie_word_embeddings": (True, None),
}
MASKS = re.compile(r"h\.\d+\.attn\.(masked_)?bias")
TURNED = re.compile(r"h\.\d+\.(attn|mlp)\.c_\w+\.weight")


def load(folder: str | Path) -> GPT:
    """The model of a folder in Hugging Face's layout, in evaluation mode."""
    folder = Path(folder)
    model = GPT(read_config(folder / "config.json"))
    file = folder / "model.safetensors"
    load_state(model, checkpoint.read_tensors(file), str(file))
    return model.eval()


def read_config(path: str | Path) -> GPTConfig:
    """The sizes in a `config.json` of Hugging Face's. Dropout stays 0."""
    return GPTConfig(**published.read_config(path, "GPT-2", SIZES, FIXED))


def load_state(model: GPT, tensors: Mapping[str, Tensor], source: str = "the state dict") -> None:
    """Copy tensors with GPT-2's names into ours. Nothing is copied unless everything fits.

    Raises:
        ValueError: missing, extra or misshapen names; numbers that are NaN or infinite; or an
            output matrix of its own, unequal to the embedding.
    """
    as_in_file = {  # the same memory, seen as the file has it
        name: tensor.T if TURNED.fullmatch(name) else tensor
        for name, tensor in model.body.state_dict().items()
    }
    as_in_file["lm_head.weight"] = as_in_file["wte.weight"]
    published.copy_tensors(tensors, as_in_file, our_name, source, "GPT")


def our_name(name: str) -> str | None:
    """Without the prefix; None for the masks of old files."""
    name = name.removeprefix("transformer.")
    return None if MASKS.fullmatch(name) else name
