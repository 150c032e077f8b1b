"""Exercises of chapter 03: measuring what passes through one vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_tensor,
    named,
    say,
)

# --- 3.1 chance_of_no_mistake ---------------------------------------------------------------------


@exercise(
    hints=(
        "If the first word is right with probability 0.9 and the second with 0.8, how often are "
        "both right?",
        "Independent events: the probabilities are multiplied.",
    )
)
def chance_of_no_mistake(accuracy: Tensor) -> Tensor:
    """Probability that all T words are right, if each is right or wrong on its own: (T,) -> ()."""
    return accuracy.prod()


def number(value: Tensor | float) -> float:
    """The statement leaves open whether one number is a tensor."""
    if not isinstance(value, Tensor):
        return value
    expect_tensor(value, (), None)
    return value.item()


@chance_of_no_mistake.same_as_answer("the chance", see=number)
def all_words_right():
    yield from (0.5 + 0.5 * torch.rand(words) for words in (3, 7, 24, 1))
    yield torch.full((24,), 0.97)


@chance_of_no_mistake.same_as_answer("the chance", see=number)
def one_hopeless_word():
    yield torch.tensor([1.0, 0.0, 0.8])


chance_of_no_mistake.mistake(
    "all_words_right",
    "You average. A sentence of 24 words then looks as safe as a sentence of one.",
    ".prod() -> .mean()",
)
chance_of_no_mistake.mistake(
    "all_words_right",
    "You raise the *mean* to the power T. That is right only if all words are equally hard.",
    ".prod() -> .mean() ** len(accuracy)",
)
chance_of_no_mistake.mistake(
    "one_hopeless_word",
    "One word that is never right makes the sentence impossible; a floor hides that.",
    ".prod() -> .clamp(min=1e-3).prod()",
)


# --- 3.2 accuracy_by_length -----------------------------------------------------------------------


@exercise(
    hints=(
        "For one bucket: which sentences have low <= length < high? What is the mean over them?",
        "A boolean tensor picks: `correct[(lengths >= low) & (lengths < high)]`.",
        "The mean of nothing is NaN, and that is what an empty bucket should give: no result is "
        "not a result of 0.",
    )
)
def accuracy_by_length(correct: Tensor, lengths: Tensor, edges: Sequence[int]) -> list[float]:
    """Share of right sentences in each bucket edges[i] <= length < edges[i+1].

    correct: (N,) bool tensor; lengths: (N,) tensor; edges: a list of whole numbers. The result is
    a list of floats; an empty bucket gives NaN.
    """
    shares = []
    for low, high in zip(edges, edges[1:], strict=False):
        inside = (lengths >= low) & (lengths < high)  # (N,)
        shares.append(correct[inside].float().mean().item())
    return shares


def graded(*lengths: int) -> tuple[Tensor, Tensor]:
    """Sentences of these lengths, about half of them right."""
    return torch.rand(len(lengths)) < 0.5, torch.tensor(lengths)


@accuracy_by_length.same_as_answer("the list of shares")
def edges_of_the_buckets():
    every = [n for n in range(1, 21) for _ in range(3)]
    yield *graded(*every), [3, 6, 9, 14]
    yield *graded(*every[::-1]), [1, 8, 10, 20]
    yield *graded(5, 2, 9, 2, 5, 7), [2, 9]
    yield *graded(4), (4, 5)
    yield torch.tensor([False, True, False, True]), torch.tensor([2, 5, 2, 6]), [1, 3, 7]


@accuracy_by_length.same_as_answer("the list of shares")
def empty_buckets():
    yield *graded(9, 2, 3, 8, 2, 9), [0, 2, 4, 8, 9, 12]
    yield *graded(9, 2, 3, 8, 2, 9), [4, 8, 10, 20, 30]


accuracy_by_length.mistake(
    "edges_of_the_buckets",
    "You count sentences at the upper edge in: they belong to the next bucket.",
    "lengths < high -> lengths <= high",
)
accuracy_by_length.mistake(
    "edges_of_the_buckets",
    "You count sentences at the last edge in: also the last bucket ends below its upper edge.",
    "(lengths < high) -> (lengths < high + (high == edges[-1]))",
)
accuracy_by_length.mistake(
    "empty_buckets",
    "An empty bucket must not look like a bucket full of mistakes.",
    "correct[inside].float().mean() -> correct[inside].sum() / inside.sum().clamp(min=1)",
)


# --- 3.3 bootstrap_interval -----------------------------------------------------------------------


@exercise(
    hints=(
        "Each row of `draws` is one new test set, drawn from the old one with replacement. What "
        "would its score be?",
        "`values[draws]` has shape (R, N). Average over which axis?",
        "A 95% interval leaves out 2.5% at each end: `torch.quantile(means, …)` at 0.025 and "
        "0.975.",
    )
)
def bootstrap_interval(values: Tensor, draws: Tensor, confidence: float = 0.95) -> Tensor:
    """Percentile bootstrap interval of the mean: low and high, shape (2,).

    values: (N,) one score per test sentence; draws: (R, N) indices into values, with replacement.
    """
    means = values[draws].mean(1)  # (R,)
    tail = (1 - confidence) / 2
    return torch.quantile(means, torch.tensor([tail, 1 - tail]))


def _spread(ends: Tensor) -> Tensor:
    """In percent. NumPy brings float64."""
    return ends.float() * 100 if isinstance(ends, Tensor) else ends


# The means of the draws have a spread of 0.01; neighbors among 5,000 sorted means lie about
# 0.00003 apart, so any rule for quantiles is near enough, and other draws than these are not.
@bootstrap_interval.same_as_answer(
    "the interval",
    see=_spread,
    atol=0.015,
    rtol=0.0,
)
def both_ends():
    for sentences, given in ((20, {}), (12, {"confidence": 0.8}), (30, {"confidence": 0.5})):
        skewed = torch.randn(sentences).exp()
        values = 0.03 + (skewed - skewed.mean()) / skewed.std() * sentences**0.5 / 100
        yield values, torch.randint(sentences, (5000, sentences)), named(given)


bootstrap_interval.mistake(
    "both_ends",
    "You take quantiles of the *sentences*. They say how much single sentences differ, not how "
    "sure the mean is.",
    "torch.quantile(means, -> torch.quantile(values,",
)
bootstrap_interval.mistake(
    "both_ends",
    "You cut off 5% at *each* end: that is a 90% interval.",
    "(1 - confidence) / 2 -> 1 - confidence",
)


# --- 3.4 reverse_source (find the bug) ------------------------------------------------------------


@exercise(
    hints=(
        "Print the result for a batch with one short and one long sentence. Where is the padding?",
        "Only the real words change places. What are the positions of row b, if it has n words, "
        "read from the last word to the first, and then the padding as it was?",
        "For position s: take from n − 1 − s while s < n, and from s itself afterwards. `gather` "
        "reads other positions in each row.",
    )
)
def reverse_source(source: Tensor, pad: int = 0) -> Tensor:
    """Reverse the words of each row and leave the padding on the right: (B, S) -> (B, S)."""
    lengths = (source != pad).sum(1, keepdim=True)  # (B, 1)
    position = torch.arange(source.shape[1], device=source.device)  # (S,)
    index = torch.where(position < lengths, lengths - 1 - position, position)  # (B, S)
    return source.gather(1, index)


def padded(lengths: list[int], width: int, pad: int = 0) -> Tensor:
    """Random ids from 0 to 11 without `pad`, so many in each row, then `pad`: (B, width)."""
    words = torch.randint(11, (len(lengths), width))
    words = words + (words >= pad)
    return words.masked_fill(torch.arange(width) >= torch.tensor(lengths)[:, None], pad)


@reverse_source.same_as_answer("the reversed batch")
def without_padding():
    yield torch.randint(1, 12, (3, 6))
    yield torch.randint(1, 12, (1, 5))


@reverse_source.same_as_answer("the reversed batch")
def padding_stays_on_the_right():
    yield padded([6, 2, 5, 1], 7)
    yield padded([3, 8, 5], 8)
    for pad in (11, 1, 5):
        yield padded([4, 1, 6, 5], 7, pad), named(pad=pad)
    yield padded([3, 4], 5, -1), -1


reverse_source.mistake(
    "padding_stays_on_the_right",
    "The padding now comes first, and the encoder reads it before any word.",
    "source.gather(1, index) -> source.flip(1)",
)
reverse_source.mistake(
    "padding_stays_on_the_right",
    "Behind the last word your rows repeat a word of the source: a clamped index has to point "
    "somewhere. Padding must stay padding.",
    "torch.where(position < lengths, lengths - 1 - position, position) -> "
    "(lengths - 1 - position).clamp(min=0)",
)
reverse_source.mistake(
    "padding_stays_on_the_right",
    "You take 0 for the padding, but `pad` says which id it is.",
    "source != pad -> source != 0",
)


# --- 3.5 majority_baseline ------------------------------------------------------------------------


@exercise(
    hints=(
        "What would you guess for position p if you could not see the vector at all?",
        "The guess comes from the *training* labels. `mode(dim=0)` gives the most frequent value "
        "of each column.",
        "Compare the guess (P,) with the test labels (M, P) and average over the sentences.",
    )
)
def majority_baseline(train_labels: Tensor, test_labels: Tensor) -> Tensor:
    """Accuracy of the most frequent training word at each position: (N, P), (M, P) -> (P,)."""
    guess = train_labels.mode(dim=0).values  # (P,)
    return (test_labels == guess).float().mean(0)


@majority_baseline.same_as_answer("the accuracy of each position")
def guess_from_training():
    for trained, tested, positions in ((9, 6, 4), (40, 7, 3), (7, 1, 2), (1, 20, 6), (23, 11, 1)):
        favorite, other = torch.randperm(60)[: 2 * positions].view(2, positions)
        train = torch.stack([torch.randperm(60)[:trained] for _ in range(positions)], dim=1)
        favorite[0] = 0  # a word like any other
        for place, word in enumerate(favorite):  # others once at most: no tie
            third = 1 + place % 2  # so that no whole sentence is frequent
            train[third * trained // 3 : (third + 1) * trained // 3, place] = word
        test = torch.randint(60, (tested, positions))
        test = torch.where(torch.rand(tested, positions) < 0.4, favorite, test)
        yield train, torch.where(torch.rand(tested, positions) < 0.5, other, test)


majority_baseline.mistake(
    "guess_from_training",
    "Your guess is the most frequent word of the *test* sentences, which a baseline has not seen.",
    "train_labels.mode -> test_labels.mode",
)
majority_baseline.mistake(
    "guess_from_training",
    "You guess one word for all positions. Position 0 and position 3 have other favorites.",
    "train_labels.mode(dim=0) -> train_labels.flatten().mode()",
)


# --- 3.6 NonlinearProbe ---------------------------------------------------------------------------


@exercise(
    hints=(
        "Two linear layers with a nonlinearity between them. The second has one output for each "
        "pair of position and word: P · V of them.",
        "`unflatten(-1, (P, V))` turns (N, P·V) into (N, P, V).",
        "A probe looks at the encoder and must not train it: `features.detach()` cuts the "
        "gradient at the input.",
    )
)
class NonlinearProbe(nn.Module):
    """A probe with one hidden layer; its loss must not change the model it looks at."""

    def __init__(self, width: int, hidden: int, positions: int, classes: int) -> None:
        super().__init__()
        self.shape = (positions, classes)
        self.net = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, positions * classes)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) -> logits (N, P, V)."""
        return self.net(features.detach()).unflatten(-1, self.shape)


SIZES = ((6, 10, 3, 5), (4, 12, 2, 7), (9, 8, 4, 1))  # width, hidden, positions, classes


@NonlinearProbe.case
def logits_for_each_position(answer):
    for sizes in SIZES:
        logits = answer(*sizes)(torch.randn(11, sizes[0]))
        expect_tensor(logits, (11, *sizes[2:]), what="the tensor of logits")


@NonlinearProbe.case
def not_linear(answer):
    probe = answer(6, 32, 3, 5)
    a, b = 3 * torch.rand(8, 6), 3 * torch.rand(8, 6)
    bend = (probe((a + b) / 2) - (probe(a) + probe(b)) / 2).abs().max().item()
    expect(
        bend > 1e-5,
        "Your probe is still linear: halfway between two inputs it gives the mean of the outputs.",
        bend,
    )


@NonlinearProbe.case
def positions_have_their_own_weights(answer):
    logits = answer(6, 16, 3, 5)(torch.randn(4, 6))
    gap = logits - logits[:, :1]
    spread = (gap - gap[:1]).abs().max().item()
    expect(spread > 1e-5, "All positions read the same from a vector.", spread)


@NonlinearProbe.case
def one_hidden_layer(answer):
    for width, hidden, positions, classes in SIZES[:2]:
        probe = answer(width, hidden, positions, classes)
        count = sum(one.numel() for one in probe.parameters())
        outputs = positions * classes
        least = hidden * (width + outputs)
        most = least + hidden + outputs + 2 * (width + hidden)  # biases and a normalization
        few = (
            "Your probe for {width} numbers and {hidden} hidden units has {count} weights, too "
            "few: is each layer an attribute?"
        )
        many = (
            "Your probe for {width} numbers and {hidden} hidden units has {count} weights, too "
            "many for one hidden layer of them."
        )
        expect(count >= least, say(few, width=width, hidden=hidden, count=count), count)
        expect(count <= most, say(many, width=width, hidden=hidden, count=count), count)


@NonlinearProbe.case
def each_sentence_by_itself(answer):
    probe, features = answer(6, 10, 3, 5).eval(), torch.randn(7, 6)
    alone = torch.cat([probe(one[None]) for one in features])
    expect_close(probe(features), alone, "what your probe says of one vector in a batch")


@NonlinearProbe.case
def free_logits(answer):
    probe = answer(6, 16, 3, 5)
    with torch.no_grad():
        for parameter in probe.parameters():
            parameter.mul_(10.0)
    for mode in (True, False):
        logits = probe.train(mode)(torch.randn(40, 6))
        for bound in (logits.max(), -logits.min()):
            expect(bound > 2, "Your logits are bounded: a logit may be any number.", logits)


@NonlinearProbe.case
def encoder_gets_no_gradient(answer):
    for training in (True, False):
        _no_gradient(answer(6, 10, 3, 5).train(training))


def _no_gradient(probe: nn.Module) -> None:
    encoder = nn.Linear(4, 6)
    features = encoder(torch.randn(9, 4))
    logits = probe(features)
    expect(features.requires_grad, "You cut the features of the encoder itself; others need them.")
    expect(
        logits.requires_grad,
        "No gradient flows through your probe at all: it cannot learn. Cut it at the features "
        "only, not around the layers or behind them.",
        [0.0],
    )
    (logits * torch.randn_like(logits)).sum().backward()
    expect(
        encoder.weight.grad is None or not encoder.weight.grad.any(),
        "The loss of your probe sends a gradient into the features. Trained together, the encoder "
        "would learn to please the probe, and you would measure that.",
        [1.0],
    )
    still = [n for n, p in probe.named_parameters() if p.grad is None or not p.grad.any()]
    names = ", ".join(f"`{name}`" for name in still)
    expect(not still, say("These weights get no gradient: {names}.", names=names), still)


NonlinearProbe.mistake(
    "not_linear",
    "Two linear layers in a row are one linear layer: something must bend.",
    "nn.ReLU(), ->",
)
NonlinearProbe.mistake(
    "positions_have_their_own_weights",
    "One output layer serves all positions; each position needs its own.",
    "positions * classes) -> classes) ;; "
    "unflatten(-1, self.shape) -> unsqueeze(1).repeat(1, self.shape[0], 1)",
)
NonlinearProbe.mistake(
    "encoder_gets_no_gradient",
    "Training the probe would train the encoder, too.",
    "features.detach() -> features",
)
NonlinearProbe.mistake(
    "encoder_gets_no_gradient",
    "Like `no_grad` around the layers, this cuts off the weights of the probe itself, too.",
    "return -> with torch.no_grad(): return",
)
