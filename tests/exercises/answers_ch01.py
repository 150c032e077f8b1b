"""Answers to the exercises of chapter 01: more right ones and more wrong ones."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.exercises.ch01 import (
    clip_gradients,
    corpus_perplexity,
    gru_step,
    latch,
    rnn_step,
    score_articles,
    sentence_vectors,
)


def one_matrix_for_both(inputs, hidden, weight_ih, weight_hh, bias):
    both = torch.cat([inputs, hidden], dim=1)
    return (both @ torch.cat([weight_ih, weight_hh], dim=1).T + bias).tanh()


def gru_as_a_correction(from_input, from_state, hidden):
    width = hidden.shape[1]
    gates = torch.sigmoid((from_input + from_state)[:, : 2 * width])
    new = torch.tanh(from_input[:, 2 * width :] + gates[:, :width] * from_state[:, 2 * width :])
    return new + gates[:, width:] * (hidden - new)


def clip_with_torch(gradients, limit):
    parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    nn.utils.clip_grad_norm_(parameters, limit)
    return [parameter.grad for parameter in parameters]


def clip_by_floats(gradients, limit):
    norm = math.sqrt(sum(number**2 for one in gradients for number in one.flatten().tolist()))
    return [one * (limit / norm) if norm > limit else one for one in gradients]


def score_step_by_step(model, articles):
    scores = []
    for article in articles:
        state, nats = model.init_state(article[None, :0]), []
        for now, after in zip(article[:-1], article[1:], strict=True):
            log_probs, state = model.step(now[None], state)
            nats.append(-log_probs[0, after].item())
        scores.append(sum(nats) / len(nats))
    return scores


def score_with_tensors(model, articles):
    scores = []
    for article in articles:
        log_probs = model(article[None], None)[0][0].log_softmax(-1)
        scores.append(-log_probs[torch.arange(len(article) - 1), article[1:]].mean())
    return scores


def torch_cell(half_open=False, bias=(-30, 30, 0, 9)):
    cell = nn.LSTMCell(2, 1)
    weights = [[0.0, 60.0], [0.0, -60.0], [8.0, 0.0], [0.0, 0.0]]
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)
    cell.weight_ih.data = torch.tensor(weights)
    cell.bias_hh.data = torch.tensor([float(one) for one in bias])
    return cell


class OwnCell(nn.Module):
    def __init__(self):
        super().__init__()
        for name, parameter in torch_cell().named_parameters():
            self.register_buffer(name, parameter.data.double())


RIGHT = {
    rnn_step: [
        one_matrix_for_both,
        lambda x, h, wx, wh, b: torch.tanh(F.linear(x, wx, b) + F.linear(h, wh)),
        lambda x, h, wx, wh, b: torch.ops.aten.rnn_tanh_cell(x, h, wx, wh, b, torch.zeros_like(b)),
        lambda x, h, wx, wh, b: (
            2 / (1 + torch.exp(-2 * (torch.einsum("be,de->bd", x, wx) + h @ wh.mT + b))) - 1
        ),
    ],
    corpus_perplexity: [
        lambda nats, words: (torch.tensor(nats).sum() / torch.tensor(words).sum()).exp(),
        lambda nats, words: np.exp(np.sum(nats) / np.sum(words)),
        lambda nats, words: (
            math.e ** sum(n / w * w / sum(words) for n, w in zip(nats, words, strict=True))
        ),
        lambda nats, words: 2 ** (sum(nats) / sum(words) / math.log(2)),
    ],
    gru_step: [
        gru_as_a_correction,
        lambda x, h, hidden: torch.lerp(
            torch.tanh(x.chunk(3, 1)[2] + torch.sigmoid((x + h).chunk(3, 1)[0]) * h.chunk(3, 1)[2]),
            hidden,
            torch.sigmoid((x + h).chunk(3, 1)[1]),
        ),
    ],
    clip_gradients: [
        clip_with_torch,
        clip_by_floats,
        "(limit / norm).clamp(max=1.0) -> min(1.0, limit / norm)",
        "(limit / norm).clamp(max=1.0) -> limit / max(limit, norm)",
        "[gradient * factor for gradient in gradients] -> tuple(g * factor for g in gradients)",
    ],
    sentence_vectors: [
        lambda last: torch.cat(list(last), dim=1),
        lambda last: torch.stack([last[:, b].reshape(-1) for b in range(last.shape[1])]),
        lambda last: last.permute(1, 0, 2).contiguous().view(last.shape[1], -1),
        lambda last: torch.hstack(tuple(last)),
    ],
    score_articles: [
        score_step_by_step,
        score_with_tensors,
        lambda model, articles: torch.stack(score_with_tensors(model, articles)),
        lambda model, articles: [score_step_by_step(model, [one])[0] for one in articles],
        "model(article[None, :-1], None) -> model(article.unsqueeze(0)[:, :-1])",
    ],
    latch: [
        torch_cell,
        lambda: OwnCell(),
        lambda: torch_cell(bias=(-30, 30, 0, 0)),  # the output gate half open
        lambda: torch_cell(bias=(-30, 30, 0, 9)).double(),
        "[10.0, 0.0] -> [3.0, 0.0]",
        "cell.bias_ih[:] -> cell.weight_hh[2] = 0.5\n        cell.bias_ih[:]",
    ],
}


def clips_in_place(gradients, limit):
    norm = torch.cat([one.flatten() for one in gradients]).norm()
    return [one.mul_((limit / norm).clamp(max=1)) for one in gradients]


WRONG = {
    rnn_step: [
        "+ bias) -> + bias).detach()",
        "+ hidden @ -> + hidden.detach() @",
        "+ hidden @ weight_hh.T -> + hidden[:1] @ weight_hh.T",
        "return torch -> hidden.zero_()\n    return torch",
    ],
    corpus_perplexity: [
        "sum(nats) / sum(words) -> sum(nats) / len(words)",
        "sum(nats) / sum(words) -> nats[0] / words[0]",
        "math.exp(sum(nats) / sum(words)) -> round(math.exp(sum(nats) / sum(words)))",
        "math.exp(sum(nats) / sum(words)) -> "
        "sum(math.exp(n / w) * w for n, w in zip(nats, words)) / sum(words)",
        "return -> nats.sort()\n    return",
    ],
    gru_step: [
        "(1 - update) * new + update * hidden -> (1 - update) * new + update * hidden.detach()",
        "torch.sigmoid(x_reset + h_reset) -> torch.sigmoid(x_reset + h_reset).detach()",
        "from_input.chunk(3, dim=1) -> from_input.view(len(hidden), -1, 3).unbind(2)",
        "return -> hidden.copy_(new)\n    return",
    ],
    clip_gradients: [
        clips_in_place,
        "(limit / norm).clamp(max=1.0) -> 0.4 if norm > limit else 1.0",
        "torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt() -> "
        "gradients[0].norm()",
        "[gradient * factor for gradient in gradients] -> "
        "torch.cat([gradient.flatten() * factor for gradient in gradients])",
        "return [gradient * factor for gradient in gradients] -> "
        "if norm > limit: return [gradient * factor for gradient in gradients]",
        "gradient * factor -> gradient / norm * norm.clamp(max=limit)",
    ],
    sentence_vectors: [
        "last.transpose(0, 1).flatten(1) -> torch.cat([last[0], last[1]], dim=1)",
        "last.transpose(0, 1).flatten(1) -> last.permute(1, 0, 2).reshape(5, -1)",
        "last.transpose(0, 1).flatten(1) -> last.transpose(0, 1).flatten(1).detach()",
        "return -> last[0] = last[-1]\n    return",
    ],
    score_articles: [
        "scores = [] -> scores, state = [], None ;; logits, _ -> logits, state ;; None) -> "
        "None if state is None else state * 0)",
        "article[1:]) -> article[1:], reduction='sum')",
        "return scores -> return sum(scores) / len(scores)",
        "article[1:]) -> article[1:], reduction='sum') / len(article)",
        "article[1:]) -> article[1:].flip(0))",
        "scores = [] -> scores, state = [], None ;; logits, _ -> logits, state ;; "
        "None) -> state) ;; "
        "with torch -> for one in articles: _, state = model(one[None, :-1], None)\n    with torch",
        "with torch.no_grad(): -> torch.set_grad_enabled(False)\n    if True:",
        "scores = [] -> scores = []\n    model.train()",
        "logits, _ = model(article[None, :-1], None) -> "
        "logits = torch.cat([model(t[None, None], None)[0] for t in article[:-1]], 1)",
        "cross_entropy(logits[0], -> nll_loss(logits[0].softmax(-1).log(),",
    ],
    latch: [
        lambda: nn.LSTM(2, 1),
        lambda: nn.LSTMCell(2, 1, bias=False),
        lambda: nn.GRUCell(2, 1),
        # the output gate shut
        # the candidate always positive
        # input and forget gate exchanged
        # the usual forget bias
        lambda: torch_cell(bias=(-30, 4.2, 0, 9)),
        # a little noise at every step
        lambda: torch_cell(bias=(-5, 5, 0, 9)),  # the same, where all noise has one sign
    ],
}
