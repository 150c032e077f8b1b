"""Our Transformer against `nn.Transformer`; decoding with and without kept keys and values."""

from __future__ import annotations

import warnings
from functools import partial

import torch
from torch import Tensor, nn

from course_lib.data import lab
from course_lib.data.batching import PairSampler
from course_lib.decoding.search import WithoutCache, greedy
from course_lib.decoding.translation import Translator, tokenizers
from course_lib.studies.ch07.contest import TRANSFORMER
from course_lib.text.words import EOS, PAD
from course_lib.training.loop import fit
from course_lib.training.losses import translation_loss
from course_lib.transformer.model import Transformer, TransformerConfig
from tools.bench import twins
from tools.bench.pairs import Result, check_same_work, compare
from tools.bench.recurrent import bare_steps

STEPS, BATCH = 8, 64  # training steps in one half of a pair, sentences of a step
SIZES = {"lab": TRANSFORMER, "D=128": {"width": 128, "heads": 4, "layers": 2, "hidden": 512}}
LARGE = {"width": 512, "heads": 8, "layers": 6, "hidden": 2048}
VOCABULARY, SOURCE = 500, 32  # of the decoding cases: ids on each side, source words
SHORTEST = 64  # tokens written in one half of a pair, by writing short sentences several times
CALLS = 8  # single tokens in one half of a pair
STEADY = 1.25  # most that a token at position 256 may cost, in tokens at position 32


class TorchTransformer(nn.Module):
    """`nn.Transformer` between our embeddings and our output layer, with the same masks."""

    def __init__(self, ours: Transformer) -> None:
        super().__init__()
        config = ours.config
        self.source_embedding, self.target_embedding = ours.source_embedding, ours.target_embedding
        self.output = ours.output
        sizes = (config.width, config.heads, config.layers, config.layers, config.hidden)
        options = {"dropout": 0.0, "batch_first": True, "norm_first": config.norm == "pre"}
        with warnings.catch_warnings():  # that it will not use nested tensors
            warnings.simplefilter("ignore", UserWarning)
            self.stacks = nn.Transformer(*sizes, **options)

    def forward(self, source: Tensor, target_in: Tensor) -> Tensor:
        """(B, S), (B, T) -> logits (B, T, V)."""
        padding = source == PAD  # here True = may not attend
        length = target_in.shape[1]
        later = torch.ones(length, length, dtype=torch.bool, device=source.device).triu(1)
        x = self.stacks(
            self.source_embedding(source),
            self.target_embedding(target_in),
            tgt_mask=later,
            tgt_is_causal=True,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return self.output(x)


def training_step(size: str, pairs: int) -> Result:
    """Lab sentences through `fit`, against the same batches through the loop written by hand."""
    sentences = lab.generate(STEPS * BATCH, seed=0)
    source, target = tokenizers(sentences)
    config = TransformerConfig(len(source), len(target), **SIZES[size])
    torch.manual_seed(0)
    ours, shared = Transformer(config), Transformer(config)
    sampler = PairSampler(Translator(ours, source, target).encode(sentences), BATCH, seed=0)
    batches = [sampler.batch(step) for step in range(STEPS)]
    shared.load_state_dict(ours.state_dict())
    theirs = TorchTransformer(shared)
    twins.copy(twins.of_stacks(ours, theirs.stacks))
    optimizers = [torch.optim.Adam(model.parameters(), lr=1e-3) for model in (ours, theirs)]

    def step_ours() -> None:
        fit(ours, translation_loss, sampler, STEPS, optimizer=optimizers[0], progress=False)

    def step_theirs() -> None:
        bare_steps(theirs, optimizers[1], batches)

    losses = [partial(translation_loss, model, batches[0]) for model in (ours, theirs)]
    check_same_work(ours, theirs, *losses)
    name = f"training step / nn.Transformer, {size}"
    return compare(name, step_ours, step_theirs, pairs, STEPS, 1.0)


def writer(size: dict[str, int]) -> Transformer:
    """An untrained model that never writes the end mark, so that every sentence is equally long."""
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(VOCABULARY, VOCABULARY, **size)).eval()
    with torch.no_grad():
        model.output.bias[EOS] = -1e4
    return model


def source_of(sentences: int) -> Tensor:
    """(B, S) ids of words."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(EOS + 1, VOCABULARY, (sentences, SOURCE), generator=generator)


def decoding(
    size: dict[str, int], sentences: int, tokens: int, pairs: int, target: float
) -> Result:
    """Greedy decoding with kept keys and values / without."""
    model, source = writer(size), source_of(sentences)
    without = WithoutCache(model)
    repeat = max(1, SHORTEST // tokens)

    def write(with_or_without: nn.Module) -> None:
        for _ in range(repeat):
            greedy(with_or_without, source, tokens)

    return compare(
        f"decode, cache / none, D={size['width']} B={sentences} T={tokens}",
        lambda: write(model),
        lambda: write(without),
        pairs,
        repeat * tokens,
        target,
    )


@torch.no_grad()
def late_token(size: dict[str, int], late: int, early: int, pairs: int) -> Result:
    """One word with kept keys and values, at position `late` / at position `early`."""
    model, source = writer(size), source_of(1)
    tokens, states = torch.tensor([EOS + 1]), {}
    for position in (late, early):
        state = model.init_state(source)
        for _ in range(position - 1):
            _, state = model.step(tokens, state)
        states[position] = state

    def write(position: int) -> None:
        for _ in range(CALLS):
            model.step(tokens, states[position])  # a new state each time, the old one stays

    return compare(
        f"one token with cache, D={size['width']}, {late} / {early}",
        lambda: write(late),
        lambda: write(early),
        pairs,
        CALLS,
        STEADY,
    )
