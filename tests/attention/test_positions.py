"""Positions: the paper's formula, the properties it promises, and what goes wrong."""

import math

import pytest
import torch

from course_lib.attention.positions import LearnedPositions, SinusoidalPositions, rotate, sinusoidal


def by_hand(length: int, width: int, start: int = 0) -> torch.Tensor:
    """Vaswani et al. (2017), section 3.5, number by number."""
    table = torch.zeros(length, width, dtype=torch.double)
    for row in range(length):
        for i in range(width // 2):
            angle = (start + row) / 10000 ** (2 * i / width)
            table[row, 2 * i], table[row, 2 * i + 1] = math.sin(angle), math.cos(angle)
    return table


@pytest.mark.parametrize(("length", "width", "start"), [(1, 2, 0), (7, 8, 0), (50, 6, 3)])
def test_sinusoidal_equals_the_formula(length, width, start):
    ours = sinusoidal(length, width, start=start, dtype=torch.double)
    torch.testing.assert_close(ours, by_hand(length, width, start))
    assert sinusoidal(1, 4).tolist() == [[0, 1, 0, 1]]  # positions are counted from 0


def test_far_positions_are_exact_in_single_precision():
    ours = sinusoidal(3, 8, start=1_000_000)
    torch.testing.assert_close(ours, by_hand(3, 8, 1_000_000).float(), atol=1e-7, rtol=0)


@pytest.mark.parametrize("dtype", [torch.double, torch.half, torch.bfloat16])
def test_dtype_and_device(dtype):
    assert sinusoidal(3, 4).dtype == torch.get_default_dtype()
    assert sinusoidal(3, 4, dtype=dtype).dtype == dtype
    assert sinusoidal(3, 4, device="meta").device.type == "meta"
    x = torch.zeros(2, 3, 4, dtype=dtype)
    for layer in (SinusoidalPositions(4), LearnedPositions(3, 4).to(dtype), rotate):
        assert layer(x).dtype == dtype
        if not isinstance(layer, LearnedPositions):
            assert layer(x.to("meta")).device.type == "meta"


@pytest.mark.parametrize("layer", [SinusoidalPositions(8), LearnedPositions(20, 8)])
@torch.no_grad()
def test_modules_add_the_same_to_every_sentence_and_pieces_equal_the_whole(layer):
    x = torch.randn(2, 12, 8)
    before, held, weights = x.clone(), set(vars(layer)), list(layer.state_dict())
    whole = layer(x)
    torch.testing.assert_close(whole - x, layer(torch.zeros(1, 12, 8)).expand(2, 12, 8))
    pieces = [layer(x[:, i : i + 1], start=i) for i in range(12)]
    assert torch.equal(torch.cat(pieces, dim=1), whole)
    assert torch.equal(layer(x[:, 5:], start=5), whole[:, 5:])
    assert torch.equal(x, before)
    assert set(vars(layer)) == held and list(layer.state_dict()) == weights
    assert list(layer.buffers()) == []


def test_what_is_added_and_trained():
    added = SinusoidalPositions(8)(torch.zeros(1, 5, 8, dtype=torch.double))
    torch.testing.assert_close(added[0], by_hand(5, 8))
    assert list(SinusoidalPositions(8).parameters()) == []
    layer = LearnedPositions(20, 8)
    layer(torch.zeros(3, 2, 8), start=4).sum().backward()
    expected = torch.zeros(20, 8)
    expected[4:6] = 3  # three sentences share the vector
    assert torch.equal(layer.embedding.weight.grad, expected)


def test_rotate_turns_pairs_and_keeps_lengths():
    x = torch.tensor([[1.0, 0.0, 0.0, 1.0]], dtype=torch.double).expand(3, 4)
    a, b = 2.0, 2.0 / 100  # angles of position 2
    expected = [math.cos(a), math.sin(a), -math.sin(b), math.cos(b)]
    assert rotate(x)[2].tolist() == pytest.approx(expected, rel=1e-9)
    assert torch.equal(rotate(x)[0], x[0])
    x = torch.randn(2, 3, 9, 8, dtype=torch.double)
    before = x.clone()
    torch.testing.assert_close(rotate(x).norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(rotate(x[..., 4:, :], start=4), rotate(x)[..., 4:, :])
    assert torch.equal(x, before)


def test_rotated_products_depend_on_the_distance_only():
    torch.manual_seed(0)
    q, k = torch.randn(2, 8, dtype=torch.double)
    products = rotate(q.expand(40, 8)) @ rotate(k.expand(40, 8)).T
    for distance in range(-39, 40):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert products[0].std() > 0.1
    torch.testing.assert_close(products.diagonal(), (q @ k).expand(40))


def test_rotate_passes_gradients():
    x = torch.randn(2, 3, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(rotate, x)


@pytest.mark.parametrize("width", [0, 1, 7])
def test_odd_widths_are_named(width):
    for call in (
        lambda: sinusoidal(3, width),
        lambda: SinusoidalPositions(width),
        lambda: rotate(torch.ones(2, 3, width)),
    ):
        with pytest.raises(ValueError, match=f"width is {width}, expected an even number"):
            call()


@pytest.mark.parametrize(("length", "start"), [(6, 0), (1, 5), (3, 3), (2, -1)])
def test_beyond_the_learned_positions(length, start):
    with pytest.raises(ValueError, match=r"0 to 4\. Shorten.*larger max_length"):
        LearnedPositions(5, 4)(torch.ones(2, length, 4), start=start)


@pytest.mark.parametrize("layer", [SinusoidalPositions(4), LearnedPositions(5, 4), rotate])
def test_token_ids_are_named(layer):
    with pytest.raises(TypeError, match="torch.int64. Embed the token ids first"):
        layer(torch.ones(2, 4).long())
