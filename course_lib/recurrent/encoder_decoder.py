"""Encoder–decoder translation with one fixed vector between the two.

The encoder reads the source sentence and hands over one vector of `width` numbers. The decoder
starts from that vector and sees it again at every step, as in Cho et al. (2014a), "Learning phrase
representations using RNN encoder–decoder", section 2.2; Sutskever et al. (2014), "Sequence to
sequence learning with neural networks", add the reversed source. Nothing else passes from one
side to the other, which is what chapter 03 measures and chapter 04 changes.

Shapes: B batch, S source length, T target length, E embedding width, D model width,
L layers, V target vocabulary. Sentences are padded on the right with `PAD`. Lengths are always
derived from the padding, so a batch cannot contradict itself.

Weights start with the defaults of `torch.nn`: uniform in ±1/√D for the GRU and ±1/√fan_in for
linear layers, normal(0, 1) for embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course_lib.support.checks import check_ids, check_pairs, check_sizes, source_lengths
from course_lib.text.words import PAD


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Sizes of an `EncoderDecoder`.

    Args:
        source_vocab, target_vocab: number of token ids on each side, specials included.
        width: D, size of every recurrent state and of the vector handed over.
        embedding: E, size of a token's embedding.
        layers: L, stacked GRU layers on each side.
        dropout: probability, on embeddings, between layers and before the output layer.
        bidirectional: the encoder reads in both directions, with D/2 numbers for each.
        reverse_source: the encoder reads the source from its last word to its first.
    """

    source_vocab: int
    target_vocab: int
    width: int = 128
    embedding: int = 64
    layers: int = 1
    dropout: float = 0.0
    bidirectional: bool = False
    reverse_source: bool = False

    def __post_init__(self) -> None:
        check_sizes(self, ("source_vocab", "target_vocab", "width", "embedding", "layers"))
        if self.bidirectional and self.width % 2:
            raise ValueError(f"each direction reads with half of width, and {self.width} is odd")

    @classmethod
    def tiny(cls, source_vocab: int, target_vocab: int, **changes: Any) -> Self:
        """D = 32, E = 16: for tests and toy numbers."""
        return replace(cls(source_vocab, target_vocab, width=32, embedding=16), **changes)

    @classmethod
    def lab(cls, source_vocab: int, target_vocab: int, **changes: Any) -> Self:
        """D = 128, E = 64: about 250 000 parameters with the vocabulary of the lab."""
        return cls(source_vocab, target_vocab, **changes)


class DecoderState(NamedTuple):
    """What the decoder carries from step to step.

    hidden: (L, B, D), its own recurrent state. context: (B, D), the vector of the encoder.
    """

    hidden: Tensor
    context: Tensor


def reverse_rows(values: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the first `lengths[b]` entries of each row and leave the rest in place.

    (B, S) or (B, S, D), (B,) -> the same shape. Twice gives back the original.
    """
    position = torch.arange(values.shape[1], device=values.device).expand(values.shape[:2])
    last = lengths.unsqueeze(1) - 1  # (B, 1)
    index = torch.where(position <= last, last - position, position)  # (B, S)
    if values.dim() == 3:
        index = index.unsqueeze(-1).expand_as(values)
    return values.gather(1, index)


class Encoder(nn.Module):
    """Reads a source sentence; gives one state per word and the vector to hand over."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.config = config
        directions = 2 if config.bidirectional else 1
        self.embedding = nn.Embedding(config.source_vocab, config.embedding, padding_idx=PAD)
        self.dropout = nn.Dropout(config.dropout)
        self.rnn = nn.GRU(
            config.embedding,
            config.width // directions,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
            bidirectional=config.bidirectional,
        )
        self.bridge = nn.Linear(config.width, config.width) if config.bidirectional else None

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Read a batch of sentences.

        Args:
            source: (B, S) ids, padded on the right with `PAD`.

        Returns:
            states: (B, S, D), zero at padding. `states[:, s]` always belongs to
                `source[:, s]`, also when the source is read from the end.
            last: (B, D), the vector handed over: the state after the last word that was read.
                Bidirectional: tanh of a linear map of the two directions' last states.
        """
        check_ids(source, self.config.source_vocab, "source")
        lengths = source_lengths(source)  # (B,)
        if self.config.reverse_source:
            source = reverse_rows(source, lengths)
        embedded = self.dropout(self.embedding(source))  # (B, S, E)
        # Packed, the GRU never sees padding: its last state is the one after the last real word.
        packed = pack_padded_sequence(
            embedded, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        packed_states, hidden = self.rnn(packed)  # hidden: (L * directions, B, D / directions)
        states, _ = pad_packed_sequence(
            packed_states, batch_first=True, total_length=source.shape[1]
        )  # (B, S, D)
        if self.config.reverse_source:
            states = reverse_rows(states, lengths)
        if self.bridge is None:
            return states, hidden[-1]  # (B, S, D), (B, D)
        both = torch.cat([hidden[-2], hidden[-1]], dim=-1)  # (B, D)
        return states, torch.tanh(self.bridge(both))


class Decoder(nn.Module):
    """Writes the target word by word from one vector `c`.

    `c` sets the first state, h_0 = tanh(V c) (Cho et al. 2014, appendix A.1.2), and is fed at
    every step beside the embedding of the previous word. Chapter 04 replaces c by one c_t a step.
    """

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.target_vocab, config.embedding, padding_idx=PAD)
        self.dropout = nn.Dropout(config.dropout)
        self.start = nn.Linear(config.width, config.layers * config.width)
        self.rnn = nn.GRU(
            config.embedding + config.width,
            config.width,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.output = nn.Linear(config.width, config.target_vocab)

    def init_state(self, context: Tensor) -> DecoderState:
        """(B, D) -> the state before the first target word."""
        return DecoderState(self.first_hidden(context), context)  # (L, B, D), (B, D)

    def first_hidden(self, context: Tensor) -> Tensor:
        """tanh(V c): (B, D) -> (L, B, D)."""
        first = torch.tanh(self.start(context))  # (B, L * D)
        hidden = first.view(context.shape[0], self.config.layers, self.config.width)
        return hidden.transpose(0, 1).contiguous()

    def forward(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Read `tokens` and predict the word after each of them.

        Args:
            tokens: (B, T) previous target ids, the first is `BOS` (teacher forcing), or (B, 1).
            state: from `init_state` or from the call before.

        Returns:
            logits (B, T, V) and the state after the last token.
        """
        check_ids(tokens, self.config.target_vocab, "target")
        embedded = self.dropout(self.embedding(tokens))  # (B, T, E)
        context = state.context.unsqueeze(1).expand(-1, tokens.shape[1], -1)  # (B, T, D)
        states, hidden = self.rnn(torch.cat([embedded, context], dim=-1), state.hidden)
        # One product with the whole vocabulary for all steps, which is faster than one a step.
        logits = self.output(self.dropout(states))  # (B, T, V)
        return logits, DecoderState(hidden, state.context)


class EncoderDecoder(nn.Module):
    """Translation through one fixed vector (Cho et al. 2014; Sutskever et al. 2014)."""

    decoder_class: type[Decoder] = Decoder  # chapter 04 puts another one here

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = self.decoder_class(config)

    def forward(self, source: Tensor, target_in: Tensor) -> Tensor:
        """Teacher forcing: (B, S), (B, T) -> logits (B, T, V).

        `target_in` is `BOS` and the reference without its last token; `logits[:, t]` scores
        the token after `target_in[:, t]`.
        """
        check_pairs(source, target_in)
        return self.decoder(target_in, self.init_state(source))[0]

    def init_state(self, source: Tensor) -> DecoderState:
        """Encode: (B, S) ids -> the decoder's first state."""
        _, last = self.encoder(source)
        return self.decoder.init_state(last)

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """One target word: previous ids (B,), state -> log-probabilities (B, V), next state."""
        logits, state = self.decoder(tokens.unsqueeze(1), state)
        return logits.squeeze(1).log_softmax(-1), state

    def reorder(self, state: DecoderState, index: Tensor) -> DecoderState:
        """Rows `index` (B',) of the state, for beam search; a row may appear several times."""
        return DecoderState(state.hidden.index_select(1, index), state.context[index])
