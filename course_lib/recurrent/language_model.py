"""A language model with recurrence: read a token, update the state, predict the next token.

It trains with `torch.nn.RNN`, `GRU` or `LSTM`, which compute what `course_lib.recurrent.cells`
writes out by hand, a whole sequence in one call.

Shapes: B batch, T time steps, D width, V vocabulary, L layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from course_lib.recurrent.cells import Hidden, init_recurrent_
from course_lib.support.checks import check_ids, check_sizes

Carried = Tensor | tuple[Tensor, ...]  # the state of any recurrent model
LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True)
class RNNLanguageModelConfig:
    """Sizes of a recurrent language model.

    Args:
        vocab_size: number of tokens V.
        width: width D of the embedding and of the state.
        cell: "rnn", "gru" or "lstm".
        layers: number of stacked recurrent layers L.
        dropout: probability of dropping a number of the embedding or of the last state.
        tied: use the embedding matrix as output matrix too (Press & Wolf 2017).
    """

    vocab_size: int
    width: int = 128
    cell: str = "gru"
    layers: int = 1
    dropout: float = 0.0
    tied: bool = False

    def __post_init__(self) -> None:
        check_sizes(self, ("vocab_size", "width", "layers"), cell=tuple(LAYERS))

    @classmethod
    def tiny(cls, vocab_size: int, cell: str = "gru") -> RNNLanguageModelConfig:
        """For tests and drawings: a state of 16 numbers."""
        return cls(vocab_size, width=16, cell=cell)

    @classmethod
    def matched(cls, vocab_size: int, cell: str, gru_width: int) -> RNNLanguageModelConfig:
        """The width that gives this cell about as many parameters as a GRU of `gru_width`.

        An RNN has one block of weights, a GRU three and an LSTM four, so at equal width they
        differ in size. Chapter 01 compares the three cells at matched size.
        """
        target = parameter_count(cls(vocab_size, gru_width, "gru"))
        widths = range(1, 4 * gru_width)
        best = min(widths, key=lambda w: abs(parameter_count(cls(vocab_size, w, cell)) - target))
        return cls(vocab_size, best, cell)


def parameter_count(config: RNNLanguageModelConfig) -> int:
    """Number of parameters of `RNNLanguageModel(config)`, counted without building it."""
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[config.cell]
    recurrent = config.layers * gates * config.width * (2 * config.width + 2)
    matrices = (1 if config.tied else 2) * config.vocab_size * config.width
    return matrices + config.vocab_size + recurrent


class RNNLanguageModel(nn.Module):
    """Embedding, recurrence, linear output (Mikolov et al. 2010; the shape of most models since).

    The weights start as `init_language_model_` says.
    """

    def __init__(self, config: RNNLanguageModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.rnn = LAYERS[config.cell](
            config.width, config.width, num_layers=config.layers, batch_first=True
        )
        self.output = nn.Linear(config.width, config.vocab_size)
        if config.tied:
            self.output.weight = self.embedding.weight
        init_language_model_(self)

    def states(self, tokens: Tensor, state: Hidden | None = None) -> tuple[Tensor, Hidden]:
        """The hidden states of the last layer, (B, T, D), and the state to go on from."""
        check_ids(tokens, self.config.vocab_size, "tokens")
        embedded = self.embedding(tokens)  # (B, T, D)
        return self.rnn(self.dropout(embedded), state)

    def forward(self, tokens: Tensor, state: Hidden | None = None) -> tuple[Tensor, Hidden]:
        """Score the next token at every position.

        Args:
            tokens: (B, T) ids.
            state: what an earlier call returned, or None to begin from zeros.

        Returns:
            Logits (B, T, V) and the state after the last token.
        """
        hidden, state = self.states(tokens, state)
        return self.output(self.dropout(hidden)), state  # (B, T, V)

    def init_state(self, prompt: Tensor) -> Hidden | None:
        """The state after reading a prompt (B, T); a prompt without tokens gives None, zeros."""
        return None if prompt.shape[1] == 0 else self.states(prompt)[1]

    def step(self, tokens: Tensor, state: Hidden | None) -> tuple[Tensor, Hidden]:
        """Read one token per row, (B,), and return log-probabilities (B, V) and the new state."""
        logits, state = self(tokens.unsqueeze(1), state)
        return logits[:, 0].log_softmax(dim=-1), state

    def reorder(self, state: Hidden | None, index: Tensor) -> Hidden | None:
        """The rows of the state that `index` names, for beam search."""
        return None if state is None else _map(state, lambda part: part.index_select(1, index))


def init_language_model_(model: RNNLanguageModel) -> None:
    """Embedding normal(0, 1), output uniform in ±0.1 (Zaremba et al. 2014), recurrence as in
    `cells.init_recurrent_`.

    A small embedding, ±0.1, leaves the gates of a GRU or LSTM half open for hundreds of steps:
    the network predicts from the last word alone. Only a tied matrix starts small, because it
    makes the scores as well.
    """
    if not model.config.tied:
        nn.init.normal_(model.embedding.weight)
    nn.init.uniform_(model.output.weight, -0.1, 0.1)
    nn.init.zeros_(model.output.bias)
    init_recurrent_(model.rnn)


def detach(state: Carried | None) -> Carried | None:
    """The same numbers, cut from the graph that computed them.

    Truncated backpropagation through time carries the state from one piece of a stream to the
    next, but not the gradient (Williams & Peng 1990).
    """
    return None if state is None else _map(state, Tensor.detach)


def _map(state: Carried, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(state, tuple):
        return tuple(change(part) for part in state)
    return change(state)
