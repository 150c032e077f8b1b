"""What all text classifiers share: labeled batches, a start on the copy of a body, reading."""

import pytest
import torch

from course_lib.bert import classifier as bert_classifier
from course_lib.bert.model import Bert, BertConfig
from course_lib.data.batching import pad
from course_lib.gpt import classifier as gpt_classifier
from course_lib.gpt.model import GPTBody, GPTConfig
from course_lib.text.words import PAD
from course_lib.training import loop
from course_lib.transfer import classify
from course_lib.transfer.classify import TextSampler
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.model import AWDBody, AWDConfig

TEXTS = [[4, 5, 6, 7], [8, 9], [10, 11, 12, 13, 14, 15, 16], [17]]
SEP, EXTRACT = 3, 21


def ulmfit(seed, **options):
    body = AWDBody(AWDConfig.tiny(22))
    return body, ulmfit_classifier.classifier(body, 2, seed, **options)


def gpt(seed, **options):
    body = GPTBody(GPTConfig.tiny(20))  # two marks are added
    return body, gpt_classifier.classifier(body, 2, seed, **options)


def bert(seed, **options):
    body = Bert(BertConfig.tiny(22))
    return body, bert_classifier.classifier(body, 2, SEP, seed, **options)


def sampler(batch_size=4, seed=0):
    texts = [[*text, EXTRACT] for text in TEXTS * 2]
    return TextSampler(texts, [0, 1, 0, 1] * 2, batch_size, seed)


def matrices(module):
    return {name: p.detach().clone() for name, p in module.named_parameters() if p.dim() > 1}


@pytest.mark.parametrize("make", [ulmfit, gpt, bert])
def test_a_classifier_starts_on_a_copy_or_anew(make):
    torch.manual_seed(0)
    body, copied = make(seed=1)
    (_, new), (_, other) = make(seed=1, copied=False), make(seed=2)
    drawn, old = matrices(new.body), matrices(body)
    for name, matrix in matrices(copied.body).items():
        rows = len(old[name])
        assert torch.equal(matrix[:rows], old[name])
        assert torch.equal(matrix[rows:], drawn[name][rows:])  # of the marks, in an embedding
        assert not torch.equal(old[name], drawn[name][:rows])
    assert matrices(copied.head).keys() == matrices(new.head).keys()
    for name, matrix in matrices(copied.head).items():
        assert torch.equal(matrix, matrices(new.head)[name])  # the seed's, copied or not
        assert not torch.equal(matrix, matrices(other.head)[name])
    for parameter in copied.parameters():
        parameter.data.zero_()
    assert all(torch.equal(matrix, old[name]) for name, matrix in matrices(body).items())


def test_building_leaves_the_random_state_alone():
    body = AWDBody(AWDConfig.tiny(22))
    before = torch.get_rng_state()
    ulmfit_classifier.classifier(body, 2, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_depend_on_seed_and_step_only_and_a_pass_visits_every_text():
    batches = sampler(batch_size=3)
    assert len(batches) == 2
    for step in (0, 1, 5, 0):
        for one, other in zip(batches.batch(step), sampler(3).batch(step), strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(sampler(seed=1).batch(0).tokens, sampler().batch(0).tokens)
    whole = TextSampler(TEXTS, [0, 1, 2, 3], 9, 0)
    assert sorted(whole.batch(3).labels.tolist()) == [0, 1, 2, 3]


def test_a_text_keeps_its_label():
    batch = TextSampler(TEXTS, [text[0] for text in TEXTS], 4, 0).batch(0)
    assert torch.equal(batch.tokens[:, 0], batch.labels)
    assert batch.tokens.shape == (4, 7) and (batch.tokens != PAD).sum() == 14


@pytest.mark.parametrize(("texts", "labels"), [([], []), (TEXTS, [0, 1]), (TEXTS, [1] * 4)])
def test_labels_that_cannot_be_learned_are_refused(texts, labels):
    with pytest.raises(ValueError, match="two classes at least"):
        TextSampler(texts, labels, 2, 0)


def test_the_mean_by_hand():
    states = torch.tensor([[[1.0, 2], [3, 4], [9, 9]], [[5, 5], [9, torch.nan], [9, 9]]])
    real = torch.tensor([[True, True, False], [True, False, False]])
    assert classify.mean_pool(states, real).tolist() == [[2, 3], [5, 5]]
    with pytest.raises(ValueError, match="Row 1"):
        classify.mean_pool(states, real & torch.tensor([[True], [False]]))


def test_the_loss_and_the_predictions_are_those_of_the_model():
    model = ulmfit(0)[1].eval()
    alone = torch.cat([model(pad([text], PAD)) for text in TEXTS])
    torch.testing.assert_close(classify.predict(model, TEXTS, batch_size=3), alone)
    batch = classify.TextBatch(pad(TEXTS, PAD), torch.tensor([0, 1, 1, 0]))
    by_hand = -alone.log_softmax(-1)[torch.arange(4), batch.labels].mean()
    torch.testing.assert_close(classify.loss(model, batch), by_hand)


@pytest.mark.parametrize("make", [ulmfit, gpt, bert])
def test_it_learns_a_few_texts_by_heart(make):
    model = make(0)[1]
    batches = sampler()
    loss = gpt_classifier.tuning_loss if make is gpt else classify.loss
    loop.fit(model, loss, batches, 80, lr=1e-2, progress=False)
    guesses = classify.predict(model, batches.examples).argmax(-1)
    assert guesses.tolist() == batches.labels
