"""Chapter 5: right answers written differently, and wrong ones without a message of their own."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from course_lib.exercises import ch05


def by_torch(x, Wq, Wk, Wv, mask=None):
    return F.scaled_dot_product_attention(x @ Wq, x @ Wk, x @ Wv, attn_mask=mask)


def position_by_position(x, W1, b1, W2, b2):
    rows = [(row @ W1 + b1).clamp_min(0) @ W2 + b2 for row in x.reshape(-1, x.shape[-1])]
    return torch.stack(rows).reshape(x.shape)


def by_linear(x, W1, b1, W2, b2):
    return F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2)


def number_by_number(length, width):
    rows = []
    for t in range(length):
        row = []
        for i in range(width // 2):
            angle = t / 10000 ** (2 * i / width)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows)


def by_exp_and_log(length, width):
    frequency = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angle = torch.outer(torch.arange(length).float(), frequency)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(length, width)


def undoes_the_order(layer, x, order):
    back = layer(x.index_select(1, order)).index_select(1, order.argsort())
    return (back - layer(x)).abs().max().item() <= 1e-5


def by_numpy(layer, x, order):
    before, after = layer(x[:, order]).numpy(), layer(x).numpy()[:, order.numpy()]
    return np.all(np.abs(before - after) < 1e-5)


def by_polyfit(sizes, times):
    return float(np.polyfit(np.log10(sizes.numpy()), np.log10(times.numpy()), 1)[0])


def by_least_squares(sizes, times):
    columns = torch.stack([sizes.log2(), torch.ones_like(sizes)], dim=1)
    return torch.linalg.lstsq(columns, times.log2()[:, None]).solution[0]


def by_gather(ids, embedding, positions):
    place = torch.arange(ids.shape[1]).expand(ids.shape)  # (B, T)
    words = F.embedding(ids, embedding.weight)
    return math.sqrt(words.shape[-1]) * words + F.embedding(place, positions)


def word_by_word(ids, embedding, positions):
    rows = []
    for sentence in ids:
        scaled = [embedding(word) * positions.shape[1] ** 0.5 for word in sentence]
        rows.append(torch.stack([word + positions[t] for t, word in enumerate(scaled)]))
    return torch.stack(rows)


def scaled_in_place(ids, embedding, positions):
    embedding.weight.data *= embedding.embedding_dim**0.5
    return embedding(ids) + positions[: ids.shape[1]]


def in_closed_form(length, kernel, dilated=False):
    if not dilated:
        return np.ceil((length - 1) / (kernel - 1))
    return next(layers for layers in range(length) if kernel**layers >= length)


def by_walking_back(length, kernel, dilated=False):
    reached, layers = {length - 1}, 0
    while 0 not in reached:
        step = kernel**layers if dilated else 1
        reached = {p - j * step for p in reached for j in range(kernel) if p >= j * step}
        layers += 1
    return layers


RIGHT = {
    ch05.self_attention: [by_torch, "-torch.inf -> -1e9"],
    ch05.feed_forward: [position_by_position, by_linear],
    ch05.sinusoidal_positions: [number_by_number, by_exp_and_log],
    ch05.is_permutation_equivariant: [undoes_the_order, by_numpy],
    ch05.fit_exponent: [by_polyfit, by_least_squares],
    ch05.embed: [by_gather, word_by_word],
    ch05.layers_to_connect: [in_closed_form, by_walking_back],
}

WRONG = {
    ch05.self_attention: ["@ values -> @ keys", "~mask -> mask", "x @ Wv  # -> x.detach() @ Wv  #"],
    ch05.feed_forward: [
        "hidden @ W2 + b2 -> torch.relu(hidden @ W2 + b2)",
        "hidden @ W2 -> hidden.detach() @ W2",
        "torch.relu(x @ W1 + b1) -> torch.relu(x.cumsum(-2) @ W1 + b1)",
    ],
    ch05.sinusoidal_positions: ["/ width  # -> / 16  #"],
    ch05.is_permutation_equivariant: [
        "return torch.allclose(before, after, atol=1e-5) -> return (before - after).abs() < 1e-5",
        "atol=1e-5 -> atol=0.05",
        "before, after, atol=1e-5 -> before, after",
        "allclose(before, after, -> allclose(before[0], after[0],",
        "torch.allclose(before, after, atol=1e-5) -> ((before - after).max() < 1e-5).item()",
        "torch.allclose(before, after, atol=1e-5) -> ((after - before).max() < 1e-5).item()",
        "layer(x[:, order]) -> layer(x[:1, order]) ;; layer(x)[:, order] -> layer(x[:1])[:, order]",
        lambda layer, x, order: ch05.is_permutation_equivariant.answer(
            layer, x, torch.arange(x.shape[1]).flip(0)
        ),
    ],
    ch05.fit_exponent: [
        "return ((x * y).sum() / x.square().sum()).item() -> "
        "return abs(((x * y).sum() / x.square().sum()).item())",
        "return ((x * y).sum() / x.square().sum()).item() -> return (y / x).mean().item()",
        "sizes.log() -> sizes.log10()",
        "return ((x * y).sum() / x.square().sum()).item() -> "
        "return float(np.median((y.diff() / x.diff()).numpy()))",
    ],
    ch05.embed: [
        scaled_in_place,
        "return words + positions[: ids.shape[1]] -> "
        "return torch.cat([words, positions[: ids.shape[1]].expand_as(words)], dim=-1)",
        "positions[: ids.shape[1]] -> positions[: ids.shape[0]]",
        "positions[: ids.shape[1]] -> positions[0]",
        "positions[: ids.shape[1]] -> "
        "positions[torch.arange(ids.numel()).view_as(ids) % len(positions)]",
        "positions[: ids.shape[1]] -> positions[: ids.shape[1]].detach()",
        "embedding(ids) -> embedding(ids).detach()",
        "embedding.embedding_dim**0.5 -> 4",
    ],
    ch05.layers_to_connect: ["kernel**layers if -> kernel ** (layers + 1) if"],
}
