"""A decoder of today: GPT with four changes, each small.

    LayerNorm                  →  RMSNorm: no mean, no shift        Zhang & Sennrich (2019)
    learned positions          →  rotary, in every layer            Su et al. (2021)
    feed-forward with GELU     →  SwiGLU: one map gates another     Shazeer (2020)
    a key for each query head  →  one key for several query heads   Ainslie et al. (2023)

and no biases. This is the model that Touvron et al. (2023, section 2.2) called Llama (all but the
last change, which the larger models of its second version brought); SmolLM2, which chapter 10
reads, is one of its kind. Hugging Face calls the same model `LlamaForCausalLM`.

Shapes: B batch, T positions, P positions read before, D model width, H query heads, G key heads,
K = D / H head width, F inside the feed-forward network, L layers, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.attention.multi_head import KeysValues
from course_lib.attention.positions import sinusoidal, turn
from course_lib.gpt.model import GPT, DecoderBody, GPTState, look_back
from course_lib.support.checks import check_ids, check_sizes


@dataclass(frozen=True)
class LlamaConfig:
    """Sizes of a `Llama`.

    Args:
        vocab_size: V.
        width: D.
        hidden: F.
        heads: H, a divisor of D.
        key_heads: G, a divisor of H.
        layers: L.
        context: C, the longest text of its training. Nothing breaks beyond it, but what comes out
            is a guess.
        base: of the rotary angles.
        epsilon: added under the root of RMSNorm.
    """

    vocab_size: int
    width: int
    hidden: int
    heads: int
    key_heads: int
    layers: int
    context: int
    base: float = 10_000.0
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        sizes = ("vocab_size", "width", "hidden", "heads", "key_heads", "layers", "context")
        check_sizes(self, sizes, probabilities=())
        if self.heads % self.key_heads:
            raise ValueError(
                f"{self.heads} query heads cannot share {self.key_heads} key heads evenly: "
                "key_heads must divide heads."
            )


class RMSNorm(nn.Module):
    """Divide by the root of the mean square: a LayerNorm that takes no mean off and adds no shift.

    Zhang & Sennrich (2019), equation 4.
    """

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """(…, D) -> (…, D)."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * self.weight


class GroupedAttention(nn.Module):
    """Self-attention whose H query heads share G heads of keys and values (Ainslie et al. 2023).

    What a long text costs in memory is its kept keys and values: they shrink H / G times.
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.heads, self.key_heads = config.heads, config.key_heads
        narrow = config.width // config.heads * config.key_heads
        self.query = nn.Linear(config.width, config.width, bias=False)
        self.key = nn.Linear(config.width, narrow, bias=False)
        self.value = nn.Linear(config.width, narrow, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)

    def forward(
        self, x: Tensor, past: KeysValues | None, table: Tensor, *, need_weights: bool = False
    ) -> tuple[Tensor, KeysValues, Tensor | None]:
        """(B, T, D), what was kept of P positions, the rotary table (T, K) of the new ones.

        Returns:
            (B, T, D); keys and values of all P + T positions, (B, G, P + T, K) each; weights
            (B, H, T, P + T) or None.
        """
        queries = turn(self._split(self.query(x), self.heads), table)  # (B, H, T, K)
        keys = turn(self._split(self.key(x), self.key_heads), table)  # (B, G, T, K)
        values = self._split(self.value(x), self.key_heads)  # (B, G, T, K), never rotated
        if past is not None:
            keys, values = torch.cat([past[0], keys], 2), torch.cat([past[1], values], 2)
        shared = (one.repeat_interleave(self.heads // self.key_heads, 1) for one in (keys, values))
        heads, weights = look_back(queries, *shared, need_weights=need_weights)
        return self.output(heads.transpose(1, 2).flatten(2)), (keys, values), weights

    @staticmethod
    def _split(x: Tensor, heads: int) -> Tensor:
        """(B, T, heads · K) -> (B, heads, T, K)."""
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class SwiGLU(nn.Module):
    """down(swish(gate x) · up x): what one map says is let through by another (Shazeer 2020)."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.hidden, bias=False)
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(…, D) -> (…, D); swish(z) = z · sigmoid(z)."""
        return self.down(F.silu(self.gate(x)) * self.up(x))


class LlamaBlock(nn.Module):
    """x + attention(norm(x)), then x + network(norm(x)), as in GPT-2."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.width, config.epsilon)
        self.attention = GroupedAttention(config)
        self.network_norm = RMSNorm(config.width, config.epsilon)
        self.network = SwiGLU(config)

    def forward(
        self, x: Tensor, past: KeysValues | None, table: Tensor, *, need_weights: bool = False
    ) -> tuple[Tensor, KeysValues, Tensor | None]:
        """As `GroupedAttention`."""
        out, kept, weights = self.attention(
            self.attention_norm(x), past, table, need_weights=need_weights
        )
        x = x + out
        return x + self.network(self.network_norm(x)), kept, weights


class LlamaBody(DecoderBody):
    """Rotary positions, blocks, and an RMSNorm at the end."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.h = nn.ModuleList(LlamaBlock(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.epsilon)

    def read(
        self, tokens: Tensor, state: GPTState, *, need_weights: bool = False
    ) -> tuple[Tensor, GPTState, list[Any]]:
        """As `GPTBody.read`."""
        check_ids(tokens, self.config.vocab_size, "tokens")
        x = self.wte(tokens)  # (B, T, D)
        table = sinusoidal(  # (T, K): the angles are the same in every layer
            tokens.shape[1],
            self.config.width // self.config.heads,
            start=state.length,
            base=self.config.base,
            dtype=x.dtype,
            device=x.device,
        )
        x, state, by_layer = self.through(x, state, table, need_weights=need_weights)
        return self.norm(x), state, by_layer


class Llama(GPT):
    """Body and language-model head. Reading, writing and looking in work as in `GPT`."""

    body_class = LlamaBody
