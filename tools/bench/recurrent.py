"""The training step of chapter 02 and the cells of chapter 01 against bare `torch.nn`."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from course_lib.data import lab
from course_lib.data.batching import Batch, PairSampler
from course_lib.recurrent import cells
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.text.words import WordTokenizer
from course_lib.training.loop import fit
from course_lib.training.losses import translation_loss
from tools.bench.pairs import Result, check_same_work, compare

STEPS = 8  # training steps in one half of a pair
BATCH = 64


class BareEncoderDecoder(nn.Module):
    """The model of `course_lib.recurrent.encoder_decoder` at its plainest: no checks, no
    options."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        wide, narrow = config.width, config.embedding
        self.source = nn.Embedding(config.source_vocab, narrow, padding_idx=0)
        self.reader = nn.GRU(narrow, wide, batch_first=True)
        self.target = nn.Embedding(config.target_vocab, narrow, padding_idx=0)
        self.start = nn.Linear(wide, wide)
        self.writer = nn.GRU(narrow + wide, wide, batch_first=True)
        self.output = nn.Linear(wide, config.target_vocab)

    def forward(self, source: Tensor, target_in: Tensor) -> Tensor:
        """(B, S), (B, T) -> logits (B, T, V)."""
        lengths = (source != 0).sum(1)
        packed = pack_padded_sequence(
            self.source(source), lengths, batch_first=True, enforce_sorted=False
        )
        context = self.reader(packed)[1][0]  # (B, D)
        hidden = torch.tanh(self.start(context)).unsqueeze(0)  # (1, B, D)
        repeated = context.unsqueeze(1).expand(-1, target_in.shape[1], -1)  # (B, T, D)
        states, _ = self.writer(torch.cat([self.target(target_in), repeated], dim=-1), hidden)
        return self.output(states)


def bare_steps(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[Batch]) -> None:
    """The loop everybody writes by hand."""
    model.train()
    for batch in batches:
        logits = model(batch.source, batch.target[:, :-1])
        loss = functional.cross_entropy(
            logits.flatten(0, 1), batch.target[:, 1:].flatten(), ignore_index=0
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def training_step(pairs: int) -> Result:
    """Case 1, on lab sentences with the `lab` sizes."""
    sentences = lab.generate(STEPS * BATCH, seed=0)
    sides = list(zip(*((" ".join(p.source), " ".join(p.target)) for p in sentences), strict=True))
    source, target = (WordTokenizer.train(list(side), style="lab") for side in sides)
    ids = [
        (source.encode(english), target.encode(french))
        for english, french in zip(*sides, strict=True)
    ]
    sampler = PairSampler(ids, BATCH, seed=0)
    batches = [sampler.batch(step) for step in range(STEPS)]
    config = Seq2SeqConfig.lab(len(source), len(target))
    torch.manual_seed(0)
    ours, bare = EncoderDecoder(config), BareEncoderDecoder(config)
    copy_weights(ours, bare)
    optimizers = [torch.optim.Adam(model.parameters(), lr=1e-3) for model in (ours, bare)]

    def step_ours() -> None:
        fit(ours, translation_loss, sampler, STEPS, optimizer=optimizers[0], progress=False)

    def step_bare() -> None:
        bare_steps(bare, optimizers[1], batches)

    losses = [partial(translation_loss, model, batches[0]) for model in (ours, bare)]
    check_same_work(ours, bare, *losses)
    return compare("training step / bare torch.nn", step_ours, step_bare, pairs, STEPS, 1.05)


def ours_in_bare_order(model: EncoderDecoder) -> list[nn.Parameter]:
    """Parameters of `EncoderDecoder` in the order of `BareEncoderDecoder`."""
    encoder, decoder = model.encoder, model.decoder
    modules = [
        encoder.embedding,
        encoder.rnn,
        decoder.embedding,
        decoder.start,
        decoder.rnn,
        decoder.output,
    ]
    return [parameter for module in modules for parameter in module.parameters()]


def copy_weights(ours: EncoderDecoder, bare: BareEncoderDecoder) -> None:
    """Let both models start from the same point."""
    with torch.no_grad():
        for one, other in zip(ours_in_bare_order(ours), bare.parameters(), strict=True):
            other.copy_(one)


def hand_written(kind: str, pairs: int) -> Result:
    """Case 2: forward and backward over B = 32 sentences of T = 20 steps, E = 64, D = 128."""
    torch.manual_seed(0)
    inputs = torch.randn(32, 20, 64)
    by_hand = getattr(cells, f"{kind}Cell")(64, 128)
    library = getattr(nn, kind)(64, 128, batch_first=True)

    def run_by_hand() -> None:
        cells.unroll(by_hand, inputs)[0].sum().backward()

    def run_library() -> None:
        library(inputs)[0].sum().backward()

    return compare(f"hand-written {kind} / nn.{kind}", run_by_hand, run_library, pairs, 1, None)
