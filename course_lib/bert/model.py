"""BERT: a deep Transformer encoder that reads a text from both sides at once.

Source: Devlin et al. (2019). The layers are those of chapter 06 with the norm after the sum: post-
norm, exact GELU. New are three things: what goes in (section 3, figure 2: the sum of a token's, a
position's and a segment's vector), the two tasks of pre-training (section 3.1), and where they are
read off: each hidden word at its own position, the question about the pair at the first one.

Parameters bear the names of Hugging Face's program, so that its weights fit: see `bert.weights`.
Where the code and the authors' program differ: dropout acts on the embeddings and on what a
sub-layer gives (Vaswani et al. 2017, section 5.4); their program also drops attention weights.
Without dropout the two compute the same.

Shapes: B batch, S tokens of the longest text, n positions asked for, D width, H heads, K = D / H,
V vocabulary. Masks are boolean with True = may attend; token id 0 is padding, in BERT's published
vocabularies too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.attention.attend import attend, attend_fast
from course_lib.attention.masks import causal_mask, padding_mask
from course_lib.support.checks import check_ids, check_sizes
from course_lib.text.words import PAD


@dataclass(frozen=True)
class BertConfig:
    """Sizes of a `Bert`; without changes those of BERT base (section 3).

    Args:
        vocab_size: V, number of token ids, special tokens included.
        width: D.
        layers: how many.
        heads: H, a divisor of D.
        hidden: width inside the feed-forward networks.
        positions: how many are learned; the longest text that can be read.
        segments: how many segments are told apart.
        dropout: probability.
        epsilon: under the root of LayerNorm.
        causal: each position sees itself and what precedes it, as in GPT. Off in BERT; on it
            makes the left-to-right model to compare with (Devlin et al. 2019, table 5).
    """

    vocab_size: int = 30_522
    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    positions: int = 512
    segments: int = 2
    dropout: float = 0.1
    epsilon: float = 1e-12
    causal: bool = False

    def __post_init__(self) -> None:
        sizes = ("vocab_size", "width", "layers", "heads", "hidden", "positions", "segments")
        check_sizes(self, sizes)

    @classmethod
    def tiny(cls, vocab_size: int, **changes: Any) -> Self:
        """D = 32, two layers: for tests and toy numbers."""
        sizes = cls(vocab_size, width=32, layers=2, heads=2, hidden=64, positions=64)
        return replace(replace(sizes, dropout=0.0), **changes)

    @classmethod
    def small(cls, vocab_size: int, **changes: Any) -> Self:
        """D = 128, four layers: what a laptop pre-trains in minutes."""
        sizes = cls(vocab_size, width=128, layers=4, heads=4, hidden=512, positions=128)
        return replace(sizes, **changes)

    @classmethod
    def minilm(cls, **changes: Any) -> Self:
        """The 6-layer MiniLM of the archive: D = 384, 12 heads."""
        return replace(cls(width=384, layers=6, heads=12, hidden=1536), **changes)

    @classmethod
    def base(cls, **changes: Any) -> Self:
        """BERT base, 110 million parameters."""
        return replace(cls(), **changes)


class Embeddings(nn.Module):
    """Token + position + segment, then LayerNorm and dropout (Devlin et al. 2019, figure 2)."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.width)
        self.position_embeddings = nn.Embedding(config.positions, config.width)
        self.token_type_embeddings = nn.Embedding(config.segments, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=config.epsilon)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, segments: Tensor | None) -> Tensor:
        """(B, S) ids, (B, S) segments or None for segment 0 everywhere -> (B, S, D)."""
        positions = self.position_embeddings.weight[: tokens.shape[1]]  # (S, D)
        if segments is None:
            kinds = self.token_type_embeddings.weight[0]  # (D,)
        else:
            kinds = self.token_type_embeddings(segments)  # (B, S, D)
        x = self.word_embeddings(tokens) + kinds + positions
        return self.dropout(self.LayerNorm(x))


class BertSelfAttention(nn.Module):
    """The heads, without their output map: queries, keys and values of the same states."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)

    def forward(
        self, x: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """(B, S, D), mask to (B, H, S, S) -> (B, S, D), weights (B, H, S, S) or None."""
        queries, keys, values = (self._split(one(x)) for one in (self.query, self.key, self.value))
        if need_weights:
            context, weights = attend(queries, keys, values, mask)  # (B, H, S, K), (B, H, S, S)
        else:
            context, weights = attend_fast(queries, keys, values, mask), None
        return context.transpose(1, 2).flatten(2), weights

    def _split(self, x: Tensor) -> Tensor:
        """(B, S, D) -> (B, H, S, K)"""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class AddAndNorm(nn.Module):
    """The end of a sub-layer: a linear map, dropout, the residual sum, LayerNorm."""

    def __init__(self, inputs: int, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=config.epsilon)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, inside: Tensor, x: Tensor) -> Tensor:
        """What the sub-layer computed, and what went into it -> (B, S, D)."""
        return self.LayerNorm(x + self.dropout(self.dense(inside)))


class BertLayer(nn.Module):
    """Self-attention, then the feed-forward network: chapter 06's encoder layer, post-norm."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": BertSelfAttention(config), "output": AddAndNorm(config.width, config)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(config.width, config.hidden)})
        self.output = AddAndNorm(config.hidden, config)

    def forward(
        self, x: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """(B, S, D), mask to (B, H, S, S) -> (B, S, D), weights (B, H, S, S) or None."""
        context, weights = self.attention["self"](x, mask, need_weights)
        x = self.attention["output"](context, x)
        return self.output(F.gelu(self.intermediate["dense"](x)), x), weights


class Bert(nn.Module):
    """The body. Call it for the states; `pool` makes one vector of the first of them.

    The weights start as `init_bert_` says.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        layers = nn.ModuleList(BertLayer(config) for _ in range(config.layers))
        self.encoder = nn.ModuleDict({"layer": layers})
        self.pooler = nn.ModuleDict({"dense": nn.Linear(config.width, config.width)})
        init_bert_(self)

    def forward(
        self, tokens: Tensor, segments: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Read texts.

        Args:
            tokens: (B, S) ids, filled up with `PAD`.
            segments: (B, S) segment of each token, or None: all in segment 0.
            mask: (B, S) bool, True = a real token; None: wherever the id is not `PAD`.

        Returns:
            States (B, S, D), one a token. Those at padding mean nothing.
        """
        return self._read(tokens, segments, mask, False)[0]

    def with_weights(
        self, tokens: Tensor, segments: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """As `forward`, and the attention weights: one (B, H, S, S) per layer.

        Call `eval()` first, or dropout blurs the picture.
        """
        return self._read(tokens, segments, mask, True)

    def _read(
        self, tokens: Tensor, segments: Tensor | None, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, list[Any]]:
        self._check(tokens, segments, mask)
        allowed = self._allowed(tokens, padding_mask(tokens, PAD) if mask is None else mask)
        x, by_layer = self.embeddings(tokens, segments), []
        for layer in self.encoder["layer"].children():
            x, weights = layer(x, allowed, need_weights)
            by_layer.append(weights)
        return x, by_layer

    def pool(self, states: Tensor) -> Tensor:
        """tanh(W h + b) of the first state: (B, S, D) -> (B, D). NSP reads it (section 3.1)."""
        return torch.tanh(self.pooler["dense"](states[:, 0]))

    def _allowed(self, tokens: Tensor, real: Tensor) -> Tensor | None:
        """Which position may attend to which, broadcastable to (B, H, S, S); None: all to all."""
        allowed = None if bool(real.all()) else real[:, None, None, :]
        if not self.config.causal:
            return allowed
        causal = causal_mask(tokens.shape[1], tokens.device)
        return causal if allowed is None else allowed & causal

    def _check(self, tokens: Tensor, segments: Tensor | None, mask: Tensor | None) -> None:
        check_ids(tokens, self.config.vocab_size, "tokens")
        if segments is not None:
            check_ids(segments, self.config.segments, "segments")
        shapes = [tuple(one.shape) for one in (tokens, segments, mask) if one is not None]
        if len(set(shapes)) > 1 or tokens.shape[1] > self.config.positions:
            raise ValueError(
                f"tokens, segments and mask have the shapes {shapes}; expected one (B, S) with S "
                f"up to {self.config.positions} positions. Cut the texts, as WordPiece.text does "
                "with `longest`."
            )


class MaskedHead(nn.Module):
    """States -> scores of all tokens: a layer of its own, then the word embeddings once more.

    The output matrix is tied to the embeddings, with a bias of its own.
    """

    def __init__(self, config: BertConfig, embedding: nn.Embedding) -> None:
        super().__init__()
        self.transform = nn.ModuleDict(
            {
                "dense": nn.Linear(config.width, config.width),
                "LayerNorm": nn.LayerNorm(config.width, eps=config.epsilon),
            }
        )
        self.decoder = nn.Linear(config.width, config.vocab_size)
        self.decoder.weight = embedding.weight
        self.bias = self.decoder.bias  # known under both names

    def forward(self, states: Tensor) -> Tensor:
        """(…, D) -> logits (…, V)."""
        x = self.transform["LayerNorm"](F.gelu(self.transform["dense"](states)))
        return self.decoder(x)


class PreTraining(NamedTuple):
    """What pre-training reads off: words (B, S, V) or (n, V), and next (B, 2).

    Column 0 of `next` scores "the second text follows the first", column 1 "it does not".
    """

    words: Tensor
    next: Tensor


class BertForPreTraining(nn.Module):
    """The body with both heads of pre-training: hidden words, and whether B follows A."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.bert = Bert(config)
        self.cls = nn.ModuleDict(
            {
                "predictions": MaskedHead(config, self.bert.embeddings.word_embeddings),
                "seq_relationship": nn.Linear(config.width, 2),
            }
        )
        init_bert_(self)

    @property
    def config(self) -> BertConfig:
        """Sizes of the body."""
        return self.bert.config

    def forward(
        self, tokens: Tensor, segments: Tensor | None = None, positions: Tensor | None = None
    ) -> PreTraining:
        """Scores for every token, or at some positions only, which saves most of the work.

        Args:
            tokens, segments: as for `Bert`.
            positions: (B, S) bool, n of them True, or None for all.
        """
        states = self.bert(tokens, segments)
        asked = states if positions is None else states[positions]  # (B, S, D) or (n, D)
        words = self.cls["predictions"](asked)
        return PreTraining(words, self.cls["seq_relationship"](self.bert.pool(states)))


def init_bert_(model: nn.Module, spread: float = 0.02) -> None:
    """Matrices and embeddings from a normal distribution of that standard deviation, cut off at
    two of them; biases 0, LayerNorm 1 and 0. So does the program of Devlin et al. (2019).
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.trunc_normal_(module.weight, std=spread, a=-2 * spread, b=2 * spread)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
