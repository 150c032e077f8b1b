"""The translator of chapter 02 with attention: the same encoder, and a decoder whose vector c is a
new one, c_t, at every step.

Shapes: B batch, S source length, T target length, E embedding width, D model width, L layers,
V target vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.attention.attend import AdditiveScore, GeneralScore, Score, attend, dot, scaled_dot
from course_lib.attention.masks import padding_mask
from course_lib.recurrent.encoder_decoder import Decoder, EncoderDecoder, Seq2SeqConfig
from course_lib.support.checks import check_ids, check_pairs, check_sizes


@dataclass(frozen=True)
class AttentionConfig(Seq2SeqConfig):
    """Sizes of an `AttentionEncoderDecoder`: those of the fixed-vector model and a score.

    Args:
        bidirectional: on by default, as in Bahdanau et al. (2015), section 3.2: a state then
            knows the words on both sides of its own.
        score: "additive", "dot", "general" or "scaled_dot". The additive score has A = D units.
    """

    bidirectional: bool = True
    score: str = "additive"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes(self, (), (), score=tuple(_SCORES))


_SCORES: dict[str, Callable[[int], Score]] = {
    "additive": lambda width: AdditiveScore(width, width, width),
    "dot": lambda width: dot,
    "general": lambda width: GeneralScore(width, width),
    "scaled_dot": lambda width: scaled_dot,
}


class AttentionState(NamedTuple):
    """What the decoder carries from step to step. Only `hidden` changes.

    hidden: (L, B, D), its own recurrent state. keys: (B, S, D), what the score compares with: the
    encoder's states, for the additive score already multiplied by U. values: (B, S, D), the
    encoder's states. mask: (B, 1, S), True where the source has a word.
    """

    hidden: Tensor
    keys: Tensor
    values: Tensor
    mask: Tensor


class AttentionDecoder(Decoder):
    """The decoder of chapter 02 with c_t, a new mean of the encoder's states, in place of c.

    The query is the state *before* the word is written, s_{t-1} (Bahdanau et al. 2015, equations
    4 to 6), of the top layer. So c_t enters the recurrence, and with it the model knows where it
    has looked; the price is a loop over the target also in training. Luong et al. (2015) ask with
    the state after it instead. Everything else, the first state and the output layer included,
    stays as it was, so that what the two models do differently has one cause.
    """

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__(config)
        # Last, so that the same seed gives the other weights the values they have without it.
        self.score = _SCORES[config.score](config.width)

    def init_state(self, states: Tensor, last: Tensor, mask: Tensor) -> AttentionState:
        """Encoder states (B, S, D), its last (B, D), mask (B, S) -> state before the first word."""
        score = self.score
        keys = score.prepare(states) if isinstance(score, AdditiveScore) else states  # (B, S, D)
        return AttentionState(self.first_hidden(last), keys, states, mask.unsqueeze(1))

    def forward(self, tokens: Tensor, state: AttentionState) -> tuple[Tensor, AttentionState]:
        """As `forward`: (B, T) previous ids -> logits (B, T, V), next state."""
        logits, _, state = self.with_weights(tokens, state)
        return logits, state

    def with_weights(
        self, tokens: Tensor, state: AttentionState
    ) -> tuple[Tensor, Tensor, AttentionState]:
        """As `forward`, with the attention weights (B, T, S) between the two results."""
        check_ids(tokens, self.config.target_vocab, "target")
        score = self.score
        score = score.from_prepared if isinstance(score, AdditiveScore) else score
        hidden, outputs, rows = state.hidden, [], []
        for embedded in self.dropout(self.embedding(tokens)).split(1, dim=1):  # (B, 1, E) each
            query = hidden[-1].unsqueeze(1)  # (B, 1, D), s_{t-1}
            context, weights = attend(
                query, state.keys, state.values, state.mask, score
            )  # (B, 1, D), (B, 1, S)
            output, hidden = self.rnn(torch.cat([embedded, context], dim=-1), hidden)
            outputs.append(output)
            rows.append(weights)
        logits = self.output(self.dropout(torch.cat(outputs, dim=1)))  # (B, T, V)
        return logits, torch.cat(rows, dim=1), state._replace(hidden=hidden)


class AttentionEncoderDecoder(EncoderDecoder):
    """Translation with attention (Bahdanau et al. 2015): `EncoderDecoder` with another decoder."""

    decoder_class = AttentionDecoder
    decoder: AttentionDecoder

    def with_weights(self, source: Tensor, target_in: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, and the attention weights: logits (B, T, V), weights (B, T, S).

        `target_in` is `BOS` and the target, so row t of the weights belongs to the target's word t
        (from 0) and the row after its last word to the end mark. Weights are 0 at the padding of
        the source; rows at the padding of the target mean nothing. Call `eval()` first, or dropout
        blurs the picture.
        """
        check_pairs(source, target_in)
        logits, weights, _ = self.decoder.with_weights(target_in, self.init_state(source))
        return logits, weights

    def init_state(self, source: Tensor) -> AttentionState:
        """Encode: (B, S) ids -> the decoder's first state."""
        states, last = self.encoder(source)  # (B, S, D), (B, D)
        return self.decoder.init_state(states, last, padding_mask(source))

    def reorder(self, state: AttentionState, index: Tensor) -> AttentionState:
        """Rows `index` (B',) of the state, for beam search; a row may appear several times."""
        hidden = state.hidden.index_select(1, index)
        return AttentionState(hidden, state.keys[index], state.values[index], state.mask[index])
