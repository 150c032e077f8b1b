"""ULMFiT: pooling ignores padding, the body is carried over, frozen is frozen, no test text."""

import math

import pytest
import torch
from torch.nn import functional

from course_lib.data.batching import pad
from course_lib.text.words import BOS, EOS, PAD, WordTokenizer
from course_lib.training import loop, schedules
from course_lib.training.checkpoint import load_weights, save_weights
from course_lib.transfer import freezing
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.classifier import TextClassifier, TextSampler, concat_pool
from course_lib.ulmfit.model import AWDBody, AWDConfig, AWDLanguageModel, Dropouts

V = 20
TEXTS = [[4, 5, 6, 7], [8, 9], [10, 11, 12, 13, 14, 15, 16], [17]]


def language_model(dropouts: Dropouts | None = None) -> AWDLanguageModel:
    torch.manual_seed(0)
    return AWDLanguageModel(AWDConfig.tiny(V, dropouts))


def classifier(dropouts: Dropouts | None = None, classes: int = 2) -> TextClassifier:
    return ulmfit_classifier.classifier(language_model(dropouts).body, classes, seed=1)


def sampler(batch_size: int = 4, seed: int = 0) -> TextSampler:
    return TextSampler(TEXTS * 2, [0, 1, 0, 1] * 2, batch_size, seed)


# --- pooling -------------------------------------------------------------------------------------


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
    states = [x.requires_grad_() for x in (first, second)]
    pooled = [concat_pool(x, real) for x in states]
    assert torch.equal(*pooled)
    for out in pooled:
        out.square().sum().backward()
    assert torch.equal(first.grad, second.grad)
    assert (first.grad[0, 2:] == 0).all() and (first.grad[0, :2] != 0).any()


def test_an_empty_row_is_refused():
    with pytest.raises(ValueError, match="Row 1 of the batch has no real token"):
        concat_pool(torch.zeros(2, 3, 4), torch.tensor([[True] * 3, [False] * 3]))


def test_more_padding_does_not_change_a_prediction():
    model = classifier().eval()
    short = pad([TEXTS[1]], PAD)
    longer = functional.pad(short, (0, 6), value=PAD)
    torch.testing.assert_close(model(short), model(longer))
    alone = torch.cat([model(pad([text], PAD)) for text in TEXTS])
    torch.testing.assert_close(model(pad(TEXTS, PAD)), alone)
    torch.testing.assert_close(ulmfit_classifier.predict(model, TEXTS, batch_size=3), alone)


# --- body and head -------------------------------------------------------------------------------


def test_the_body_is_copied_and_the_original_is_safe():
    first = language_model()
    before = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    model = ulmfit_classifier.classifier(first.body, 3, seed=1)
    for one, other in zip(model.body.parameters(), first.body.parameters(), strict=True):
        assert torch.equal(one, other) and one is not other
    loop.fit(model, ulmfit_classifier.classification_loss, sampler(), 3, progress=False)
    assert all(torch.equal(tensor, before[name]) for name, tensor in first.state_dict().items())


def test_from_scratch_has_the_sizes_but_not_the_weights():
    first = language_model()
    scratch = ulmfit_classifier.classifier(first.body, 2, seed=1, copied=False)
    copied = ulmfit_classifier.classifier(first.body, 2, seed=1)
    assert not torch.equal(scratch.body.embedding.weight, first.body.embedding.weight)
    for one, other in zip(scratch.head.parameters(), copied.head.parameters(), strict=True):
        assert torch.equal(one, other)  # both begin with the same head
    other = ulmfit_classifier.classifier(first.body, 2, seed=2)
    assert not torch.equal(other.head.output.weight, copied.head.output.weight)


def test_building_leaves_the_random_state_alone():
    first = language_model()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    ulmfit_classifier.classifier(first.body, 2, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_one_class_is_too_few():
    with pytest.raises(ValueError, match="classes is 1"):
        classifier(classes=1)


def test_it_learns_a_few_texts_by_heart():
    model = classifier(Dropouts().times(0.1))
    loop.fit(model, ulmfit_classifier.classification_loss, sampler(), 80, lr=1e-2, progress=False)
    assert ulmfit_classifier.accuracy(model, TEXTS, [0, 1, 0, 1]) == 1.0
    assert model.training  # predict puts the mode back
    assert ulmfit_classifier.accuracy(model, TEXTS, [1, 0, 1, 0]) == 0.0


def test_weights_go_through_a_file_and_wrong_ones_are_named(tmp_path):
    model, other = classifier(), ulmfit_classifier.classifier(language_model().body, 2, seed=9)
    loop.fit(model, ulmfit_classifier.classification_loss, sampler(), 2, progress=False)
    save_weights(model, tmp_path / "c.safetensors")
    load_weights(other, tmp_path / "c.safetensors")
    assert torch.equal(
        ulmfit_classifier.predict(model, TEXTS), ulmfit_classifier.predict(other, TEXTS)
    )
    with pytest.raises(ValueError, match=r"missing: head\.bias; extra: .*head\.norm1"):
        load_weights(language_model(), tmp_path / "c.safetensors")


# --- groups, rates, freezing ---------------------------------------------------------------------

LAYERS = ["embedding", "layer 1", "layer 2", "layer 3", "head"]


@pytest.mark.parametrize("make", [language_model, classifier])
def test_groups_are_disjoint_and_complete_and_count_the_tie_once(make):
    model = make()
    grouped = freezing.groups(model, ulmfit_classifier.layer_prefixes(model.body))
    assert list(grouped) == LAYERS
    names = [name for group in grouped.values() for name in group]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    sizes = sum(p.numel() for p in freezing.parameters(model, names))
    assert sizes == sum(p.numel() for p in model.parameters())


def test_each_group_is_trained_at_its_own_rate():
    """With plain gradient descent a step is rate · gradient: so the rates can be read off."""
    model = classifier()
    grouped = freezing.groups(model, ulmfit_classifier.layer_prefixes(model.body))
    rates = freezing.discriminative(grouped, 0.1)
    optimizer = freezing.tuner(model, grouped, rates, torch.optim.SGD)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    batch = sampler().batch(0)
    ulmfit_classifier.classification_loss(model, batch).backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    optimizer.step()
    for place, group in enumerate(LAYERS):
        for name in grouped[group]:
            moved = before[name] - dict(model.named_parameters())[name]
            expected = 0.1 / 2.6 ** (4 - place) * gradients[name]
            torch.testing.assert_close(moved, expected, rtol=1e-3, atol=1e-7)


def test_frozen_parameters_stay_equal_bit_for_bit():
    model = classifier(Dropouts().times(0.5))
    grouped = freezing.groups(model, ulmfit_classifier.layer_prefixes(model.body))
    rates = freezing.last_layer_only(grouped, 1e-2)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = freezing.tuner(model, grouped, rates)
    loop.fit(
        model,
        ulmfit_classifier.classification_loss,
        sampler(),
        5,
        optimizer=optimizer,
        progress=False,
    )
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == (name not in grouped["head"]), name


def test_gradual_unfreezing_opens_the_layers_from_the_top():
    model = classifier()
    grouped = freezing.groups(model, ulmfit_classifier.layer_prefixes(model.body))
    plan = freezing.gradual_unfreezing(grouped, steps=2)
    assert len(plan) == 5
    optimizer = torch.optim.Adam(
        freezing.optimizer_groups(model, grouped, freezing.discriminative(grouped, 1e-2))
    )
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for stage in range(5):
        loop.fit(
            model,
            ulmfit_classifier.classification_loss,
            freezing.Unfreezing(_Later(sampler(), 2 * stage), model, grouped, _later(plan, stage)),
            2,
            optimizer=optimizer,
            schedule=schedules.constant(),
            progress=False,
        )
        changed = {
            group
            for group, names in grouped.items()
            if any(not torch.equal(before[n], dict(model.named_parameters())[n]) for n in names)
        }
        assert changed == set(LAYERS[4 - stage :])


class _Later:
    """A sampler that begins at a later step."""

    def __init__(self, batches, first: int) -> None:
        self.batches, self.first = batches, first

    def batch(self, step: int):
        return self.batches.batch(self.first + step)


def _later(plan, stage: int):
    return (freezing.Stage(0, plan[stage].trained),)


# --- batches -------------------------------------------------------------------------------------


def test_batches_depend_on_seed_and_step_only_and_an_epoch_visits_every_text():
    batches = sampler(batch_size=3)
    assert len(batches) == 2
    for step in (0, 1, 5, 0):
        one, other = batches.batch(step), sampler(batch_size=3).batch(step)
        assert torch.equal(one.tokens, other.tokens) and torch.equal(one.labels, other.labels)
    whole = TextSampler(TEXTS, [0, 1, 2, 3], 4, 0)
    assert sorted(whole.batch(3).labels.tolist()) == [0, 1, 2, 3]
    assert not torch.equal(sampler(seed=1).batch(0).tokens, sampler().batch(0).tokens)


def test_a_text_keeps_its_label():
    batch = TextSampler(TEXTS, [text[0] for text in TEXTS], 4, 0).batch(0)
    assert torch.equal(batch.tokens[:, 0], batch.labels)
    assert batch.tokens.shape == (4, 7) and (batch.tokens != PAD).sum() == 14


@pytest.mark.parametrize(
    ("texts", "labels", "size"),
    [([], [], 4), (TEXTS, [0], 4), (TEXTS, [0] * 4, 1), ([[4]], [0], 2)],
)
def test_wrong_samplers_are_refused(texts, labels, size):
    with pytest.raises(ValueError, match="expected at least 2 texts"):
        TextSampler(texts, labels, size, 0)


def test_encode_puts_the_marks_of_the_language_model_and_cuts():
    tokenizer = WordTokenizer.train(["a b c d"])
    ids = ulmfit_classifier.encode("a b c d", tokenizer, 3)
    assert ids == [BOS, *tokenizer.encode("a b c"), EOS]
    assert ulmfit_classifier.encode("", tokenizer, 3) == [BOS, EOS]


def test_chance_before_training():
    model = classifier(classes=6).eval()
    loss = functional.cross_entropy(model(pad(TEXTS, PAD)), torch.tensor([0, 1, 2, 3]))
    assert loss.item() == pytest.approx(math.log(6), abs=0.5)
    assert isinstance(model.body, AWDBody)
