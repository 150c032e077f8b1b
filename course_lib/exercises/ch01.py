"""Exercises of chapter 01: cells, perplexity, clipping, states, and a memory made by hand."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import (
    as_list,
    exercise,
    expect,
    expect_tensor,
    expect_type,
    say,
)
from course_lib.recurrent.cells import LSTMCell, unroll
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
    """One step of a plain RNN: (B, E), (B, D), (D, E), (D, D), (D,) to the new state (B, D).

    Weights stand as in torch: a row holds what goes into one number of the result.
    """
    return torch.tanh(inputs @ weight_ih.T + hidden @ weight_hh.T + bias)


@rnn_step.same_as_answer("the new state", grad=True)
def one_step():
    for batch, width, size in ((3, 5, 4), (1, 3, 6), (6, 1, 2)):
        shapes = ((batch, width), (batch, size), (size, width), (size, size), (size,))
        yield tuple(0.7 * torch.randn(shape) for shape in shapes)


rnn_step.mistake(
    "one_step",
    "`weight_hh` is square, so it multiplies from either side without complaint. Yours is "
    "transposed.",
    "hidden @ weight_hh.T -> hidden @ weight_hh",
)
rnn_step.mistake(
    "one_step",
    "Nothing keeps your state within ±1: after the sum comes a nonlinearity.",
    "torch.tanh ->",
)


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


@corpus_perplexity.same_as_answer("the perplexity")
def every_word_weighs_the_same():
    for words in ([10, 30], [90, 10, 1], [25], [3, 400, 7, 80, 80]):
        yield [count * (2 + 4 * torch.rand(()).item()) for count in words], words
    yield [math.log(50), 30 * math.log(50)], [1, 30]  # a uniform guess among 50 words


corpus_perplexity.mistake(
    "every_word_weighs_the_same",
    "That is the mean −log p. Perplexity is its exponential.",
    "math.exp ->",
)
corpus_perplexity.mistake(
    "every_word_weighs_the_same",
    "You average the perplexities of articles: 10 words weigh as much as 90.",
    "math.exp(sum(nats) / sum(words)) -> "
    "sum(math.exp(n / w) for n, w in zip(nats, words)) / len(words)",
)


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


@gru_step.same_as_answer("the new state", grad=True)
def gates_and_candidate():
    for batch, size in ((3, 4), (1, 6), (5, 1)):
        yield (
            2 * torch.randn(batch, 3 * size),
            torch.randn(batch, 3 * size),
            torch.randn(batch, size),
        )


gru_step.mistake(
    "gates_and_candidate",
    "Your update gate works the other way round. Papers differ here; torch lets 1 mean keep.",
    "(1 - update) * new + update * hidden -> update * new + (1 - update) * hidden",
)
gru_step.mistake(
    "gates_and_candidate",
    "Your first block opens and shuts as the update gate. The order is reset, update, new.",
    "x_reset, x_update, x_new = -> x_update, x_reset, x_new = ;; "
    "h_reset, h_update, h_new = -> h_update, h_reset, h_new =",
)
gru_step.mistake(
    "gates_and_candidate",
    "A reset gate of 0 must shut out the old state, and only the old state, from the candidate.",
    "x_new + reset * h_new -> reset * (x_new + h_new)",
)


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


def gradients_of_norm(size: float, *shapes: tuple[int, ...]) -> list[Tensor]:
    """Random tensors, each half as long as the one before, with this common norm."""
    drawn = [torch.randn(shape) for shape in shapes]
    drawn = [one / one.norm() / 2**i for i, one in enumerate(drawn)]
    common = torch.stack([one.norm() for one in drawn]).norm()
    return [one * size / common for one in drawn]


@clip_gradients.case
def one_factor_for_all(answer):
    given = gradients_of_norm(5.0, (2, 3), (4,), (3, 1, 2))
    got = as_list(answer(given, 1.5))
    expect(len(got) == 3, say("Tensors that came back: {count}, expected 3.", count=len(got)))
    for index, (one, before) in enumerate(zip(got, given, strict=True)):
        expect_tensor(one, before.shape, what=say("gradient {index}", index=index))
    factors = [(one.norm() / before.norm()).item() for one, before in zip(got, given, strict=True)]
    problem = say(
        "Your tensors were multiplied by {factors}: the step now points elsewhere.",
        factors=", ".join(f"{factor:.2f}" for factor in factors),
    )
    expect(max(factors) - min(factors) < 1e-4, problem, got)


@clip_gradients.same_as_answer("your list", see=as_list)
def at_most_the_limit():
    for shapes in (((2, 3), (4,)), ((5,),), ((), (1, 7), (3, 2), (2,))):
        for size, limit in ((0.5, 2.0), (5.0, 2.0), (2.9, 3.0), (3.1, 3.0), (0.4, 0.1), (9.0, 20)):
            yield gradients_of_norm(size, *shapes), limit
    yield [*gradients_of_norm(7.0, (3,)), torch.zeros(2, 2)], 1.5
    yield [torch.zeros(3), torch.zeros(1, 2)], 0.5
    yield gradients_of_norm(0.5, *((3, 2),) * 20), 0.2  # each alone is below the limit


clip_gradients.mistake(
    "one_factor_for_all",
    "You clip each tensor by its own norm. The norm that counts is that of all tensors together: "
    "then one factor shrinks them all, and the step keeps its direction.",
    lambda gradients, limit: [one * (limit / one.norm()).clamp(max=1) for one in gradients],
)
clip_gradients.mistake(
    "one_factor_for_all",
    "You cut single numbers at ±limit. That bounds each number, not the norm.",
    lambda gradients, limit: [one.clamp(-limit, limit) for one in gradients],
)
clip_gradients.mistake(
    "at_most_the_limit",
    "You stretch small gradients too. Clipping only ever shrinks.",
    ".clamp(max=1.0) ->",
)


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


@sentence_vectors.same_as_answer("the vector of each sentence", grad=True)
def layer_after_layer():
    yield torch.randn(2, 5, 3)
    yield torch.randn(3, 2, 4)
    yield torch.randn(1, 4, 2)
    yield torch.randn(4, 1, 3)


sentence_vectors.mistake(
    "layer_after_layer",
    "The shape is right and the rows are not: `view` and `reshape` do not swap axes, so a row "
    "holds numbers of several sentences.",
    "last.transpose(0, 1).flatten(1) -> last.reshape(last.shape[1], -1)",
)
sentence_vectors.mistake(
    "layer_after_layer",
    "The numbers of the layers alternate: flatten layer after layer.",
    "last.transpose(0, 1) -> last.permute(1, 2, 0)",
)


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


def small_model(layers: int = 1, std: float = 0.5, cell: str = "gru") -> RNNLanguageModel:
    """An untrained model with large weights, so that its state matters; 12 ids."""
    model = RNNLanguageModel(RNNLanguageModelConfig(12, width=16, cell=cell, layers=layers)).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=std)
    return model


def small_articles(*lengths: int) -> list[Tensor]:
    return [torch.randint(4, 12, (length,)) for length in lengths]


@score_articles.same_as_answer("the list of scores", see=as_list)
def one_article():
    yield small_model(), small_articles(9)
    yield small_model(layers=2), small_articles(2)
    yield small_model(std=40.0), small_articles(8)  # sure of itself, and wrong


@score_articles.same_as_answer("the list of scores", see=as_list)
def whatever_stands_before_it():
    yield small_model(), small_articles(5, 9, 2, 7)
    yield small_model(cell="lstm"), small_articles(4, 6)  # its state is a pair
    one, two = small_articles(6, 4)
    yield small_model(layers=2), [one, two, one, one, two]
    zeros = one.clone()
    zeros[2:4] = 0  # begins like the one before it; 0 is a token like any other
    yield small_model(), [one, zeros]


score_articles.mistake(
    "one_article",
    "Each prediction is compared with the token just read, not the next.",
    "article[None, :-1] -> article[None] ;; article[1:] -> article",
)
score_articles.mistake(
    "whatever_stands_before_it",
    "The state of one article is the start of the next: its first words are scored as if they "
    "continued the article before.",
    "scores = [] -> scores, state = [], None ;; logits, _ -> logits, state ;; None) -> state)",
)


# --- 1.7 latch ------------------------------------------------------------------------------------


@exercise(
    answer="value",
    hints=(
        "At the flag the input gate must open and the forget gate may shut. Without the flag it is "
        "the other way round. The candidate gets its sign from the value.",
        "`sigmoid(10)` is 0.99995. Over 200 steps that keeps 99% of c. `sigmoid(1)` is 0.73, "
        "and 0.73 to the power of 200 is nothing.",
        "A gate is sigmoid(a · flag + b). For the input gate take a = 40 and b = −20; for the "
        "forget gate the opposite signs. Rows: input, forget, candidate, output.",
    ),
)
def latch():
    """An LSTMCell(2, 1) that keeps the sign of the value seen at the last raised flag.

    Each input is (value, flag) with value ±1. When flag is 1, the value is to be remembered; when
    flag is 0, it is noise. From then on h has the sign of the remembered value, and |h| > 0.1.
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


SHAPES = {"weight_ih": (4, 2), "weight_hh": (4, 1), "bias_ih": (4,), "bias_hh": (4,)}


def expect_memory(answer: nn.Module, flags: list[int], steps: int) -> None:
    """The weights hold 64 random values at each step from the first of these flags on."""
    cell = LSTMCell(2, 1)
    with torch.no_grad():
        for name in SHAPES:
            getattr(cell, name).copy_(getattr(answer, name))
        values = torch.randint(2, (64, steps)).float() * 2 - 1
        values[0], values[1] = 1.0, -1.0
        values[:2, flags] *= -1  # here all the noise has the other sign
        raised = torch.zeros(64, steps)
        raised[:, flags] = 1.0
        states, _ = unroll(cell, torch.stack([values, raised], dim=2))
    latest = [max((flag for flag in flags if flag <= t), default=-1) for t in range(steps)]
    first = min(flags)
    shown = states[:, first:, 0] * values[:, latest[first:]]  # the sign is right where positive
    wrong = (~(shown > 0)).any(1).sum().item()
    weakest = shown.abs().min().item()
    after = say(
        "(Sequences of length {steps}, a flag at {flags}.)",
        steps=steps,
        flags=", ".join(map(str, flags)),
    )
    sign = say("In {wrong} of 64 sequences h has a wrong sign.", wrong=wrong)
    expect(wrong == 0, (sign, after), shown)
    expect(
        weakest > 0.1, (say("The smallest |h| is {weakest:.2g}.", weakest=weakest), after), shown
    )


@latch.case
def weights_of_this_size(answer):
    expect_type(answer, nn.Module, "`latch`")
    for name, shape in SHAPES.items():
        found = getattr(answer, name, None)
        problem = say("There is no `{name}`: is this a single step of an LSTM?", name=name)
        expect(found is not None, problem)
        expect_tensor(found, shape, None, f"`{name}`")


@latch.case
def right_after_the_flag(answer):
    expect_memory(answer, [0], 1)


@latch.case
def through_noise(answer):
    expect_memory(answer, [0], 12)
    expect_memory(answer, [3], 12)


@latch.case
def for_two_hundred_steps(answer):
    expect_memory(answer, [0], 201)


@latch.case
def a_second_flag_overwrites(answer):
    expect_memory(answer, [0, 5, 7, 8], 60)


latch.mistake(
    "right_after_the_flag",
    "At the flag itself the sign is not in h. Does the input gate open, does the candidate follow "
    "the value, does the output gate let it through?",
    "[0.0, 40.0] -> [0.0, 0.0]",
)
latch.mistake(
    "through_noise",
    "The input gate is open without a flag, so noise is written over the memory.",
    "[0.0, 40.0] -> [0.0, 0.0] ;; [0.0, -40.0] -> [0.0, 0.0] ;; [-20.0, -> [20.0,",
)
latch.mistake(
    "for_two_hundred_steps",
    "The memory leaks: a forget gate a little below 1 multiplies c at every step.",
    "[0.0, -40.0] -> [0.0, 0.0] ;; 20.0, 0.0, 20.0]) -> 4.0, 0.0, 20.0])",
)
latch.mistake(
    "a_second_flag_overwrites",
    "The old value is still there when the new one arrives. What must the forget gate do at a "
    "flag?",
    "[0.0, -40.0] -> [0.0, 0.0]",
)
