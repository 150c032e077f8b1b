"""What training makes small: the losses of the course's models."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.recurrent.language_model import detach


def sequence_loss(
    logits: Tensor, targets: Tensor, pad: int = 0, label_smoothing: float = 0.0
) -> Tensor:
    """Mean cross-entropy in nats per real token; logits (B, T, V), targets (B, T) -> scalar.

    Positions whose target is `pad` do not count. Logits in 16 bits are summed up in 32.
    """
    real = targets != pad
    if logits.dim() != 3 or logits.shape[:2] != targets.shape or not real.any():
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and targets {tuple(targets.shape)}, "
            f"{int(real.sum())} of them real; expected (B, T, V) and (B, T), and not only padding"
        )
    return F.cross_entropy(
        logits.flatten(0, 1).to(torch.promote_types(logits.dtype, torch.float32)),  # (B * T, V)
        targets.flatten(),  # (B * T,)
        ignore_index=pad,
        label_smoothing=label_smoothing,
    )


def translation_loss(model: nn.Module, batch: Any, *, label_smoothing: float = 0.0) -> Tensor:
    """Teacher forcing: the model reads the target up to t and is scored on token t + 1.

    `batch` has `source` (B, S) and `target` (B, T), each row BOS … EOS; both are moved to the
    model's device.

    With `label_smoothing` ε the right token should get 1 - ε and all V tokens, the right one
    too, ε / V more each (Szegedy et al. 2016; ε = 0.1 in Vaswani et al. 2017, section 5.4). Give
    it to `fit` as `functools.partial(translation_loss, label_smoothing=0.1)`, and measure
    perplexity without: `Translator.perplexity`.
    """
    device = next(model.parameters()).device
    source, target = batch.source.to(device), batch.target.to(device)
    logits = model(source, target[:, :-1])  # (B, T - 1, V)
    return sequence_loss(logits, target[:, 1:], label_smoothing=label_smoothing)


class StreamLoss:
    """Language-model loss over streams, with the recurrent state carried from piece to piece.

    Truncated backpropagation through time: the state goes on, the gradient stops at the border
    of a piece. The model is called as `model(inputs (B, T), state) -> (logits (B, T, V),
    state)`; `batch` has `inputs`, `targets` and `fresh` (the streams begin again). One object
    belongs to one run; `fit_resumable` keeps its state in the checkpoint.
    """

    def __init__(self) -> None:
        self.state: Tensor | tuple[Tensor, ...] | None = None

    def __call__(self, model: nn.Module, batch: Any) -> Tensor:
        device = next(model.parameters()).device
        logits, state = model(batch.inputs.to(device), None if batch.fresh else self.state)
        self.state = detach(state)
        return sequence_loss(logits, batch.targets.to(device))

    def state_dict(self) -> dict[str, Tensor]:
        """The carried state as named tensors; empty before the first piece."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        return {str(n): part for n, part in enumerate(parts) if part is not None}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Take up a state that `state_dict` gave."""
        parts = tuple(tensors[name] for name in sorted(tensors))
        self.state = parts if len(parts) > 1 else next(iter(parts), None)
