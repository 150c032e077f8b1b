import pytest
import torch

from course_lib.gpt.model import GPT, GPTConfig
from course_lib.gpt.quantized import quantize, quantized


def test_a_row_by_hand():
    whole, scale = quantize(torch.tensor([[1.0, -0.5, 0.26], [0.0, 0.0, 0.0]]), bits=3)
    assert whole.tolist() == [[3, -2, 1], [0, 0, 0]]  # of −3 to 3, in steps of a third
    torch.testing.assert_close(scale[0], torch.tensor([1 / 3]))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("size", [1e-6, 1.0, 500.0])
def test_no_weight_moves_by_more_than_half_a_step(bits, size):
    torch.manual_seed(0)
    matrix = size * torch.randn(40, 30) * torch.logspace(-2, 0, 40)[:, None]
    found = quantize(matrix, bits)
    largest = 2 ** (bits - 1) - 1
    assert found.whole.dtype == torch.int8 and found.whole.abs().max() == largest
    assert ((found.restored() - matrix).abs() <= found.scale * 0.50001).all()


def test_a_row_keeps_its_small_weights_beside_a_row_of_large_ones():
    matrix = torch.tensor([[100.0, -100.0], [0.01, -0.005]])
    torch.testing.assert_close(quantize(matrix).restored(), matrix, rtol=0.01, atol=0)


def test_a_model_is_copied_its_matrices_changed_and_its_vectors_kept():
    torch.manual_seed(0)
    model = GPT(GPTConfig.tiny(50)).eval()
    coarse = quantized(model, 4)
    tokens = torch.randint(50, (2, 9))
    assert 0 < (coarse(tokens) - model(tokens)).abs().max() < 0.5
    before, after = dict(model.named_parameters()), dict(coarse.named_parameters())
    for name, parameter in after.items():
        assert (parameter.dim() == 2) != torch.equal(parameter, before[name]), name
    torch.testing.assert_close(quantized(coarse, 4)(tokens), coarse(tokens), rtol=0, atol=1e-5)


def test_what_cannot_be_quantized_is_refused():
    with pytest.raises(ValueError, match="expected a matrix"):
        quantize(torch.zeros(3))
    with pytest.raises(ValueError, match="2 to 8 bits"):
        quantize(torch.zeros(3, 3), bits=9)
