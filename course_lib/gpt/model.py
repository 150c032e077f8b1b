"""GPT: the decoder half of a Transformer, alone, as a language model.

There is no source, so there is no attention to one. What is left is a stack of blocks, each of
masked self-attention and a feed-forward network, that predicts the next token at every position
(Radford et al. 2018, section 3.1). The details are those of GPT-2 (Radford et al. 2019, section
2.3): LayerNorm comes first in each half of a block, one more stands at the end, and the output
layer is the token embedding. Names and the order of numbers are those of Hugging Face's
`GPT2Model`; `gpt.weights` reads its files.

What differs from the decoder of `transformer.layers`: one linear map gives queries, keys and
values, GELU takes the place of ReLU, the embeddings are not multiplied by √D, and the weights start
as `init_gpt2_` says. Like every language model of this course it offers `init_state`, `step` and
`reorder` for `decoding.search`.

Shapes: B batch, T positions, P positions read before, D model width, H heads, K = D / H head
width, L layers, C context (the most positions), V vocabulary. All rows of a batch are read from
position 0 on. Shorter texts are filled up on the right, where no real token attends to; to go on
writing, the prompts of a batch must have one length.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.attention.attend import attend, attend_fast
from course_lib.attention.masks import causal_mask
from course_lib.attention.multi_head import KeysValues
from course_lib.support.checks import check_ids, check_sizes


@dataclass(frozen=True)
class GPTConfig:
    """Sizes of a `GPT`.

    Args:
        vocab_size: V.
        context: C, how many positions are learned; no text may be longer.
        width: D.
        heads: H, a divisor of D.
        layers: L.
        dropout: probability on the embeddings and on what each half of a block gives.
        attention_dropout: probability on the attention weights. Published models drop both with
            0.1; on a processor this one costs the fast path of attention.

    The feed-forward networks are 4 D wide inside, as published.
    """

    vocab_size: int
    context: int = 128
    width: int = 192
    heads: int = 6
    layers: int = 6
    dropout: float = 0.0
    attention_dropout: float = 0.0

    def __post_init__(self) -> None:
        sizes = ("vocab_size", "context", "width", "heads", "layers")
        check_sizes(self, sizes, ("dropout", "attention_dropout"))

    @classmethod
    def tiny(cls, vocab_size: int, **changes: Any) -> Self:
        """D = 32, two layers, 16 positions: for tests and toy numbers."""
        return replace(cls(vocab_size, 16, 32, 2, 2), **changes)

    @classmethod
    def course(cls, vocab_size: int, **changes: Any) -> Self:
        """Our own: D = 192, 6 layers, 128 positions; 2.7 million parameters and 192 a token."""
        return replace(cls(vocab_size, dropout=0.1), **changes)

    @classmethod
    def gpt1(cls, **changes: Any) -> Self:
        """The sizes of Radford et al. (2018, section 4.1): 12 layers, D = 768, 512 positions.

        The sizes only: that model has its LayerNorms after the sums, and none at the end.
        """
        return replace(cls(40_478, 512, 768, 12, 12, 0.1, 0.1), **changes)

    @classmethod
    def gpt2(cls, **changes: Any) -> Self:
        """GPT-2 small (Radford et al. 2019, table 2): 12 layers, D = 768, 1024 positions."""
        return replace(cls(50_257, 1024, 768, 12, 12, 0.1, 0.1), **changes)


def look_back(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    need_weights: bool = False,
    dropout: float = 0.0,
) -> tuple[Tensor, Tensor | None]:
    """Attention of the last T of P + T positions, each to itself and to all before it.

    Args:
        queries: (B, H, T, K).
        keys, values: (B, H, P + T, K).

    Returns:
        The context (B, H, T, K), and the weights (B, H, T, P + T) or None.
    """
    length, total = queries.shape[2], keys.shape[2]
    # Row t of the mask belongs to position P + t. Without a past the kernel makes it itself,
    # and one position alone sees all there is.
    causal = length > 1 and length == total
    hidden = need_weights or 1 < length < total
    mask = causal_mask(total, queries.device)[total - length :] if hidden else None
    if need_weights:
        return attend(queries, keys, values, mask)
    return attend_fast(queries, keys, values, mask, causal=causal, dropout=dropout), None


class GPTAttention(nn.Module):
    """Self-attention in which no position sees a later one; `c_attn` gives q, k and v at once."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.heads, self.width = config.heads, config.width
        self.c_attn = nn.Linear(config.width, 3 * config.width)
        self.c_proj = nn.Linear(config.width, config.width)
        self.attention_dropout = config.attention_dropout
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, past: KeysValues | None = None, *, need_weights: bool = False
    ) -> tuple[Tensor, KeysValues, Tensor | None]:
        """(B, T, D), after P positions whose keys and values are in `past`.

        Returns:
            (B, T, D); keys and values of all P + T positions; weights (B, H, T, P + T) or None.
        """
        queries, keys, values = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, T, K)
            for part in self.c_attn(x).split(self.width, dim=-1)
        )
        if past is not None:
            keys, values = torch.cat([past[0], keys], 2), torch.cat([past[1], values], 2)
        drop = self.attention_dropout if self.training else 0.0
        heads, weights = look_back(
            queries, keys, values, need_weights=need_weights, dropout=drop
        )  # (B, H, T, K)
        joined = heads.transpose(1, 2).flatten(2)  # (B, T, D)
        return self.dropout(self.c_proj(joined)), (keys, values), weights


class GPTFeedForward(nn.Module):
    """D -> 4 D -> D with GELU (Hendrycks & Gimpel 2016) in its tanh form, as GPT-2 computes it."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.width, 4 * config.width)
        self.c_proj = nn.Linear(4 * config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(…, D) -> (…, D)."""
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")))


class GPTBlock(nn.Module):
    """x + attention(norm(x)), then x + network(norm(x))."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width)
        self.attn = GPTAttention(config)
        self.ln_2 = nn.LayerNorm(config.width)
        self.mlp = GPTFeedForward(config)

    def forward(
        self, x: Tensor, past: KeysValues | None = None, *, need_weights: bool = False
    ) -> tuple[Tensor, KeysValues, Tensor | None]:
        """As `GPTAttention`."""
        out, kept, weights = self.attn(self.ln_1(x), past, need_weights=need_weights)
        x = x + out
        return x + self.mlp(self.ln_2(x)), kept, weights


class GPTState(NamedTuple):
    """What is kept from token to token: keys and values of each layer, and their number P.

    past: for each layer twice (B, H, P, K), or None before the first token. length: P.
    """

    past: tuple[KeysValues | None, ...]
    length: int


class DecoderBody(nn.Module):
    """Token ids -> one vector a position, which knows no later one. The part that transfers.

    A subclass has its blocks as `h`, and `read`, which embeds, calls `through` and norms.
    """

    h: nn.ModuleList
    wte: nn.Embedding
    read: Callable[..., tuple[Tensor, GPTState, list[Any]]]

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) -> (B, T, D), after the last norm."""
        return self.read(tokens, self.start())[0]

    def start(self) -> GPTState:
        """The state before the first token."""
        return GPTState((None,) * len(self.h), 0)

    def through(
        self, x: Tensor, state: GPTState, *given: Tensor, need_weights: bool
    ) -> tuple[Tensor, GPTState, list[Any]]:
        """All blocks, one after the other.

        Args:
            x: (B, T, D), the new positions.
            state: what was kept of the P positions before.
            given: what else each block is given.

        Returns:
            (B, T, D), the new state, and for each block the attention weights (B, H, T, P + T) or
            None.
        """
        kept, by_layer = [], []
        for block, past in zip(self.h, state.past, strict=True):
            x, keys_values, weights = block(x, past, *given, need_weights=need_weights)
            kept.append(keys_values)
            by_layer.append(weights)
        return x, GPTState(tuple(kept), state.length + x.shape[1]), by_layer


class GPTBody(DecoderBody):
    """Learned positions, blocks, and a LayerNorm at the end."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.wpe = nn.Embedding(config.context, config.width)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(GPTBlock(config) for _ in range(config.layers))
        self.ln_f = nn.LayerNorm(config.width)
        init_gpt2_(self)

    def read(
        self, tokens: Tensor, state: GPTState, *, need_weights: bool = False
    ) -> tuple[Tensor, GPTState, list[Any]]:
        """The next T tokens: (B, T) -> (B, T, D), the new state, and for each layer the attention
        weights (B, H, T, P + T) or None.
        """
        check_ids(tokens, self.config.vocab_size, "tokens")
        end = state.length + tokens.shape[1]
        if end > self.config.context:
            raise ValueError(
                f"The text has {end} tokens, but this model has learned {self.config.context} "
                "positions. Cut it first: gpt.last_tokens keeps its end, for a prompt; a "
                "classifier most often keeps its beginning."
            )
        places = torch.arange(state.length, end, device=tokens.device)
        x = self.drop(self.wte(tokens) + self.wpe(places))  # (B, T, D)
        x, state, by_layer = self.through(x, state, need_weights=need_weights)
        return self.ln_f(x), state, by_layer


class GPT(nn.Module):
    """Body and language-model head, which is the token embedding again: no parameter of its own."""

    body_class: type[DecoderBody] = GPTBody

    def __init__(self, config: GPTConfig | Any) -> None:  # Any: of another `body_class`
        super().__init__()
        self.config = config
        self.body = self.body_class(config)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) -> logits (B, T, V); `logits[:, t]` scores the token after `tokens[:, t]`."""
        return self.head(self.body(tokens))

    def head(self, states: Tensor) -> Tensor:
        """(…, D) -> logits (…, V)."""
        return F.linear(states, self.body.wte.weight)

    def with_weights(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As `forward`, and the attention weights: one (B, H, T, T) per layer.

        Call `eval()` first: on this path attention weights are not dropped.
        """
        states, _, weights = self.body.read(tokens, self.body.start(), need_weights=True)
        return self.head(states), weights

    def init_state(self, prompt: Tensor) -> GPTState:
        """Read a prompt (B, T) at once; one without tokens, (B, 0), gives the empty state."""
        start = self.body.start()
        return start if prompt.shape[1] == 0 else self.body.read(prompt, start)[1]

    def step(self, tokens: Tensor, state: GPTState) -> tuple[Tensor, GPTState]:
        """Read one token a row, (B,): log-probabilities (B, V) of the next one, new state."""
        states, state, _ = self.body.read(tokens.unsqueeze(1), state)
        return self.head(states[:, 0]).log_softmax(-1), state

    def reorder(self, state: GPTState, index: Tensor) -> GPTState:
        """Rows `index` (B',) of the state, for beam search; a row may appear several times."""
        past = (None if kept is None else (kept[0][index], kept[1][index]) for kept in state.past)
        return GPTState(tuple(past), state.length)


def init_gpt2_(body: GPTBody) -> None:
    """Weights normal with standard deviation 0.02, biases 0; the maps that write to the residual
    path (`c_proj`) divided by √(2 L).

    Sources: Radford et al. (2018, section 4.1) for 0.02, Radford et al. (2019, section 2.3) for the
    division, "by 1/√N where N is the number of residual layers", of which a block has two. So the
    sum over all layers starts with the variance of one, however deep the model is. Positions get
    0.02 here as in Hugging Face's program (0.01 in OpenAI's). LayerNorm starts at scale 1, shift 0.
    """
    for name, parameter in body.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.dim() > 1:
            deep = name.endswith("c_proj.weight")
            nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * len(body.h)) if deep else 1.0))


def adamw(model: nn.Module, rate: float, decay: float = 0.1) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019), with decay for matrices only.

    A bias or the scale of a LayerNorm has no reason to be small (Radford et al. 2018, section 4.1:
    "all non bias or gain weights"). β₂ = 0.95 instead of 0.999, as in GPT-3 (Brown et al. 2020,
    appendix B): a shorter memory.
    """
    weights = list(model.parameters())  # tied ones come once
    groups = [
        {"params": [one for one in weights if one.dim() > 1], "weight_decay": decay},
        {"params": [one for one in weights if one.dim() < 2], "weight_decay": 0.0},
    ]
    # On a GPU one kernel updates all parameters.
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=weights[0].is_cuda)


def last_tokens(ids: list[int], config: GPTConfig, room: int = 0) -> list[int]:
    """The end of a prompt, so that `room` more tokens can be written within the context."""
    if not 0 <= room < config.context:
        raise ValueError(
            f"room is {room}, expected at least 0 and less than the context, {config.context}."
        )
    return ids[-(config.context - room) :]
