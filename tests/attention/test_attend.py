"""The scores, `attend`, and the fast path beside it."""

import math

import pytest
import torch
from torch.nn import functional as F

from course_lib.attention.attend import (
    AdditiveScore,
    GeneralScore,
    attend,
    attend_fast,
    dot,
    scaled_dot,
)
from course_lib.attention.masks import causal_mask
from tests.memory import largest_tensor

SCORES = {
    "additive": lambda: AdditiveScore(4, 6, 5),
    "dot": lambda: dot,
    "general": lambda: GeneralScore(4, 6),
    "scaled_dot": lambda: scaled_dot,
}


def fast(*given) -> tuple[torch.Tensor, None]:
    return attend_fast(*given), None


BOTH = pytest.mark.parametrize("path", [attend, fast])


def inputs(leading=(2,), t=3, s=5, width=4, keys=None, values=4):
    shapes = (*leading, t, width), (*leading, s, keys or width), (*leading, s, values)
    return [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes]


def by_hand(name, score, q, k) -> float:
    """The formulas of the papers for one query and one key, number by number."""
    if name == "additive":
        inside = (score.query.weight @ q + score.key.weight @ k).tolist()
        weights = score.energy.weight[0].tolist()
        return sum(v * math.tanh(x) for v, x in zip(weights, inside, strict=True))
    if name == "general":
        k = score.query.weight.T @ k
    total = sum(a * b for a, b in zip(q.tolist(), k.tolist(), strict=True))
    return total / math.sqrt(len(q)) if name == "scaled_dot" else total


@pytest.mark.parametrize("name", SCORES)
@torch.no_grad()
def test_attend_equals_loops_over_the_formula(name):
    torch.manual_seed(0)
    score, own = SCORES[name](), name in ("additive", "general")
    score = score.double() if own else score
    queries, keys, values = inputs(keys=6 if own else 4, values=7)
    mask = torch.rand(2, 3, 5) < 0.6
    mask[0, 1] = False
    context, weights = attend(queries, keys, values, mask, score=score)
    for b in range(2):
        for t in range(3):
            seen = mask[b, t].nonzero()[:, 0].tolist()
            powers = {s: math.exp(by_hand(name, score, queries[b, t], keys[b, s])) for s in seen}
            expected = [powers.get(s, 0.0) / sum(powers.values(), 1e-99) for s in range(5)]
            assert weights[b, t].tolist() == pytest.approx(expected, abs=1e-12)
            mean = sum((w * v for w, v in zip(expected, values[b], strict=True)), torch.zeros(7))
            torch.testing.assert_close(context[b, t], mean.double())
    more = attend(queries[None], keys[None], values[None], mask, score)  # a dimension for heads
    torch.testing.assert_close(more, (context[None], weights[None]))
    if name == "additive":  # U k can be made once for all queries
        again = attend(queries, score.prepare(keys), values, mask, score.from_prepared)
        torch.testing.assert_close(again, (context, weights))


def masks(leading, t=3, s=5) -> dict[str, torch.Tensor | None]:
    torch.manual_seed(1)
    full = torch.rand(*leading, t, s) < 0.6
    full[..., 1, :] = False  # one query with nothing to attend to
    return {
        "no mask": None,
        "full": full,
        "padding": torch.arange(s) < torch.randint(1, s, (*leading, 1, 1)),
        "(T, S)": causal_mask(s)[:t],
        "(S,)": torch.arange(s) < 4,
        "nothing": torch.zeros(1, s, dtype=torch.bool),
    }


@pytest.mark.parametrize("mask", masks(()).keys())
@pytest.mark.parametrize("leading", [(), (2,), (2, 3), (2, 2, 2)], ids=str)
@pytest.mark.parametrize("width", [4, 7])  # of the values; torch takes another kernel for 7
def test_fast_path_equals_explicit_path(mask, leading, width):
    given, mask = inputs(leading, values=width), masks(leading)[mask]
    target = torch.randn(*leading, 3, width, dtype=torch.double)
    explicit, weights = attend(*given, mask)
    quick = attend_fast(*given, mask)
    assert weights.shape == (*leading, 3, 5)
    torch.testing.assert_close(quick, explicit)
    gradients = [torch.autograd.grad((out * target).sum(), given) for out in (explicit, quick)]
    assert all(gradient.isfinite().all() for gradient in gradients[0])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@BOTH
def test_nothing_to_attend_to_in_each_precision(dtype, path):
    given = [tensor.detach().to(dtype).requires_grad_() for tensor in inputs((2, 1), s=40, t=40)]
    mask = causal_mask(40).tril(-1)  # the first query sees nothing
    context, _ = path(*given, mask)
    assert context.dtype == dtype and context.isfinite().all()
    assert context[..., 0, :].abs().max() == 0 < context[..., 1, :].abs().max()
    for gradient in torch.autograd.grad(context.float().square().sum(), given):
        assert gradient.isfinite().all()


def test_causal_by_name_equals_the_causal_mask_and_dropout_drops():
    given = inputs((2, 3), t=5)
    by_name = attend_fast(*given, causal=True)
    torch.testing.assert_close(by_name, attend_fast(*given, causal_mask(5)))
    torch.manual_seed(0)
    ones = torch.ones(1, 1, 4000, 1)
    dropped = attend_fast(ones[:, :, :1], ones, ones, dropout=0.25)
    assert dropped.item() == pytest.approx(1, abs=0.05) and dropped.item() != 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_training_in_16_bits_on_a_processor_computes_in_32(monkeypatch, dtype):
    """Without a gradient it stays in 16; the result has the type of the inputs either way."""
    seen, kernel = [], F.scaled_dot_product_attention
    monkeypatch.setattr(
        F,
        "scaled_dot_product_attention",
        lambda *a, **k: seen.append(a[0].dtype) or kernel(*a, **k),
    )
    given = [torch.randn(1, 2, 8, 4, dtype=dtype) for _ in range(3)]
    plain, wide = attend_fast(*given), attend_fast(*(tensor.float() for tensor in given))
    for tensor in given:
        tensor.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        trained = attend_fast(*given)
    assert seen == [dtype, torch.float32, torch.float32] and plain.dtype == dtype
    assert torch.equal(trained, wide.to(dtype))
    torch.testing.assert_close(trained, plain, atol=0.03, rtol=0.03)


@pytest.mark.parametrize(
    ("leading", "dimensions"), [((1,) * n, d) for n in range(3) for d in range(1, n + 3)]
)
def test_fast_path_never_holds_all_weights_of_a_long_source(leading, dimensions):
    def run(path, length):
        given = [torch.randn(*leading, length, 8, requires_grad=True) for _ in range(3)]
        mask = (torch.arange(length) < length - 7).view((1,) * (dimensions - 1) + (-1,))
        with largest_tensor() as largest:
            path(*given, mask)[0].sum().backward()
        return largest.numbers

    assert run(fast, 2048) < 32 * 2048
    assert run(attend, 512) >= 512**2  # the measure works


def test_a_padding_mask_is_never_written_out():
    given = [torch.randn(1, 1, 600, 8) for _ in range(3)]
    with largest_tensor(torch.bool) as largest:
        attend(*given, torch.ones(1, 1, 1, 600, dtype=torch.bool))
    assert 0 < largest.numbers <= 600


@BOTH
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 5), (1, 2, 3, 5)])
def test_wrong_masks_are_named(shape, path):
    given = torch.ones(2, 3, 4), torch.ones(2, 5, 4), torch.ones(2, 5, 4)
    with pytest.raises(ValueError, match=r"does not broadcast to scores of shape \(2, 3, 5\)"):
        path(*given, torch.ones(shape).bool())
    with pytest.raises(TypeError, match="boolean with True = may attend, got torch.float32"):
        path(*given, torch.ones(2, 3, 5))


@BOTH
@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 4), (2, 5, 4), (2, 6, 4)),  # a value too many
        ((2, 3, 4), (1, 5, 4), (1, 5, 4)),
        ((2, 3, 4), (2, 5, 4), (1, 5, 4)),
        ((2, 3, 4), (5, 4), (5, 4)),
        ((4,), (5, 4), (5, 4)),
        ((3, 4), (5, 4), (5,)),
    ],
)
def test_shapes_that_do_not_belong_together_are_named(shapes, path):
    with pytest.raises(ValueError, match="one value for each key"):
        path(*map(torch.ones, shapes))
