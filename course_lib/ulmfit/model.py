"""The AWD-LSTM: a plain LSTM language model, and five places where it forgets on purpose.

Source: Merity et al. (2018). Nothing is added to the network of
`recurrent.language_model` but noise in training: on the state-to-state weights
(section 2), on whole words (section 4.3), and on inputs, outputs and everything between layers
with one mask for all time steps (section 4.2). In evaluation mode it *is* a stack of
`torch.nn.LSTM`. Left out from the paper: its optimizer, pieces of random length, and penalties
on the size of activations and of their changes from step to step.

Shapes: B batch, T time steps, E embedding, D width of the inner layers, V vocabulary.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_lib.recurrent.cells import init_recurrent_
from course_lib.support.checks import check_ids, check_sizes

State = tuple[Tensor, ...]  # h and c of each layer, (1, B, width), bottom layer first


@dataclass(frozen=True)
class Dropouts:
    """Probabilities of dropping, by place. The defaults are those of Howard & Ruder (2018, 4.1).

    Args:
        words: a word of the vocabulary, everywhere in the batch.
        inputs: a number of the embedding, at all time steps.
        layers: a number between two layers, at all time steps.
        outputs: a number of the last layer, at all time steps.
        weights: a weight from state to state.
    """

    words: float = 0.05
    inputs: float = 0.4
    layers: float = 0.3
    outputs: float = 0.4
    weights: float = 0.5

    def times(self, factor: float) -> Dropouts:
        """All probabilities multiplied by `factor`: a small model needs less of them."""
        return Dropouts(*(factor * p for p in astuple(self)))


@dataclass(frozen=True)
class AWDConfig:
    """Sizes of an AWD-LSTM.

    Args:
        vocab_size: number of tokens V.
        embedding: width E of the embedding and of the last layer, which are tied.
        width: width D of the other layers.
        layers: number of LSTM layers. The paper has three, which learn more slowly at our size.
        dropouts: see `Dropouts`.
    """

    vocab_size: int
    embedding: int = 200
    width: int = 320
    layers: int = 2
    dropouts: Dropouts = field(default_factory=Dropouts)

    def __post_init__(self) -> None:
        check_sizes(self, ("vocab_size", "embedding", "width", "layers"), ())

    @classmethod
    def tiny(cls, vocab_size: int, dropouts: Dropouts | None = None) -> AWDConfig:
        """For tests and drawings: three layers of 8, 12 and 12 numbers in."""
        return cls(vocab_size, 8, 12, 3, dropouts or Dropouts().times(0))

    def sizes(self) -> list[tuple[int, int]]:
        """(numbers in, width) of each layer, bottom first."""
        borders = [self.embedding, *[self.width] * (self.layers - 1), self.embedding]
        return list(zip(borders, borders[1:], strict=False))


def drop_words(embedded: Tensor, tokens: Tensor, vocab_size: int, p: float) -> Tensor:
    """Embedding dropout: a dropped word is zero wherever it stands in the batch.

    The others are divided by 1 - p. Source: Gal & Ghahramani (2016). Only the rows that were
    looked up are multiplied, which gives the same numbers as masking the whole matrix.

    Args:
        embedded: (B, T, E), the rows of `tokens`.
        tokens: (B, T).
    """
    kept = functional.dropout(embedded.new_ones(vocab_size), p)  # 0 or 1 / (1 - p) for each word
    return embedded * kept[tokens].unsqueeze(-1)  # (B, T, E)


class VariationalDropout(nn.Module):
    """Dropout with one mask for all time steps: (B, T, D) -> (B, T, D), the mask is (B, 1, D).

    Source: Gal & Ghahramani (2016). In evaluation mode nothing happens.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        return x * functional.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), self.p)


class WeightDropLSTM(nn.LSTM):
    """One LSTM layer whose state-to-state weights are thinned out in training (DropConnect).

    One mask serves the whole forward pass, so the fast library call stays possible: it gets the
    thinned matrix in place of the raw one. The parameter stays the raw matrix; a dropped weight
    gets no gradient in this pass. Source: Merity et al. (2018), section 2; Wan et al. (2013).

    In evaluation mode, or with p = 0, it is `torch.nn.LSTM`, whose parameter names it keeps.
    """

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, inputs: int, width: int, p: float) -> None:
        super().__init__(inputs, width, batch_first=True)
        self.p = p

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x (B, T, E), state two of (1, B, D) or None for zeros -> (B, T, D), new state."""
        if not self.training or self.p == 0:
            return super().forward(x, state)
        if state is None:
            zeros = x.new_zeros(1, x.shape[0], self.hidden_size)
            state = (zeros, zeros)
        thinned = functional.dropout(self.weight_hh_l0, self.p)
        weights = [self.weight_ih_l0, thinned, self.bias_ih_l0, self.bias_hh_l0]
        # What nn.LSTM calls itself: biases, 1 layer, no dropout, training, 1 direction, batch first
        out, h, c = torch.lstm(x, state, weights, True, 1, 0.0, True, False, True)
        return out, (h, c)


class AWDBody(nn.Module):
    """Embedding and LSTM layers: token ids -> one state vector a token. The part that transfers.

    The weights start as `init_awd_` says.
    """

    layers: Any  # an nn.ModuleList of `WeightDropLSTM`

    def __init__(self, config: AWDConfig) -> None:
        super().__init__()
        drop = config.dropouts
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.embedding)
        self.layers = nn.ModuleList(WeightDropLSTM(*size, drop.weights) for size in config.sizes())
        self.input_dropout = VariationalDropout(drop.inputs)
        self.layer_dropout = VariationalDropout(drop.layers)
        init_awd_(self)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read tokens (B, T) from a state, or from zeros.

        Returns:
            The last layer's states, (B, T, E), before the output dropout, and the state to go
            on from.
        """
        check_ids(tokens, self.config.vocab_size, "tokens")
        x = self.embedding(tokens)  # (B, T, E)
        if self.training and self.config.dropouts.words > 0:
            x = drop_words(x, tokens, self.config.vocab_size, self.config.dropouts.words)
        x = self.input_dropout(x)
        after: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            if number > 0:
                x = self.layer_dropout(x)
            before = None if state is None else (state[2 * number], state[2 * number + 1])
            x, pair = layer(x, before)  # (B, T, D), at the top (B, T, E)
            after += pair
        return x, tuple(after)


class TiedHead(nn.Module):
    """State -> logits, by the embedding matrix itself and a bias (Press & Wolf 2017).

    Args:
        embedding: whose matrix is used; it stays one parameter with two names.
        dropout: probability of dropping a number of the state, at all time steps.
    """

    def __init__(self, embedding: nn.Embedding, dropout: float) -> None:
        super().__init__()
        self.dropout = VariationalDropout(dropout)
        self.weight = embedding.weight
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    def forward(self, states: Tensor) -> Tensor:
        """(B, T, E) -> (B, T, V)."""
        return functional.linear(self.dropout(states), self.weight, self.bias)


class AWDLanguageModel(nn.Module):
    """Body and language-model head: predict the next token at every position."""

    def __init__(self, config: AWDConfig) -> None:
        super().__init__()
        self.config = config
        self.body = AWDBody(config)
        self.head = TiedHead(self.body.embedding, config.dropouts.outputs)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Score the next token at every position: (B, T) -> logits (B, T, V), state.

        `losses.StreamLoss` carries the state from piece to piece, detached.
        """
        states, after = self.body(tokens, state)
        return self.head(states), after

    def init_state(self, prompt: Tensor) -> State | None:
        """The state after reading a prompt (B, T); a prompt without tokens gives None, zeros."""
        return None if prompt.shape[1] == 0 else self.body(prompt)[1]

    def step(self, tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Read one token per row, (B,), and return log-probabilities (B, V) and the new state."""
        logits, after = self(tokens.unsqueeze(1), state)
        return logits[:, 0].log_softmax(dim=-1), after

    def reorder(self, state: State | None, index: Tensor) -> State | None:
        """The rows of the state that `index` names, for beam search."""
        return None if state is None else tuple(part.index_select(1, index) for part in state)


def init_awd_(body: AWDBody) -> None:
    """Embedding uniform in ±0.1 (Merity et al. 2018, section 4), layers as in `init_recurrent_`."""
    nn.init.uniform_(body.embedding.weight, -0.1, 0.1)
    for layer in body.layers:
        init_recurrent_(layer)
