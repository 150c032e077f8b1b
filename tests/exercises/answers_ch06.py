"""More answers to the exercises of chapter 6: right ones, and wrong ones without a message."""

import torch
from torch import nn

from course_lib.exercises import ch06


def by_torch(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    cut = ch06.split_heads.answer
    found = nn.functional.scaled_dot_product_attention(
        cut(x @ Wq, heads), cut(others @ Wk, heads), cut(others @ Wv, heads), attn_mask=mask
    )
    return found.movedim(1, 2).reshape(x.shape) @ Wo


def head_by_head(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    size = x.shape[-1] // heads
    total = 0
    for h in range(heads):
        own = slice(size * h, size * h + size)
        scores = (x @ Wq[:, own]) @ (others @ Wk[:, own]).mT / size**0.5  # (B, T, S)
        if mask is not None:
            allowed = mask.expand(len(x), heads, *scores.shape[1:])[:, h]
            scores = scores.masked_fill(~allowed, -1e30)
        total = total + scores.softmax(-1) @ (others @ Wv[:, own]) @ Wo[own]
    return total


def by_moments(x, gain, shift, epsilon=1e-5):
    mean = x.double().mean(-1, keepdim=True)
    variance = x.double().square().mean(-1, keepdim=True) - mean**2
    return ((x - mean) * (variance + epsilon).rsqrt() * gain + shift).float()


def with_the_padding_of_the_target(source, target, pad=0):
    place = torch.arange(target.shape[1])
    own = (place[:, None] >= place[None, :]) & (target != pad)[:, None, None, :]
    across = (source != pad)[:, None, None, :].expand(-1, 1, target.shape[1], -1)
    return [own, across]


def layers_of_torch(width, hidden, layers, vocabulary):
    with torch.device("meta"):
        encoder = nn.TransformerEncoderLayer(width, 1, dim_feedforward=hidden)
        decoder = nn.TransformerDecoderLayer(width, 1, dim_feedforward=hidden)
        output = nn.Linear(width, vocabulary)
    counts = [sum(p.numel() for p in part.parameters()) for part in (encoder, decoder, output)]
    return layers * (counts[0] + counts[1]) + counts[2]


def product_by_product(length, width, hidden):
    def product(m, k, n):
        return 2 * m * k * n

    heads = 4 if width % 4 == 0 else 1
    size = width // heads
    network = product(length, width, hidden) + product(length, hidden, width)
    return {
        "feed_forward": network,
        "projections": sum(product(length, width, width) for _ in range(4)),
        "attention": heads * (product(length, size, length) + product(length, length, size)),
    }


RIGHT = {
    ch06.split_heads: (
        lambda x, heads: torch.stack(x.chunk(heads, dim=-1), dim=1),
        lambda x, heads: x.unflatten(-1, (heads, -1)).movedim(2, 1),
    ),
    ch06.multi_head_attention: (by_torch, head_by_head),
    ch06.layer_norm: (
        lambda x, gain, shift, epsilon=1e-5: nn.functional.layer_norm(
            x, gain.shape, gain, shift, epsilon
        ),
        by_moments,
    ),
    ch06.pre_norm: (lambda x, sublayer, norm: sublayer(norm(x)).add(x),),
    ch06.decoder_masks: (with_the_padding_of_the_target, "return own -> return own[None]"),
    ch06.parameter_count: (layers_of_torch,),
    ch06.encoder_layer_flops: (product_by_product,),
}

WRONG = {
    ch06.split_heads: ("x.view( -> x.detach().view(",),
    ch06.multi_head_attention: (
        "found.transpose(1, 2).flatten(2) -> found.sum(dim=1)",
        "softmax(dim=-1) -> softmax(dim=-2)",
        "softmax(dim=-1) -> softmax(dim=1)",
        "/ math.sqrt(keys.shape[-1]) ->",
        "(heads, -1) -> (1, -1)",
        "~mask -> mask",
        "others @ Wk -> x @ Wk",
        "others @ Wv -> x @ Wv ;; others @ Wk -> x @ Wk",
        "x @ Wq -> others @ Wq",
        "scores.softmax -> scores.detach().softmax",
    ),
    ch06.layer_norm: (
        "centered / (variance + epsilon).sqrt() + shift "
        "-> (centered / (variance + epsilon).sqrt() + shift)",
        "x.mean(dim=-1, keepdim=True)  # (..., D) -> x.mean()",
        "variance + epsilon -> variance + 1e-5",
        "(variance + -> (variance.detach() +",
    ),
    ch06.pre_norm: (
        "x + ->",
        "x + -> x.detach() +",
        "sublayer(norm(x)) -> sublayer(norm(norm(x)))",
        "x + sublayer(norm(x)) -> x + (sublayer(norm(x)) + sublayer(norm(x))) / 2",
    ),
    ch06.decoder_masks: (
        "return own, -> return own",
        "return own, -> return own.float(),",
        "[:, None, None, :] -> [:, None, :]",
        "[:, None, None, :] -> [:, None, :, None]",
        "own, (source -> own, ~(source",
        "return own, -> return own.fill_(True),",
        "pad: int = 0 -> pad: int = 1",
    ),
    ch06.parameter_count: (
        "+ 2 * norm -> ;; + 3 * norm ->",
        "return vocabulary * width -> return 1.0 * vocabulary * width",
        "+ vocabulary + ->  +",
        "+ hidden + width -> + hidden",
        "norm = 2 * width -> norm = width",
        "layers * (encoder -> 6 * (encoder",
        "+ hidden + width -> + 2 * hidden",
        "return vocabulary -> return 5000 * width + vocabulary",
    ),
    ch06.encoder_layer_flops: (
        "2 * 2 * length * width -> 2 * length * width",
        lambda *sizes: sum(ch06.encoder_layer_flops.answer(*sizes).values()),
        '"feed_forward" -> "feed-forward"',
        "2 * 2 * length * length * width -> 2 * 2 * length * width * width",
        "width * hidden, -> hidden * hidden,",
        "width * hidden, -> width * 4 * width,",
    ),
}
