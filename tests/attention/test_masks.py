"""Masks and the masked softmax."""

import pytest
import torch
from torch import nn

from course_lib.attention.masks import (
    causal_mask,
    masked_softmax,
    padding_mask,
    to_torch_key_padding,
)

SOME = torch.tensor([[True, False, True, True], [True, True, False, False]])


def random_scores(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 3


def test_padding_mask_is_true_at_real_tokens():
    ids = torch.tensor([[5, 6, 0], [7, 0, 0]])
    assert padding_mask(ids).tolist() == [[True, True, False], [True, False, False]]
    assert padding_mask(ids, pad=7).tolist() == [[True, True, True], [False, True, True]]
    for wrong in (torch.zeros(2, 3), torch.ones(2, 3).bool()):
        with pytest.raises(TypeError, match=f"got {wrong.dtype}"):
            padding_mask(wrong)


def test_causal_mask_hides_the_future():
    mask = causal_mask(3)
    assert mask.tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    assert causal_mask(3, "meta").device.type == "meta"


@pytest.mark.parametrize("dim", [-1, 1])
def test_equals_softmax_where_all_may_be_seen(dim):
    scores = random_scores(2, 3, 4)
    for mask in (torch.ones(4, dtype=torch.bool), None):
        torch.testing.assert_close(masked_softmax(scores, mask, dim), scores.softmax(dim))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_values_and_gradients_are_those_of_minus_infinity(dtype):
    one = random_scores(2, 4).to(dtype).requires_grad_()
    two = one.detach().clone().requires_grad_()
    upstream = random_scores(2, 4, seed=1).to(dtype)
    ours = masked_softmax(one, SOME)
    theirs = two.masked_fill(~SOME, -torch.inf).softmax(-1)
    assert ours.dtype == dtype and (ours[~SOME] == 0).all()
    torch.testing.assert_close(ours, theirs)
    ours.backward(upstream)
    theirs.backward(upstream)
    torch.testing.assert_close(one.grad, two.grad)


@pytest.mark.parametrize("dim", [-1, 0, 1, 2])
@pytest.mark.parametrize("shape", [(4,), (3, 1), (2, 1, 1), (1, 3, 4), ()])
def test_a_small_mask_equals_the_same_mask_written_out(shape, dim):
    scores = random_scores(2, 3, 4)
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.6
    torch.testing.assert_close(
        masked_softmax(scores, mask, dim), masked_softmax(scores, mask.expand(2, 3, 4).clone(), dim)
    )


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("dim", [-1, 0])
def test_nothing_to_attend_to_gives_zeros_and_finite_gradients(dim):
    mask = SOME.clone()
    mask[1] = False
    mask[:, 1] = False
    scores = random_scores(2, 4).requires_grad_()
    with torch.autograd.detect_anomaly():
        weights = masked_softmax(scores, mask, dim=dim)
        (weights * random_scores(2, 4, seed=1)).sum().backward()
    assert (weights[~mask] == 0).all() and (scores.grad[~mask] == 0).all()
    torch.testing.assert_close(weights.sum(dim), mask.any(dim).float())
    double = random_scores(2, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda s: masked_softmax(s, mask, dim=dim), double)


def test_masked_scores_have_no_influence_whatever_they_are():
    scores = random_scores(2, 4)
    wild = scores.clone()
    wild[~SOME] = torch.tensor([torch.inf, torch.nan, -torch.inf])
    expected = masked_softmax(scores, SOME)
    torch.testing.assert_close(masked_softmax(wild, SOME), expected)
    assert torch.equal(scores, random_scores(2, 4))  # and the input stays
    low = masked_softmax(scores.double() - 1e6, SOME)  # nor does a number added to all
    torch.testing.assert_close(low, masked_softmax(scores.double(), SOME))


def test_wrong_masks_are_explained():
    scores = random_scores(2, 3, 4)
    for wrong in (torch.zeros(3, 4), torch.ones(3, 4).long()):
        with pytest.raises(TypeError, match=rf"True = may attend, got {wrong.dtype}"):
            masked_softmax(scores, wrong)
    with pytest.raises(ValueError, match=r"\(2, 4\) does not broadcast to scores .* \(2, 3, 4\)"):
        masked_softmax(scores, torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="does not broadcast"):  # must not enlarge the scores
        masked_softmax(scores, torch.ones(5, 2, 3, 4, dtype=torch.bool))


def test_converter_is_what_multihead_attention_wants():
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    inputs = random_scores(2, 4, 8)
    real = padding_mask(torch.tensor([[5, 6, 7, 8], [5, 6, 0, 0]]))
    _, weights = attention(inputs, inputs, inputs, key_padding_mask=to_torch_key_padding(real))
    assert torch.equal(weights > 0, real[:, None].expand(2, 4, 4))
    with pytest.raises(TypeError, match="boolean"):
        to_torch_key_padding(real.float())
