"""Answers to the exercises of chapter 00: more right ones and more wrong ones."""

from functools import lru_cache

import torch
from torch.nn import functional as F

from course_lib.exercises.ch00 import (
    centered,
    cross_entropy,
    descend,
    shapes,
    similarities,
    slope,
    softmax,
)


def softmax_by_rows(scores, temperature=1.0):
    rows = []
    for row in scores.reshape(-1, scores.shape[-1]):
        powers = torch.exp((row - row.max().detach()) / temperature)
        rows.append(powers / torch.sum(powers))
    return torch.stack(rows).reshape(scores.shape)


def softmax_by_logsumexp(scores, temperature=1.0):
    scaled = scores / temperature
    return (scaled - scaled.logsumexp(-1, keepdim=True)).exp()


def slope_with_care(function, point):
    with torch.enable_grad():
        leaf = torch.tensor(point.tolist(), dtype=point.dtype, requires_grad=True)
        value = function(leaf)
    (gradient,) = torch.autograd.grad(value, leaf)
    return gradient


def descend_in_place(loss, start, rate=0.1, steps=10):
    point = start.clone().detach().requires_grad_(True)
    for _ in range(steps):
        if point.grad is not None:
            point.grad.zero_()
        loss(point).backward()
        with torch.no_grad():
            point -= rate * point.grad
    return point.detach()


def descend_with_autograd(loss, start, rate=0.1, steps=10):
    point = start.detach()
    while steps > 0:
        point = point.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(point), [point])
        point, steps = point.data - gradient.mul(rate), steps - 1
    return point


RIGHT = {
    shapes: [
        lambda: tuple(shapes.answer),
        lambda: [torch.Size(one) for one in shapes.answer],
        lambda: [torch.zeros(one).shape for one in shapes.answer],
    ],
    centered: [
        lambda table: torch.stack([row - row.sum() / len(row) for row in table]),
        lambda table: (table.T - table.mean(1)).T,
        lambda table: table - table.mean(-1)[:, None],
        lambda table: table - torch.mean(table, 1).unsqueeze(1).expand_as(table),
        lambda table: table @ (torch.eye(table.shape[1]) - 1 / table.shape[1]),
    ],
    similarities: [
        lambda queries, keys: torch.einsum("btd,bsd->bts", queries, keys),
        lambda queries, keys: (queries[:, :, None, :] * keys[:, None, :, :]).sum(-1),
        lambda queries, keys: torch.bmm(queries, keys.mT),
        lambda queries, keys: torch.stack([q @ k.T for q, k in zip(queries, keys, strict=True)]),
    ],
    softmax: [
        softmax_by_rows,
        softmax_by_logsumexp,
        "scaled.amax(dim=-1, keepdim=True) -> scaled.max(-1, keepdim=True).values",
        "exponentials / exponentials.sum(dim=-1, -> exponentials / torch.sum(exponentials, dim=-1,",
    ],
    cross_entropy: [
        lambda logits, targets: (
            logits.logsumexp(1) - logits.gather(1, targets[:, None]).squeeze(1)
        ).mean(),
        lambda logits, targets: F.nll_loss(F.log_softmax(logits, -1), targets),
        lambda logits, targets: (
            -(F.one_hot(targets, logits.shape[1]) * logits.log_softmax(1)).sum() / len(targets)
        ),
    ],
    slope: [
        slope_with_care,
        lambda function, point: torch.autograd.functional.jacobian(function, point.detach()),
        lambda function, point: torch.func.grad(function)(point.detach()),
        "point.detach().clone().requires_grad_() -> point.clone().detach().requires_grad_(True)",
        "point.detach().clone().requires_grad_() -> torch.nn.Parameter(point.detach().clone())",
    ],
    descend: [
        descend_in_place,
        descend_with_autograd,
        lambda loss, start, rate=0.1, steps=10: descend_in_place(
            loss, descend.answer(loss, start, rate, steps // 2), rate, steps - steps // 2
        ),
    ],
}


def accumulates_in_a_new_leaf(function, point):
    leaf = point.requires_grad_()
    function(leaf).backward()
    return leaf.grad


def leaves_a_gradient(function, point):
    learns = point.requires_grad
    point.requires_grad_()
    before = point.grad
    point.grad = None
    function(point).backward()
    gradient = point.grad
    if not learns:
        point.requires_grad_(False)
    else:
        point.grad = before
    return gradient


def clears_the_gradient(function, point):
    leaf = point if point.requires_grad else point.clone().requires_grad_()
    leaf.grad = None
    leaf.retain_grad()
    function(leaf).backward(inputs=[leaf])
    gradient, leaf.grad = leaf.grad, None
    return gradient


def with_sgd(loss, start, rate=0.1, steps=10):
    point = start.detach().clone().requires_grad_()
    optimizer = torch.optim.SGD([point], lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(point).backward()
        optimizer.step()
    return point.detach()


def never_uphill(loss, start, rate=0.1, steps=10):
    points = [descend.answer(loss, start, rate, count) for count in range(steps + 1)]
    return min(points, key=loss)


def keeps_a_gradient(loss, start, rate=0.1, steps=10):
    learns, point = start.requires_grad, start
    for _ in range(steps):
        point = point.detach().requires_grad_()
        loss(point).backward()
        point = point - rate * point.grad
    if learns:
        start.grad = point.detach() - start.detach()
    return point.detach()


WRONG = {
    shapes: [
        lambda: [4, 4, 2, 2, 2],
        lambda: shapes.answer[:4],
        lambda: [list(one) for one in shapes.answer],
        lambda: shapes.answer[::-1],
        "(2, 5, 7), -> (2, 3, 7),",
        "(2, 5),  # the -> (5, 7),  # the",
    ],
    centered: [
        "dim=1, keepdim=True ->",
        "table.mean(dim=1, keepdim=True) -> table.median(dim=1, keepdim=True).values",
        "table.mean(dim=1, keepdim=True) -> table.sum(dim=1, keepdim=True) / len(table)",
        "return table - -> return table.detach() -",
        "return table - -> table -= table.mean(dim=1, keepdim=True)\n    return table #",
        "return table - -> return table.view(-1, 4) -",
    ],
    similarities: [
        "queries @ keys.transpose(1, 2) -> queries @ keys[0].T",
        "queries @ keys.transpose(1, 2) -> (queries @ keys.transpose(1, 2)).detach()",
        "queries @ keys.transpose(1, 2) -> queries.detach() @ keys.transpose(1, 2)",
        "return queries -> keys *= 2\n    return queries",
    ],
    softmax: [
        ".amax(dim=-1, keepdim=True) -> .amax() ;; .sum(dim=-1, keepdim=True) -> .sum()",
        lambda scores, temperature=1.0: torch.softmax(scores / temperature, -1),
        lambda scores, temperature=1.0: (scores / temperature).log_softmax(-1).exp(),
        "return exponentials / exponentials.sum(dim=-1, keepdim=True) -> "
        "return (exponentials / exponentials.sum(dim=-1, keepdim=True)).detach()",
        "sum(dim=-1, keepdim=True) -> sum(dim=-1)",
        "sum(dim=-1, keepdim=True) -> sum(dim=1, keepdim=True)",
        "(scaled - scaled.amax(dim=-1, keepdim=True)) -> scaled.clamp(-80, 80)",
        lambda scores, temperature=2.0: softmax.answer(scores, temperature),
        "scores / temperature -> scores / temperature**2",
        "scores / temperature -> scores.div_(temperature)",
        "scaled - scaled.amax( -> scaled - scores.amax(",
    ],
    cross_entropy: [
        lambda logits, targets: F.cross_entropy(logits, targets),
        "-log_probabilities[rows -> log_probabilities[rows",
        ".mean() -> .mean().detach()",
        "-log_probabilities[rows, targets].mean() -> -log_probabilities[:, targets].mean()",
        "logits.log_softmax(dim=-1) -> logits.sub_(logits.logsumexp(-1, keepdim=True))",
    ],
    slope: [
        lru_cache(slope.answer),
        accumulates_in_a_new_leaf,
        leaves_a_gradient,
        clears_the_gradient,
        "return leaf.grad -> return -leaf.grad",
        "return leaf.grad -> return point.grad",
        "function(leaf).backward() -> function(leaf.detach()).backward()",
        "return leaf.grad -> torch.set_grad_enabled(False)\n    return leaf.grad",
        "point.detach().clone() -> torch.tensor(point.tolist())",
    ],
    descend: [
        with_sgd,
        never_uphill,
        lambda loss, start, rate=0.01, steps=10: descend.answer(loss, start, rate, steps),
        lambda loss, start, rate=0.1, steps=9: descend.answer(loss, start, rate, steps),
        keeps_a_gradient,
        "return point -> return point.requires_grad_()",
        "return point -> start.copy_(point)\n    return point",
        "point = start.detach().clone() -> path = [start.detach().clone()]; point = path[0] ;; "
        ").detach() -> ).detach(); path.append(point) ;; return point -> return torch.stack(path)",
        "return point -> torch.set_grad_enabled(False)\n    return point",
        "loss(leaf).backward() -> loss(leaf).backward()\n        if leaf.grad.norm() < 0.01: break",
    ],
}
