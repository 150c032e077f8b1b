"""Exercises 7.6 and 7.7: reading on where the text was left, with what was computed before kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_tensor,
    expect_type,
    expect_unchanged,
)

# --- 7.6 embed_next (find the bug) ----------------------------------------------------------------


@exercise(
    hints=(
        "Give a sentence to the function as a whole, then word by word, and compare. From which "
        "word on do the two differ?",
        "The new tokens do not stand at the beginning of the sentence. They stand behind the "
        "`read` tokens that came before them.",
        "`positions[a:b]` are the rows a to b − 1. What are a and b for T new tokens after `read` "
        "earlier ones? One new token needs its position like any other.",
    )
)
def embed_next(tokens: Tensor, read: int, embedding: nn.Embedding, positions: Tensor) -> Tensor:
    """What the first layer gets for new tokens: (B, T) -> (B, T, D), words times sqrt(D), placed.

    read: how many tokens were read before; their keys and values are kept, so only the new ones
    come in. embedding: of width D; positions: (N, D), one row a position, N >= read + T.
    """
    length = tokens.shape[1]
    words = embedding(tokens) * embedding.embedding_dim**0.5  # (B, T, D)
    return words + positions[read : read + length]


def _tables() -> tuple[nn.Embedding, Tensor]:
    return nn.Embedding(9, 4), torch.randn(12, 4)


_TEXT = torch.tensor([[1, 5, 3, 8, 5], [1, 7, 7, 2, 4]])


def _in_pieces(answer: Callable, sizes: list[int]) -> tuple[Tensor, Tensor]:
    """A text read in pieces of these sizes, and in one: (B, T, D) each."""
    embedding, positions = _tables()
    pieces, read = [], 0
    for size in sizes:
        pieces.append(answer(_TEXT[:, read : read + size], read, embedding, positions))
        read += size
    whole = embed_next.answer(_TEXT, 0, embedding, positions)
    return torch.cat(pieces, dim=1), whole


@embed_next.case
def a_vector_for_each_token(answer):
    embedding, positions = _tables()
    expect_tensor(answer(_TEXT, 0, embedding, positions), (2, 5, 4))
    what = "the result for one new token"
    expect_tensor(answer(_TEXT[:, :1], 3, embedding, positions), (2, 1, 4), what=what)


@embed_next.case
def a_whole_text(answer):
    found, whole = _in_pieces(answer, [5])
    expect_close(found, whole, "the result for a whole text with nothing read before")


@embed_next.case
def one_token_has_a_place(answer):
    embedding, positions = _tables()
    token = _TEXT[:, :1]
    here, there = (answer(token, read, embedding, positions) for read in (2, 7))
    moved = (here - there).abs().max().item()
    message = "One token after 2 others and the same token after 7 others get the same vector."
    expect(moved > 1e-4, message, here)


@embed_next.case
def word_by_word(answer):
    found, whole = _in_pieces(answer, [1] * 5)
    expect_close(found, whole, "a text read word by word, beside the text read at once,")


@embed_next.case
def in_pieces(answer):
    found, whole = _in_pieces(answer, [2, 3])
    expect_close(found, whole, "a text read in two pieces, beside the text read at once,")


@embed_next.mistake("a_vector_for_each_token", says="You return the last token only.")
def last_only(tokens, read, embedding, positions):
    return embed_next.answer(tokens, read, embedding, positions)[:, -1]


@embed_next.mistake("a_whole_text", says="The words are no longer multiplied by the root of D.")
def root_lost(tokens, read, embedding, positions):
    return embedding(tokens) + positions[read : read + tokens.shape[1]]


@embed_next.mistake(
    "a_whole_text",
    says="Your places count from 1: the first token gets the row of the second.",
)
def one_too_far(tokens, read, embedding, positions):
    words = embedding(tokens) * embedding.embedding_dim**0.5
    return words + positions[read + 1 : read + 1 + tokens.shape[1]]


@embed_next.mistake(
    "one_token_has_a_place",
    says="A token that comes alone still gets no position.",
)
def alone_without_a_place(tokens, read, embedding, positions):
    words = embedding(tokens) * embedding.embedding_dim**0.5
    return words if tokens.shape[1] == 1 else words + positions[read : read + tokens.shape[1]]


@embed_next.mistake(
    "one_token_has_a_place",
    says="Positions still begin at 0 at every call.",
)
def from_zero_again(tokens, read, embedding, positions):
    words = embedding(tokens) * embedding.embedding_dim**0.5
    return words + positions[: tokens.shape[1]]


@embed_next.mistake(
    "word_by_word",
    says="Your positions run one behind: a new token gets the place of the one before it.",
)
def one_behind(tokens, read, embedding, positions):
    start = max(read - 1, 0)
    words = embedding(tokens) * embedding.embedding_dim**0.5
    return words + positions[start : start + tokens.shape[1]]


@embed_next.mistake(
    "in_pieces",
    says="All new tokens get the place of the first of them.",
)
def all_at_one_place(tokens, read, embedding, positions):
    if read == 0:
        return embed_next.answer(tokens, read, embedding, positions)
    return embedding(tokens) * embedding.embedding_dim**0.5 + positions[read]


@embed_next.alternative
def by_lookup(tokens, read, embedding, positions):
    places = read + torch.arange(tokens.shape[1])
    return embedding(tokens).mul(math.sqrt(positions.shape[1])) + positions[places]


# --- 7.7 cached_attention -------------------------------------------------------------------------


@exercise(
    hints=(
        "Which of query, key and value of the earlier words does the newest word need? Those are "
        "in the cache; the newest word makes its own and adds it.",
        "`torch.cat([keys, new], dim=1)` is (B, P + 1, K). The newest word looks at itself too, "
        "so add first and look then.",
        "One query and P + 1 keys: scores (B, 1, P + 1). No mask is needed, since nothing later "
        "exists yet. Return the longer keys and values beside the output.",
    )
)
def cached_attention(
    x: Tensor, Wq: Tensor, Wk: Tensor, Wv: Tensor, cache: tuple[Tensor, Tensor]
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Causal self-attention of the newest word: (B, D) -> output (B, D), the cache after it.

    Wq, Wk: (D, K); Wv: (D, D); a row vector times W. cache: keys (B, P, K) and values (B, P, D)
    of the P words before, P = 0 at the first; left unchanged. Scaled dot product, one head.
    """
    query, key, value = x @ Wq, x @ Wk, x @ Wv  # (B, K), (B, K), (B, D)
    keys = torch.cat([cache[0], key.unsqueeze(1)], dim=1)  # (B, P + 1, K)
    values = torch.cat([cache[1], value.unsqueeze(1)], dim=1)  # (B, P + 1, D)
    scores = (keys @ query.unsqueeze(-1)).squeeze(-1) / math.sqrt(keys.shape[-1])  # (B, P + 1)
    output = (scores.softmax(dim=-1).unsqueeze(1) @ values).squeeze(1)  # (B, D)
    return output, (keys, values)


def _maps() -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(4, 9), torch.randn(4, 9), torch.randn(4, 4)


def _empty(batch: int = 2) -> tuple[Tensor, Tensor]:
    return torch.empty(batch, 0, 9), torch.empty(batch, 0, 4)


def _kept(value: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Output, keys and values of an answer, or what is wrong with it."""
    expect_type(value, (tuple, list))
    expect(len(value) == 2, f"You return {len(value)} things, expected the output and the cache.")
    expect_type(value[1], (tuple, list), "the cache")
    expect(len(value[1]) == 2, "The cache has keys and values: two tensors.")
    return value[0], value[1][0], value[1][1]


def _word_by_word(answer: Callable, x: Tensor, maps: tuple[Tensor, ...]) -> Tensor:
    """The outputs for (B, T, D), one position after the other."""
    cache, outputs = _empty(len(x)), []
    for t in range(x.shape[1]):
        output, cache = answer(x[:, t], *maps, cache)
        outputs.append(output)
    return torch.stack(outputs, dim=1)


def _at_once(x: Tensor, maps: tuple[Tensor, ...]) -> Tensor:
    Wq, Wk, Wv = maps
    return nn.functional.scaled_dot_product_attention(x @ Wq, x @ Wk, x @ Wv, is_causal=True)


@cached_attention.case
def an_output_and_a_longer_cache(answer):
    cache = (torch.randn(2, 3, 9), torch.randn(2, 3, 4))
    output, keys, values = _kept(answer(torch.randn(2, 4), *_maps(), cache))
    expect_tensor(output, (2, 4), what="the output")
    expect_tensor(keys, (2, 4, 9), what="the tensor of keys after a fourth word")
    expect_tensor(values, (2, 4, 4), what="the tensor of values after a fourth word")


@cached_attention.case
def the_first_word_sees_itself(answer):
    x, maps = torch.randn(2, 4), _maps()
    output, _, _ = _kept(answer(x, *maps, _empty()))
    expect_close(output, x @ maps[2], "the output at the first word, which is its own value,")


@cached_attention.case
def what_is_kept_stays(answer):
    cache = (torch.randn(2, 3, 9), torch.randn(2, 3, 4))
    before = (cache[0].clone(), cache[1].clone())
    _, keys, values = _kept(answer(torch.randn(2, 4), *_maps(), cache))
    expect_unchanged(cache[0], before[0], "the tensor of keys that was passed in")
    expect_close(keys[:, :3], before[0], "the part of the keys that was kept")
    expect_close(values[:, :3], before[1], "the part of the values that was kept")


@cached_attention.case
def new_key_and_value(answer):
    x, maps = torch.randn(2, 4), _maps()
    _, keys, values = _kept(answer(x, *maps, (torch.randn(2, 3, 9), torch.randn(2, 3, 4))))
    expect_close(keys[:, 3], x @ maps[1], "the new row of the keys")
    expect_close(values[:, 3], x @ maps[2], "the new row of the values")


@cached_attention.case
def word_by_word_is_at_once(answer):
    x, maps = torch.randn(2, 6, 4), _maps()
    found = _word_by_word(answer, x, maps)
    expect_close(found, _at_once(x, maps), "the output word by word, beside that of all at once,")


def _attend(query: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    scores = torch.einsum("bk,bpk->bp", query, keys) * scale
    return torch.einsum("bp,bpd->bd", scores.softmax(-1), values)


def _grown(x, Wk, Wv, cache):
    return (
        torch.cat([cache[0], (x @ Wk)[:, None]], dim=1),
        torch.cat([cache[1], (x @ Wv)[:, None]], dim=1),
    )


@cached_attention.mistake(
    "an_output_and_a_longer_cache",
    says="You return the cache as it came in. The next word would not see this one.",
)
def cache_does_not_grow(x, Wq, Wk, Wv, cache):
    keys, values = _grown(x, Wk, Wv, cache)
    return _attend(x @ Wq, keys, values, 9**-0.5), cache


@cached_attention.mistake(
    "an_output_and_a_longer_cache",
    says="You return the newest key and value only; the earlier ones are forgotten.",
)
def only_the_newest(x, Wq, Wk, Wv, cache):
    keys, values = _grown(x, Wk, Wv, cache)
    return _attend(x @ Wq, keys, values, 9**-0.5), (keys[:, -1:], values[:, -1:])


@cached_attention.mistake(
    "the_first_word_sees_itself",
    says="You look first and add then: the newest word does not see itself, and the first one has "
    "nothing to look at.",
)
def looks_before_adding(x, Wq, Wk, Wv, cache):
    return _attend(x @ Wq, *cache, 9**-0.5), _grown(x, Wk, Wv, cache)


@cached_attention.mistake("the_first_word_sees_itself", says="You return a mean of *inputs*.")
def values_not_made(x, Wq, Wk, Wv, cache):
    keys = _grown(x, Wk, Wv, cache)[0]
    values = torch.cat([cache[1], x[:, None]], dim=1)
    return _attend(x @ Wq, keys, values, 9**-0.5), (keys, values)


@cached_attention.mistake(
    "what_is_kept_stays",
    says="The newest word stands first in your cache. Then the places of all others move at "
    "every word.",
)
def newest_first(x, Wq, Wk, Wv, cache):
    keys = torch.cat([(x @ Wk)[:, None], cache[0]], dim=1)
    values = torch.cat([(x @ Wv)[:, None], cache[1]], dim=1)
    return _attend(x @ Wq, keys, values, 9**-0.5), (keys, values)


@cached_attention.mistake(
    "new_key_and_value",
    says="You keep the query where the key belongs. Earlier queries are never needed again.",
)
def query_kept(x, Wq, Wk, Wv, cache):
    keys, values = _grown(x, Wq, Wv, cache)
    return _attend(x @ Wq, keys, values, 9**-0.5), (keys, values)


@cached_attention.mistake(
    "word_by_word_is_at_once", says="The scores are not scaled by the root of K."
)
def not_scaled(x, Wq, Wk, Wv, cache):
    keys, values = _grown(x, Wk, Wv, cache)
    return _attend(x @ Wq, keys, values, 1.0), (keys, values)


@cached_attention.mistake(
    "word_by_word_is_at_once",
    says="You ask with the key. The newest word asks with its query.",
)
def key_asks(x, Wq, Wk, Wv, cache):
    keys, values = _grown(x, Wk, Wv, cache)
    return _attend(x @ Wk, keys, values, 9**-0.5), (keys, values)


@cached_attention.alternative
def by_torch(x, Wq, Wk, Wv, cache):
    keys, values = _grown(x, Wk, Wv, cache)
    query = (x @ Wq).unsqueeze(1)
    output = nn.functional.scaled_dot_product_attention(query, keys, values)
    return output.squeeze(1), (keys, values)
