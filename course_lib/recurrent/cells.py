"""Recurrent cells written out by hand: one step of an RNN, a GRU and an LSTM.

These are for reading. They compute what `torch.nn.RNNCell`, `GRUCell` and `LSTMCell` compute,
with the same parameter names and the same order of gates, so weights can be copied over.
Models that train use `torch.nn.GRU` and its relatives, which run a whole sequence in one call.

Shapes: B batch, T time steps, E width of the input, D width of the state.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Hidden = Tensor | tuple[Tensor, Tensor]  # h, of an LSTM (h, c)


class _Cell(nn.Module):
    """What the three cells share: two weight matrices and two biases, `gates` blocks high."""

    gates = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        rows = self.gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.bias_hh = nn.Parameter(torch.empty(rows))
        init_uniform_(self)

    def zero_state(self, inputs: Tensor) -> Any:
        """The state before anything was read: zeros of shape (B, D)."""
        return inputs.new_zeros(inputs.shape[0], self.hidden_size)

    def _check(self, inputs: Tensor) -> None:
        if inputs.dim() != 2 or inputs.shape[1] != self.input_size:
            raise ValueError(
                f"{type(self).__name__} expects inputs of shape (B, {self.input_size}), "
                f"got {tuple(inputs.shape)}. A cell takes one time step; "
                "use unroll() for a whole sequence."
            )

    def _from_input(self, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, self.weight_ih, self.bias_ih)

    def _from_state(self, hidden: Tensor) -> Tensor:
        return functional.linear(hidden, self.weight_hh, self.bias_hh)


class RNNCell(_Cell):
    """The plain recurrent cell (Elman 1990): h' = tanh(W_ih x + b_ih + W_hh h + b_hh)."""

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> Tensor:
        """One step: inputs (B, E) and state (B, D) to the next state (B, D)."""
        self._check(inputs)
        hidden = self.zero_state(inputs) if state is None else state
        return torch.tanh(self._from_input(inputs) + self._from_state(hidden))


class GRUCell(_Cell):
    """The gated recurrent unit (Cho et al. 2014, equations 5 to 8), as torch writes it.

    The paper multiplies the state by the reset gate before the matrix, W(r * h). torch, and so
    we, multiply after it, r * (W h + b). Gates are stacked in the order reset, update, new.
    """

    gates = 3

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> Tensor:
        """One step: inputs (B, E) and state (B, D) to the next state (B, D)."""
        self._check(inputs)
        hidden = self.zero_state(inputs) if state is None else state
        x_reset, x_update, x_new = self._from_input(inputs).chunk(3, dim=1)  # 3 x (B, D)
        h_reset, h_update, h_new = self._from_state(hidden).chunk(3, dim=1)  # 3 x (B, D)
        reset = torch.sigmoid(x_reset + h_reset)
        update = torch.sigmoid(x_update + h_update)
        new = torch.tanh(x_new + reset * h_new)
        return (1 - update) * new + update * hidden  # (B, D)


class LSTMCell(_Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate by Gers et al. 2000).

    The state is a pair (h, c): what the cell shows and what it keeps. Gates are stacked in the
    order input, forget, candidate, output, as torch stacks them.
    """

    gates = 4

    def zero_state(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The state before anything was read: h and c, zeros of shape (B, D)."""
        zeros = inputs.new_zeros(inputs.shape[0], self.hidden_size)
        return zeros, zeros

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """One step: inputs (B, E) and (h, c), each (B, D), to the next (h, c)."""
        self._check(inputs)
        hidden, memory = self.zero_state(inputs) if state is None else state
        gates = self._from_input(inputs) + self._from_state(hidden)  # (B, 4 D)
        write, keep, candidate, show = gates.chunk(4, dim=1)  # 4 x (B, D)
        memory = torch.sigmoid(keep) * memory + torch.sigmoid(write) * torch.tanh(candidate)
        return torch.sigmoid(show) * torch.tanh(memory), memory


def unroll(
    cell: RNNCell | GRUCell | LSTMCell, inputs: Tensor, state: Hidden | None = None
) -> tuple[Tensor, Hidden]:
    """Apply one cell at every time step, from left to right.

    Args:
        cell: any of the three cells.
        inputs: (B, T, E).
        state: the state before the first step; zeros when None.

    Returns:
        The hidden states h_1 to h_T as one tensor (B, T, D), and the last state (for an LSTM the
        pair (h, c)).
    """
    hidden: Hidden = cell.zero_state(inputs) if state is None else state
    states = []
    for step in range(inputs.shape[1]):
        hidden = cell(inputs[:, step], hidden)
        states.append(hidden[0] if isinstance(hidden, tuple) else hidden)
    return torch.stack(states, dim=1), hidden  # (B, T, D)


def init_uniform_(module: _Cell | nn.RNNBase) -> None:
    """torch's own rule: every weight and bias uniform in ±1/sqrt(D), in place.

    Chapter 01 measures how far a gradient travels under this rule.
    """
    bound = 1 / math.sqrt(module.hidden_size)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -bound, bound)


def init_recurrent_(module: _Cell | nn.RNNBase) -> None:
    """A start that lets gradients travel further, in place.

    State-to-state matrices become orthogonal, gate by gate (Saxe et al. 2014), input matrices
    Xavier (Glorot & Bengio 2010), biases zero, and the forget bias of an LSTM one (Gers et al.
    2000; Jozefowicz et al. 2015). Works for our cells and for `nn.RNN`, `nn.GRU`, `nn.LSTM`.
    """
    width = module.hidden_size
    for name, parameter in module.named_parameters():
        if name.startswith("weight_hh"):
            for block in parameter.data.split(width):
                nn.init.orthogonal_(block)
        elif name.startswith("weight_ih"):
            for block in parameter.data.split(width):
                nn.init.xavier_uniform_(block)
        elif name.startswith("bias"):
            nn.init.zeros_(parameter)
    if any(len(parameter) == 4 * width for parameter in module.parameters()):
        open_forget_gate_(module)


def open_forget_gate_(module: _Cell | nn.RNNBase, bias: float = 1.0) -> None:
    """Let an LSTM keep its memory from the start: forget bias `bias` in total, in place.

    (Gers et al. 2000; Jozefowicz et al. 2015, section 5.) Works for `LSTMCell` and `nn.LSTM`.
    """
    width, found = module.hidden_size, False
    for name, parameter in module.named_parameters():
        if name.startswith("bias") and len(parameter) == 4 * width:
            found = True
            value = bias if name.startswith("bias_ih") else 0.0
            nn.init.constant_(parameter.data[width : 2 * width], value)
    if not found:
        raise ValueError(f"{type(module).__name__} has no forget gate; only an LSTM has one.")
