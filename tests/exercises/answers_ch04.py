"""Chapter 04: right answers written differently, and wrong ones without a message of their own."""

import torch
from torch import nn

from course_lib.exercises import ch04


def pair_by_pair(queries, keys, W, U, v):
    rows = [[v @ torch.tanh(W @ q + U @ k) for k in keys] for q in queries]
    return torch.stack([torch.stack(row) for row in rows])


def by_exponentials(scores, values, mask):
    allowed = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    exponentials = (allowed - allowed.amax(dim=-1, keepdim=True)).exp() * mask
    weights = exponentials / exponentials.sum(dim=-1, keepdim=True).clamp(min=1e-9)
    return torch.einsum("bts,bsd->btd", weights, values), weights


def zero_rows_after_a_large_number(scores, values, mask):
    weights = scores.masked_fill(~mask, -1e9).softmax(dim=-1) * mask
    return torch.bmm(weights, values), weights


def repaired_afterwards(scores, values, mask):
    added = torch.zeros_like(scores).masked_fill(~mask, -torch.inf)
    weights = (scores + added).softmax(dim=-1).nan_to_num(0.0)
    return weights @ values, weights


def exponentials_by_hand(scores, values, mask):
    exponentials = scores.exp() * mask
    weights = exponentials / exponentials.sum(dim=-1, keepdim=True)
    return weights @ values, weights


def by_the_difference(links, gold):
    ours = {(i, *link) for i, one in enumerate(links) for link in one}
    right = {(i, *link) for i, one in enumerate(gold) for link in one}
    return len(ours ^ right) / (len(ours) + len(right))


def one_heap(links, gold):
    ours = [link for a in links for link in a]
    right = [link for g in gold for link in g]
    return 1 - 2 * sum(link in right for link in ours) / (len(ours) + len(right))


def skips_sentences(links, gold):
    kept = [(a, g) for a, g in zip(links, gold, strict=True) if a]
    return ch04.alignment_error_rate.answer([a for a, _ in kept], [g for _, g in kept])


def emptied(links, gold):
    right, total = 0, sum(map(len, links)) + sum(map(len, gold))
    for ours, theirs in zip(links, gold, strict=True):
        ours &= theirs
        right += len(ours)
    return 1 - 2 * right / total


def state_by_state(query, previous, states, W, mask):
    Wq, Wp = W.split([query.shape[1], previous.shape[1]], dim=1)
    asked = query @ Wq.T + previous @ Wp.T
    scores = torch.stack([torch.linalg.vecdot(asked, state) for state in states.unbind(1)], dim=1)
    exponentials = (scores - scores.amax(1, keepdim=True)).exp() * mask
    weights = exponentials / exponentials.sum(1, keepdim=True)
    return torch.einsum("bs,bsd->bd", weights, states), weights


def renormalized(scores, source_mask):
    weights = scores.softmax(dim=-1) * source_mask.unsqueeze(1)
    return weights / weights.sum(dim=-1, keepdim=True)


class StepInParts(nn.Module):
    def __init__(self, embedding, width):
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.energy = nn.Linear(width, 1, bias=False)
        self.cell = nn.GRUCell(embedding + width, width)

    def forward(self, embedded, hidden, states, mask):
        asked = self.query(hidden)[:, None].expand_as(states)
        scores = torch.tanh(asked + self.key(states)) @ self.energy.weight[0]
        weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
        context = torch.einsum("bs,bsd->bd", weights, states)
        return self.cell(torch.cat([embedded, context], dim=1), hidden), weights


RIGHT = {
    ch04.dot_scores: [
        lambda queries, keys: (queries.unsqueeze(-2) * keys.unsqueeze(-3)).sum(dim=-1)
    ],
    ch04.additive_scores: [pair_by_pair],
    ch04.attend: [
        by_exponentials,
        zero_rows_after_a_large_number,
        "-torch.inf).masked_fill(~somewhere, 0.0) -> -torch.inf)",  # masked again afterwards
    ],
    ch04.alignment_error_rate: [by_the_difference],
    ch04.look: [state_by_state],
    ch04.source_weights: [renormalized],
    ch04.AttentionStep: [StepInParts],
}

WRONG = {
    ch04.dot_scores: [
        "keys.transpose(-2, -1) -> keys.transpose(-2, -1).detach()",
        "queries @ -> queries.detach() @",
        lambda queries, keys: torch.einsum("btk,bsk->bts", queries, keys),
    ],
    ch04.additive_scores: [
        "(queries @ W.T).unsqueeze(1) -> (queries @ W.T).unsqueeze(0) ;; "
        "(keys @ U.T).unsqueeze(0) -> (keys @ U.T).unsqueeze(1)",
        "asked + offered -> asked + offered[:, :, : keys.shape[1]]",
        "asked + offered -> asked.detach() + offered",
    ],
    ch04.attend: [
        repaired_afterwards,
        exponentials_by_hand,
        "return weights @ values, weights -> return weights, weights @ values",
        "weights @ values, weights -> weights.detach() @ values, weights",
        "mask.any(dim=-1, keepdim=True) -> torch.ones_like(mask[..., :1])",
        lambda scores, values, mask: ch04.attend.answer(
            scores.masked_fill_(~mask, -9.0), values, mask
        ),
    ],
    ch04.alignment_error_rate: [
        one_heap,
        skips_sentences,
        emptied,
        "1 - 2 * right / total -> 1 - right / sum(map(len, gold))",
        "len(a & g) for -> len({(t, s) for s, t in a} & g) for",
        "1 - 2 * right / total -> round(1 - 2 * right / total, 1)",
        "1 - 2 * right / total -> 100 * (1 - 2 * right / total)",
    ],
    ch04.look: [
        "masked_fill(~mask -> masked_fill(mask",
        "* states).sum -> * states.detach()).sum",
        "return context, weights -> return weights, context",
    ],
    ch04.source_weights: [
        "-torch.inf -> 0.0",
        "scores.masked_fill(~ -> scores.masked_fill_(~",
        "scores.softmax(dim=-1) -> scores.detach().softmax(dim=-1)",
        lambda scores, mask: scores.softmax(dim=-1) * mask[:, None, :],
    ],
    ch04.AttentionStep: [
        "masked_fill(~mask, -torch.inf).softmax(dim=-1) -> masked_fill(~mask, "
        "-torch.inf).squeeze().softmax(dim=-1).reshape(mask.shape)",
        "self.query = nn.Linear(width, width, bias=False) -> self.query = nn.Linear(width, width)",
        "self.energy = -> self.score = ;; self.energy(mixed) -> self.score(mixed)",
        "self.energy(mixed) -> self.energy(mixed.detach())",
        "return self.cell(torch.cat([embedded, context], dim=-1), hidden), weights -> "
        "return weights, self.cell(torch.cat([embedded, context], dim=-1), hidden)",
        "scores.masked_fill(~mask, -torch.inf).softmax(dim=-1) -> scores.softmax(dim=-1) * mask",
    ],
}
