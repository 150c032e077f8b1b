"""What a translator costs: parameters and multiplications, derived and checked in the tests.

Counting rules (after Kaplan et al. 2020, section 2.1):

- A product of an m × k and a k × n matrix takes m · k · n multiplications and as many additions:
  2 · m · k · n FLOPs. Softmax, LayerNorm, biases and activations are left out; they cost time but
  few FLOPs.
- Attention scores that a mask hides are counted, since they are computed.
- The backward pass takes two products for each of the forward pass, one for the gradient of each
  factor. So a training step costs three times a forward pass.

Sizes: S source length, T target length, D width, F width inside the feed-forward network, V target
vocabulary, L layers. Heads do not appear: H heads of width D / H cost as much as one of width D.
"""

from __future__ import annotations

from course_lib.attention.translator import AttentionConfig
from course_lib.recurrent.encoder_decoder import Seq2SeqConfig
from course_lib.transformer.model import TransformerConfig


def parameter_counts(config: TransformerConfig) -> dict[str, int]:
    """Parameters by part, each matrix counted once; their sum is that of the model.

    An attention has four D × D maps with bias, 4 (D² + D); a feed-forward network 2 D F + F + D;
    a LayerNorm 2 D. An encoder layer has one attention, one network, two norms; a decoder layer
    two, one and three.

    Returns:
        "embeddings" (of words, and learned positions), "encoder", "decoder", "output" (a bias
        alone where its matrix is the embedding's).
    """
    d, f = config.width, config.hidden
    attention, network, norm = 4 * (d * d + d), 2 * d * f + f + d, 2 * d
    last = norm if config.norm == "pre" else 0
    words = config.target_vocab * d
    if config.tie != "all":
        words += config.source_vocab * d
    places = 2 * config.max_length * d if config.positions == "learned" else 0
    matrix = config.target_vocab * d if config.tie == "none" else 0
    return {
        "embeddings": words + places,
        "encoder": config.layers * (attention + network + 2 * norm) + last,
        "decoder": config.layers * (2 * attention + network + 3 * norm) + last,
        "output": matrix + config.target_vocab,
    }


def forward_flops(config: TransformerConfig, source: int, target: int) -> dict[str, int]:
    """FLOPs of one forward pass over one pair of sentences, by part.

    Args:
        source, target: S and T, padding included, for padding is computed too.

    Returns:
        "projections" (to queries, keys, values and back: 8 D² a position and attention, where
        both sides have one length), "attention" (scores and means: 4 T S D for each attention),
        "feed_forward" (4 D F a position and layer), "output" (2 T D V).
    """
    d, layers = config.width, config.layers

    def projections(asking: int, asked: int) -> int:
        return 2 * d * d * (2 * asking + 2 * asked)

    def attention(asking: int, asked: int) -> int:
        return 2 * d * asking * asked * 2

    pairs = ((source, source), (target, target), (target, source))
    return {
        "projections": layers * sum(projections(*pair) for pair in pairs),
        "attention": layers * sum(attention(*pair) for pair in pairs),
        "feed_forward": layers * 2 * 2 * d * config.hidden * (source + target),
        "output": 2 * target * d * config.target_vocab,
    }


def recurrent_flops(config: Seq2SeqConfig, source: int, target: int) -> dict[str, int]:
    """FLOPs of one forward pass of a recurrent translator over one pair of sentences, by part.

    A GRU that reads vectors of width E and keeps D numbers has three gates, each with a matrix for
    the input and one for the state: 6 D (E + D) FLOPs a position. The decoder's reads the
    embedding and a vector c of width D. For the additive score, U is applied to the source once,
    W to each query, and v to each pair of positions; for the dot scores there is one product of
    width D for each pair.

    Args:
        config: of an `EncoderDecoder`, or of an `AttentionEncoderDecoder`.
        source, target: S and T, padding included.

    Returns:
        "encoder", "attention" (scores, means and their maps; 0 for the fixed vector), "decoder",
        "output" (2 T D V).
    """
    d, e = config.width, config.embedding

    def gru(reads: int, keeps: int) -> int:
        return 6 * keeps * (reads + keeps)

    directions = 2 if config.bidirectional else 1
    half = d // directions
    encoder = gru(e, half) + (config.layers - 1) * gru(d, half)
    bridge = 2 * d * d if config.bidirectional else 0
    decoder = gru(e + d, d) + (config.layers - 1) * gru(d, d)
    attention = 0
    if isinstance(config, AttentionConfig):
        maps = {"additive": source + target, "general": target}.get(config.score, 0)
        attention = 2 * d * d * maps + 2 * (2 * source * target * d)
    return {
        "encoder": source * directions * encoder + bridge,
        "attention": attention,
        "decoder": 2 * d * config.layers * d + target * decoder,
        "output": 2 * target * d * config.target_vocab,
    }


def training_flops(config: TransformerConfig | Seq2SeqConfig, source: int, target: int) -> int:
    """FLOPs of forward and backward pass over one pair of sentences: three forward passes."""
    if isinstance(config, Seq2SeqConfig):
        return 3 * sum(recurrent_flops(config, source, target).values())
    return 3 * sum(forward_flops(config, source, target).values())
