"""Answers to the exercises of chapter 02: more right ones and more wrong ones."""

from collections import Counter

import torch
from torch.nn import functional as F

from course_lib.decoding.search import greedy as greedy_of_the_course
from course_lib.exercises.ch02 import (
    clipped_precision,
    greedy,
    last_states,
    shifted,
    token_accuracy,
    translation_score,
)


def runs_by_loop(hypothesis, reference, n):
    left = [tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)]
    hits = total = 0
    for i in range(len(hypothesis) - n + 1):
        total += 1
        run = tuple(hypothesis[i : i + n])
        if run in left:
            left.remove(run)
            hits += 1
    return hits / max(total, 1)


@torch.no_grad()
def each_sentence_alone(model, source, max_length):
    rows = []
    for sentence in source:
        state, token, row = model.init_state(sentence[None]), torch.tensor([1]), []
        while len(row) < max_length:
            log_probs, state = model.step(token, state)
            token = log_probs.max(-1).indices
            if token.item() == 2:
                break
            row.append(token.item())
        rows.append(row)
    return rows


def drops_rows_that_ended(model, source, max_length):
    rows, alive = [[] for _ in source], torch.arange(len(source))
    state, tokens = model.init_state(source), torch.ones_like(source[:, 0])
    for _ in range(max_length):
        log_probs, state = model.step(tokens, state)
        tokens = log_probs.topk(1).indices[:, 0]
        keep = (tokens != 2).nonzero()[:, 0]
        if not len(keep):
            break
        alive, tokens, state = alive[keep], tokens[keep], model.reorder(state, keep)
        for row, token in zip(alive.tolist(), tokens.tolist(), strict=True):
            rows[row].append(token)
    return rows


def pads_rows_that_ended(model, source, max_length):
    state, tokens = model.init_state(source), torch.full((len(source),), 1)
    done, written = torch.zeros(len(source), dtype=torch.bool), []
    for _ in range(max_length):
        log_probs, state = model.step(tokens, state)
        tokens = torch.where(done, 0, log_probs.argmax(-1))
        done = done | (tokens == 2)
        written.append(tokens)
    rows = torch.stack(written, 1).tolist()
    return [[one for one in row if one not in (0, 2)] for row in rows]


def score_step_by_step(model, source, target):
    state, total = model.init_state(source), torch.zeros(len(source))
    for t in range(target.shape[1] - 1):
        log_probs, state = model.step(target[:, t], state)
        word = target[:, t + 1]
        total = total + log_probs[torch.arange(len(word)), word] * (word != 0)
    return total


@torch.inference_mode()
def score_by_cross_entropy(model, source, target):
    logits = model(source, target[:, :-1]).transpose(1, 2)
    return -F.cross_entropy(logits, target[:, 1:], ignore_index=0, reduction="none").sum(1)


RIGHT = {
    shifted: [
        lambda target: [target[:, :-1].clone(), target[:, 1:].contiguous()],
        lambda target: (target.narrow(1, 0, target.shape[1] - 1), target.roll(-1, 1)[:, :-1]),
    ],
    last_states: [
        "lengths - 1 -> (source == 0).int().argmax(1) - 1",
        "lengths - 1 -> (source > 0).sum(1) - 1",
        lambda states, source: torch.stack(
            [row[mask.nonzero().max()] for row, mask in zip(states, source != 0, strict=True)]
        ),
        lambda states, source: states.gather(
            1, (source.ne(0).sum(1) - 1).view(-1, 1, 1).expand(-1, 1, states.shape[-1])
        ).squeeze(1),
        lambda states, source: torch.einsum(
            "bsd,bs->bd", states, F.one_hot(source.ne(0).sum(1) - 1, source.shape[1]).float()
        ),
    ],
    clipped_precision: [
        runs_by_loop,
        "/ ours.total() if ours -> / max(len(hypothesis) - n + 1, 1) if ours",
        "if ours else 0.0 -> if len(hypothesis) >= n else 0",
        "(ours & theirs).total() -> sum(min(ours[run], theirs[run]) for run in ours)",
    ],
    token_accuracy: [
        lambda logits, targets: (
            (logits.argmax(-1) == targets)[targets != 0].float().mean()  # a tensor of one number
        ),
        "logits.argmax(dim=-1) -> logits.softmax(-1).max(-1).indices",
    ],
    greedy: [
        greedy_of_the_course,
        each_sentence_alone,
        drops_rows_that_ended,
        pads_rows_that_ended,
    ],
    translation_score: [
        "expected == 0 -> (target[:, :-1] == 0) | (target[:, :-1] == 2)",
        score_step_by_step,
        score_by_cross_entropy,
    ],
}


def spoils_the_target(target):
    target[target == 2] = 0
    return target[:, :-1], target[:, 1:]


def spoils_the_targets(logits, targets):
    targets[targets == 0] = -1
    return (logits.argmax(-1) == targets).sum().item() / (targets >= 0).sum().item()


def spoils_the_states(states, source):
    states[source == 0] = 0
    return states[torch.arange(len(source)), (source != 0).sum(1) - 1]


def brevity(hypothesis, reference, n):
    short = min(1.0, len(hypothesis) / max(len(reference), 1))
    return short * clipped_precision.answer(hypothesis, reference, n)


def geometric_mean(hypothesis, reference, n):
    value = 1.0
    for k in range(1, n + 1):
        value *= clipped_precision.answer(hypothesis, reference, k) ** (1 / n)
    return value


def any_order(hypothesis, reference, n):
    def runs(words):
        return Counter(tuple(sorted(words[i : i + n])) for i in range(len(words) - n + 1))

    ours = runs(hypothesis)
    return (runs(reference) & ours).total() / ours.total() if ours else 0.0


def blocks(hypothesis, reference, n):
    def runs(words):
        return Counter(tuple(words[i : i + n]) for i in range(0, len(words) - n + 1, n))

    ours = runs(hypothesis)
    return (runs(reference) & ours).total() / ours.total() if ours else 0.0


def joined(hypothesis, reference, n):
    def runs(words):
        return Counter("".join(words[i : i + n]) for i in range(len(words) - n + 1))

    ours = runs(hypothesis)
    return (runs(reference) & ours).total() / ours.total() if ours else 0.0


def lower_case(hypothesis, reference, n):
    pair = ([word.lower() for word in words] for words in (hypothesis, reference))
    return clipped_precision.answer(*pair, n)


def first_sentence_ends_all(model, source, max_length):
    rows = greedy.answer(model, source, max_length)
    return [row[: len(rows[0])] for row in rows]


WRONG = {
    shifted: [
        spoils_the_target,
        "target[:, :-1] -> target[:, :-1].masked_fill(target[:, :-1] == 2, 0)",
        "target[:, :-1] -> target[:, :-1].float()",
        "target[:, :-1] -> target[:, :4]",
        "target[:, 1:] -> target[0, 1:]",
    ],
    last_states: [
        spoils_the_states,
        "return states[ -> return states.detach()[",
        "(source != 0) -> (source > 1)",
    ],
    clipped_precision: [
        brevity,
        geometric_mean,
        joined,
        any_order,
        blocks,
        lower_case,
        "else 0.0 -> else 1.0",
        " if ours else 0.0 ->",
        "return (ours & theirs).total() / ours.total() -> "
        "return round((ours & theirs).total() / ours.total(), 2)",
    ],
    token_accuracy: [
        spoils_the_targets,
        "real = targets != 0 -> real = (targets != 0) & (logits.argmax(-1) != 0)",
        "real = targets != 0 -> real = targets > 2",
        "right.sum().item() / real.sum().item() -> right[0].sum().item() / real[0].sum().item()",
        "return right.sum().item() / real.sum().item() -> "
        "return round(right.sum().item() / real.sum().item(), 1)",
        "logits.argmax(dim=-1) -> torch.distributions.Categorical(logits=logits).sample()",
    ],
    greedy: [
        "return [row -> rows = [row ;; else row for row in rows] -> else row for row in rows]; "
        "return [[one for one in row if one > 3] for row in rows]",
        "log_probs.argmax(dim=-1) -> "
        "log_probs.scatter(1, tokens.unsqueeze(1), -torch.inf).argmax(-1)",
        first_sentence_ends_all,
        "range(max_length) -> range(max_length - 1)",
        "range(max_length) -> range(20)",
        "log_probs, state = -> log_probs, _ =",
        "for row in rows] -> for row in rows if row[0] != 2]",
        "return [ -> torch.set_grad_enabled(False)\n    return [",
        "torch.stack(written, dim=1).tolist() -> [*map(list, torch.stack(written, dim=1))]",
        "written = [] -> model.train()\n    written = []",
    ],
    translation_score: [
        "return of_words -> model.train()\n    return of_words",
        "return of_words -> torch.set_grad_enabled(False)\n    return of_words",
        ".log_softmax(dim=-1) -> .softmax(dim=-1).log()",
    ],
}
