"""Exercises of chapter 01: cells, perplexity, clipping, states, and a memory made by hand."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_tensor,
    expect_type,
    expect_unchanged,
)
from course_lib.recurrent.cells import LSTMCell
from course_lib.recurrent.language_model import RNNLanguageModel, RNNLanguageModelConfig

# --- 1.1 rnn_step ---------------------------------------------------------------------------------


@exercise(
    hints=(
        "Two linear maps, one of the input and one of the state, meet in a sum.",
        "The weights are stored as in torch: one row for each number of the *result*. So "
        "`weight_ih` has shape (D, E), and `inputs @ weight_ih.T` has shape (B, D).",
        "After the sum and the bias comes `torch.tanh`.",
    )
)
def rnn_step(
    inputs: Tensor, hidden: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
) -> Tensor:
    """One step of a plain RNN: (B, E), (B, D), (D, E), (D, D), (D,) to the new state (B, D)."""
    return torch.tanh(inputs @ weight_ih.T + hidden @ weight_hh.T + bias)


def step_arguments() -> list[Tensor]:
    """Random arguments with E = 5 and D = 4."""
    shapes = ((3, 5), (3, 4), (4, 5), (4, 4), (4,))
    return [torch.randn(shape) for shape in shapes]


@rnn_step.case
def one_state_per_row(answer):
    expect_tensor(answer(*step_arguments()), (3, 4))


@rnn_step.case
def between_minus_one_and_one(answer):
    inputs, *rest = step_arguments()
    state = answer(inputs * 100, *rest)
    largest = state.abs().max().item()
    expect(largest <= 1, f"A state of {largest:.3g}: nothing keeps it within ±1.", state)


@rnn_step.case
def the_state_matters(answer):
    inputs, hidden, *weights = step_arguments()
    expected = torch.tanh(hidden @ weights[1].T + weights[2])
    expect_close(answer(torch.zeros_like(inputs), hidden, *weights), expected)


@rnn_step.case
def the_whole_step(answer):
    arguments = step_arguments()
    expect_close(answer(*arguments), rnn_step.answer(*arguments))


@rnn_step.mistake("one_state_per_row", says="The batch is gone: each row has a state of its own.")
def summed_over_the_batch(inputs, hidden, weight_ih, weight_hh, bias):
    return torch.tanh(inputs @ weight_ih.T + hidden @ weight_hh.T + bias).sum(0)


@rnn_step.mistake("between_minus_one_and_one")
def without_tanh(inputs, hidden, weight_ih, weight_hh, bias):
    return inputs @ weight_ih.T + hidden @ weight_hh.T + bias


@rnn_step.mistake(
    "the_state_matters",
    says="`weight_hh` is square, so it multiplies from either side without complaint. Yours is "
    "transposed.",
)
def transposed_state_matrix(inputs, hidden, weight_ih, weight_hh, bias):
    return torch.tanh(inputs @ weight_ih.T + hidden @ weight_hh + bias)


@rnn_step.mistake("the_state_matters", says="The bias is missing from your sum.")
def without_bias(inputs, hidden, weight_ih, weight_hh, bias):
    return torch.tanh(inputs @ weight_ih.T + hidden @ weight_hh.T)


@rnn_step.mistake(
    "the_state_matters",
    says="Your state lies between 0 and 1: that is the sigmoid. A plain RNN uses tanh.",
)
def sigmoid_for_tanh(inputs, hidden, weight_ih, weight_hh, bias):
    return torch.sigmoid(inputs @ weight_ih.T + hidden @ weight_hh.T + bias)


@rnn_step.mistake("the_state_matters", says="You subtract the part of the state; it is added.")
def state_subtracted(inputs, hidden, weight_ih, weight_hh, bias):
    return torch.tanh(inputs @ weight_ih.T - hidden @ weight_hh.T + bias)


@rnn_step.mistake("the_state_matters", says="The new state does not depend on the old one.")
def without_memory(inputs, hidden, weight_ih, weight_hh, bias):
    return torch.tanh(inputs @ weight_ih.T + bias)


@rnn_step.mistake("the_whole_step", says="Each part goes through tanh on its own in your code.")
def tanh_of_each_part(inputs, hidden, weight_ih, weight_hh, bias):
    with_bias = hidden @ weight_hh.T + bias
    return torch.tanh(with_bias) + torch.tanh(inputs @ weight_ih.T) * (1 - with_bias.tanh().abs())


@rnn_step.alternative
def one_matrix_for_both(inputs, hidden, weight_ih, weight_hh, bias):
    both = torch.cat([inputs, hidden], dim=1)
    return (both @ torch.cat([weight_ih, weight_hh], dim=1).T + bias).tanh()


# --- 1.2 corpus_perplexity ------------------------------------------------------------------------


@exercise(
    hints=(
        "Perplexity is exp of the mean −log p *per word*. What do you have to add up first?",
        "Long articles hold more words, so they must weigh more.",
        "One division of two sums, then one `math.exp`.",
    )
)
def corpus_perplexity(nats: list[float], words: list[int]) -> float:
    """The perplexity of a corpus from the summed −log p and the number of words per article."""
    return math.exp(sum(nats) / sum(words))


@corpus_perplexity.case
def a_uniform_guess(answer):
    value = answer([10 * math.log(50), 30 * math.log(50)], [10, 30])
    expect_number(value, 50.0, "the perplexity of a uniform guess among 50 words")


@corpus_perplexity.case
def long_articles_weigh_more(answer):
    value = answer([10 * math.log(4), 90 * math.log(100)], [10, 90])
    expect_number(value, 4**0.1 * 100**0.9, "the perplexity of a short and a long article")


@corpus_perplexity.mistake("a_uniform_guess", says="2 to the power of nats. Nats belong to e.")
def with_base_two(nats, words):
    return 2 ** (sum(nats) / sum(words))


@corpus_perplexity.mistake(
    "a_uniform_guess", says="That is the mean −log p. Perplexity is its exponential."
)
def without_exp(nats, words):
    return sum(nats) / sum(words)


@corpus_perplexity.mistake(
    "long_articles_weigh_more",
    says="You average the perplexities of articles: 10 words weigh as much as 90.",
)
def mean_of_perplexities(nats, words):
    each = [math.exp(n / w) for n, w in zip(nats, words, strict=True)]
    return sum(each) / len(each)


@corpus_perplexity.mistake(
    "long_articles_weigh_more",
    says="You average the losses of articles: 10 words weigh as much as 90.",
)
def mean_of_means(nats, words):
    return math.exp(sum(n / w for n, w in zip(nats, words, strict=True)) / len(nats))


@corpus_perplexity.alternative
def with_tensors(nats, words):
    return (torch.tensor(nats).double().sum() / torch.tensor(words).sum()).exp().item()


# --- 1.3 gru_step ---------------------------------------------------------------------------------


@exercise(
    hints=(
        "`chunk(3, dim=1)` cuts both arguments into their parts for reset, update and new.",
        "Reset and update are sigmoids of a sum. The reset gate decides how much of the *state's* "
        "part enters the new candidate.",
        "The update gate mixes: `update` says how much of the *old* state stays.",
    )
)
def gru_step(from_input: Tensor, from_state: Tensor, hidden: Tensor) -> Tensor:
    """One step of a GRU, as torch computes it.

    from_input and from_state, (B, 3 D), are W x + b and U h + b for the gates reset, update and
    for the candidate, in this order; hidden is the old state (B, D). Returns the new state.
    """
    x_reset, x_update, x_new = from_input.chunk(3, dim=1)
    h_reset, h_update, h_new = from_state.chunk(3, dim=1)
    reset = torch.sigmoid(x_reset + h_reset)
    update = torch.sigmoid(x_update + h_update)
    new = torch.tanh(x_new + reset * h_new)
    return (1 - update) * new + update * hidden


def gru_arguments(reset: float = 0.0, update: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    """Random arguments for B = 3, D = 4, with the gates pushed open or shut."""
    push = torch.tensor([reset, update, 0.0]).repeat_interleave(4)
    return torch.randn(3, 12) + push, torch.randn(3, 12), torch.rand(3, 4) * 2 - 1


@gru_step.case
def a_state_comes_out(answer):
    expect_tensor(answer(*gru_arguments()), (3, 4))


@gru_step.case
def update_at_one_keeps_the_state(answer):
    from_input, from_state, hidden = gru_arguments(update=60)
    expect_close(answer(from_input, from_state, hidden), hidden, "the state with update = 1")


@gru_step.case
def reset_at_zero_forgets_the_state(answer):
    from_input, from_state, hidden = gru_arguments(reset=-60, update=-60)
    expected = torch.tanh(from_input[:, 8:])
    expect_close(answer(from_input, from_state, hidden), expected, "the state with reset = 0")


@gru_step.case
def all_of_it(answer):
    arguments = gru_arguments()
    expect_close(answer(*arguments), gru_step.answer(*arguments))


@gru_step.mistake("a_state_comes_out")
def cut_along_the_batch(from_input, from_state, hidden):
    return torch.tanh(from_input.chunk(3, dim=0)[2] + from_state.chunk(3, dim=0)[2])


@gru_step.mistake(
    "update_at_one_keeps_the_state",
    says="Your update gate works the other way round. Papers differ here; torch lets 1 mean keep.",
)
def update_the_other_way(from_input, from_state, hidden):
    (xr, xz, xn), (hr, hz, hn) = from_input.chunk(3, 1), from_state.chunk(3, 1)
    new = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
    update = torch.sigmoid(xz + hz)
    return update * new + (1 - update) * hidden


@gru_step.mistake(
    "update_at_one_keeps_the_state",
    says="Your first block opens and shuts as the update gate. The order is reset, update, new.",
)
def gates_in_another_order(from_input, from_state, hidden):
    (xz, xr, xn), (hz, hr, hn) = from_input.chunk(3, 1), from_state.chunk(3, 1)
    new = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
    update = torch.sigmoid(xz + hz)
    return (1 - update) * new + update * hidden


@gru_step.mistake(
    "reset_at_zero_forgets_the_state",
    says="A reset gate of 0 must shut out the old state, and only the old state, from the "
    "candidate.",
)
def reset_on_the_sum(from_input, from_state, hidden):
    (xr, xz, xn), (hr, hz, hn) = from_input.chunk(3, 1), from_state.chunk(3, 1)
    new = torch.tanh(torch.sigmoid(xr + hr) * (xn + hn))
    update = torch.sigmoid(xz + hz)
    return (1 - update) * new + update * hidden


@gru_step.mistake(
    "all_of_it", says="Your gates look at the input only. They must see the state as well."
)
def gates_without_the_state(from_input, from_state, hidden):
    (xr, xz, xn), (_, _, hn) = from_input.chunk(3, 1), from_state.chunk(3, 1)
    new = torch.tanh(xn + torch.sigmoid(xr) * hn)
    update = torch.sigmoid(xz)
    return (1 - update) * new + update * hidden


@gru_step.alternative
def as_a_correction(from_input, from_state, hidden):
    width = hidden.shape[1]
    gates = torch.sigmoid((from_input + from_state)[:, : 2 * width])
    new = torch.tanh(from_input[:, 2 * width :] + gates[:, :width] * from_state[:, 2 * width :])
    return new + gates[:, width:] * (hidden - new)


# --- 1.4 clip_gradients ---------------------------------------------------------------------------


@exercise(
    hints=(
        "All gradients together are one long vector. How long is it?",
        "Its norm is the root of the sum of all squares, over all tensors.",
        "The factor is `limit / norm`, but never above 1. Every tensor gets the same factor.",
    )
)
def clip_gradients(gradients: list[Tensor], limit: float) -> list[Tensor]:
    """Shrink gradients so that their common norm is at most `limit` (Pascanu et al. 2013)."""
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    factor = (limit / norm).clamp(max=1.0)
    return [gradient * factor for gradient in gradients]


def common_norm(gradients: list[Tensor]) -> float:
    return math.sqrt(sum(gradient.square().sum().item() for gradient in gradients))


def two_gradients(size: float) -> list[Tensor]:
    """Two tensors, the first three times as long as the second, of this common norm."""
    first, second = torch.randn(2, 3), torch.randn(4)
    scale = size / math.sqrt(10)
    return [first * (3 * scale / first.norm()), second * (scale / second.norm())]


@clip_gradients.case
def as_many_as_before(answer):
    given = two_gradients(5.0)
    before = [gradient.clone() for gradient in given]
    got = answer(given, 2.0)
    expect_type(got, (list, tuple))
    expect(len(got) == 2, f"{len(got)} tensors came back, expected two.")
    for index, gradient in enumerate(given):
        expect_tensor(got[index], gradient.shape, what=f"gradient {index}")
        expect_unchanged(gradient, before[index], f"`gradients[{index}]`")


@clip_gradients.case
def small_ones_stay(answer):
    given = two_gradients(0.5)
    got = answer(given, 2.0)
    expect_close(torch.cat([g.flatten() for g in got]), torch.cat([g.flatten() for g in given]))


@clip_gradients.case
def large_ones_reach_the_limit(answer):
    got = answer(two_gradients(5.0), 2.0)
    expect_number(common_norm(got), 2.0, "the common norm after clipping")


@clip_gradients.case
def the_direction_stays(answer):
    given = two_gradients(5.0)
    got, expected = answer(given, 2.0), [gradient * 0.4 for gradient in given]
    got, expected = (torch.cat([part.flatten() for part in one]) for one in (got, expected))
    expect_close(got, expected, "the clipped gradient")


@clip_gradients.mistake("as_many_as_before")
def in_place(gradients, limit):
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    return [gradient.mul_((limit / norm).clamp(max=1)) for gradient in gradients]


@clip_gradients.mistake(
    "small_ones_stay", says="You stretch small gradients too. Clipping only ever shrinks."
)
def always_to_the_limit(gradients, limit):
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    return [gradient * (limit / norm) for gradient in gradients]


@clip_gradients.mistake(
    "large_ones_reach_the_limit",
    says="You clip each tensor by its own norm. The norm that counts is that of all together.",
)
def each_on_its_own(gradients, limit):
    return [gradient * (limit / gradient.norm()).clamp(max=1) for gradient in gradients]


@clip_gradients.mistake(
    "large_ones_reach_the_limit",
    says="You cut single numbers at ±limit. That bounds each number, not the norm.",
)
def number_by_number(gradients, limit):
    return [gradient.clamp(-limit, limit) for gradient in gradients]


@clip_gradients.mistake(
    "the_direction_stays",
    says="The norm is right, but the tensors got different factors: the step now points elsewhere.",
)
def equal_shares(gradients, limit):
    share = limit / math.sqrt(len(gradients))
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    if norm <= limit:
        return list(gradients)
    return [gradient * (share / gradient.norm()) for gradient in gradients]


@clip_gradients.alternative
def with_torch(gradients, limit):
    parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    nn.utils.clip_grad_norm_(parameters, limit)
    return [parameter.grad for parameter in parameters]


# --- 1.5 sentence_vectors (find the bug) ----------------------------------------------------------


@exercise(
    hints=(
        "Let the state of sentence b be filled with the number b. What stands in row 0 of the "
        "result?",
        "`view` never moves numbers, it only cuts the same row of numbers elsewhere. With L in "
        "front, the first L · D numbers belong to several sentences.",
        "Bring the batch to the front with `transpose(0, 1)`, then flatten what is behind it.",
    )
)
def sentence_vectors(last: Tensor) -> Tensor:
    """One vector per sentence from the last states of L stacked layers: (L, B, D) to (B, L D)."""
    return last.transpose(0, 1).flatten(1)


@sentence_vectors.case
def one_row_per_sentence(answer):
    expect_tensor(answer(torch.randn(2, 5, 3)), (5, 6))


@sentence_vectors.case
def sentences_stay_apart(answer):
    last = torch.arange(5.0).view(1, 5, 1).expand(2, 5, 3).clone()
    rows = answer(last)
    mixed = (rows != torch.arange(5.0).unsqueeze(1)).any(1).sum().item()
    expect(mixed == 0, f"{mixed} of 5 rows hold numbers of another sentence.", rows)


@sentence_vectors.case
def first_layer_first(answer):
    last = torch.randn(2, 5, 3)
    expect_close(answer(last), torch.cat([last[0], last[1]], dim=1))


@sentence_vectors.mistake(
    "one_row_per_sentence", says="Only one layer is left. The vector holds the states of all."
)
def last_layer_only(last):
    return last[-1]


@sentence_vectors.mistake(
    "sentences_stay_apart",
    says="The shape is right and the rows are not: `view` and `reshape` do not swap axes.",
)
def only_a_view(last):
    return last.reshape(last.shape[1], -1)


@sentence_vectors.mistake("first_layer_first", says="The layers are in reverse order.")
def last_layer_first(last):
    return last.flip(0).transpose(0, 1).flatten(1)


@sentence_vectors.mistake(
    "first_layer_first", says="The numbers of the two layers alternate: flatten layer after layer."
)
def layers_alternate(last):
    return last.permute(1, 2, 0).flatten(1)


@sentence_vectors.alternative
def side_by_side(last):
    return torch.cat(list(last), dim=1)


# --- 1.6 score_articles (find the bug) ------------------------------------------------------------


@exercise(
    hints=(
        "Score the same article twice in one call. Are the two numbers equal?",
        "What does the model know when it begins to read the second article?",
        "Each article needs a state of its own: `model(tokens, None)` begins from zeros.",
    )
)
def score_articles(model: nn.Module, articles: list[Tensor]) -> list[float]:
    """Mean −log p per token of each article, (T,) ids, whatever stands before it in the list.

    model(tokens (1, T), state) returns logits (1, T, V) and a state. The first token is given.
    """
    scores = []
    with torch.no_grad():
        for article in articles:
            logits, _ = model(article[None, :-1], None)
            scores.append(nn.functional.cross_entropy(logits[0], article[1:]).item())
    return scores


def small_model() -> RNNLanguageModel:
    """An untrained model with large weights, so that its state matters."""
    model = RNNLanguageModel(RNNLanguageModelConfig.tiny(12))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


def small_articles() -> list[Tensor]:
    return [torch.randint(4, 12, (length,)) for length in (5, 9, 7)]


@score_articles.case
def one_number_per_article(answer):
    scores = answer(small_model(), small_articles())
    expect_type(scores, list)
    expect(len(scores) == 3, f"{len(scores)} numbers for 3 articles.")
    for number, score in enumerate(scores):
        expect_type(score, float, f"score {number}")


@score_articles.case
def the_first_article(answer):
    model, articles = small_model(), small_articles()
    expected = score_articles.answer(model, articles[:1])[0]
    expect_number(answer(model, articles[:1])[0], expected, "the score of a single article")


@score_articles.case
def the_same_article_scores_the_same(answer):
    model, (one, two, _) = small_model(), small_articles()
    scores = answer(model, [one, two, one])
    gap = abs(scores[0] - scores[2])
    expect(gap < 1e-5, f"The same article scores differently as first and third, by {gap:.2g}.")


@score_articles.mistake("one_number_per_article")
def one_for_all(model, articles):
    return [sum(score_articles.answer(model, articles)) / len(articles)]


@score_articles.mistake("the_first_article", says="You sum over the tokens; asked is their mean.")
def summed(model, articles):
    each = zip(score_articles.answer(model, articles), articles, strict=True)
    return [score * (len(article) - 1) for score, article in each]


@score_articles.mistake(
    "the_first_article", says="Each prediction is compared with the token just read, not the next."
)
def not_shifted(model, articles):
    with torch.no_grad():
        logits = [model(article[None], None)[0][0] for article in articles]
    pairs = zip(logits, articles, strict=True)
    return [nn.functional.cross_entropy(one, article).item() for one, article in pairs]


@score_articles.mistake("the_same_article_scores_the_same")
def state_carried_over(model, articles):
    scores, state = [], None
    with torch.no_grad():
        for article in articles:
            logits, state = model(article[None, :-1], state)
            scores.append(nn.functional.cross_entropy(logits[0], article[1:]).item())
    return scores


@score_articles.alternative
def step_by_step(model, articles):
    scores = []
    for article in articles:
        state, nats = model.init_state(article[None, :0]), []
        for now, after in zip(article[:-1], article[1:], strict=True):
            log_probs, state = model.step(now[None], state)
            nats.append(-log_probs[0, after].item())
        scores.append(sum(nats) / len(nats))
    return scores


# --- 1.7 latch ------------------------------------------------------------------------------------


@exercise(
    answer="value",
    hints=(
        "At the flag the input gate must open and the forget gate may shut. Without the flag it is "
        "the other way round. The candidate gets its sign from the value.",
        "`sigmoid(10)` is 0.99995. Over 200 steps that keeps 99 % of c. `sigmoid(1)` is 0.73, "
        "and 0.73 to the power of 200 is nothing.",
        "A gate is sigmoid(a · flag + b). For the input gate take a = 40 and b = −20; for the "
        "forget gate the opposite signs. Rows: input, forget, candidate, output.",
    ),
)
def latch():
    """An LSTMCell(2, 1) that keeps the sign of the value seen at the last raised flag.

    Each input is (value, flag) with value ±1. When flag is 1, the value is to be remembered; when
    flag is 0, it is noise. Afterwards h must have the sign of the remembered value, and |h| > 0.5.
    """
    cell = LSTMCell(2, 1)
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        #                              value  flag
        cell.weight_ih[0] = torch.tensor([0.0, 40.0])  # input gate: open at the flag
        cell.weight_ih[1] = torch.tensor([0.0, -40.0])  # forget gate: shut at the flag
        cell.weight_ih[2] = torch.tensor([10.0, 0.0])  # candidate: the sign of the value
        cell.bias_ih[:] = torch.tensor([-20.0, 20.0, 0.0, 20.0])
    return cell


def remembered(cell: LSTMCell, flags: list[int], steps: int) -> tuple[Tensor, Tensor]:
    """The last h for 64 random sequences with flags at the given steps, and the right signs."""
    values = torch.randint(2, (64, steps)).float() * 2 - 1
    raised = torch.zeros(64, steps)
    raised[:, flags] = 1.0
    state = None
    with torch.no_grad():
        for step in range(steps):
            state = cell(torch.stack([values[:, step], raised[:, step]], dim=1), state)
    return state[0][:, 0], values[:, flags[-1]]


def expect_memory(cell: LSTMCell, flags: list[int], steps: int) -> None:
    last, right = remembered(cell, flags, steps)
    wrong = (last.sign() != right).sum().item()
    expect(wrong == 0, f"After {steps} steps {wrong} of 64 signs are wrong.", last)
    weakest = last.abs().min().item()
    expect(weakest > 0.5, f"After {steps} steps the weakest |h| is {weakest:.2g}.", last)


@latch.case
def a_cell_of_this_size(answer):
    expect_type(answer, LSTMCell, "`latch`")
    sizes = (answer.input_size, answer.hidden_size)
    expect(sizes == (2, 1), f"The cell has sizes {sizes}, expected (2, 1).")


@latch.case
def right_after_the_flag(answer):
    expect_memory(answer, [0], 1)


@latch.case
def through_noise(answer):
    expect_memory(answer, [0], 12)


@latch.case
def for_two_hundred_steps(answer):
    expect_memory(answer, [0], 200)


@latch.case
def a_second_flag_overwrites(answer):
    expect_memory(answer, [0, 5, 7], 60)


def with_gates(rows: list[list[float]], biases: list[float]) -> LSTMCell:
    """A cell with these input weights and biases, and no weights from state to state."""
    cell = LSTMCell(2, 1)
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        cell.weight_ih.copy_(torch.tensor(rows))
        cell.bias_ih.copy_(torch.tensor(biases))
    return cell


@latch.mistake("a_cell_of_this_size")
def one_input():
    return LSTMCell(1, 1)


@latch.mistake(
    "right_after_the_flag",
    says="At the flag itself the sign is not in h. Does the input gate open, does the candidate "
    "follow the value, does the output gate let it through?",
)
def nothing_is_written():
    return with_gates([[0, 0], [0, -40], [10, 0], [0, 0]], [-20, 20, 0, 20])


@latch.mistake(
    "through_noise",
    says="The input gate is open without a flag, so noise is written over the memory.",
)
def input_gate_always_open():
    return with_gates([[0, 0], [0, 0], [10, 0], [0, 0]], [20, 20, 0, 20])


@latch.mistake(
    "for_two_hundred_steps",
    says="The memory leaks: a forget gate a little below 1 multiplies c at every step.",
)
def a_leaking_memory():
    return with_gates([[0, 40], [0, 0], [10, 0], [0, 0]], [-20, 4, 0, 20])


@latch.mistake(
    "a_second_flag_overwrites",
    says="The old value is still there when the new one arrives. What must the forget gate do at "
    "a flag?",
)
def never_forgets():
    return with_gates([[0, 40], [0, 0], [10, 0], [0, 0]], [-20, 20, 0, 20])


@latch.alternative
def with_state_biases():
    cell = with_gates([[0, 60], [0, -60], [8, 0], [0, 0]], [-30, 30, 0, 0])
    with torch.no_grad():
        cell.bias_hh[3] = 9.0
    return cell
