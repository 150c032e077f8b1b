"""Chapter 09: right answers written differently, and wrong ones without a message of their own."""

import math

import torch
from torch.nn.functional import dropout

from course_lib.exercises import ch09


def through_the_matrix(embedded, tokens, vocab_size, p):
    dropped = torch.nonzero(torch.rand(vocab_size) < p)[:, 0]
    gone = torch.isin(tokens, dropped)
    return embedded.masked_fill(gone.unsqueeze(-1), 0.0) / (1 - p)


def cut_out(embedded, tokens, vocab_size, p):
    kept = torch.rand(vocab_size) >= p
    return embedded[kept[tokens]] / (1 - p)


def with_the_library(x, p, training):
    return x * dropout(torch.ones(x.shape[0], 1, x.shape[2]), p, training)


def whole_sentences(x, p, training):
    keep = (torch.rand(len(x), 1, 1) >= p).float()
    return x * keep / (1 - p) if training else x


def with_the_cell_of_torch(x, w_input, w_state, p, training):
    thinned = dropout(w_state, p, training)
    h, states = x.new_zeros(x.shape[0], w_state.shape[0]), []
    for inputs in x.unbind(1):
        h = torch.rnn_tanh_cell(inputs, h, w_input, thinned)
        states.append(h)
    return torch.stack(states, 1)


def thins_itself(x, w_input, w_state, p, training):
    if training:
        with torch.no_grad():
            w_state.mul_((torch.rand(w_state.shape) >= p).float() / (1 - p))
    return ch09.weight_dropped_rnn.answer(x, w_input, w_state, 0.0, False)


def text_by_text(states, lengths):
    rows = []
    for row, length in zip(states, lengths.tolist(), strict=True):
        real = row[:length]
        rows.append(torch.cat([real[-1], real.max(0).values, real.mean(0)]))
    return torch.stack(rows)


def between_two_ends(step, steps, cut=0.1, ratio=32.0):
    peak, low = round(cut * steps), 1 / ratio
    share = min(step / peak, (steps - step) / (steps - peak))
    return low + share * (1 - low)


def film_by_film(reviews, validation, test):
    corpus = []
    for review in reviews:
        others = [one for part in (validation, test) for one in part]
        if review in others or (review.movie and review.movie in {one.movie for one in others}):
            continue
        corpus.append(review.text)
    return corpus


RIGHT = {
    ch09.drop_words: [through_the_matrix],
    ch09.locked_dropout: [with_the_library],
    ch09.weight_dropped_rnn: [with_the_cell_of_torch],
    ch09.pool_three_ways: [text_by_text],
    ch09.slanted_triangle: [between_two_ends],
    ch09.bits_per_character: [lambda nats, tokens, n: nats * math.log2(math.e) / (n / tokens)],
    ch09.domain_corpus: [film_by_film],
}


def a_fixed_share_of_words(embedded, tokens, vocab_size, p):
    kept = torch.ones(vocab_size)
    kept[torch.randperm(vocab_size)[: round(p * vocab_size)]] = 0
    return embedded * kept[tokens][..., None] / (1 - p)


def a_fixed_share_of_numbers(x, p, training):
    if not training:
        return x
    places = torch.rand(x.shape[0], 1, x.shape[2]).argsort(-1).argsort(-1)
    return x * (places >= round(p * x.shape[2])) / (1 - p)


WRONG = {
    ch09.drop_words: [
        a_fixed_share_of_words,
        ">= p -> < p",
        cut_out,
        "embedded * kept -> embedded.detach() * kept",
        "kept = (torch -> torch.manual_seed(0)\n    kept = (torch",
    ],
    ch09.locked_dropout: [
        a_fixed_share_of_numbers,
        "* mask / (1 - p) -> * mask",
        whole_sentences,
        "x.shape[0], 1, x.shape[2] -> 1, 1, x.shape[2]",
        "x * mask -> x.detach() * mask",
        "return x * mask -> return x[:, :1] * mask",
        "return x * mask -> return x.mul_(0.5) * 2 * mask",
        "mask = (torch -> torch.manual_seed(0)\n    mask = (torch",
    ],
    ch09.weight_dropped_rnn: [
        "@ w_input.T -> @ torch.nn.functional.dropout(w_input, p, training).T",
        thins_itself,
        "torch.rand(w_state.shape) -> torch.rand(w_state.shape[1])",
        "thinned = w_state * -> thinned = w_state.detach() *",
        ">= p) -> < p)",
        "thinned = w_state * -> torch.manual_seed(0)\n        thinned = w_state *",
    ],
    ch09.pool_three_ways: [
        "torch.cat([last, highest, mean], dim=1) -> last + highest + mean",
        "[last, highest, mean] -> [highest, mean, last]",
        "states[rows, lengths - 1] -> states[rows, lengths - 1].detach()",
        ">= lengths -> > lengths",
    ],
    ch09.slanted_triangle: [
        "cut * steps -> 0.1 * steps",
        "step < peak -> step < 0.1 * steps",
        "1 - (step - peak) / (steps - peak) -> 1 - (step - peak) / steps",
        "(1 + height * (ratio - 1)) / ratio -> (1 + height * 31) / 32",
        "step / peak if -> (step + 1) / (peak + 1) if",
        lambda step, steps, cut=0.1, ratio=32.0: ch09.slanted_triangle.answer(
            max(step, int(cut * steps)), steps, cut, ratio
        ),
        "cut * steps -> int(cut * steps)",
    ],
    ch09.bits_per_character: [
        "nats_per_token * -> math.exp(nats_per_token) *",
        "* tokens / math.log(2) / characters -> * characters / math.log(2) / tokens",
        "nats_per_token * tokens -> round(nats_per_token) * tokens",
    ],
    ch09.domain_corpus: [
        lambda reviews, validation, test: [
            one.text
            for one in reviews
            if not any(held.movie in one.movie for held in [*validation, *test] if held.movie)
            and (one.movie or one.text not in {held.text for held in [*validation, *test]})
        ],
        "[review.text for -> [review for",
        "not in held_out] -> not in ' | '.join(held_out)]",
    ],
}
