"""Texts sorted by a BERT: one vector a text, blind to company, and what fine-tuning keeps."""

import pytest
import torch

from course_lib.bert import classifier as bert_classifier
from course_lib.bert.classifier import BertClassifier, features, mean_pool, nearest, segments_of
from course_lib.bert.model import Bert, BertConfig
from course_lib.training import loop
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.classifier import TextSampler

CLS, SEP = 2, 3


@pytest.fixture
def body() -> Bert:
    torch.manual_seed(0)
    return Bert(BertConfig.tiny(60)).eval()


def texts(count: int = 12) -> list[list[int]]:
    draw = torch.Generator().manual_seed(0)
    lengths = torch.randint(3, 20, (count,), generator=draw).tolist()
    return [[CLS, *torch.randint(5, 60, (n,), generator=draw).tolist(), SEP] for n in lengths]


def test_the_mean_by_hand():
    states = torch.tensor([[[1.0, 2], [3, 4], [9, 9]], [[5, 5], [9, 9], [9, 9]]])
    real = torch.tensor([[True, True, False], [True, False, False]])
    assert mean_pool(states, real).tolist() == [[2, 3], [5, 5]]
    with pytest.raises(ValueError, match="Row 1"):
        mean_pool(states, real & torch.tensor([[True], [False]]))


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


def test_features_restore_the_mode(body):
    body.train()
    features(body, texts(2), SEP)
    assert body.training
    with pytest.raises(ValueError, match="at least one text"):
        features(body, [], SEP)


def test_a_pair_is_not_its_reverse(body):
    one, other = [5, 6, 7], [8, 9]
    pair = features(body, [[CLS, *one, SEP, *other, SEP], [CLS, *other, SEP, *one, SEP]], SEP)
    assert (pair[0] - pair[1]).abs().max() > 1e-3
    tokens = torch.tensor([[CLS, *one, SEP, *other, SEP]])
    untold = mean_pool(body(tokens), tokens != 0)
    assert (pair[0] - untold[0]).abs().max() > 1e-4


def test_a_classifier_copies_its_body_or_makes_a_new_one(body):
    before = {name: tensor.clone() for name, tensor in body.state_dict().items()}
    copied = bert_classifier.classifier(body, 2, SEP, seed=1)
    new = bert_classifier.classifier(body, 2, SEP, seed=1, copied=False)
    matrix = "embeddings.word_embeddings.weight"
    assert torch.equal(copied.body.state_dict()[matrix], before[matrix])
    assert not torch.equal(new.body.state_dict()[matrix], before[matrix])
    assert torch.equal(new.head.weight, copied.head.weight)
    some = texts(8)
    loop.fit(
        copied,
        ulmfit_classifier.classification_loss,
        TextSampler(some, [0, 1] * 4, 4, seed=0),
        3,
        progress=False,
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in body.state_dict().items())
    assert not torch.equal(copied.body.state_dict()[matrix], before[matrix])


def test_it_learns_which_text_holds_a_word(body):
    some = texts(40)
    labels = [n % 2 for n in range(40)]
    for text, label in zip(some, labels, strict=True):
        text[2] = 10 + label
    model = bert_classifier.classifier(body, 2, SEP, seed=0)
    sampler = TextSampler(some, labels, 16, seed=0)
    loop.fit(model, ulmfit_classifier.classification_loss, sampler, 60, lr=3e-3, progress=False)
    exact = bert_classifier.predict(model, some)
    short = bert_classifier.predict(model, some, bf16=True)
    assert exact.argmax(-1).tolist() == labels and exact.dtype == short.dtype == torch.float32
    torch.testing.assert_close(exact, short, atol=0.2, rtol=0.1)
    torch.testing.assert_close(exact, ulmfit_classifier.predict(model, some), atol=1e-4, rtol=1e-4)


def test_wrong_classifiers_are_refused(body):
    with pytest.raises(ValueError, match="at least 2"):
        BertClassifier(body, 1, SEP)
    with pytest.raises(ValueError, match="mean, first, pooler"):
        BertClassifier(body, 2, SEP, pooling="last")


def test_nearest_by_hand():
    vectors = torch.tensor([[1.0, 0], [0, 2], [3, 3], [-1, 0]])
    cosines, places = nearest(torch.tensor([5.0, 0]), vectors, 2)
    assert places.tolist() == [0, 2]
    torch.testing.assert_close(cosines, torch.tensor([1.0, 0.5**0.5]))
