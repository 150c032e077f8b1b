"""Texts sorted by a BERT: one vector a text, blind to company, and what fine-tuning keeps."""

import pytest
import torch

from course_lib.bert import classifier as bert_classifier
from course_lib.bert.classifier import features, nearest, segments_of
from course_lib.bert.model import Bert, BertConfig
from course_lib.training import loop
from course_lib.transfer import classify
from course_lib.transfer.classify import TextSampler

CLS, SEP = 2, 3


@pytest.fixture
def body() -> Bert:
    torch.manual_seed(0)
    return Bert(BertConfig.tiny(60)).eval()


def texts(count: int = 12) -> list[list[int]]:
    draw = torch.Generator().manual_seed(0)
    lengths = torch.randint(3, 20, (count,), generator=draw).tolist()
    return [[CLS, *torch.randint(5, 60, (n,), generator=draw).tolist(), SEP] for n in lengths]


def test_segments_follow_from_the_separators():
    tokens = torch.tensor([[CLS, 7, SEP, 8, 9, SEP, 0], [CLS, 7, 8, 9, SEP, 0, 0]])
    assert segments_of(tokens, SEP).tolist() == [[0, 0, 0, 1, 1, 1, 0], [0] * 7]


@pytest.mark.parametrize("pooling", bert_classifier.POOLINGS)
def test_vectors_do_not_depend_on_company_or_order(body, pooling):
    some = texts()
    together = features(body, some, SEP, pooling=pooling, batch_size=5)
    for text, vector in zip(some, together, strict=True):
        alone = features(body, [text], SEP, pooling=pooling)[0]
        torch.testing.assert_close(alone, vector, atol=1e-5, rtol=1e-4)


def test_a_pair_is_not_its_reverse(body):
    one, other = [5, 6, 7], [8, 9]
    pair = features(body, [[CLS, *one, SEP, *other, SEP], [CLS, *other, SEP, *one, SEP]], SEP)
    assert (pair[0] - pair[1]).abs().max() > 1e-3
    tokens = torch.tensor([[CLS, *one, SEP, *other, SEP]])
    untold = classify.mean_pool(body(tokens), tokens != 0)
    assert (pair[0] - untold[0]).abs().max() > 1e-4


def test_first_weights_of_the_head(body):
    head = bert_classifier.classifier(body, 4, SEP, seed=1).head
    assert head.weight.std().item() == pytest.approx(0.02, rel=0.2) and (head.bias == 0).all()


def test_it_learns_which_text_holds_a_word(body):
    some = texts(40)
    labels = [n % 2 for n in range(40)]
    for text, label in zip(some, labels, strict=True):
        text[2] = 10 + label
    model = bert_classifier.classifier(body, 2, SEP, seed=0)
    sampler = TextSampler(some, labels, 16, seed=0)
    loop.fit(model, classify.loss, sampler, 60, lr=3e-3, progress=False)
    exact = bert_classifier.predict(model, some)
    short = bert_classifier.predict(model, some, bf16=True)
    assert exact.argmax(-1).tolist() == labels and exact.dtype == short.dtype == torch.float32
    torch.testing.assert_close(exact, short, atol=0.2, rtol=0.1)
    torch.testing.assert_close(exact, classify.predict(model, some), atol=1e-4, rtol=1e-4)


def test_an_unknown_pooling_is_refused(body):
    with pytest.raises(ValueError, match="mean, first, pooler"):
        features(body, texts(2), SEP, pooling="last")


def test_nearest_by_hand():
    vectors = torch.tensor([[1.0, 0], [0, 2], [3, 3], [-1, 0]])
    cosines, places = nearest(torch.tensor([5.0, 0]), vectors, 2)
    assert places.tolist() == [0, 2]
    torch.testing.assert_close(cosines, torch.tensor([1.0, 0.5**0.5]))
