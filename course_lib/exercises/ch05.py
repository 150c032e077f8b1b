"""Exercises of chapter 05: self-attention, positions, and what a layer costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import exercise, expect, expect_type, named, say

# --- 5.1 self_attention ---------------------------------------------------------------------------


@exercise(
    hints=(
        "Three products with the same x: queries (T, K), keys (T, K), values (T, D). Every query "
        "is compared with every key. What shape do the scores have?",
        "`queries @ keys.T` is (T, T): row t holds what position t thinks of every position. Its "
        "size grows with the width K of the vectors in the product; a square root keeps it level.",
        "`scores.masked_fill(~mask, -torch.inf)` before the softmax. The softmax runs over the "
        "keys, the last axis. The result is a mean of *values*.",
    )
)
def self_attention(
    x: Tensor, Wq: Tensor, Wk: Tensor, Wv: Tensor, mask: Tensor | None = None
) -> Tensor:
    """One head of scaled dot-product self-attention: (T, D) -> (T, D).

    x: (T, D), one row a position; Wq, Wk: (D, K); Wv: (D, D); a row vector times W.
    mask: (T, T) bool, True = may attend, at least one True in each row; None = all may.
    """
    queries, keys, values = x @ Wq, x @ Wk, x @ Wv  # (T, K), (T, K), (T, D)
    scores = queries @ keys.T / math.sqrt(keys.shape[-1])  # (T, T)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1) @ values


def _given(length: int, width: int, inside: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x, Wq, Wk and Wv, large enough for weights that are far from uniform."""
    size = width**-0.5
    maps = (2 * size * torch.randn(width, inside) for _ in range(2))
    return torch.randn(length, width), *maps, size * torch.randn(width, width)


@self_attention.same_as_answer(
    says="All values are equal here, and a mean of equals changes nothing."
)
def equal_values_stay_as_they_are():
    for length, width, inside in ((5, 6, 4), (1, 6, 6)):
        x, Wq, Wk, Wv = _given(length, width, inside)
        x[:, -1] = 1.0
        Wv[:-1] = 0.0  # the values are the last row of Wv at every position
        yield x, Wq, Wk, Wv


@self_attention.same_as_answer(grad=True, atol=1e-4)
def means_of_values():
    yield _given(5, 6, 16)
    yield _given(7, 8, 3)
    x, *rest = _given(5, 6, 4)
    yield 40 * x, *rest  # scores whose exponential alone would be infinite


@self_attention.same_as_answer(
    "the result with a mask", says="(True means *may attend*.)", grad=True, atol=1e-4
)
def masked():
    yield *_given(5, 6, 4), torch.ones(5, 5, dtype=torch.bool).tril().triu(-2)
    for length in (7, 4):
        mask = torch.rand(length, length) < 0.4
        mask[torch.arange(length), torch.randint(0, length, (length,))] = True
        yield *_given(length, 5, 9), named(mask=mask)


self_attention.mistake(
    "equal_values_stay_as_they_are",
    "Your softmax runs over the *queries*. The positions that one query looks at must share a "
    "weight of 1.",
    "softmax(dim=-1) -> softmax(dim=0)",
)
self_attention.mistake(
    "means_of_values",
    "The scores are not scaled. With wide keys they are large, and the softmax picks almost one "
    "position.",
    "/ math.sqrt(keys.shape[-1]) -> ",
)
self_attention.mistake(
    "means_of_values",
    "You scale by the width of x. The product is taken between queries and keys, and those may be "
    "narrower or wider than x.",
    "math.sqrt(keys.shape[-1]) -> math.sqrt(x.shape[-1])",
)
self_attention.mistake(
    "masked",
    "You mask after the softmax. What is left of a row then sums to less than 1.",
    """if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    -> ;; scores.softmax(dim=-1) -> (scores.softmax(dim=-1) * (1 if mask is None else mask))""",
)

# --- 5.2 feed_forward -----------------------------------------------------------------------------


@exercise(
    hints=(
        "Where in the formula would position 3 learn anything about position 2?",
        "`x @ W1` multiplies every row by the same matrix, however many axes stand before the "
        "last one. There is nothing to loop over.",
        "The ReLU, `torch.relu`, acts once: between the two linear maps.",
    )
)
def feed_forward(x: Tensor, W1: Tensor, b1: Tensor, W2: Tensor, b2: Tensor) -> Tensor:
    """The same two-layer network at each position: (..., T, D) -> (..., T, D).

    W1: (D, F); b1: (F,); W2: (F, D); b2: (D,). F is the width inside; ReLU between the layers.
    """
    hidden = torch.relu(x @ W1 + b1)  # (..., T, F)
    return hidden @ W2 + b2


def _network(inside: int, *shape: int) -> tuple[Tensor, ...]:
    width = shape[-1]
    first, second = torch.randn(width, inside), torch.randn(inside, width)
    return torch.randn(shape), first, torch.randn(inside), second, torch.randn(width)


@feed_forward.same_as_answer("the result for one position", grad=True)
def one_position():
    yield _network(7, 1, 4)
    yield _network(3, 1, 6)


@feed_forward.same_as_answer(
    says="For one position your result is right. Are positions mixed here? That is the task of "
    "attention; this network sees one at a time.",
    grad=True,
)
def each_position_by_itself():
    yield _network(7, 5, 4)
    yield _network(8, 2, 5, 4)
    yield _network(4, 3, 1, 2, 6)


feed_forward.mistake(
    "one_position",
    "Without the ReLU between them, two linear layers are one linear layer.",
    "torch.relu(x @ W1 + b1) -> x @ W1 + b1",
)
feed_forward.mistake(
    "one_position",
    "The first bias comes after the ReLU. Before it, it moves the point at which a unit switches "
    "on.",
    "torch.relu(x @ W1 + b1) -> torch.relu(x @ W1) + b1",
)

# --- 5.3 sinusoidal_positions ---------------------------------------------------------------------


@exercise(
    hints=(
        "Each pair of columns is a hand of a clock: it turns by the same angle from one position "
        "to the next, and each pair turns more slowly than the pair before it.",
        "First the angles, (T, D/2): the column of positions times the row of frequencies, by "
        "broadcasting. The exponents 2i/D are 0, 2/D, 4/D, … and stay below 1.",
        "`table[:, 0::2]` are the columns 0, 2, 4, …, and `table[:, 1::2]` those after them.",
    )
)
def sinusoidal_positions(length: int, width: int) -> Tensor:
    """The table of Vaswani et al. (2017), section 3.5: (T, D), float32; D is even.

    Row t is position t, from 0. Column 2i is sin(t / 10000^(2i/D)), column 2i + 1 is the
    cosine of the same angle, for i = 0, ..., D/2 - 1.
    """
    position = torch.arange(length).float()[:, None]  # (T, 1)
    exponent = torch.arange(0, width, 2).float() / width  # (D/2,)
    angle = position / 10000**exponent  # (T, D/2)
    table = torch.empty(length, width)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()
    return table


@sinusoidal_positions.same_as_answer("the table of one row", says="At position 0 every angle is 0.")
def position_0():
    yield 1, 8
    yield 1, 2


# A frequency computed as exp(-log(10000)·…) differs in its last digit: atol allows it.
@sinusoidal_positions.same_as_answer(
    "the table",
    says="Row 0 is right. From there each pair of columns turns by an angle of its own, the first "
    "pair by 1.",
    atol=1e-4,
)
def all_frequencies():
    yield 60, 16
    yield 1500, 6
    yield 5, 2
    yield 9, 130


sinusoidal_positions.mistake(
    "position_0",
    "You put all sines first and all cosines after them. That layout is in use too, and holds the "
    "same numbers in another order. Asked here is the order of the paper: sine and cosine in turn.",
    "table[:, 0::2] -> table[:, : width // 2] ;; table[:, 1::2] -> table[:, width // 2 :]",
)
sinusoidal_positions.mistake(
    "position_0",
    "Your positions start at 1; the first one is 0.",
    "torch.arange(length) -> torch.arange(1, length + 1)",
)
sinusoidal_positions.mistake(
    "all_frequencies",
    "Each of your columns has a frequency of its own: you use the number of the column where the "
    "formula has 2i, so that the odd columns run on to 2i + 1.",
    "angle.cos() -> (angle / 10000 ** (1 / width)).cos()",
)
sinusoidal_positions.mistake(
    "all_frequencies",
    "Your exponent is i/D where i counts the pairs. It should be twice that: then the slowest "
    "pair comes near a frequency of 1/10000, and not of 1/100.",
    "exponent = torch.arange(0, width, 2).float() -> exponent = torch.arange(width // 2).float()",
)

# --- 5.4 is_permutation_equivariant ---------------------------------------------------------------


@exercise(
    hints=(
        "There are two ways from x to a reordered result. On one you reorder before the layer, "
        "on the other after it.",
        "The axes are (B, T, D). Which of them do you reorder? `x[order]` takes the first one.",
        "Sums in another order differ in the last digits, so `==` finds a difference where there "
        "is none. `torch.allclose(…, atol=1e-5)` gives one truth value.",
    )
)
def is_permutation_equivariant(layer: Callable[[Tensor], Tensor], x: Tensor, order: Tensor) -> bool:
    """Whether reordering the positions before the layer does the same as after it: a bool.

    layer: a function (B, T, D) -> (B, T, D); x: (B, T, D); order: (T,), a permutation of
    0, ..., T - 1. Differences up to 1e-5 are rounding.
    """
    before = layer(x[:, order])  # (B, T, D)
    after = layer(x)[:, order]  # (B, T, D)
    return torch.allclose(before, after, atol=1e-5)


def _mix(x: Tensor) -> Tensor:
    """Self-attention without weights of its own: (B, T, D) -> (B, T, D)."""
    return (x @ x.transpose(1, 2) / math.sqrt(x.shape[-1])).softmax(dim=-1) @ x


def _expect_verdict(answer: Callable, right: bool, what: dict, x: Tensor, order: Tensor) -> None:
    """The answer says yes, or no, to each layer; the first about which it is wrong is named.

    what: the layers by name, each a function or a pair of a function and an order of its own.
    """
    verdicts = []
    for layer in what.values():
        layer, own = layer if isinstance(layer, tuple) else (layer, order)
        verdict = answer(layer, x.clone(), own.clone())
        verdicts.append(bool(verdict) if isinstance(verdict, np.bool_) else verdict)
    for name, verdict in zip(what, verdicts, strict=True):
        expect_type(verdict, bool)
        said = "You say yes to {name}. It is not equivariant."
        if right:
            said = "You say no to {name}. It is equivariant."
        expect(verdict == right, say(said, name=name), verdicts)


def _at(sentence: int, position: int, number: int) -> Tensor:
    """Zeros (12, 9, 9) with a one in one place."""
    places = torch.zeros(12, 9, 9)
    places[sentence, position, number] = 1.0
    return places


# Numbers near 1, so that rounding is small beside them. No axis is shorter than the one of the
# positions, so that an order of the wrong axis is not an error but a wrong answer.
ORDER = torch.tensor([2, 0, 3, 1, 5, 6, 4, 8, 7])
SWAP = torch.tensor([1, 0, 2, 3, 4, 5, 6, 7, 8])


@is_permutation_equivariant.case
def yes_without_positions(answer):
    weight, sentence = torch.randn(9, 9), 1.0 + torch.arange(12)[:, None, None]
    odd = (torch.arange(9) % 2)[:, None]
    layers = {
        "self-attention without positions": _mix,
        "self-attention without positions, two neighbors exchanged": (_mix, SWAP),
        "a position-wise network": lambda x: torch.relu(x @ weight),
        "a layer that gives every position the maximum": lambda x: x.amax(
            dim=1, keepdim=True
        ).expand_as(x),
        "a layer that multiplies each sentence by a number of its own": lambda x: (
            sentence[: len(x)] * x
        ),
        "a layer of small numbers that are rounded differently at odd positions (by 0.000004)": (
            lambda x: 1e-3 * x + 4e-6 * odd
        ),
        "a layer that adds 1 at position 8, which this order leaves alone,": (
            lambda x: x + _at(0, 8, 0)[:1],
            SWAP,
        ),
    }
    _expect_verdict(answer, True, layers, 1 + torch.rand(12, 9, 9), ORDER)


@is_permutation_equivariant.case
def no_with_positions(answer):
    positions = torch.randn(9, 9)
    layers = {
        "self-attention on x plus positions": lambda x: _mix(x + positions),
        "a layer that adds positions": lambda x: x + positions,
        "a running sum over the positions": lambda x: x.cumsum(dim=1),
        "a layer that reverses the positions": lambda x: x.flip(1),
        "a layer that adds positions to the last sentence only": lambda x: (
            x + _at(11, 4, 5)[: len(x)]
        ),
        "a layer that adds 1 to one number at position 0": lambda x: x + _at(0, 0, 8)[:1],
        "a layer that adds 1 to one number at position 8": lambda x: x + _at(0, 8, 0)[:1],
        "a layer that adds 0.0001 to one number at position 3": lambda x: (
            x + 1e-4 * _at(0, 3, 3)[:1]
        ),
    }
    _expect_verdict(answer, False, layers, 1 + torch.rand(12, 9, 9), ORDER)


@is_permutation_equivariant.case
def other_shapes(answer):
    x = torch.rand(1, 5, 3)
    x[:, 0] += 5.0
    layers = {"a layer that gives every position the first vector": lambda x: x[:, :1].expand_as(x)}
    _expect_verdict(answer, False, layers, x, torch.tensor([3, 0, 4, 1, 2]))
    rising, back = torch.arange(5.0)[:, None].expand(2, 5, 3), torch.arange(4, -1, -1)
    running = {"a running maximum over the positions": lambda x: x.cummax(dim=1).values}
    for one in (rising, rising.flip(1)):  # all differences have one sign, then the other
        _expect_verdict(answer, False, running, one, back)
    yes = {"self-attention without positions, in a batch of other sizes": _mix}
    _expect_verdict(answer, True, yes, torch.randn(2, 4, 6), torch.tensor([1, 2, 3, 0]))


is_permutation_equivariant.mistake(
    "yes_without_positions",
    "You ask for exact equality. The same sum, added in another order, differs in its last digits.",
    "torch.allclose(before, after, atol=1e-5) -> torch.equal(before, after)",
)
is_permutation_equivariant.mistake(
    "yes_without_positions",
    "You reorder the input only. That asks whether the layer is *invariant*: whether the order "
    "leaves the result as it was.",
    "layer(x)[:, order] -> layer(x)",
)
is_permutation_equivariant.mistake(
    "yes_without_positions",
    "You reorder the first axis, the *sentences* of the batch, and not the positions.",
    "layer(x[:, order]) -> layer(x[order]) ;; layer(x)[:, order] -> layer(x)[order]",
)
is_permutation_equivariant.mistake(
    "no_with_positions",
    "You compare sums or means over the positions. They stay equal when vectors stand in the wrong "
    "places.",
    "allclose(before, after, -> allclose(before.mean(1), after.mean(1),",
)

# --- 5.5 fit_exponent -----------------------------------------------------------------------------


@exercise(
    hints=(
        "Take logarithms of both sides of times = c · sizesᵃ. What is the slope of that line?",
        "The least-squares slope of y over x is Σ (x − x̄)(y − ȳ) / Σ (x − x̄)². Here x and y are "
        "logarithms.",
        "c, the height of the line, is another number than the slope and must stay free: it "
        "depends on the unit of time.",
    )
)
def fit_exponent(sizes: Tensor, times: Tensor) -> float:
    """The exponent a of times = c * sizes**a, least squares in logarithms: (N,), (N,) -> float."""
    x, y = sizes.log(), times.log()  # (N,)
    x, y = x - x.mean(), y - y.mean()
    return ((x * y).sum() / x.square().sum()).item()


def _law(factor: float, exponent: float, *sizes: float, noise: float = 0.0) -> tuple:
    given = torch.tensor(sizes, dtype=torch.float32)
    return given, factor * given**exponent * (noise * torch.randn(len(given))).exp()


@fit_exponent.same_as_answer("the exponent of a power law", rtol=1e-3)
def power_laws():
    yield _law(3e-6, 2.0, 32, 64, 128, 512, 1024, 4096)
    yield _law(40.0, 0.5, 10, 70, 50, 3000)
    yield _law(1.0, 1.0, 8, 16)
    yield _law(0.2, -1.5, 5, 9, 200)


@fit_exponent.same_as_answer("the exponent of noisy times", rtol=1e-3)
def noisy_times():
    yield _law(2e-5, 1.5, 32, 64, 128, 512, 1024, 4096, noise=0.3)
    yield _law(7.0, 0.8, 900, 20, 33, 150, noise=0.2)


fit_exponent.mistake(
    "power_laws",
    "You take the logarithm of the times only. That fits an *exponential* growth.",
    "sizes.log() -> sizes",
)
fit_exponent.mistake(
    "power_laws",
    "That is the slope of time against size: seconds for each further position. The exponent is "
    "the slope between *logarithms*.",
    "sizes.log(), times.log() -> sizes, times",
)
fit_exponent.mistake(
    "power_laws",
    "Your line goes through the origin: log time = a · log size. That fixes c = 1.",
    "x, y = x - x.mean(), y - y.mean() -> ",
)
fit_exponent.mistake(
    "noisy_times",
    "You use the two ends only. All your other measurements count for nothing.",
    lambda sizes, times: ((times[-1] / times[0]).log() / (sizes[-1] / sizes[0]).log()).item(),
)

# --- 5.6 embed (find the bug) ---------------------------------------------------------------------


@exercise(
    hints=(
        "Give the function an embedding full of zeros. What should come out? What does come out? "
        "And what with a table of positions full of zeros?",
        "There are two mistakes. One is how *often* the positions are added, the other what the "
        "multiplication by √D is applied to.",
        "Only the words are multiplied by √D. The positions are added afterwards, once; row t of "
        "their table belongs to column t of the ids.",
    )
)
def embed(ids: Tensor, embedding: nn.Embedding, positions: Tensor) -> Tensor:
    """Input of the first layer: (B, T) ids -> (B, T, D), words times sqrt(D) plus positions, once.

    embedding: an nn.Embedding of width D; positions: (N, D), one row a position, N >= T.
    """
    words = embedding(ids) * embedding.embedding_dim**0.5  # (B, T, D)
    return words + positions[: ids.shape[1]]


def _embedded(answer: Callable, ids: Tensor, weight: Tensor, positions: Tensor) -> Tensor:
    """The answer for an embedding that passes gradients on to `weight` (V, D)."""
    embedding = nn.Embedding.from_pretrained(weight, freeze=False)
    if weight.requires_grad:  # a parameter would cut it off
        del embedding.weight
        embedding.weight = weight
    return answer(ids, embedding, positions)


def _tables(
    width: int, *shape: int, words: float = 1.0, places: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Ids of this shape, nine words and nine positions, each table times a factor."""
    ids = torch.randint(0, 9, shape)
    return ids, words * torch.randn(9, width), places * torch.randn(9, width)


@embed.same_as_answer(
    "the result with word vectors of zero",
    call=_embedded,
    says="The rows of the table of positions should come out, each as it is.",
)
def positions_once():
    yield _tables(16, 1, 5, words=0.0)
    yield _tables(6, 1, 9, words=0.0)


@embed.same_as_answer("the result with positions of zero", call=_embedded)
def words_times_root_of_width():
    yield _tables(16, 1, 5, places=0.0)
    yield _tables(7, 2, 4, places=0.0)


@embed.same_as_answer("the result for a batch", call=_embedded, grad=True)
def whole_batches():
    yield _tables(16, 3, 4)
    yield _tables(6, 4, 3)
    yield _tables(5, 2, 1)


embed.mistake(
    "positions_once",
    "This is still the function as it was: the positions are in it twice, and once multiplied by "
    "√D.",
    "words = embedding(ids) * -> words = (embedding(ids) + positions[: len(ids[0])]) *",
)
embed.mistake(
    "positions_once",
    "The positions are added once, but before the multiplication, which makes them √D times as "
    "large. Only the words are multiplied.",
    "return words + -> return words + embedding.weight.shape[1] ** 0.5 *",
)
embed.mistake(
    "words_times_root_of_width",
    "The words are not multiplied by √D.",
    "embedding(ids) * embedding.embedding_dim**0.5 -> embedding(ids)",
)

# --- 5.7 layers_to_connect ------------------------------------------------------------------------


@exercise(
    hints=(
        "Draw it for kernel 3: which positions does one output of the first layer read? And one "
        "of the second layer, through the first?",
        "With no layer the last position sees one position, itself. How many *more* does each "
        "layer add? Neighboring windows overlap, so it is not `kernel`.",
        "Dilated, layer l adds kernel − 1 steps of kernel^l positions: it sees 1, k, k², k³, … "
        "positions.",
        "A loop that adds until everything is seen needs no logarithm. `math.log(125, 5)` is a "
        "little more than 3.",
    )
)
def layers_to_connect(length: int, kernel: int, dilated: bool = False) -> int:
    """The smallest number of causal convolutions after which the last position sees the first.

    One output reads `kernel` positions: its own and those 1, ..., kernel - 1 steps before it;
    with dilated=True, in layer l = 0, 1, ..., steps of kernel**l positions. kernel >= 2.
    length 1 needs no layer: 0.
    """
    seen, layers = 1, 0
    while seen < length:
        step = kernel**layers if dilated else 1
        seen += (kernel - 1) * step
        layers += 1
    return layers


def _expect_layers(answer: Callable, pairs: Iterator[tuple[int, int]], **how: bool) -> None:
    """The answer is right for each (length, kernel); the first that is not is named."""
    sizes = list(pairs)
    found = [answer(length, kernel, **how) for length, kernel in sizes]
    found = [one.item() if isinstance(one, (Tensor, np.generic)) else one for one in found]
    for (length, kernel), layers in zip(sizes, found, strict=True):
        case = "length {length} and a kernel of {kernel}"
        if how:
            case = "length {length} and a kernel of {kernel}, dilated,"
        case = say(case, length=length, kernel=kernel)
        expect_type(layers, (int, float), say("the number of layers for {case}", case=case))
        right = layers_to_connect.answer(length, kernel, **how)
        message = "For {case} you have {error:.3g} too many."
        if layers < right:
            message = (
                "For {case} you have {error:.3g} too few: the last position does not see the first."
            )
        expect(layers == right, say(message, case=case, error=abs(layers - right)), found)


@layers_to_connect.case
def stacked(answer):
    lengths = (9, 10, 6, 4, 1, 2, 3, 5, 64, 101)
    _expect_layers(answer, ((length, kernel) for kernel in (3, 2, 5) for length in lengths))
    _expect_layers(answer, iter([(7, 3), (8, 3)]), dilated=False)


@layers_to_connect.case
def stacked_and_dilated(answer):
    lengths = (9, 10, 1, 2, 3, 4, 5, 8, 26, 27, 28, 125, 126, 243, 1000)
    sizes = ((length, kernel) for kernel in (3, 2, 5, 10) for length in lengths)
    _expect_layers(answer, sizes, dilated=True)


layers_to_connect.mistake(
    "stacked",
    "You count the input as a layer, so that all your numbers are one too large.",
    "return layers -> return layers + 1",
)
layers_to_connect.mistake(
    "stacked",
    "You round down. The last step may be shorter than a full one, and still needs a layer.",
    "while seen < length -> "
    "while seen + (kernel - 1) * (kernel**layers if dilated else 1) <= length",
)
layers_to_connect.mistake(
    "stacked",
    "You divide the sentence into pieces of `kernel` positions. Windows overlap: after one layer, "
    "the last position sees `kernel` of them, and each further layer adds one less.",
    "return layers -> return layers if dilated or length == 1 else -(-length // kernel)",
)
layers_to_connect.mistake(
    "stacked_and_dilated",
    "The formula is right and the arithmetic is not: a logarithm of floating-point numbers may "
    "come out a hair above a whole number, and rounding up then adds a layer.",
    "return layers -> return math.ceil(math.log(length, kernel)) if dilated else layers",
)
