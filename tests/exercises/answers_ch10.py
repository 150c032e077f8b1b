"""Chapter 10: right answers written differently, and wrong ones without a message of their own."""

import re

import torch

from course_lib.exercises import ch10


def by_powers(logits, temperature):
    powers = logits.softmax(-1) ** (1 / temperature)
    return powers / powers.sum(-1, keepdim=True)


def by_a_border(probs, k):
    kept = probs * (probs >= probs.topk(k, dim=-1).values[:, -1:])
    return kept / kept.sum(-1, keepdim=True)


def row_by_row(probs, p):
    rows = []
    for row in probs:
        kept, total = torch.zeros_like(row), 0.0
        for place in row.argsort(descending=True).tolist():
            kept[place] = row[place]
            total += row[place].item()
            if total >= p:
                break
        rows.append(kept / kept.sum())
    return torch.stack(rows)


def token_by_token(first, second, marks, longest):
    first, second = list(first), list(second)
    while len(first) + len(second) > longest - 3:
        (first if len(first) > len(second) else second).pop()
    return [marks[0], *first, marks[1], *second, marks[2]]


def pops(first, second, marks, longest):
    while len(first) + len(second) > longest - 3:
        (first if len(first) > len(second) else second).pop()
    return [marks[0], *first, marks[1], *second, marks[2]]


def by_pattern(state):
    found = {}
    for name, tensor in state.items():
        name = re.sub(r"^transformer\.", "", name)
        if re.fullmatch(r"h\.\d+\.attn\.(masked_)?bias", name):
            continue
        linear = re.fullmatch(r"h\.\d+\.(attn|mlp)\.c_\w+\.weight", name)
        found[name] = tensor.transpose(0, 1) if linear else tensor
    return found


def turned_in_place(state):
    for name in list(state):
        if ".c_" in name and name.endswith("weight"):
            state[name] = state[name].T
    return {
        name.removeprefix("transformer."): tensor
        for name, tensor in state.items()
        if not name.endswith((".attn.bias", ".attn.masked_bias"))
    }


def huge(state):
    right = ch10.from_conv1d.answer(state)
    return right | {"wte.weight": torch.zeros(1, 1).expand(10**6, 10**6)}


def by_log_softmax(logits, prompt, continuation):
    log_probs = logits.log_softmax(-1)
    total = torch.zeros(())
    for place, token in enumerate(continuation):
        total = total - log_probs[len(prompt) + place - 1, token]
    return total


def by_gathering(logits, tokens, pad):
    log_probs = logits[:, :-1].log_softmax(-1)
    asked = tokens[:, 1:]
    right = log_probs.gather(-1, asked.unsqueeze(-1)).squeeze(-1)
    return -right[asked != pad].mean()


@torch.inference_mode()
def window_of_each_token(model, ids, length, stride):
    """For each token, the window that scores it first, and its row in it."""
    nats = []
    for at in range(len(ids) - 1):
        first = 0 if at < length else -(-(at - length + 1) // stride) * stride
        rows = model(ids[None, first : at + 1])[0].log_softmax(-1)
        nats.append(-rows[-1, ids[at + 1]])
    return torch.stack(nats).mean()


RIGHT = {
    ch10.temper: [by_powers],
    ch10.keep_top_k: [by_a_border],
    ch10.keep_top_p: [row_by_row],
    ch10.decayed: ["parameter.dim() > 1 -> len(parameter.shape) >= 2"],
    ch10.write_pair: [token_by_token],
    ch10.from_conv1d: [by_pattern],
    ch10.continuation_nats: [by_log_softmax],
    ch10.next_token_loss: [by_gathering],
    ch10.window_nats: [window_of_each_token],
}

WRONG = {
    ch10.temper: [
        "(logits / -> (logits.detach() /",
        "(logits / temperature) -> (logits / max(temperature, 0.5))",
        lambda logits, temperature: logits.div_(temperature).softmax(-1),
        "(logits / temperature).softmax( -> F.normalize((logits / temperature).exp(), p=1, ",
        "(logits / temperature).softmax( -> "
        "F.normalize((logits / temperature - logits.max() / temperature).exp(), p=1, ",
    ],
    ch10.keep_top_k: [
        "probs.topk(k, dim=-1) -> probs[:, :k], torch.arange(k).expand(len(probs), k)",
        "torch.zeros_like(probs) -> torch.full_like(probs, 1e-6)",
        lambda probs, k: probs.topk(k, dim=-1).values.softmax(-1),
        lambda probs, k: ch10.keep_top_k.answer(probs.mul_(2), k),
    ],
    ch10.keep_top_p: [
        "(before < p) -> (before < p) * (torch.arange(probs.shape[1]) < 20)",
        "before < p -> before < 0.9",
        "scatter(-1, places, kept) -> copy_(kept)",
        "descending=True -> descending=False",
        "kept = ordered * (before < p) -> kept = ordered * (ordered < p)",
        "kept = ordered * (before < p) -> kept = ordered * (before[:1] < p)",
    ],
    ch10.decayed: [
        "parameter.dim() > 1 -> parameter.squeeze().dim() > 1",
        lambda model: set(ch10.decayed.answer(model)),
        lambda model: sorted(ch10.decayed.answer(model)),
    ],
    ch10.write_pair: [
        pops,
        "longest - 3 -> longest - 2",
        "room // 2) -> (room + 1) // 2)",
        "second[: room - len(first)] -> second[: shorter]",
        "start, delimiter, extract = marks -> start, delimiter, extract = 1, 50, 51",
    ],
    ch10.from_conv1d: [
        'name = name.removeprefix("transformer.") -> ',
        turned_in_place,
        huge,
        '".attn.masked_bias" -> ".attn.no_bias"',
        '(".attn.bias", ".attn.masked_bias") -> "bias"',
        'name.endswith((".attn.bias", ".attn.masked_bias")) -> name.startswith("h.0.attn.") and '
        'name.endswith((".bias", "masked_bias"))',
    ],
    ch10.continuation_nats: [
        'reduction="sum" -> reduction="none"',
        "return F -> return -F",
        "asked, continuation, -> asked.detach(), continuation,",
        "start = len(prompt) - 1 -> start = 4",
        lambda logits, prompt, continuation: ch10.continuation_nats.answer(
            logits, prompt, continuation
        ).item(),
        "F.cross_entropy(asked, -> F.nll_loss(asked.softmax(-1).log(),",
    ],
    ch10.next_token_loss: [
        "logits[:, :-1] -> logits[:, :-1].detach()",
        "F.cross_entropy(logits[:, :-1] -> F.nll_loss(logits[:, :-1].softmax(-1).log()",
    ],
    ch10.window_nats: [
        "return total / scored -> return total",
        "return total / scored -> return 2.718281828 ** (total / scored)",
        "asked[scored:end] -> read[scored:end]",
        "range(0, len(read), stride) -> range(0, len(read) - length + 1, stride)",
        "range(0, len(read), stride) -> range(len(read))",
        "read[None, start : start + length] -> read[None, : start + length]",
    ],
}
