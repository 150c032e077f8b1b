"""Exercises of chapter 09: forgetting on purpose, pooling, a slanted triangle, honest corpora."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.data.reviews import Review
from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor, say

# --- 9.1 drop_words -------------------------------------------------------------------------------


@exercise(
    hints=(
        "The decision is made once for each *word of the vocabulary*. How many decisions is that?",
        "A vector with one number for each word of the vocabulary, looked up by `tokens`, gives "
        "every occurrence of a word the same number.",
        "What is kept is divided by 1 - p, so that a word is on average as strong as without "
        "dropping.",
    )
)
def drop_words(embedded: Tensor, tokens: Tensor, vocab_size: int, p: float) -> Tensor:
    """Embedding dropout in training: embedded (B, T, E) of the ids tokens (B, T) -> (B, T, E).

    Each word of the vocabulary is dropped with probability p: it is then zero wherever it stands
    in the batch. The others are divided by 1 - p.
    """
    kept = (torch.rand(vocab_size) >= p).float() / (1 - p)  # (V,)
    return embedded * kept[tokens].unsqueeze(-1)


def _factors_of_words(answer, words: int, p: float) -> tuple[Tensor, Tensor]:
    """By how much each number was multiplied, (B, T, E), and the tokens: all words, several times.

    Nowhere is an embedding zero. A gradient must flow through what is kept.
    """
    tokens = torch.cat([torch.randperm(words) for _ in range(6)]).view(4, -1)
    embedded = (1.0 + torch.rand(*tokens.shape, 4)).requires_grad_()
    result = answer(embedded, tokens, words, p)
    expect_tensor(result, embedded.shape)
    expect(result.requires_grad, "No gradient flows to the embedding: it cannot learn.", False)
    return (result / embedded).detach(), tokens


@drop_words.case
def a_word_goes_as_a_whole(answer):
    factors, _ = _factors_of_words(answer, 60, 0.4)
    expect(
        (factors.amax(-1) - factors.amin(-1)).max() < 1e-4,
        "At one place some numbers of a word are dropped and others are not. A word is dropped "
        "with all its numbers.",
        factors,
    )


@drop_words.case
def everywhere_or_nowhere(answer):
    factors, tokens = _factors_of_words(answer, 60, 0.4)
    kept = factors[..., 0] > 0
    mixed = sum(len(kept[tokens == word].unique()) > 1 for word in range(60))
    expect(
        not mixed,
        say(
            "{mixed} of 60 words are dropped at one place of the batch and kept at another.",
            mixed=mixed,
        ),
        factors,
    )
    again, others = _factors_of_words(answer, 60, 0.4)
    gone = [set(t[f[..., 0] == 0].tolist()) for f, t in ((factors, tokens), (again, others))]
    expect(gone[0] != gone[1] or not gone[0], "Every call drops the same words.", factors)


@drop_words.case
def as_many_as_asked_and_the_rest_grows(answer):
    for p in (0.4, 0.1):
        found = torch.cat([_factors_of_words(answer, 100, p)[0][..., 0] for _ in range(12)])
        share = (found == 0).float().mean().item()
        expect(
            abs(share - p) < 0.07,
            say(
                "With p = {p} about {p:.0%} of the words should be dropped; yours drops "
                "{share:.0%}.",
                p=p,
                share=share,
            ),
            share,
        )
        kept = found[found > 0]
        what = say("the factor of the words that are kept with p = {p}", p=p)
        expect_close(kept, torch.full_like(kept, 1 / (1 - p)), what)


@drop_words.case
def each_word_by_itself(answer):
    gone = torch.zeros(60, 60)  # (calls, words)
    for call in range(60):
        factors, tokens = _factors_of_words(answer, 60, 0.4)
        gone[call, tokens[factors[..., 0] == 0]] = 1
    never = gone.sum(0) == 0
    expect(not never.any(), "Some word is never dropped.", gone.sum(0))
    spread = (gone.sum(1).var() / (60 * 0.4 * 0.6)).item()  # 1 for words that are independent
    expect(spread > 0.3, "Each call drops the same number of words: chance should decide.", spread)
    expect(spread < 2.5, "Words are dropped in groups. Each has its own chance.", spread)


drop_words.mistake(
    "a_word_goes_as_a_whole",
    "That is ordinary dropout: it drops single numbers of a vector, not words.",
    lambda embedded, tokens, vocab_size, p: torch.nn.functional.dropout(embedded, p),
)
drop_words.mistake(
    "everywhere_or_nowhere",
    "You decide anew at each place of the text. Decide once for each word of the vocabulary; "
    "otherwise the network can read a dropped word two lines further on.",
    "torch.rand(vocab_size) -> torch.rand(tokens.shape) ;; kept[tokens] -> kept",
)
drop_words.mistake(
    "as_many_as_asked_and_the_rest_grows",
    "Your words keep their size. In evaluation, where nothing is dropped, the network would then "
    "meet more than it was trained for.",
    "/ (1 - p) -> ",
)

# --- 9.2 locked_dropout ---------------------------------------------------------------------------


@exercise(
    hints=(
        "Which axes does the mask need, and along which is it the same? An axis of length 1 is "
        "repeated by broadcasting.",
        "In evaluation mode nothing is dropped and nothing is scaled.",
    )
)
def locked_dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Variational dropout: (B, T, D) -> (B, T, D).

    In training each number of a sentence's vectors is dropped with probability p, at *all* time
    steps or at none; the others are divided by 1 - p. Sentences have masks of their own. In
    evaluation nothing happens.
    """
    if not training:
        return x
    mask = (torch.rand(x.shape[0], 1, x.shape[2]) >= p).float()  # (B, 1, D)
    return x * mask / (1 - p)


def _factors_of_states(answer, p: float) -> Tensor:
    """By how much each number was multiplied in training, (B, T, D)."""
    x = (1.0 + torch.rand(6, 8, 40)).requires_grad_()
    result = answer(x, p, True)
    expect_tensor(result, x.shape)
    expect(result.requires_grad, "No gradient flows through what is kept.", False)
    return (result / x).detach()


@locked_dropout.same_as_answer("the result in evaluation mode", grad=True)
def evaluation_changes_nothing():
    yield torch.randn(6, 8, 4), 0.3, False
    yield torch.randn(2, 1, 3), 0.9, False


@locked_dropout.case
def locked_over_time(answer):
    factors = _factors_of_states(answer, 0.3)
    expect(
        torch.allclose(factors, factors[:, :1].expand_as(factors), atol=1e-4),
        "A number of the state is dropped at one step and there at the next.",
        factors,
    )


@locked_dropout.case
def one_for_each_sentence_and_number(answer):
    gone = _factors_of_states(answer, 0.3)[:, 0] == 0  # (B, D)
    expect(
        len({tuple(row) for row in gone.tolist()}) > 1 or not gone.any(),
        "All sentences have the same mask.",
        gone,
    )
    shares = gone.float().mean(1)
    whole = ((shares == 0) | (shares == 1)).all() and gone.any()
    expect(not whole, "You drop whole sentences. Drop numbers of their vectors.", gone)
    again = _factors_of_states(answer, 0.3)[:, 0] == 0
    expect((gone != again).any() or not gone.any(), "Every call drops the same numbers.", gone)


@locked_dropout.case
def as_much_as_asked_and_the_rest_grows(answer):
    for p in (0.3, 0.6):
        found = torch.stack([_factors_of_states(answer, p) for _ in range(10)])
        share = (found == 0).float().mean().item()
        expect(
            abs(share - p) < 0.06,
            say(
                "With p = {p} about {p:.0%} of the numbers should be dropped; yours drops "
                "{share:.0%}.",
                p=p,
                share=share,
            ),
            share,
        )
        kept = found[found > 0]
        what = say("the factor of the numbers that are kept with p = {p}", p=p)
        expect_close(kept, torch.full_like(kept, 1 / (1 - p)), what)


@locked_dropout.case
def by_chance(answer):
    gone = torch.cat([_factors_of_states(answer, 0.3)[:, 0] == 0 for _ in range(10)])  # (60, D)
    spread = (gone.float().sum(1).var() / (40 * 0.3 * 0.7)).item()
    expect(spread > 0.3, "Each sentence loses the same number of numbers: chance decides.", spread)


locked_dropout.mistake(
    "evaluation_changes_nothing",
    "You scale in evaluation. The division by 1 - p has been done in training already.",
    "if not training:\n        return x -> if not training:\n        return x * (1 - p)",
)
locked_dropout.mistake(
    "locked_over_time",
    "You draw a new mask at each step. What is gone at one step is back at the next, and the "
    "recurrence can copy it over.",
    "x.shape[0], 1, x.shape[2] -> x.shape",
)
locked_dropout.mistake(
    "as_much_as_asked_and_the_rest_grows",
    "Your p is the probability of *keeping*. It is that of dropping.",
    ">= p -> < p",
)

# --- 9.3 weight_dropped_rnn -----------------------------------------------------------------------


@exercise(
    hints=(
        "The mask belongs to the matrix: it has the shape of `w_state`. When in the pass is it "
        "drawn, and how often?",
        "Make a *new*, thinned matrix before the loop and use it at every step. The raw one stays "
        "as it is: the optimizer owns it.",
        "Weights that are kept are divided by 1 - p. In evaluation, or with p = 0, the raw matrix "
        "is used.",
    )
)
def weight_dropped_rnn(
    x: Tensor, w_input: Tensor, w_state: Tensor, p: float, training: bool
) -> Tensor:
    """h_t = tanh(W x_t + U h_{t-1}) from h_0 = 0, with weights of U dropped in training.

    x (B, T, E), w_input W (D, E), w_state U (D, D) -> all states (B, T, D). In training each
    weight of U is dropped with probability p for the whole pass, the others are divided by 1 - p.
    """
    thinned = w_state
    if training and p > 0:
        thinned = w_state * (torch.rand(w_state.shape) >= p).float() / (1 - p)
    h, states = torch.zeros(x.shape[0], w_state.shape[0]), []
    for step in range(x.shape[1]):
        h = torch.tanh(x[:, step] @ w_input.T + h @ thinned.T)  # (B, D)
        states.append(h)
    return torch.stack(states, dim=1)  # (B, T, D)


def _network() -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(3, 5, 2), 0.5 * torch.randn(6, 2), 0.5 * torch.randn(6, 6)


def _each_its_own() -> tuple[Tensor, Tensor, Tensor]:
    """A network in which each number of the state depends on itself only, with a steady input."""
    x = torch.full((4, 6, 1), 0.3)
    return x, torch.ones(40, 1), 0.5 * torch.eye(40)


@weight_dropped_rnn.same_as_answer("the plain network's states", grad=True)
def evaluation_is_the_plain_network():
    yield *_network(), 0.5, False
    yield *_network(), 0.0, True


@weight_dropped_rnn.case
def first_state_is_untouched(answer):
    network = _network()
    wanted = weight_dropped_rnn.answer(*network, 0.0, False)[:, 0]
    found = answer(*network, 0.5, True)
    expect_tensor(found, (3, 5, 6))
    expect_close(found[:, 0], wanted, "the first state in training (no weight of U acts on it)")


@weight_dropped_rnn.case
def same_weights_for_the_whole_batch(answer):
    states = answer(*_each_its_own(), 0.5, True)
    expect_tensor(states, (4, 6, 40))
    expect(
        torch.allclose(states, states[:1].expand_as(states), atol=1e-5),
        "Four equal sentences get different states, although one matrix reads them all.",
        states,
    )


@weight_dropped_rnn.case
def same_weights_at_every_step(answer):
    states = answer(*_each_its_own(), 0.5, True)[0]  # (T, D): each number is alone
    alone = torch.tanh(torch.tensor(0.3))
    dropped = (states[1:] - alone).abs() < 1e-5  # without its weight a number starts anew
    steady = (dropped == dropped[:1]).all()
    expect(steady, "A weight that is dropped at one step is back at another.", states)
    again = answer(*_each_its_own(), 0.5, True)[0]
    new = not torch.equal(states, again) or not dropped.any()
    expect(new, "Every pass drops the same weights.", states)


@weight_dropped_rnn.case
def kept_weights_grow(answer):
    first = torch.tanh(torch.tensor(0.3))
    for p in (0.5, 0.2):
        second = answer(*_each_its_own(), p, True)[0, 1]  # (D,)
        gone, kept = (torch.tanh(0.3 + weight * first) for weight in (0.0, 0.5 / (1 - p)))
        near = torch.minimum((second - gone).abs(), (second - kept).abs())
        expect(
            (near < 1e-4).all(),
            say(
                "With p = {p} a weight of 0.5 acts either as 0 or as {scaled:g}. Some of yours act "
                "otherwise.",
                p=p,
                scaled=0.5 / (1 - p),
            ),
            second,
        )
        share = ((second - gone).abs() < 1e-4).float().mean().item()
        said = say("With p = {p}, {share:.0%} of the weights are dropped.", p=p, share=share)
        expect(abs(share - p) < 0.3, said, second)


@weight_dropped_rnn.case
def single_weights_are_dropped(answer):
    x, w_input, w_state = torch.randn(3, 4, 2), torch.randn(8, 2), 0.3 * torch.randn(8, 8)
    w_state.requires_grad_(True)
    found = answer(x, w_input, w_state, 0.5, True)
    expect(
        found.requires_grad,
        "No gradient reaches `w_state`: it cannot learn. A `detach`, `.data` or `no_grad` cuts the "
        "thinned matrix off from the raw one.",
        found.requires_grad,
    )
    found.sum().backward()
    gone: Any = w_state.grad == 0  # a dropped weight gets no gradient in this pass
    lines = [*gone.all(0).tolist(), *gone.all(1).tolist()]
    expect(
        gone.any() and not gone.all() and not any(lines),
        "A dropped weight has gradient 0. In yours the zeros are whole rows or columns, or there "
        "are none: single weights of the matrix should be dropped.",
        gone,
    )


weight_dropped_rnn.mistake(
    "evaluation_is_the_plain_network",
    "You drop in evaluation too. Perplexity would be measured on a damaged network, and be another "
    "one each time.",
    "if training and p > 0 -> if p > 0",
)
weight_dropped_rnn.mistake(
    "same_weights_for_the_whole_batch",
    "You drop numbers of the state, sentence by sentence. DropConnect drops weights.",
    "h @ thinned.T -> torch.nn.functional.dropout(h, p, training) @ w_state.T",
)
weight_dropped_rnn.mistake(
    "same_weights_at_every_step",
    "You draw a new mask at each step. One mask serves the whole pass.",
    "h @ thinned.T -> h @ torch.nn.functional.dropout(w_state, p, training).T",
)
weight_dropped_rnn.mistake(
    "kept_weights_grow",
    "What is kept is not divided by 1 - p: in evaluation the states grow.",
    "/ (1 - p) -> ",
)

# --- 9.4 pool_three_ways --------------------------------------------------------------------------


@exercise(
    hints=(
        "What stands in the padded places is no state of the text. None of the three may see it.",
        "For the maximum, a padded place must never win, also when all real numbers are negative. "
        "Which number is below all numbers?",
        "The last state of row b is at place `lengths[b] - 1`, and the mean divides by "
        "`lengths[b]`.",
    )
)
def pool_three_ways(states: Tensor, lengths: Tensor) -> Tensor:
    """Concat pooling: states (B, T, E) and lengths (B,) -> (B, 3E): last, maximum, mean.

    Row b has lengths[b] real states, which come first; the rest is padding and counts in none.
    """
    rows = torch.arange(len(states))
    last = states[rows, lengths - 1]  # (B, E)
    outside = (torch.arange(states.shape[1]) >= lengths.unsqueeze(1)).unsqueeze(-1)  # (B, T, 1)
    highest = states.masked_fill(outside, -torch.inf).amax(dim=1)  # (B, E)
    mean = states.masked_fill(outside, 0.0).sum(dim=1) / lengths.unsqueeze(1)  # (B, E)
    return torch.cat([last, highest, mean], dim=1)  # (B, 3E)


def _texts(*lengths: int, width: int = 2, padding: float = 0.0) -> tuple[Tensor, Tensor]:
    """Texts whose states are all negative, and what stands in the padded places."""
    states, counts = -0.5 - torch.rand(len(lengths), max(lengths), width), torch.tensor(lengths)
    outside = torch.arange(max(lengths)) >= counts.unsqueeze(1)
    return states.masked_fill(outside.unsqueeze(-1), padding), counts


def _third(number: int):
    return lambda found: found.chunk(3, dim=-1)[number] if found.dim() == 2 else found


@pool_three_ways.same_as_answer("the first third, the last state,", see=_third(0))
def last_real_state():
    yield _texts(5, 2, 3, 1)


@pool_three_ways.same_as_answer("the second third, the maximum,", see=_third(1))
def maximum_of_real_states():
    yield _texts(5, 2, 3, 1)
    yield _texts(3, 4, width=5, padding=9.0)


@pool_three_ways.same_as_answer("the last third, the mean,", see=_third(2))
def mean_of_real_states():
    yield _texts(5, 2, 3, 1)


@pool_three_ways.same_as_answer("your result", grad=True)
def padding_does_not_matter():
    yield _texts(5, 2, 3, 1, padding=9.0)
    yield _texts(1, 4, 6, width=3, padding=-7.0)
    yield _texts(3, width=4)


pool_three_ways.mistake(
    "last_real_state",
    "You take the state at the last place of the batch. In a short text that is padding.",
    "states[rows, lengths - 1] -> states[:, -1]",
)
pool_three_ways.mistake(
    "maximum_of_real_states",
    "Your maximum sees the padding, and its numbers are larger than the states.",
    "states.masked_fill(outside, -torch.inf).amax -> states.amax",
)
pool_three_ways.mistake(
    "mean_of_real_states",
    "You divide by the length of the longest text. Short texts then get small means.",
    "/ lengths.unsqueeze(1) -> / states.shape[1]",
)
pool_three_ways.mistake(
    "padding_does_not_matter",
    "Your result is right only as long as the padding holds zeros: your sum adds the padded states "
    "up. An LSTM goes on after the end, and its states are not zero.",
    "states.masked_fill(outside, 0.0).sum -> states.sum",
)

# --- 9.5 slanted_triangle -------------------------------------------------------------------------


@exercise(
    hints=(
        "Work out first how far up the triangle a step is, from 0 at both ends to 1 at the peak. "
        "Where is the peak?",
        "Rising: step / peak. Falling: 1 minus the share of the way from the peak to `steps` that "
        "is done.",
        "A height of 0 should give 1 / ratio, and a height of 1 should give 1.",
    )
)
def slanted_triangle(step: int, steps: int, cut: float = 0.1, ratio: float = 32.0) -> float:
    """The multiplier of the rate at a step from 0 to steps (Howard & Ruder 2018, section 3.2).

    It rises straight from 1/ratio at step 0 to 1 at the peak, step cut * steps (a whole number
    here, but for rounding), then falls straight to 1/ratio at the end, at step `steps`.
    """
    peak = cut * steps
    height = step / peak if step < peak else 1 - (step - peak) / (steps - peak)
    return (1 + height * (ratio - 1)) / ratio


@slanted_triangle.same_as_answer("the multiplier")
def one_at_the_peak():
    yield 10, 100
    yield 50, 200, 0.25


@slanted_triangle.same_as_answer("the multiplier")
def small_at_both_ends():
    for steps, cut, ratio in ((100, 0.1, 8.0), (40, 0.5, 32.0)):
        yield 0, steps, cut, ratio
        yield steps, steps, cut, ratio


@slanted_triangle.same_as_answer("the multiplier")
def straight_in_between():
    for step in (5, 9, 11, 20, 55, 90):
        yield step, 100, 0.1, 8.0
    yield 13, 60, 0.25, 20.0
    for step in (28, 29, 30):
        yield step, 100, 0.29  # a product that is a hair below 29


slanted_triangle.mistake(
    "one_at_the_peak",
    "Your triangle is not slanted as asked. Its peak is after `cut` of the steps: a short rise, a "
    "long fall.",
    "cut * steps -> 0.5 * steps",
)
slanted_triangle.mistake(
    "small_at_both_ends",
    "Your rate starts and ends at zero. The smallest rate is the peak divided by `ratio`.",
    "(1 + height * (ratio - 1)) / ratio -> height",
)
slanted_triangle.mistake(
    "straight_in_between",
    "Your rate rises and falls by a constant *factor* from step to step. The triangle is straight: "
    "by a constant amount.",
    "(1 + height * (ratio - 1)) / ratio -> ratio ** (height - 1)",
)

# --- 9.6 bits_per_character -----------------------------------------------------------------------


@exercise(
    hints=(
        "How many nats does the model spend on the *whole* text? That number does not depend on "
        "how the text was cut.",
        "Then share it out over the characters, and turn nats into bits: one bit is log 2 nats.",
    )
)
def bits_per_character(nats_per_token: float, tokens: int, characters: int) -> float:
    """Turn a language model's loss into a number that does not depend on its vocabulary.

    nats_per_token: mean negative log-likelihood of a token. The text has so many tokens in the
    model's vocabulary, and so many characters.
    """
    return nats_per_token * tokens / math.log(2) / characters


@bits_per_character.same_as_answer("the bits per character, where each one is a token of one bit,")
def letter_by_letter():
    yield math.log(2), 80, 80


@bits_per_character.same_as_answer("the bits per character")
def vocabulary_does_not_matter():
    yield 6.0, 100, 400
    yield 3.0, 200, 400
    yield 4.25, 31, 170


bits_per_character.mistake(
    "letter_by_letter",
    "Your result is in nats. A fair coin has one bit, and 0.69 nats.",
    "/ math.log(2) -> ",
)
bits_per_character.mistake(
    "vocabulary_does_not_matter",
    "The number of characters does not enter your result: these are bits per *token*.",
    "* tokens / math.log(2) / characters -> / math.log(2)",
)

# --- 9.7 domain_corpus ----------------------------------------------------------------------------


@exercise(
    hints=(
        "What does the model know about a test review before it meets it, if it has read another "
        "review of the same film?",
        "Compare films, not texts. Two sets of reviews are held out, not one.",
        'A review without a film, `movie == ""`, says nothing about the others: it stays, unless '
        "it is held out itself.",
    )
)
def domain_corpus(
    reviews: Sequence[Review], validation: Sequence[Review], test: Sequence[Review]
) -> list[str]:
    """The texts that a language model may read before it is tuned and tested, in their order.

    All reviews of films of which no review is in `validation` or in `test`. A review has `text`,
    `label` and `movie`; where `movie` is "", it counts as a film of its own.
    """
    held_out = {review.movie or review.text for review in [*validation, *test]}
    return [review.text for review in reviews if (review.movie or review.text) not in held_out]


def _reviews(films: Sequence[str]) -> list[Review]:
    """A review of each of these films; "-" is a review without a film. Texts in no order."""
    names = torch.randperm(1000)[: len(films)].tolist()
    return [
        Review(f"opinion-{name}", number % 2, film.strip("-"))
        for number, (name, film) in enumerate(zip(names, films, strict=True))
    ]


@domain_corpus.same_as_answer("the list of texts")
def no_held_out_film():
    every = _reviews("abcadbcdbe")
    yield every, [every[3]], [every[1]]
    yield every, [], [every[2], every[9]]
    every = _reviews(["Alien", "Aliens", "alien", "lie", "Alien", "Alien 3"])
    yield every, [every[1]], [every[5]]
    yield every, [every[0]], [every[3]]
    every = _reviews("abcd")  # two critics may write the same, and in capitals
    every = [review._replace(text=text) for review, text in zip(every, "ABAA", strict=True)]
    yield every, [every[1]], [every[2]]


@domain_corpus.same_as_answer("the list of texts")
def a_review_without_a_film_is_alone():
    every = _reviews("ab-ca-d-b")
    yield every, [every[3]], [every[1], every[2]]
    yield every, [every[7]], [every[0]]


domain_corpus.mistake(
    "no_held_out_film",
    "You leave out the held-out texts, and keep other reviews of the same films. They name the "
    "same actors and quote the same scenes.",
    lambda reviews, validation, test: [
        review.text for review in reviews if review not in [*validation, *test]
    ],
)
domain_corpus.mistake(
    "no_held_out_film",
    "One of the two held-out parts is in your corpus.",
    "[*validation, *test] -> [*test]",
)
domain_corpus.mistake(
    "a_review_without_a_film_is_alone",
    'You treat "" as one film, so a single held-out review without a film takes all others '
    "with it.",
    "{review.movie or review.text for -> {review.movie for ;; "
    "(review.movie or review.text) not in -> review.movie not in",
)
