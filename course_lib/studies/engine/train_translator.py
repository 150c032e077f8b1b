"""Train the Transformer of the lab, in one process or in several, and say how well it translates.

    python -m course_lib.studies.engine.train_translator --steps 300
    torchrun --nproc-per-node 2 -m course_lib.studies.engine.train_translator --steps 300

Both learn the same: a batch is the same 64 sentences, shared out among the processes there are.
With `--sharded` the weights are shared out as well.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import torch

from course_lib.data import lab
from course_lib.data.batching import PairSampler
from course_lib.decoding.translation import Translator, score, tokenizers
from course_lib.support.files import write_atomically
from course_lib.training import distributed, losses, resumable, schedules, sharded
from course_lib.training.loop import History, Loss, Sampler, fit
from course_lib.transformer.model import Transformer, TransformerConfig

LENGTHS = (6, 17)  # words of a sentence
SEED, TEST_SEED = 0, 1


def main(arguments: list[str] | None = None) -> None:
    """Read the options, train, test; rank 0 alone prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m course_lib.studies.engine.train_translator")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=64, help="sentences of the whole batch")
    parser.add_argument("--pairs", type=int, default=20_000, help="training sentences")
    parser.add_argument("--width", type=int, default=80)
    parser.add_argument("--lr", type=float, default=4e-3, help="peak learning rate")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--label-smoothing", type=float, default=0.0)
    parser.add_argument("--bf16", action="store_true", help="matrix products in 16 bits")
    parser.add_argument("--checkpoint", type=Path, help="where to go on from, and where to save")
    parser.add_argument("--sharded", action="store_true", help="each process holds a part")
    parser.add_argument("--losses", type=Path, help="JSON file for the loss of every step")
    options = parser.parse_args(arguments)
    if options.sharded and (options.checkpoint or options.bf16):
        parser.error("--sharded goes neither with --checkpoint nor with --bf16 here")
    with distributed.join() as team:
        run(options, team)


def run(options: argparse.Namespace, team: distributed.Team) -> None:
    """The same lines in every process."""
    pairs = lab.generate(options.pairs, seed=SEED, lengths=LENGTHS)
    source, target = tokenizers(pairs)
    torch.manual_seed(SEED)
    config = TransformerConfig(
        len(source),
        len(target),
        width=options.width,
        hidden=2 * options.width,
        dropout=options.dropout,
    )
    translator = Translator(Transformer(config).to(team.device), source, target)
    history = train(
        translator.model,
        partial(losses.translation_loss, label_smoothing=options.label_smoothing),
        PairSampler(translator.encode(pairs), options.batch, SEED),
        options,
        team,
    )
    weights = sharded.whole(translator.model) if options.sharded else None  # all must call it
    if team.rank > 0:
        return
    if weights is not None:
        translator = Translator(Transformer(config).to(team.device), source, target)
        translator.model.load_state_dict(weights)
    if options.losses is not None:
        write_atomically(options.losses, json.dumps(history.to_dict()).encode())
    test = lab.generate(200, seed=TEST_SEED, lengths=LENGTHS, split="test")
    right = score(translator.translate(test), test)["exact_match"]
    print(f"processes: {team.size}, on {team.device.type}")
    print(f"seconds per step: {history.seconds[-1] / options.steps:.3f}")
    print(f"training loss of the last step: {history.losses[-1]:.4f} nats per token")
    print(f"test perplexity: {translator.perplexity(test):.3f}")
    print(f"test sentences translated without an error: {round(right * len(test))} of {len(test)}")


def train(
    model: Transformer,
    loss_fn: Loss,
    sampler: Sampler,
    options: argparse.Namespace,
    team: distributed.Team,
) -> History:
    """Whole copies of the model that go on from a checkpoint, or parts of one model."""
    schedule = schedules.cosine(options.steps, warmup=min(50, options.steps // 4))
    settings = {"lr": options.lr, "schedule": schedule}
    if not options.sharded:
        return resumable.fit_resumable(
            model,
            loss_fn,
            sampler,
            options.steps,
            **settings,
            checkpoint=options.checkpoint,
            bf16=options.bf16,
            team=team,
        )
    sharded.shard(model, [*model.encoder.layers, *model.decoder.layers], team)
    loss = partial(team.loss, loss_fn)
    return fit(model, loss, sampler, options.steps, **settings, progress=team.rank == 0)


if __name__ == "__main__":
    main()
