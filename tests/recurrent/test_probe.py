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


def test_it_reads_what_is_written_and_only_that(data):
    features, labels = data
    probe = LinearProbe(24, 3, 5)
    probe.fit(features[:600], labels[:600])
    accuracy = probe.accuracy(features[600:], labels[600:])
    assert accuracy[:2].min() > 0.95
    assert accuracy[2] < 0.35  # chance is 0.2


def test_scaling_the_features_changes_nothing(data):
    features, labels = data
    results = []
    for scale in (1.0, 1000.0):
        probe = LinearProbe(24, 3, 5)
        probe.fit(scale * features[:600] + scale, labels[:600])
        results.append(probe.accuracy(features[600:] * scale + scale, labels[600:]))
    torch.testing.assert_close(results[0], results[1], atol=0.02, rtol=0)


def test_it_leaves_the_states_alone(data):
    features, labels = data
    before = features.clone()
    LinearProbe(24, 3, 5).fit(features, labels, steps=3)
    assert torch.equal(before, features)


def test_majority_guesses_the_most_frequent_training_word():
    train = torch.tensor([[1, 2], [1, 3], [0, 3]])
    test = torch.tensor([[1, 3], [0, 2]])
    assert majority_accuracy(train, test).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("labels", [(4, 2), (5, 3), (4, 1)])
def test_labels_of_another_shape_are_named(labels):
    probe = LinearProbe(24, 3, 5)
    with pytest.raises(ValueError, match="labels"):
        probe.fit(torch.zeros(4, 24), torch.zeros(labels, dtype=torch.long))
