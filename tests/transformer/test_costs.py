"""Derived counts equal counted ones."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.transformer.costs import (
    forward_flops,
    parameter_counts,
    recurrent_flops,
    training_flops,
)
from course_lib.transformer.model import Transformer, TransformerConfig

TINY = TransformerConfig.tiny(12, 9)
CONFIGS = [
    TINY,
    replace(TINY, norm="post", tie="none", layers=3),
    replace(TINY, positions="learned", max_length=20, heads=4),
    replace(TINY, tie="all", source_vocab=9, hidden=40, layers=1),
]

RECURRENT = [
    Seq2SeqConfig.tiny(12, 9),
    Seq2SeqConfig.tiny(12, 9, layers=3, bidirectional=True),
    *(AttentionConfig.tiny(12, 9, score=s) for s in ("additive", "dot", "general", "scaled_dot")),
    AttentionConfig.tiny(12, 9, layers=2, bidirectional=False),
    AttentionConfig.tiny(7, 30, width=24, embedding=40),
]


def counted(model, source, target, backward=False) -> int:
    with FlopCounterMode(display=False) as counter:
        logits = model.with_weights(source, target)[0]  # products one by one
        if backward:
            logits.sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("config", CONFIGS)
def test_parameters(config):
    model = Transformer(config)
    counts = parameter_counts(config)
    assert sum(counts.values()) == sum(p.numel() for p in model.parameters())
    for part in ("encoder", "decoder"):
        assert counts[part] == sum(p.numel() for p in getattr(model, part).parameters())


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("source", "target"), [(5, 7), (1, 1), (11, 3)])
def test_flops(config, source, target):
    model = Transformer(config)
    given = torch.full((1, source), 5), torch.full((1, target), 5)
    expected = sum(forward_flops(config, source, target).values())
    assert counted(model, *given) == expected
    assert training_flops(config, source, target) == 3 * expected
    assert counted(model, *given, backward=True) == 3 * expected


@pytest.mark.parametrize("config", RECURRENT, ids=str)
@pytest.mark.parametrize(("source", "target"), [(5, 7), (1, 1), (11, 3)])
def test_recurrent_flops(config, source, target):
    given = torch.full((1, source), 5), torch.full((1, target), 5)
    with FlopCounterMode(display=False) as counter:
        if isinstance(config, AttentionConfig):  # with the weights: products one by one
            AttentionEncoderDecoder(config).with_weights(*given)
        else:
            EncoderDecoder(config)(*given)
    parts = recurrent_flops(config, source, target)
    assert sum(parts.values()) == counter.get_total_flops()
    assert training_flops(config, source, target) == 3 * counter.get_total_flops()
    assert (parts["attention"] > 0) == isinstance(config, AttentionConfig)
    assert parts["output"] == 2 * target * config.width * config.target_vocab


def test_the_backward_pass_of_a_recurrent_model_costs_two_forward_passes():
    """But for the products that no gradient needs: none goes to the first state, which is 0."""
    config = Seq2SeqConfig.tiny(12, 9)
    given = torch.full((1, 20), 5), torch.full((1, 20), 5)
    with FlopCounterMode(display=False) as counter:
        EncoderDecoder(config)(*given).sum().backward()
    assert counter.get_total_flops() == pytest.approx(training_flops(config, 20, 20), rel=0.02)


def test_the_base_model_of_the_paper():
    # Table 3 of Vaswani et al. (2017) says 65 million; section 5.1 gives the vocabulary as "about
    # 37,000" tokens for both languages. With 37,000 the derived number is 63.1 million.
    config = TransformerConfig.base(37_000, 37_000, tie="all")
    assert sum(parameter_counts(config).values()) == 63_119_496
