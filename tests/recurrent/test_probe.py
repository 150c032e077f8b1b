"""Linear probes find what is linearly there, and nothing else."""

import pytest
import torch

from course_lib.recurrent.probe import LinearProbe, majority_accuracy


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(5, (800, 3), generator=generator)
    features = torch.randn(800, 24, generator=generator)
    code = torch.randn(2, 5, 24, generator=generator)
    for position in (0, 1):  # position 2 is not written into the features
        features += 3 * code[position][labels[:, position]]
    return features, labels


def test_it_reads_what_is_written_and_only_that_whatever_the_scale(data):
    features, labels = data
    results = []
    for scale in (1.0, 0.001):
        probe, given = LinearProbe(24, 3, 5), scale * features + scale
        before = given.clone()
        probe.fit(given[:600], labels[:600])
        results.append(probe.accuracy(given[600:], labels[600:]))
        assert torch.equal(before, given)
    torch.testing.assert_close(*results, atol=0.02, rtol=0)
    assert results[0][:2].min() > 0.95
    assert results[0][2] < 0.35  # chance is 0.2


def test_it_ends_where_the_gradient_of_what_it_minimizes_is_zero(data):
    """Mean over the examples of the cross-entropies of all positions, plus l2·‖W‖²."""
    features, labels = data
    probe = LinearProbe(24, 3, 5)
    probe.fit(features, labels, l2=0.01, steps=200)
    inputs = (features - features.mean(0)) / features.std(0)
    logits = (inputs @ probe.output.weight.T + probe.output.bias).view(800, 3, 5)
    torch.testing.assert_close(probe(features), logits)
    nats = -logits.log_softmax(-1).gather(2, labels[:, :, None]).sum() / 800
    loss = nats + 0.01 * probe.output.weight.square().sum()
    for gradient in torch.autograd.grad(loss, list(probe.output.parameters())):
        assert gradient.abs().max() < 1e-3
    assert probe.output.weight.abs().max() > 0.1


def test_neither_start_nor_seed_matter_and_what_it_does_unless_told_otherwise(data):
    features, labels = data
    probes = [LinearProbe(24, 3, 5) for _ in range(2)]
    logits = probes[0](features)  # before it has learned: the features as they are
    torch.testing.assert_close(logits.flatten(1), probes[0].output(features))
    probes[0].fit(features, labels)
    probes[1].fit(features, labels, l2=1e-3, steps=40)
    for name, tensor in probes[0].state_dict().items():
        assert torch.equal(tensor, probes[1].state_dict()[name])
    assert set(probes[0].state_dict()) == {"output.weight", "output.bias", "mean", "scale"}


def test_a_feature_that_never_changes_does_no_harm():
    probe = LinearProbe(2, 1, 2)
    features = torch.stack([torch.arange(6.0), torch.ones(6)], dim=1)
    probe.fit(features, (features[:, :1] > 2).long())
    assert probe.accuracy(features, (features[:, :1] > 2).long()).tolist() == [1.0]


def test_majority_guesses_the_most_frequent_training_word():
    train = torch.tensor([[1, 2], [1, 3], [0, 3]])
    test = torch.tensor([[1, 3], [0, 2]])
    assert majority_accuracy(train, test).tolist() == [0.5, 0.5]
    assert majority_accuracy(train, test[:1]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("labels", [(4, 2), (5, 3), (4, 1)])
def test_labels_of_another_shape_are_named(labels):
    probe = LinearProbe(24, 3, 5)
    for call in (probe.fit, probe.accuracy):
        with pytest.raises(ValueError, match="labels"):
            call(torch.zeros(4, 24), torch.zeros(labels, dtype=torch.long))
