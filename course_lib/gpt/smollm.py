"""SmolLM2 with 135 million weights, in our `Llama`: a generative pre-trained Transformer of today.

Ben Allal et al. (2025) trained it on two trillion tokens of web pages, textbooks and code, then on
instructions. The archive holds it as one GGUF file, the format of llama.cpp: sizes, tokenizer and
weights, these in 4 bits (the embedding in 8). `transfer.gguf` reads it; we compute with the 32-bit
numbers that the bits stand for.

Two things about such a file are worth knowing. Its rotary pairs are neighbors, (2i, 2i + 1), as in
`positions.rotate`; Hugging Face keeps the same matrices with row i beside row i + K / 2. And
it knows no padding: a shorter text of a batch is filled up on the right with any id, since nothing
that is real looks there.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import tokenizers
import torch

from course_lib.data import archives
from course_lib.gpt.llama import Llama, LlamaConfig
from course_lib.text.words import Specials
from course_lib.training import checkpoint
from course_lib.transfer import gguf

SIZES = {  # theirs → ours
    "block_count": "layers",
    "context_length": "context",
    "embedding_length": "width",
    "feed_forward_length": "hidden",
    "attention.head_count": "heads",
    "attention.head_count_kv": "key_heads",
    "rope.freq_base": "base",
    "attention.layer_norm_rms_epsilon": "epsilon",
    "vocab_size": "vocab_size",
}
NAMES = {  # theirs → ours
    "token_embd": "body.wte",
    "output_norm": "body.norm",
    "attn_norm": "attention_norm",
    "attn_q": "attention.query",
    "attn_k": "attention.key",
    "attn_v": "attention.value",
    "attn_output": "attention.output",
    "ffn_norm": "network_norm",
    "ffn_gate": "network.gate",
    "ffn_up": "network.up",
    "ffn_down": "network.down",
}
CONTROL = 3  # the token type of marks that no text contains


class SmolLM2(NamedTuple):
    """The model in evaluation mode, its tokenizer, and the ids that are not text."""

    model: Llama
    tokens: tokenizers.Tokenizer
    specials: Specials


def smollm2() -> SmolLM2:
    """SmolLM2-135M-Instruct from the course's archive; about 0.6 GB in memory.

    Raises:
        course_lib.data.archives.ArchiveError: it is neither cached nor reachable, or damaged.
    """
    return load(archives.fetch("smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf")


def load(path: str | Path) -> SmolLM2:
    """Model and tokenizer of a GGUF file of the Llama kind.

    Raises:
        ValueError: see `gguf.read`; or it describes another model, or lacks a tensor.
    """
    said, tensors = gguf.read(path)
    kind = said.get("general.architecture"), said.get("tokenizer.ggml.model")
    if kind != ("llama", "gpt2"):
        raise ValueError(
            f"{path} holds a {kind[0]} model with a {kind[1]} tokenizer; expected llama and gpt2."
        )
    with torch.device("meta"):  # no memory for weights that are replaced at once
        model = Llama(LlamaConfig(**{ours: said[f"llama.{name}"] for name, ours in SIZES.items()}))
    weights = {our_name(name): tensor for name, tensor in tensors.items()}
    checkpoint.check_fit(weights, model.state_dict(), str(path), "Llama")
    model.load_state_dict(weights, assign=True)
    specials = Specials(None, None, said["tokenizer.ggml.eos_token_id"], None)
    return SmolLM2(model.eval(), _tokenizer(said), specials)


def our_name(name: str) -> str:
    """ "blk.3.attn_q.weight" -> "body.h.3.attention.query.weight"."""
    *block, part, kind = name.split(".")
    ours = NAMES.get(part, part)
    return ".".join(["body.h", block[1], ours, kind] if block else [ours, kind])


def _tokenizer(said: dict) -> tokenizers.Tokenizer:
    """Byte-level BPE as in GPT-2, but each digit is a token (chapter 2 learns the merges)."""
    words: list[str] = said["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ")) for pair in said["tokenizer.ggml.merges"]]
    tokens = tokenizers.Tokenizer(
        tokenizers.models.BPE({word: i for i, word in enumerate(words)}, merges)
    )
    tokens.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokens.decoder = tokenizers.decoders.ByteLevel()
    types = said["tokenizer.ggml.token_type"]
    tokens.add_special_tokens(
        [word for word, kind in zip(words, types, strict=True) if kind == CONTROL]
    )
    return tokens
