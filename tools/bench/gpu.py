"""GPT-2 small on a GPU: tokens a second of our model and loop beside a bare, compiled reference.

    python -m tools.bench.gpu

The reference is what a fast small repository does: fused queries, keys and values, torch's causal
attention, tied output layer, ``torch.compile``, bfloat16, fused AdamW, and a loop that never asks
the GPU for a number. Ours is `GPT` in `fit_resumable`, as it stands and compiled. All read the
same batches with the same weights. The record is a part of the page "How fast is it".
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.gpt.model import GPT, GPTConfig, adamw
from course_lib.gpt.windows import WindowSampler, window_loss
from course_lib.studies.engine.environment import describe
from course_lib.support.files import write_atomically
from course_lib.text.words import EOS
from course_lib.training.resumable import fit_resumable
from tools.bench.pairs import median_interval

RECORD = Path(__file__).with_name("gpu.json")
BATCH, STEPS, ROUNDS = 16, 10, 8
VOCABULARY = 50_304  # the next multiple of 64 after GPT-2's, as fast repositories have it
PEAK = {"H100": 989e12, "H200": 989e12}  # dense bfloat16 FLOP a second, by the maker's data sheet
RATE = 6e-4


class ReferenceBlock(nn.Module):
    """Pre-norm block with fused queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, -1).transpose(1, 2)
            for part in self.qkv(self.ln_1(x)).split(width, dim=2)
        )
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(heads.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class Reference(nn.Module):
    """The same network as ``GPT``, with nothing else in it."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.wpe = nn.Embedding(config.context, config.width)
        self.blocks = nn.Sequential(
            *(ReferenceBlock(config.width, config.heads) for _ in range(config.layers))
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) -> (B, T, V)."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.blocks(self.wte(tokens) + self.wpe(places)))
        return F.linear(x, self.wte.weight)

    def take(self, ours: GPT) -> None:
        """The weights of our model."""
        names = {"h.": "blocks.", "ln_f": "norm", "attn.c_attn": "qkv", "attn.c_proj": "out"}
        names |= {"mlp.c_fc": "up", "mlp.c_proj": "down"}
        state = {}
        for name, tensor in ours.body.state_dict().items():
            for old, new in names.items():
                name = name.replace(old, new)
            state[name] = tensor
        self.load_state_dict(state)


def bare_steps(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[Any]) -> None:
    """The loop of a fast small repository."""
    model.train()
    for batch in batches:
        inputs = batch.inputs.pin_memory().to("cuda", non_blocking=True)
        targets = batch.targets.pin_memory().to("cuda", non_blocking=True)
        with torch.autocast("cuda", torch.bfloat16):
            logits = model(inputs)
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def flops_a_token(config: GPTConfig, parameters: int) -> float:
    """Forward and backward: 6 N, and 12 L D C for attention (Chowdhery et al. 2022, appendix B).

    N counts the embedding of the tokens, which is the output layer, and not that of the places.
    """
    return 6 * parameters + 12 * config.layers * config.width * config.context


def seconds(work: Callable[[], None]) -> float:
    """Wall seconds until the GPU is done."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def measure(config: GPTConfig, rounds: int = ROUNDS) -> dict[str, Any]:
    """The record: tokens a second of each way, its share of the peak, its ratio to the reference.

    Raises:
        KeyError: a GPU whose peak is not known here.
    """
    card = torch.cuda.get_device_name(0)
    peak = next((value for name, value in PEAK.items() if name in card), None)
    if peak is None:
        raise KeyError(f"the peak of a {card} is not in tools/bench/gpu.py; known: {list(PEAK)}")
    torch.manual_seed(0)
    eager, compiled = GPT(config).cuda(), GPT(config).cuda()
    reference = Reference(config).cuda()
    compiled.load_state_dict(eager.state_dict())
    reference.take(eager)
    ids = torch.randint(EOS + 1, config.vocab_size, ((BATCH * STEPS + 2) * config.context,))
    sampler = WindowSampler(ids, BATCH, config.context, 0)
    batches = [sampler.batch(step) for step in range(STEPS)]
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
        one = batches[0].inputs[:2].cuda()
        torch.testing.assert_close(eager(one), reference(one), rtol=0.05, atol=0.05)

    def ours(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[], None]:
        return lambda: fit_resumable(
            model, window_loss, sampler, STEPS, optimizer=optimizer, progress=False, bf16=True
        )

    fast = torch.compile(reference)
    fused = torch.optim.AdamW(reference.parameters(), lr=RATE, betas=(0.9, 0.95), fused=True)
    ways = {
        "reference, compiled": lambda: bare_steps(fast, fused, batches),
        "ours, compiled": ours(torch.compile(compiled), adamw(compiled, RATE)),
        "ours, as it stands": ours(eager, adamw(eager, RATE)),
    }
    for work in ways.values():  # compile, allocate
        seconds(work)
        seconds(work)
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            times[name].append(seconds(work))
    parameters = sum(p.numel() for p in reference.parameters()) - reference.wpe.weight.numel()
    tokens = BATCH * config.context * STEPS
    rows = []
    for name, taken in times.items():
        speed = tokens / statistics.median(taken)
        pairs = [a / b for a, b in zip(taken, times["reference, compiled"], strict=True)]
        rows.append(
            {
                "name": name,
                "tokens_a_second": round(speed),
                "share_of_peak": round(speed * flops_a_token(config, parameters) / peak, 4),
                "ratio": round(statistics.median(pairs), 4),
                "interval": [round(end, 4) for end in median_interval(pairs)],
            }
        )
    shape = {"batch": BATCH, "context": config.context, "parameters": parameters, "peak": peak}
    return {"environment": describe("cuda"), "rounds": rounds, **shape, "rows": rows}


def main(path: Path = RECORD) -> int:
    """Measure GPT-2 small, without dropout, and write the record."""
    if not torch.cuda.is_available():
        print("no GPU here: this comparison needs one", file=sys.stderr)
        return 2
    config = replace(GPTConfig.gpt2(), vocab_size=VOCABULARY, dropout=0.0, attention_dropout=0.0)
    record = measure(config)
    write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())
    for row in record["rows"]:
        print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
