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


def random_scores(*shape, seed=0, scale=3.0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


def test_padding_mask_is_true_at_real_tokens():
    ids = torch.tensor([[5, 6, 0], [7, 0, 0]])
    assert padding_mask(ids).tolist() == [[True, True, False], [True, False, False]]
    assert padding_mask(ids, pad=7).tolist() == [[True, True, True], [False, True, True]]
    with pytest.raises(TypeError, match="got torch.float32"):
        padding_mask(torch.zeros(2, 3))


def test_causal_mask_hides_the_future():
    mask = causal_mask(3)
    assert mask.tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_equals_softmax_where_all_may_be_seen():
    scores = random_scores(2, 3, 4)
    everything = torch.ones(4, dtype=torch.bool)
    torch.testing.assert_close(masked_softmax(scores, everything), scores.softmax(-1))
    torch.testing.assert_close(masked_softmax(scores, everything, dim=1), scores.softmax(1))
    assert torch.equal(masked_softmax(scores, None, dim=1), scores.softmax(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_equals_softmax_over_the_visible_part(dtype):
    scores = random_scores(2, 4).to(dtype)
    weights = masked_softmax(scores, SOME)
    assert weights.dtype == dtype
    for row in range(2):
        seen = SOME[row]
        torch.testing.assert_close(weights[row, seen], scores[row, seen].softmax(-1))
        assert (weights[row, ~seen] == 0).all()


def test_values_and_gradients_equal_those_of_minus_infinity():
    one = random_scores(2, 4).double().requires_grad_()
    two = one.detach().clone().requires_grad_()
    upstream = random_scores(2, 4, seed=1).double()
    ours = masked_softmax(one, SOME)
    theirs = two.masked_fill(~SOME, -torch.inf).softmax(-1)
    torch.testing.assert_close(ours, theirs)
    ours.backward(upstream)
    theirs.backward(upstream)
    torch.testing.assert_close(one.grad, two.grad)


def test_gradients_pass_the_numeric_check():
    mask = torch.cat([SOME, torch.zeros(1, 4, dtype=torch.bool)])
    scores = random_scores(3, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda s: masked_softmax(s, mask), scores)


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
    assert (weights[~mask] == 0).all()
    sums = weights.sum(dim)
    torch.testing.assert_close(sums, mask.any(dim).float())
    assert torch.isfinite(scores.grad).all()
    assert (scores.grad[~mask] == 0).all()


def test_masked_scores_have_no_influence_whatever_they_are():
    scores = random_scores(2, 4)
    wild = scores.clone()
    wild[~SOME] = torch.tensor([torch.inf, torch.nan, -torch.inf])
    torch.testing.assert_close(masked_softmax(wild, SOME), masked_softmax(scores, SOME))


def test_adding_a_number_to_all_scores_changes_nothing_however_low():
    scores = random_scores(2, 4).double()
    torch.testing.assert_close(masked_softmax(scores - 1e6, SOME), masked_softmax(scores, SOME))


def test_input_is_not_changed():
    scores, mask = random_scores(2, 4), SOME.clone()
    masked_softmax(scores, mask)
    assert torch.equal(scores, random_scores(2, 4)) and torch.equal(mask, SOME)


def test_wrong_masks_are_explained():
    scores = random_scores(2, 3, 4)
    with pytest.raises(TypeError, match=r"True = may attend, got torch\.float32"):
        masked_softmax(scores, torch.zeros(3, 4))
    with pytest.raises(TypeError, match="int64"):
        masked_softmax(scores, torch.ones(3, 4, dtype=torch.long))
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
    assert (weights[1, :, 2:] == 0).all() and (weights[1, :, :2] > 0).all()
    assert (weights[0] > 0).all()
    with pytest.raises(TypeError, match="boolean"):
        to_torch_key_padding(real.float())
