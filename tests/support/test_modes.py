import pytest
import torch
from torch import nn

from course_lib.bert import classifier as bert_classifier
from course_lib.bert.model import Bert, BertConfig, BertForPreTraining
from course_lib.bert.pre_training import MaskedBatch, fill_blank, hidden_ranks
from course_lib.data.images import Images
from course_lib.gpt.model import GPT, GPTConfig
from course_lib.gpt.windows import nats_per_token
from course_lib.recurrent import streams
from course_lib.support.modes import evaluating
from course_lib.text.wordpiece import SPECIALS, WordPiece
from course_lib.transfer import classify, networks
from course_lib.transfer.networks import ResNetConfig
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.model import AWDBody, AWDConfig, AWDLanguageModel


def test_each_part_keeps_its_own_mode_and_gradients_come_back():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 1))
    model.train()
    model[0].eval()  # as of a frozen body
    with pytest.raises(ZeroDivisionError), evaluating(model):
        assert not any(part.training for part in model.modules())
        assert not model(torch.ones(3, 2)).requires_grad
        raise ZeroDivisionError
    assert [part.training for part in model] == [False, True, True] and model.training
    assert torch.is_grad_enabled()


# Every function of the library that evaluates a model, on a model in training mode of which one
# part was set to evaluation on purpose: its modes are the same afterwards.


TEXTS = [[2, 5, 6, 3], [2, 7, 3]]
IDS = torch.arange(40) % 11


def score_images():
    model = networks.build(ResNetConfig.tiny(), 3, seed=0)
    images = Images(torch.rand(4, 1, 8, 8), torch.arange(4) % 3)
    return model, model.body.bn1, lambda: networks.accuracy(model, images)


def sort_texts():
    model = ulmfit_classifier.classifier(AWDBody(AWDConfig.tiny(11)), 2, seed=0)
    return model, model.head.norm1, lambda: classify.predict(model, TEXTS)


def score_windows():
    model = GPT(GPTConfig.tiny(11))
    return model, model.body.ln_f, lambda: nats_per_token(model, IDS, 8, 4)


def score_streams():
    model = AWDLanguageModel(AWDConfig.tiny(11))
    return model, model.body.layer_dropout, lambda: streams.nats_per_token(model, IDS, 2, 4)


def read_features():
    body = Bert(BertConfig.tiny(11))
    return body, body.embeddings.LayerNorm, lambda: bert_classifier.features(body, TEXTS, 3)


def predict_with_bert():
    model = bert_classifier.classifier(Bert(BertConfig.tiny(11)), 2, 3, seed=0)
    norm = model.body.embeddings.LayerNorm
    return model, norm, lambda: bert_classifier.predict(model, TEXTS)


def rank_hidden():
    model = BertForPreTraining(BertConfig.tiny(11))
    ids = torch.tensor([[2, 5, 3]])
    batch = MaskedBatch(ids, 0 * ids, ids == 5, torch.tensor([5]))
    return model, model.cls["predictions"], lambda: hidden_ranks(model, [batch])


def fill():
    words = WordPiece([*SPECIALS, "a", "b"])
    model = BertForPreTraining(BertConfig.tiny(len(words)))
    return model, model.cls["predictions"], lambda: fill_blank(model, words, "a ___", count=2)


EVALUATE = [score_images, sort_texts, score_windows, score_streams]
EVALUATE += [read_features, predict_with_bert, rank_hidden, fill]


@pytest.mark.parametrize("make", EVALUATE)
def test_whoever_evaluates_puts_the_mode_of_each_part_back(make):
    model, part, evaluate = make()
    model.train()
    part.eval()
    before = [module.training for module in model.modules()]
    seen = []
    hook = part.register_forward_hook(
        lambda *_: seen.append(any(m.training for m in model.modules()))
    )
    evaluate()
    assert seen and not any(seen)
    assert [module.training for module in model.modules()] == before
    hook.remove()
    part.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluate()
    assert [module.training for module in model.modules()] == before
