"""The Transformer: translation without recurrence (Vaswani et al. 2017).

The encoder reads the source, all words at once. In training the decoder reads the target the same
way, behind a causal mask; when it writes, it reads word by word and keeps the keys and values of
what it has read (the "KV cache"), so that no word is computed twice. Used as the models of
chapters 02 and 04: `model(source, target_in)`, and `init_state`, `step`, `reorder` for
`course_lib.decoding.search`.

Where the code and the paper differ, `course_lib.transformer.layers` says; and `init_xavier_`,
since the paper is silent about the first weights.

Shapes: B batch, S source length, T target length, P positions read before, D model width, H
heads, K = D / H head width, L layers, V target vocabulary. Sentences are padded on the right with
`PAD`; the causal mask hides the padding of the target from its words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from torch import Tensor, nn

from course_lib.attention.masks import causal_mask, padding_mask
from course_lib.attention.multi_head import KeysValues
from course_lib.attention.positions import LearnedPositions, SinusoidalPositions, sinusoidal
from course_lib.support.checks import check_ids, check_pairs, check_sizes, source_lengths
from course_lib.transformer.feed_forward import ACTIVATIONS
from course_lib.transformer.layers import DecoderLayer, EncoderLayer

POSITIONS = ("sinusoidal", "learned", "rotary", "none")
TIES = ("none", "target", "all")


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of a `Transformer`.

    Args:
        source_vocab, target_vocab: number of token ids on each side, specials included.
        width: D.
        heads: H, a divisor of D.
        layers: L, on each side.
        hidden: width inside the feed-forward networks.
        dropout: probability, on the embeddings with their positions and on what each sub-layer
            gives (section 5.4).
        norm: "pre" or "post" (the paper's), see `course_lib.transformer.layers`.
        positions: "sinusoidal" or "learned", added to the embeddings; "rotary", in the
            self-attention of every layer; or "none" (to see what is missing).
        max_length: how many positions are learned; the others have no last one.
        tie: which matrices are one: "none"; "target", the target's embedding and the output layer
            (Press & Wolf 2017); "all", the source's embedding too, as in the paper (section 3.4),
            for one vocabulary of both languages.
        activation: "relu" or "gelu".
    """

    source_vocab: int
    target_vocab: int
    width: int = 128
    heads: int = 4
    layers: int = 2
    hidden: int = 512
    dropout: float = 0.0
    norm: str = "pre"
    positions: str = "sinusoidal"
    max_length: int = 512
    tie: str = "target"
    activation: str = "relu"

    def __post_init__(self) -> None:
        sizes = ("source_vocab", "target_vocab", "width", "heads", "layers", "hidden", "max_length")
        choices = {"norm": ("pre", "post"), "positions": POSITIONS, "tie": TIES}
        check_sizes(self, sizes, activation=tuple(ACTIVATIONS), **choices)
        if self.positions == "sinusoidal" and self.width % 2:
            raise ValueError(f"sinusoidal positions need an even width, got {self.width}")
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise ValueError(
                f"rotary positions need an even width / heads, got {self.width} / {self.heads}"
            )
        if self.tie == "all" and self.source_vocab != self.target_vocab:
            raise ValueError(
                f"tie='all' needs one vocabulary for both sides, got {self.source_vocab} and "
                f"{self.target_vocab} ids; choose tie='target'"
            )

    @classmethod
    def tiny(cls, source_vocab: int, target_vocab: int, **changes: Any) -> Self:
        """D = 32, two heads: for tests and toy numbers."""
        return replace(cls(source_vocab, target_vocab, 32, 2, hidden=64), **changes)

    @classmethod
    def lab(cls, source_vocab: int, target_vocab: int, **changes: Any) -> Self:
        """D = 128, 4 heads, 2 layers: about a million parameters, for the lab."""
        return cls(source_vocab, target_vocab, **changes)

    @classmethod
    def base(cls, source_vocab: int, target_vocab: int, **changes: Any) -> Self:
        """The base model of the paper (table 3). With one vocabulary add `tie="all"`."""
        sizes = cls(source_vocab, target_vocab, width=512, heads=8, layers=6, hidden=2048)
        return replace(replace(sizes, dropout=0.1, norm="post"), **changes)


class EmbedWithPositions(nn.Module):
    """Token ids -> vectors: embedding · √D, plus positions, dropout (sections 3.4, 3.5, 5.4)."""

    def __init__(self, vocabulary: int, config: TransformerConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, config.width)
        self.positions = {
            "sinusoidal": lambda: SinusoidalPositions(config.width),
            "learned": lambda: LearnedPositions(config.max_length, config.width),
            "rotary": lambda: None,  # not here: in every layer, see `_rotary`
            "none": lambda: None,
        }[config.positions]()
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids: Tensor, start: int = 0) -> Tensor:
        """(B, T) ids, the first of them at position `start` -> (B, T, D)."""
        x = self.embedding(ids) * math.sqrt(self.embedding.embedding_dim)
        return self.dropout(x if self.positions is None else self.positions(x, start))


class TransformerEncoder(nn.Module):
    """L encoder layers, and one LayerNorm after the last where norms come first."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(_layer(EncoderLayer, config) for _ in range(config.layers))
        self.norm = _last_norm(config)

    def forward(
        self, x: Tensor, mask: Tensor | None = None, *, need_weights: bool = False
    ) -> tuple[Tensor, list[Tensor | None]]:
        """(B, S, D), mask to (B, H, S, S) -> states (B, S, D), and the weights of each layer,
        (B, H, S, S) or None."""
        rotary, by_layer = _rotary(self.config, x), []
        for layer in self.layers:
            x, weights = layer(x, mask, need_weights=need_weights, rotary=rotary)
            by_layer.append(weights)
        return self.norm(x), by_layer


class TransformerState(NamedTuple):
    """What the decoder keeps from step to step.

    past: for each layer the keys and values of the target so far, twice (B, H, P, K), or None
    before the first word. source: for each layer those of the source, twice (B, H, S, K), made
    once. source_mask: (B, 1, 1, S). length: P, how many words were read.
    """

    past: tuple[KeysValues | None, ...]
    source: tuple[KeysValues, ...]
    source_mask: Tensor
    length: int


class TransformerDecoder(nn.Module):
    """L decoder layers, and one LayerNorm after the last where norms come first."""

    layers: Any  # an nn.ModuleList of `DecoderLayer`

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(_layer(DecoderLayer, config) for _ in range(config.layers))
        self.norm = _last_norm(config)

    def init_state(self, states: Tensor, source_mask: Tensor) -> TransformerState:
        """Encoder states (B, S, D), mask (B, 1, 1, S) -> state before the first word."""
        source = tuple(layer.prepare(states) for layer in self.layers)
        return TransformerState((None,) * len(source), source, source_mask, 0)

    def forward(
        self, x: Tensor, state: TransformerState, *, need_weights: bool = False
    ) -> tuple[Tensor, TransformerState, list[tuple[Tensor | None, Tensor | None]]]:
        """The next T positions, none of which sees a later one.

        (B, T, D) -> (B, T, D), the state after them, and for each layer the weights to the target
        (B, H, T, P + T) and to the source (B, H, T, S), or None twice.
        """
        length, read = x.shape[1], state.length
        # Row t of the mask belongs to position P + t. One position alone may see all there is.
        mask = causal_mask(read + length, x.device)[read:] if length > 1 else None
        rotary, kept, by_layer = _rotary(self.config, x, read), [], []
        for layer, past, source in zip(self.layers, state.past, state.source, strict=True):
            attended = {"need_weights": need_weights, "rotary": rotary}
            out = layer.read(x, source, mask, state.source_mask, past=past, **attended)
            x = out.x
            kept.append(out.kept)
            by_layer.append((out.weights, out.source_weights))
        return self.norm(x), state._replace(past=tuple(kept), length=read + length), by_layer


class AttentionWeights(NamedTuple):
    """The weights of every head: a list over the layers, for each kind of attention.

    encoder: (B, H, S, S). decoder: (B, H, T, T). source: (B, H, T, S), from the target's
    positions to the source.
    """

    encoder: list[Tensor]
    decoder: list[Tensor]
    source: list[Tensor]


class Transformer(nn.Module):
    """Translation with attention alone. The weights start as `init_xavier_` says."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.source_embedding = EmbedWithPositions(config.source_vocab, config)
        self.encoder = TransformerEncoder(config)
        self.target_embedding = EmbedWithPositions(config.target_vocab, config)
        self.decoder = TransformerDecoder(config)
        self.output = nn.Linear(config.width, config.target_vocab)
        if config.tie != "none":
            self.output.weight = self.target_embedding.embedding.weight
        if config.tie == "all":
            self.source_embedding.embedding.weight = self.output.weight
        init_xavier_(self)

    def forward(self, source: Tensor, target_in: Tensor) -> Tensor:
        """Teacher forcing: (B, S), (B, T) -> logits (B, T, V).

        `target_in` is `BOS` and the reference without its last token; `logits[:, t]` scores
        the token after `target_in[:, t]` and depends on no later one.
        """
        check_pairs(source, target_in)
        return self._write(target_in, self.init_state(source))[0]

    def with_weights(self, source: Tensor, target_in: Tensor) -> tuple[Tensor, AttentionWeights]:
        """As `forward`, and the attention weights. Call `eval()` first, or dropout blurs them."""
        check_pairs(source, target_in)
        states, mask, encoder = self.encode(source, need_weights=True)
        state = self.decoder.init_state(states, mask)
        logits, _, by_layer = self._write(target_in, state, need_weights=True)
        decoder, across = zip(*by_layer, strict=True)
        return logits, AttentionWeights(encoder, list(decoder), list(across))

    def encode(
        self, source: Tensor, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor, list[Any]]:
        """(B, S) ids -> states (B, S, D), the mask (B, 1, 1, S) of real words, weights by layer."""
        check_ids(source, self.config.source_vocab, "source")
        source_lengths(source)  # an empty sentence is an error
        mask = padding_mask(source)[:, None, None, :]  # (B, 1, 1, S)
        x = self.source_embedding(source)  # (B, S, D)
        states, by_layer = self.encoder(x, mask, need_weights=need_weights)
        return states, mask, by_layer

    def init_state(self, source: Tensor) -> TransformerState:
        """Encode: (B, S) ids -> the decoder's first state."""
        states, mask, _ = self.encode(source)
        return self.decoder.init_state(states, mask)

    def step(self, tokens: Tensor, state: TransformerState) -> tuple[Tensor, TransformerState]:
        """One target word: previous ids (B,), state -> log-probabilities (B, V), next state."""
        logits, state, _ = self._write(tokens.unsqueeze(1), state)
        return logits.squeeze(1).log_softmax(-1), state

    def reorder(self, state: TransformerState, index: Tensor) -> TransformerState:
        """Rows `index` (B',) of the state, for beam search; a row may appear several times."""

        def rows(kept: KeysValues) -> KeysValues:
            return kept[0][index], kept[1][index]

        return TransformerState(
            tuple(None if kept is None else rows(kept) for kept in state.past),
            tuple(map(rows, state.source)),
            state.source_mask[index],
            state.length,
        )

    def _write(
        self, tokens: Tensor, state: TransformerState, *, need_weights: bool = False
    ) -> tuple[Tensor, TransformerState, list[Any]]:
        check_ids(tokens, self.config.target_vocab, "target")
        x = self.target_embedding(tokens, state.length)  # (B, T, D)
        x, state, by_layer = self.decoder(x, state, need_weights=need_weights)
        return self.output(x), state, by_layer  # (B, T, V)


def init_xavier_(model: nn.Module) -> None:
    """Matrices uniform in ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010), biases 0; embeddings
    normal with variance 1/D.

    The paper does not say how its weights start; this is what its authors' program and most
    copies do, up to details. An embedding times √D then has numbers of variance 1, beside
    positions of ½, and a tied output layer gives scores of about the same size. LayerNorm starts
    at scale 1 and shift 0, learned positions stay as `LearnedPositions` made them.

    torch's `nn.MultiheadAttention` draws query, key and value as one 3D × D matrix, whose bound
    is smaller by √2.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():  # after the linear maps: a tied matrix starts as an embedding
        if isinstance(module, EmbedWithPositions):
            nn.init.normal_(module.embedding.weight, std=module.embedding.embedding_dim**-0.5)


def _layer(kind: type[nn.Module], config: TransformerConfig) -> nn.Module:
    return kind(
        config.width,
        config.heads,
        config.hidden,
        dropout=config.dropout,
        norm=config.norm,
        activation=config.activation,
    )


def _rotary(config: TransformerConfig, x: Tensor, start: int = 0) -> Tensor | None:
    """The (T, K) by which all layers turn positions `start` on of x (B, T, D); None if added."""
    if config.positions != "rotary":
        return None
    width = config.width // config.heads
    return sinusoidal(x.shape[1], width, start=start, dtype=x.dtype, device=x.device)


def _last_norm(config: TransformerConfig) -> nn.Module:
    """Post-norm layers end with a norm already; `nn.Transformer` adds one all the same."""
    return nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
