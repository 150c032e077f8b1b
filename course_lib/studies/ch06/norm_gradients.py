"""How large are the gradients of an untrained Transformer, norms before and after, by depth?

After Xiong et al. (2020), section 3.4 and figure 3: translation models of growing depth, with fresh
weights. Of each, the Frobenius norm of the gradient of W₂, the second matrix of the feed-forward
network, in the highest decoder layer, which is that of their theorem 1, and in the lowest. Their
models are wider and read German; ours have the width of chapter 06 and read the lab's sentences,
another batch and other weights with each seed.

The theorem names a cause: a LayerNorm divides the gradient by the size of what it reads. So the
record also holds that size, for the LayerNorm through which the gradient reaches that W₂.
"""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor

from course_lib.attention.masks import padding_mask
from course_lib.data import lab
from course_lib.data.batching import Batch
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.studies.engine.translators import untrained
from course_lib.training import losses
from course_lib.transformer.model import Transformer, TransformerConfig

NORMS = ("post", "pre")
DEPTHS = (2, 4, 6, 12, 24)  # layers on each side
LENGTHS, PAIRS, SENTENCES = (6, 17), 400, 32


def build(norm: str, layers: int, seed: int) -> tuple[Transformer, Batch]:
    """A translation model with fresh weights, and a batch of lab sentences for it."""
    pairs = lab.generate(PAIRS, seed=seed, lengths=LENGTHS)

    def made(source_vocab: int, target_vocab: int) -> Transformer:
        sizes = TransformerConfig(source_vocab, target_vocab, width=64, heads=4, hidden=128)
        return Transformer(replace(sizes, layers=layers, norm=norm))

    translator, batches = untrained(made, pairs, seed, SENTENCES)
    return translator.model, batches.batch(0)


def measure(model: Transformer, batch: Batch) -> Metrics:
    """One pass forth and one back, and what the norms did to it.

    Returns:
        `last` and `first`: ‖∂L/∂W₂‖ in the highest and the lowest decoder layer; L is the
        mean loss of a word. `log2`: the two as logarithms, so that their differences are
        ratios. `size`: root mean square of the numbers that the last LayerNorm of the decoder
        reads where a word is asked for. `loss`: L, in nats per word.
    """
    layers = model.decoder.layers
    last_norm = model.decoder.norm if model.config.norm == "pre" else layers[-1].feed_residual.norm
    read: list[Tensor] = []
    hook = last_norm.register_forward_hook(lambda module, inputs, output: read.append(inputs[0]))
    model.zero_grad()
    loss = losses.translation_loss(model, batch)
    hook.remove()
    loss.backward()
    asked = padding_mask(batch.target[:, 1:]).to(loss.device)  # (B, T)
    last, first = (layers[i].feed_forward.output.weight.grad.norm().item() for i in (-1, 0))
    return {
        "last": last,
        "first": first,
        "log2": {"last": math.log2(last), "first": math.log2(first)},
        "size": read[0][asked].square().mean().sqrt().item(),
        "loss": loss.item(),
    }


def run(config: Config, seed: int) -> Metrics:
    """One untrained model, measured once."""
    return measure(*build(config["norm"], config["layers"], seed))


STUDY = Study(
    name="norm_gradients",
    chapter="06",
    title="Gradients of an untrained Transformer, norms before and after the sum, by depth",
    cells=[{"norm": norm, "layers": layers} for norm in NORMS for layers in DEPTHS],
    seeds=tuple(range(10)),
    run=run,
    smoke={"norm": "post", "layers": 2},
)
