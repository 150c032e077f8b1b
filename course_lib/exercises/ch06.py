"""Exercises of chapter 06: heads, norms, masks, and what a Transformer costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import randint

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import exercise, expect, expect_tensor, expect_type, say
from course_lib.exercises.engine.expect import wrong

# --- 6.1 split_heads ------------------------------------------------------------------------------


@exercise(
    hints=(
        "A vector of D numbers lies in memory number by number. Cutting its last axis into H rows "
        "of K is free: which four axes do you have then, and in which order?",
        "`x.view(B, T, heads, K)` cuts. The axes of positions and heads still have to change "
        "places.",
        "`transpose(1, 2)` swaps two axes and keeps what belongs together; `view` only counts "
        "through the memory.",
    )
)
def split_heads(x: Tensor, heads: int) -> Tensor:
    """Cut each vector into pieces, one a head: (B, T, D) -> (B, H, T, K), K = D / H.

    Head h gets the numbers K * h, ..., K * h + K - 1 of the vector at each position.
    """
    batch, length, width = x.shape
    pieces = x.view(batch, length, heads, width // heads)  # (B, T, H, K)
    return pieces.transpose(1, 2)


@split_heads.same_as_answer(grad=True)
def one_piece_a_head_and_position():
    yield torch.randn(2, 5, 12), 3
    yield torch.randn(3, 2, 8), 4
    yield torch.randn(1, 4, 6), 1


split_heads.mistake(
    "one_piece_a_head_and_position",
    "The numbers are cut, but the axes of heads and positions have not changed places. Each "
    "head must be a batch of its own, so that its scores are (T, T).",
    "pieces.transpose(1, 2) -> pieces",
)
split_heads.mistake(
    "one_piece_a_head_and_position",
    "You counted through the memory in another order: pieces of different positions ended up in "
    "one row. The shape is right, and every head sees a jumble of words.",
    "pieces.transpose(1, 2) -> pieces.reshape(batch, heads, length, -1)",
)
split_heads.mistake(
    "one_piece_a_head_and_position",
    "Your head h gets every H-th number. Asked is one stretch of neighbors for each head. (As a "
    "layer it would learn as well; with weights from elsewhere it would be wrong.)",
    "heads, width // heads) -> width // heads, heads) ;; .transpose(1, 2) -> .permute(0, 3, 1, 2)",
)

# --- 6.2 multi_head_attention ---------------------------------------------------------------------


@exercise(
    hints=(
        "First all queries, keys and values at full width; then cut them with what you wrote in "
        "6.1. Which of them come from `x`, which from `others`?",
        "Scores (B, H, T, S): `queries @ keys.mT`. Each score is a sum of K products, not of D.",
        "The mask fills scores with −∞ before the softmax over the last axis. After the weighted "
        "means, undo the cut: the axes change places back *before* the pieces are joined.",
        "The last step is one matrix for all heads together.",
    )
)
def multi_head_attention(
    x: Tensor,
    others: Tensor,
    Wq: Tensor,
    Wk: Tensor,
    Wv: Tensor,
    Wo: Tensor,
    heads: int,
    mask: Tensor | None = None,
) -> Tensor:
    """Each of T positions takes from S others: (B, T, D), (B, S, D) -> (B, T, D).

    Wq, Wk, Wv, Wo: (D, D), a row vector times W; head h owns columns K * h to K * h + K - 1 of
    the first three. mask: bool, broadcasts to (B, H, T, S), True = may attend, never a whole row
    False; None = all may.
    """

    def cut(vectors: Tensor) -> Tensor:
        return vectors.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, H, length, K)

    queries, keys, values = cut(x @ Wq), cut(others @ Wk), cut(others @ Wv)
    scores = queries @ keys.mT / math.sqrt(keys.shape[-1])  # (B, H, T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    found = scores.softmax(dim=-1) @ values  # (B, H, T, K)
    return found.transpose(1, 2).flatten(2) @ Wo


def _given(positions: int, others: int, width: int) -> tuple[Tensor, ...]:
    """Two sentences on each side, and four matrices that make the softmax uneven."""
    size = width**-0.5
    matrices = (factor * size * torch.randn(width, width) for factor in (2, 2, 1, 1))
    return torch.randn(2, positions, width), torch.randn(2, others, width), *matrices


@multi_head_attention.same_as_answer(
    says="All positions of `others` have equal values here, so that weights play no part.",
    atol=1e-4,
)
def equal_values_pass_through():
    x, others, Wq, Wk, Wv, Wo = _given(4, 5, 12)
    others[..., -1] = 1.0
    Wv[:-1] = 0.0  # the values are the last row of Wv at every position
    yield x, others, Wq, Wk, Wv, Wo, 3


@multi_head_attention.same_as_answer(
    says="With one head and without a mask, only maps, scale, softmax and means are at work.",
    atol=1e-4,
)
def one_head():
    yield *_given(4, 5, 12), 1
    yield *_given(6, 3, 8), 1
    x, *rest = _given(4, 5, 12)
    yield 60 * x, *rest, 1  # scores whose exponential alone would be infinite


@multi_head_attention.same_as_answer(
    says="With one head your result is right.", grad=True, atol=1e-4
)
def several_heads():
    yield *_given(4, 5, 12), 3
    yield *_given(1, 3, 8), 4


@multi_head_attention.same_as_answer(
    says="Without a mask your result is right. (True means *may attend*.)", grad=True, atol=1e-4
)
def with_a_mask():
    padding = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])[:, None, None, :]
    yield *_given(4, 5, 12), 3, padding
    yield *_given(5, 5, 8), 2, torch.ones(5, 5, dtype=torch.bool).tril()
    each_its_own = torch.rand(2, 2, 4, 6) < 0.5  # sentence, head and position
    each_its_own[..., 1] = True
    yield *_given(4, 6, 8), 2, each_its_own


multi_head_attention.mistake(
    "equal_values_pass_through",
    "The heads are joined without changing places back: numbers of different positions end up in "
    "one vector. The shape is right by accident.",
    "found.transpose(1, 2).flatten(2) -> found.reshape(x.shape)",
)
multi_head_attention.mistake(
    "equal_values_pass_through",
    "Keys and values have changed places: your weights come from what should be taken, and you "
    "take what should be compared.",
    "cut(others @ Wk), cut(others @ Wv) -> cut(others @ Wv), cut(others @ Wk)",
)
multi_head_attention.mistake(
    "several_heads",
    "You scale by the square root of the whole width. A head's score is a sum of K products. With "
    "one head the two are the same, with more your softmax is too flat.",
    "math.sqrt(keys.shape[-1]) -> math.sqrt(x.shape[-1])",
)
multi_head_attention.mistake(
    "with_a_mask",
    "Your mask comes after the softmax: what it leaves of the weights no longer sums to 1. Hidden "
    "positions must be out before the shares are made.",
    """if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    -> weights = scores.softmax(dim=-1) ;;
    found = scores.softmax(dim=-1) @ -> found = (weights if mask is None else weights * mask) @""",
)

# --- 6.3 layer_norm -------------------------------------------------------------------------------


@exercise(
    hints=(
        "Each vector is treated alone: which axis do mean and variance run over, and how do you "
        "keep it for the subtraction?",
        "The variance is the mean of the squared distances: divide by D. `torch.var` divides by "
        "D − 1 unless told otherwise.",
        "ε stands under the root, beside the variance, so that a vector of equal numbers divides "
        "0 by something.",
    )
)
def layer_norm(x: Tensor, gain: Tensor, shift: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Each vector with mean 0 and variance 1, then scaled and shifted: (..., D) -> (..., D).

    gain, shift: (D,). The variance is the mean of squared distances (1/D); epsilon is added to it
    before the root.
    """
    centered = x - x.mean(dim=-1, keepdim=True)  # (..., D)
    variance = centered.square().mean(dim=-1, keepdim=True)  # (..., 1)
    return gain * centered / (variance + epsilon).sqrt() + shift


def _plain(width: int) -> tuple[Tensor, Tensor]:
    return torch.ones(width), torch.zeros(width)


@layer_norm.case
def each_vector_alone(answer):
    x = torch.randn(2, 3, 4)
    x[0, 0] *= 100
    together, alone = answer(x, *_plain(4)), answer(x[1, 2], *_plain(4))
    expect_tensor(together, (2, 3, 4))
    expect_tensor(alone, (4,), what="the result for a single vector")
    moved = (alone - together[1, 2]).abs().max().item()
    expect(
        moved < 1e-5,
        say(
            "A vector comes out differently (by up to {moved:.2g}) when other vectors stand beside "
            "it. LayerNorm treats each position of each sentence by itself.",
            moved=moved,
        ),
        together,
    )


@layer_norm.same_as_answer(
    says="With gain 1 and shift 0, each vector comes out with mean 0 and mean square 1."
)
def mean_and_variance():
    yield 3 * torch.randn(5, 4) + 7, *_plain(4)
    yield 0.5 * torch.randn(2, 3, 6) - 2, *_plain(6)


@layer_norm.same_as_answer(says="This is about ε, where a variance is as small as that.")
def small_variances():
    yield torch.full((2, 4), 5.0), *_plain(4)
    yield 2e-3 * torch.randn(4, 8), *_plain(8)
    yield torch.randn(3, 5), *_plain(5), 0.5


@layer_norm.same_as_answer(says="Gain and shift: each number of a vector has its own.", grad=True)
def gain_and_shift():
    yield torch.randn(2, 3, 6), torch.randn(6), torch.randn(6)
    yield torch.randn(4), torch.randn(4), torch.randn(4), 0.1


layer_norm.mistake(
    "mean_and_variance",
    "Your variance divides by D − 1, which is right for estimating the variance of a population "
    "from a sample. Here the D numbers are all there are.",
    "centered.square().mean(dim=-1, keepdim=True) -> x.var(dim=-1, keepdim=True)",
)
layer_norm.mistake(
    "mean_and_variance",
    "You divide by the variance. Its square root, the standard deviation, has the unit of x.",
    "(variance + epsilon).sqrt() -> (variance + epsilon)",
)
layer_norm.mistake(
    "small_variances",
    "You add ε to the standard deviation. It belongs under the root, where it counts more: √ε is "
    "300 times ε.",
    "(variance + epsilon).sqrt() -> (variance.sqrt() + epsilon)",
)

# --- 6.4 pre_norm ---------------------------------------------------------------------------------


@exercise(
    hints=(
        "Figure 6.4, left: what does the road from x to the + pass through?",
        "There are two different things to name: what the sub-layer reads, and what its result is "
        "added to. Only one of them is normalized.",
    )
)
def pre_norm(
    x: Tensor, sublayer: Callable[[Tensor], Tensor], norm: Callable[[Tensor], Tensor]
) -> Tensor:
    """A sub-layer with residual connection, pre-norm: (B, T, D) -> (B, T, D).

    sublayer and norm are functions (B, T, D) -> (B, T, D); each is called once.
    """
    return x + sublayer(norm(x))


def _norm(x: Tensor) -> Tensor:
    return nn.functional.layer_norm(x, x.shape[-1:])


def _half_length(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True) / 2


@pre_norm.same_as_answer(
    "the result of a sub-layer that gives the same numbers whatever it reads", atol=1e-4
)
def the_road_is_free():
    out = torch.tensor([1.0, -1.0, 1.0, -1.0])[torch.randperm(4)]  # normalized already
    yield 5 * torch.randn(2, 3, 4) + 2, out.expand_as, _norm


@pre_norm.case
def the_sublayer_reads_normalized_numbers(answer):
    calls: dict[str, list[Tensor]] = {"sublayer": [], "norm": []}

    def sublayer(given):
        calls["sublayer"].append(given)
        return torch.ones_like(given)

    def norm(given):
        calls["norm"].append(given)
        return _norm(given)

    x = 5 * torch.randn(2, 3, 4) + 2
    answer(x, sublayer, norm)
    for name, given in calls.items():
        times = "`{name}` was called {count} times, once is asked."
        expect(len(given) == 1, say(times, name=name, count=len(given)), given)
    read = calls["sublayer"][0]
    near = read.shape == x.shape and torch.allclose(read, _norm(x), atol=1e-4)
    expect(near, "The sub-layer was not given the normalized vectors.", read)


@pre_norm.same_as_answer(grad=True)
def any_sublayer_and_any_norm():
    yield 5 * torch.randn(2, 3, 4) + 2, lambda given: 3 * given + 1, _norm
    yield torch.randn(1, 2, 6), torch.tanh, _half_length
    yield torch.randn(3, 2, 5), lambda given: nn.functional.dropout(given, 0.5), _norm


pre_norm.mistake(
    "the_road_is_free",
    "What you add to has been through the norm. The side track may be normalized, the road may "
    "not: this is a widespread bug.",
    "x + -> norm(x) +",
)
pre_norm.mistake(
    "the_road_is_free",
    "That is post-norm: the norm stands on the road.",
    "x + sublayer(norm(x)) -> norm(x + sublayer(x))",
)
pre_norm.mistake(
    "the_sublayer_reads_normalized_numbers",
    "The norm stands behind the sub-layer. It comes before it, at the start of the side track.",
    "sublayer(norm(x)) -> norm(sublayer(x))",
)

# --- 6.5 decoder_masks ----------------------------------------------------------------------------


@exercise(
    hints=(
        "Two questions for each mask: who asks, and who is asked? The last axis belongs to those "
        "who are asked.",
        "Self-attention of the decoder: the target asks the target. Source attention: the target "
        "asks the *source*. Whose padding must stay unseen in the second?",
        "Position t may see the columns 0 to t: `torch.ones(T, T, dtype=torch.bool).tril()`. For "
        "the source, `(B, S)` needs two axes of length 1, for heads and for those who ask.",
    )
)
def decoder_masks(source: Tensor, target: Tensor, pad: int = 0) -> tuple[Tensor, Tensor]:
    """Masks of self-attention and of source attention: (B, S), (B, T) ids -> two bool masks.

    The first broadcasts to (B, H, T, T), the second to (B, H, T, S); True = may attend. Sentences
    are padded on the right. What padding itself sees is of no interest, and is left as it comes.
    """
    length = target.shape[1]
    own = torch.ones(length, length, dtype=torch.bool, device=target.device).tril()
    return own, (source != pad)[:, None, None, :]


def _padded(lengths: list[int], pad: int) -> Tensor:
    """Random ids from 10 on, padded on the right."""
    ids = torch.randint(10, 99, (len(lengths), max(lengths)))
    return ids.where(torch.arange(max(lengths)) < torch.tensor(lengths)[:, None], pad)


def _both_sides():
    yield _padded([4, 2, 6], 0), _padded([3, 4, 1], 0)
    yield _padded([2, 5], 7), _padded([6, 3], 7), 7
    yield _padded([1, 3], 1), _padded([3, 2], 1), 1  # of one length
    words = torch.tensor([[0, 5, 3, 3], [4, 2, 0, 3]])  # ids above and below that of padding
    yield words, words[:, [1, 0, 2]], 3


def _spread(answer, source: Tensor, target: Tensor, pad: int = 0) -> tuple[Tensor, Tensor]:
    """The rows of the real target words in the two masks: (words, T) and (words, S)."""
    masks = answer(source, target) if pad == 0 else answer(source, target, pad)
    expect_type(masks, (tuple, list))
    count = say("Masks that came back: {count}, expected 2.", count=len(masks))
    expect(len(masks) == 2, count, len(masks))
    rows = []
    names = ("the first mask", "the second mask")
    for mask, asked, what in zip(masks, (target, source), names, strict=True):
        expect_tensor(mask, dtype=torch.bool, what=what)
        shape = (len(target), 5, target.shape[1], asked.shape[1])  # five heads
        try:
            wide = mask.expand(shape)
        except RuntimeError:
            problem = "{what} of shape {found} does not broadcast to (B, H, T, {last}) = {wanted}."
            last, found = "T" if asked is target else "S", tuple(mask.shape)
            raise wrong(problem, what, mask, found=found, last=last, wanted=shape) from None
        rows.append(wide[:, 0][target != pad])
    return rows[0], rows[1]


@decoder_masks.same_as_answer("the shapes of the masks", call=_spread, see=lambda masks: len(masks))
def two_boolean_masks():
    yield from _both_sides()


@decoder_masks.same_as_answer(
    "the first mask",
    call=_spread,
    see=lambda masks: masks[0],
    says="A target position may see itself and the past, and in the past everything.",
)
def the_past_and_not_the_future():
    yield from _both_sides()


@decoder_masks.same_as_answer(
    "the second mask",
    call=_spread,
    see=lambda masks: masks[1],
    says="Hidden is the padding of the source and nothing else, from every position of the "
    "target. (True means *may attend*.)",
)
def all_of_the_source_and_no_padding():
    yield from _both_sides()


decoder_masks.mistake(
    "two_boolean_masks",
    "This is the function as it was: the second mask comes from the padding of the *target*. It "
    "ran because both sides had the same length. Here they differ.",
    "(source != pad) -> (target != pad)",
)
decoder_masks.mistake(
    "the_past_and_not_the_future",
    "The triangle lies the other way round: rows ask, columns are asked. Your positions see the "
    "future, and in training would read the words that they are to predict.",
    ".tril() -> .triu()",
)
decoder_masks.mistake(
    "the_past_and_not_the_future",
    "Your positions do not see themselves. The first one then sees nothing at all. What is read at "
    "position t is the word *before* the one that is predicted there, so it may be seen.",
    ".tril() -> .tril(-1)",
)
decoder_masks.mistake(
    "all_of_the_source_and_no_padding",
    "You compare with 0, whatever `pad` says.",
    "source != pad -> source != 0",
)

# --- 6.6 parameter_count --------------------------------------------------------------------------


@exercise(
    hints=(
        "Count parts first: one linear map D × D with its bias, one attention, one feed-forward "
        "network, one LayerNorm.",
        "An attention has four maps. An encoder layer: one attention, one network. A decoder "
        "layer: how many attentions? And one LayerNorm for each sub-layer.",
        "The three large matrices over the vocabulary are one and count once. The output layer "
        "has a bias of V numbers beside it. Positions are sines: nothing to count.",
    )
)
def parameter_count(width: int, hidden: int, layers: int, vocabulary: int) -> int:
    """Parameters of the Transformer of the paper: L post-norm layers on each side.

    All linear maps and LayerNorms have a bias; one matrix (V, D) serves both embeddings and the
    output layer, which has a bias of its own; positions are sinusoidal; no LayerNorm at the end.
    """
    linear = width * width + width
    network = 2 * width * hidden + hidden + width
    norm = 2 * width
    encoder = 4 * linear + network + 2 * norm
    decoder = 8 * linear + network + 3 * norm
    return vocabulary * width + vocabulary + layers * (encoder + decoder)


def _sizes():
    for layers in (1, 3):
        yield randint(4, 40), randint(41, 99), layers, randint(100, 999)


def _one_more_word(answer, width, hidden, layers, vocabulary):
    before, after = (answer(width, hidden, layers, vocabulary + more) for more in (0, 1))
    expect_type(before, int, "the number of parameters")
    return after - before


def _one_more_layer(answer, width, hidden, layers, vocabulary):
    before, after = (answer(width, hidden, layers + more, vocabulary) for more in (0, 1))
    return after - before


@parameter_count.same_as_answer("what one more word costs", call=_one_more_word)
def words():
    yield from _sizes()


@parameter_count.same_as_answer("what one more layer on each side costs", call=_one_more_layer)
def layers():
    yield from _sizes()


@parameter_count.same_as_answer("the number of parameters")
def the_whole_model():
    yield from _sizes()
    yield 512, 2048, 6, 37_000


parameter_count.mistake(
    "words",
    "A word costs you several vectors. The three matrices are tied: count one.",
    "return vocabulary * width -> return 3 * vocabulary * width",
)
parameter_count.mistake(
    "layers",
    "Your decoder layer has one attention. It has two: to its own past and to the source.",
    "8 * linear -> 4 * linear",
)
parameter_count.mistake(
    "the_whole_model",
    "You count a LayerNorm at the end of each side. Post-norm layers end with one already.",
    "return vocabulary -> return 2 * norm + vocabulary",
)

# --- 6.7 encoder_layer_flops ----------------------------------------------------------------------


@exercise(
    hints=(
        "A product of an m × k and a k × n matrix has m · n results, each a sum of k products: "
        "2 · m · k · n operations.",
        "Projections: four products (n × D) · (D × D). Attention: which two products have a side "
        "of n × n? The heads cut D into pieces and add up to D again.",
        "Feed-forward: D → F and F → D, at n positions.",
    )
)
def encoder_layer_flops(length: int, width: int, hidden: int) -> dict[str, int]:
    """FLOPs of one encoder layer on one sentence of n words, forward, by part.

    A multiplication and an addition count as one each. Counted are matrix products only. The keys
    are "projections" (to queries, keys, values and back), "attention" (scores and weighted means)
    and "feed_forward".
    """
    return {
        "projections": 4 * 2 * length * width * width,
        "attention": 2 * 2 * length * length * width,
        "feed_forward": 2 * 2 * length * width * hidden,
    }


@encoder_layer_flops.case
def three_parts(answer):
    found = answer(7, 16, 40)
    expect_type(found, dict)
    names = sorted(encoder_layer_flops.answer(7, 16, 40))
    expect(
        sorted(map(str, found)) == names,
        say(
            "Your keys are {keys}; asked are {names}, letter by letter.",
            keys=", ".join(f"`{key}`" for key in found),
            names=", ".join(f"`{name}`" for name in names),
        ),
        list(map(str, found)),
    )


@encoder_layer_flops.same_as_answer("the number of operations")
def each_part():
    yield randint(2, 9), randint(10, 40), randint(41, 99)
    yield randint(100, 999), randint(10, 40), randint(41, 99)


encoder_layer_flops.mistake(
    "each_part",
    "You count multiplications only. Each comes with an addition.",
    "4 * 2 * -> 4 * ;; 2 * 2 * length * length -> 2 * length * length ;; 2 * 2 * -> 2 *",
)
encoder_layer_flops.mistake(
    "each_part",
    "You count three projections. The fourth takes the joined heads back to the model.",
    "4 * 2 * -> 3 * 2 *",
)
encoder_layer_flops.mistake(
    "each_part",
    "You count the scores and not the weighted means, a second product as large.",
    "2 * 2 * length * length -> 2 * length * length",
)
