"""Exercises 6.6 and 6.7: parameters and operations, counted with pencil and paper."""

from __future__ import annotations

import torch

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_equal,
    expect_number,
    expect_type,
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


@parameter_count.case
def a_whole_number(answer):
    expect_type(answer(8, 16, 1, 10), int, "the number of parameters")


@parameter_count.case
def words(answer):
    found = answer(8, 16, 1, 11) - answer(8, 16, 1, 10)
    expect_number(found, 9, "what one more word costs at width 8")


@parameter_count.case
def one_more_layer(answer):
    found = answer(8, 16, 2, 10) - answer(8, 16, 1, 10)
    right = parameter_count.answer(8, 16, 2, 10) - parameter_count.answer(8, 16, 1, 10)
    expect_number(found, right, "what one more layer on each side costs", rtol=1e-6)


@parameter_count.case
def the_whole_model(answer):
    sizes = (512, 2048, 6, 37_000)
    found = answer(*sizes)
    expect_number(found, parameter_count.answer(*sizes), "the base model of the paper", rtol=1e-9)


@parameter_count.mistake("a_whole_number", says="Half a parameter? `//` divides whole numbers.")
def a_float(width, hidden, layers, vocabulary):
    return float(parameter_count.answer(width, hidden, layers, vocabulary))


@parameter_count.mistake(
    "words", says="A word costs you several vectors. The three matrices are tied: count one."
)
def not_tied(width, hidden, layers, vocabulary):
    return parameter_count.answer(width, hidden, layers, vocabulary) + 2 * vocabulary * width


@parameter_count.mistake(
    "words", says="The output layer has a bias: one more number for each word."
)
def no_bias_of_the_output(width, hidden, layers, vocabulary):
    return parameter_count.answer(width, hidden, layers, vocabulary) - vocabulary


@parameter_count.mistake(
    "one_more_layer",
    says="Your decoder layer has one attention. It has two: to its own past and to the source.",
)
def one_attention_in_the_decoder(width, hidden, layers, vocabulary):
    linear = width * width + width
    missing = layers * 4 * linear
    return parameter_count.answer(width, hidden, layers, vocabulary) - missing


@parameter_count.mistake("one_more_layer", says="Your LayerNorms are missing: 2 D numbers each.")
def no_norms(width, hidden, layers, vocabulary):
    return parameter_count.answer(width, hidden, layers, vocabulary) - layers * 5 * 2 * width


@parameter_count.mistake(
    "one_more_layer",
    says="Your attention has three maps. The fourth mixes the heads at the end.",
)
def no_output_map(width, hidden, layers, vocabulary):
    linear = width * width + width
    return parameter_count.answer(width, hidden, layers, vocabulary) - layers * 3 * linear


@parameter_count.mistake("one_more_layer", says="The biases of the linear maps are missing.")
def no_biases(width, hidden, layers, vocabulary):
    missing = layers * (12 * width + 2 * (hidden + width))
    return parameter_count.answer(width, hidden, layers, vocabulary) - missing


@parameter_count.mistake(
    "one_more_layer", says="You count layers on one side only: L on each side are asked."
)
def encoder_only(width, hidden, layers, vocabulary):
    encoder = 4 * (width * width + width) + 2 * width * hidden + hidden + width + 4 * width
    return vocabulary * (width + 1) + layers * encoder


@parameter_count.mistake(
    "the_whole_model",
    says="You count a LayerNorm at the end of each side. Post-norm layers end with one already.",
)
def norms_at_the_end(width, hidden, layers, vocabulary):
    return parameter_count.answer(width, hidden, layers, vocabulary) + 4 * width


@parameter_count.alternative
def by_torch(width, hidden, layers, vocabulary):
    side = dict(dim_feedforward=hidden)
    with torch.device("meta"):
        encoder = torch.nn.TransformerEncoderLayer(width, 1, **side)
        decoder = torch.nn.TransformerDecoderLayer(width, 1, **side)
        output = torch.nn.Linear(width, vocabulary)
    counts = [sum(p.numel() for p in part.parameters()) for part in (encoder, decoder, output)]
    return layers * (counts[0] + counts[1]) + counts[2]


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


PARTS = ("projections", "attention", "feed_forward")


def _counted(answer, *sizes: int) -> list[int]:
    found = answer(*sizes)
    expect_type(found, dict, "your result")
    keys = sorted(map(str, found))
    expect(keys == sorted(PARTS), f"Your result has the keys {keys}.", keys)
    for part in PARTS:
        expect_type(found[part], int, f"the number under {part!r}")
    return [found[part] for part in PARTS]


@encoder_layer_flops.case
def three_parts(answer):
    _counted(answer, 3, 4, 8)


@encoder_layer_flops.case
def growth_with_the_length(answer):
    once, twice = _counted(answer, 64, 32, 128), _counted(answer, 128, 32, 128)
    growth = [round(b / a, 2) if a else 0 for a, b in zip(once, twice, strict=True)]
    expect_equal(growth, [2.0, 4.0, 2.0], "the growth of the three parts at twice the length")


@encoder_layer_flops.case
def both_count(answer):
    found = _counted(answer, 1, 1, 1)
    expect(
        all(number % 2 == 0 for number in found),
        "A matrix product has as many additions as multiplications; you have an odd number.",
        found,
    )


@encoder_layer_flops.case
def each_part(answer):
    found, right = _counted(answer, 7, 16, 40), encoder_layer_flops.answer(7, 16, 40)
    for part, number in zip(PARTS, found, strict=True):
        if number != right[part]:
            size = "few" if number < right[part] else "many"
            expect(False, f"You count too {size} operations under {part!r}.", found)


@encoder_layer_flops.mistake("three_parts", says="You return the sum; the parts are asked.")
def the_sum(length, width, hidden):
    return sum(encoder_layer_flops.answer(length, width, hidden).values())


@encoder_layer_flops.mistake(
    "growth_with_the_length",
    says="You count for one word. The three parts of a whole sentence are asked.",
)
def for_one_word(length, width, hidden):
    found = encoder_layer_flops.answer(length, width, hidden)
    return {part: number // length for part, number in found.items()}


@encoder_layer_flops.mistake(
    "both_count", says="You count multiplications only. Each comes with an addition."
)
def multiplications_only(length, width, hidden):
    found = encoder_layer_flops.answer(length, width, hidden)
    return {
        "projections": found["projections"] // 8 * 4 + length % 2,
        "attention": found["attention"] // 4 * 2 + length % 2,
        "feed_forward": found["feed_forward"] // 4 * 2 + length % 2,
    }


@encoder_layer_flops.mistake(
    "each_part",
    says="You count three projections. The fourth takes the joined heads back to the model.",
)
def three_projections(length, width, hidden):
    found = encoder_layer_flops.answer(length, width, hidden)
    return found | {"projections": found["projections"] // 4 * 3}


@encoder_layer_flops.mistake(
    "each_part", says="You count the scores and not the weighted means, a second product as large."
)
def scores_only(length, width, hidden):
    found = encoder_layer_flops.answer(length, width, hidden)
    return found | {"attention": found["attention"] // 2}


@encoder_layer_flops.mistake(
    "each_part", says="The feed-forward network has two layers: there and back."
)
def one_layer_of_the_network(length, width, hidden):
    found = encoder_layer_flops.answer(length, width, hidden)
    return found | {"feed_forward": found["feed_forward"] // 2}


@encoder_layer_flops.alternative
def product_by_product(length, width, hidden):
    def product(m, k, n):
        return 2 * m * k * n

    heads = 4 if width % 4 == 0 else 1
    size = width // heads
    one_head = product(length, size, length) + product(length, length, size)
    network = product(length, width, hidden) + product(length, hidden, width)
    return {
        "projections": sum(product(length, width, width) for _ in range(4)),
        "attention": heads * one_head,
        "feed_forward": network,
    }
