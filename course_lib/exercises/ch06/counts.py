"""Exercises 6.6 and 6.7: parameters and operations, counted with pencil and paper."""

from __future__ import annotations

from random import randint

from course_lib.exercises.engine.core import exercise, expect, expect_type

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
    "layers", "Your LayerNorms are missing: 2 D numbers each.", "+ 2 * norm -> ;; + 3 * norm ->"
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
        f"Your keys are {', '.join(f'`{key}`' for key in found)}; asked are "
        f"{', '.join(f'`{name}`' for name in names)}, letter by letter.",
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
encoder_layer_flops.mistake(
    "each_part",
    "The feed-forward network has two layers: there and back.",
    "2 * 2 * length * width -> 2 * length * width",
)
