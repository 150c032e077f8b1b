"""ULMFiT: pooling ignores padding, and the groups of a model are its layers."""

import pytest
import torch
from torch.nn import functional

from course_lib.data.batching import pad
from course_lib.text.words import BOS, EOS, PAD, WordTokenizer
from course_lib.transfer import freezing
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.classifier import PoolingHead, concat_pool
from course_lib.ulmfit.model import AWDConfig, AWDLanguageModel

V = 20
TEXTS = [[4, 5, 6, 7], [8, 9], [10, 11, 12, 13, 14, 15, 16], [17]]


def language_model():
    torch.manual_seed(0)
    return AWDLanguageModel(AWDConfig.tiny(V))


def classifier(classes=2, **options):
    return ulmfit_classifier.classifier(language_model().body, classes, seed=1, **options)


def test_concat_pooling_by_hand():
    states = torch.tensor(
        [[[1.0, -5.0], [3.0, -1.0], [2.0, -3.0]], [[4.0, -2.0], [9.0, 9], [9, 9]]]
    )
    real = torch.tensor([[True, True, True], [True, False, False]])
    expected = torch.tensor(
        [[2.0, -3.0, 3.0, -1.0, 2.0, -3.0], [4.0, -2.0, 4.0, -2.0, 4.0, -2.0]]
    )  # last, maximum, mean; the negative numbers show that padding is not the maximum
    torch.testing.assert_close(concat_pool(states, real), expected)


def test_what_stands_on_padding_changes_neither_value_nor_gradient():
    torch.manual_seed(0)
    real = torch.tensor([[True] * 2 + [False] * 3, [True] * 5])
    first = torch.randn(2, 5, 4)
    second = torch.where(real.unsqueeze(-1), first, torch.tensor(1e4))
    pooled = [concat_pool(x.requires_grad_(), real) for x in (first, second)]
    assert torch.equal(*pooled)
    for out in pooled:
        out.square().sum().backward()
    assert torch.equal(first.grad, second.grad)
    assert (first.grad[0, 2:] == 0).all() and (first.grad[0, :2] != 0).any()


def test_more_padding_does_not_change_a_prediction():
    model = classifier().eval()
    short = pad([TEXTS[1]], PAD)
    longer = functional.pad(short, (0, 6), value=PAD)
    torch.testing.assert_close(model(short), model(longer))


def test_the_head_by_hand():
    torch.manual_seed(0)
    head, x = PoolingHead(6, 3), torch.randn(8, 6)
    assert head.dropout.p == 0.1 and classifier(dropout=0.3).head.dropout.p == 0.3
    head.dropout.p = 0.0

    def normal(x):
        return (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()

    hidden = normal(x) @ head.hidden.weight.T + head.hidden.bias  # (8, 50)
    by_hand = normal(hidden.relu()) @ head.output.weight.T + head.output.bias
    torch.testing.assert_close(head(x), by_hand, atol=1e-5, rtol=1e-4)
    assert hidden.shape == (8, 50)


@pytest.mark.parametrize("make", [language_model, classifier])
def test_groups_are_disjoint_and_complete_and_count_the_tie_once(make):
    model = make()
    grouped = freezing.groups(model, ulmfit_classifier.layer_prefixes(model.body))
    assert list(grouped) == ["embedding", "layer 1", "layer 2", "layer 3", "head"]
    names = [name for group in grouped.values() for name in group]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    sizes = sum(p.numel() for p in freezing.parameters(model, names))
    assert sizes == sum(p.numel() for p in model.parameters())


def test_encode_puts_the_marks_of_the_language_model_and_cuts():
    tokenizer = WordTokenizer.train(["a b c d"])
    ids = ulmfit_classifier.encode("a b c d", tokenizer, 3)
    assert ids == [BOS, *tokenizer.encode("a b c"), EOS]
    assert ulmfit_classifier.encode("", tokenizer, 3) == [BOS, EOS]
