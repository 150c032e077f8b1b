"""Our ``Bert`` against Hugging Face's ``BertModel``, both with MiniLM's weights."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.bert import weights as bert_weights
from course_lib.data import archives
from tools.bench.pairs import Result, compare

TEXTS, LENGTH = 16, 64
TARGET = 1.0


def texts(padded: bool) -> Tensor:
    """(B, S) ids without special tokens; padded: half of the texts are half as long."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1000, 30_000, (TEXTS, LENGTH), generator=generator)
    if padded:
        tokens[: TEXTS // 2, LENGTH // 2 :] = 0
    return tokens


def forward(padded: bool, pairs: int) -> Result:
    """States of 16 texts of 64 tokens, without gradient; the mask is part of both."""
    import transformers

    ours = bert_weights.minilm().body
    theirs = transformers.BertModel.from_pretrained(archives.fetch("minilm")).eval()
    tokens = texts(padded)

    @torch.inference_mode()
    def read_ours() -> Tensor:
        return ours(tokens)

    @torch.inference_mode()
    def read_theirs() -> Tensor:
        mask = (tokens != 0).long()
        return theirs(tokens, attention_mask=mask).last_hidden_state

    real = tokens != 0
    torch.testing.assert_close(read_ours()[real], read_theirs()[real], atol=1e-4, rtol=1e-4)
    case = ", padded" if padded else ""
    name = f"Bert forward / Hugging Face, MiniLM{case}"
    return compare(name, read_ours, read_theirs, pairs, 1, TARGET)
