"""Chapter 11: right answers written differently, and wrong ones without a message of their own."""

import math

import torch
from torch.nn import functional as F

from course_lib.exercises import ch11


def by_recursion(word, vocabulary, prefix=""):
    for end in range(len(word), 0, -1):
        piece = prefix + word[:end]
        if piece in vocabulary:
            rest = by_recursion(word[end:], vocabulary, "##") if word[end:] else []
            return ["[UNK]"] if rest == ["[UNK]"] else [piece, *rest]
    return ["[UNK]"]


def step_by_step(first, second, cls, sep):
    ids, segments = [cls], [0]
    for number, text in enumerate((first, second)):
        for token in [*text, sep]:
            ids.append(token)
            segments.append(number)
    return ids, segments


def appended(first, second, cls, sep):
    first.append(sep)
    return [cls, *first, *second, sep], [0] * (len(first) + 1) + [1] * (len(second) + 1)


def by_a_copy(tokens, chosen, draw, others, mask_id):
    seen = tokens.clone()
    seen[chosen & (draw < 0.8)] = mask_id
    swap = chosen & (draw >= 0.8) & (draw < 0.9)
    seen[swap] = others[swap]
    return seen


def in_place(tokens, chosen, draw, others, mask_id):
    tokens[chosen & (draw < 0.8)] = mask_id
    swap = chosen & (draw >= 0.8) & (draw < 0.9)
    tokens[swap] = others[swap]
    return tokens


def by_log_softmax(logits, tokens, chosen):
    right = logits.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)  # (B, S)
    return -(right * chosen).sum() / chosen.sum()


def by_ignoring(logits, tokens, chosen):
    return F.cross_entropy(logits.transpose(1, 2), torch.where(chosen, tokens, -100))


def one_by_one(states, real):
    return torch.stack([row[mask].mean(dim=0) for row, mask in zip(states, real, strict=True)])


def by_weights(states, real):
    return torch.einsum("bs,bsd->bd", real / real.sum(dim=1, keepdim=True), states)


def by_filling(tokens, draw, specials, share):
    for special in specials:
        draw = draw.masked_fill(tokens == special, 2.0)
    return draw < share


def filled_in_place(tokens, draw, specials, share):
    for special in specials:
        draw[tokens == special] = 2.0
    return draw < share


def by_numbers(pieces, order, share):
    marks = ("[CLS]", "[SEP]", "[PAD]")
    begins = [piece not in marks and piece[:2] != "##" for piece in pieces]
    word = torch.tensor(begins).cumsum(0) - 1
    word[torch.tensor([piece in marks for piece in pieces])] = -1
    size = torch.bincount(word[word >= 0])
    left, taken = max(math.floor(share * int(size.sum())), 1), set()
    for number in order:
        if size[number] <= left:
            left -= int(size[number])
            taken.add(number)
    return [place for place, number in enumerate(word.tolist()) if number in taken]


def going_back(word, vocabulary, prefix=""):
    for end in range(len(word), 0, -1):
        rest = going_back(word[end:], vocabulary, "##") if word[end:] else []
        if prefix + word[:end] in vocabulary and rest != ["[UNK]"]:
            return [prefix + word[:end], *rest]
    return ["[UNK]"]


RIGHT = {
    ch11.longest_match: [by_recursion],
    ch11.encode_pair: [step_by_step],
    ch11.corrupt: [by_a_copy],
    ch11.masked_loss: [by_log_softmax, by_ignoring],
    ch11.both_ways: [lambda tokens, pad: tokens.ne(pad).unsqueeze(1).unsqueeze(2)],
    ch11.text_vector: [one_by_one, by_weights],
    ch11.choose_places: [by_filling],
    ch11.whole_words: [by_numbers],
}

WRONG = {
    ch11.longest_match: [
        '"##" if start else "" -> "##"',
        "pieces.append(prefix + word[start:end]) -> pieces.append(word[start:end])",
        'return ["[UNK]"] -> return pieces',
        "start, -1) -> start + 1, -1)",
        'if start else "" -> if len(pieces) > 1 else ""',
        lambda word, vocabulary: [word] if word in vocabulary else ["[UNK]"],
        going_back,
    ],
    ch11.encode_pair: [
        "[1] * (len(second) + 1) -> [int(one not in first) for one in second] + [1]",
        "(len(first) + 2) -> len(first) ;; (len(second) + 1) -> len(second)",
        appended,
        "[cls, *first, sep, *second, sep] -> [101, *first, 102, *second, 102]",
        lambda first, second, cls, sep: ch11.encode_pair.answer(first, second, cls, sep)[0],
    ],
    ch11.corrupt: [
        "chosen & (draw < 0.8) -> draw < 0.8 ;; chosen & (draw >= 0.8) -> (draw >= 0.8)",
        in_place,
        "draw >= 0.8 -> draw > 0.8",
        "mask_id, tokens -> 4, tokens",
    ],
    ch11.masked_loss: [
        "logits[chosen] -> logits[chosen].detach()",
        "F.cross -> -F.cross",
        lambda logits, tokens, chosen: ch11.masked_loss.answer(logits, tokens, chosen).item(),
        "F.cross_entropy(logits[chosen], -> F.nll_loss(logits[chosen].softmax(-1).log(),",
    ],
    ch11.both_ways: ["!= pad -> > pad"],
    ch11.text_vector: [
        "states * -> states.detach() *",
        lambda states, real: ch11.text_vector.answer(states.mul_(real[..., None]), real),
        "(states * real -> (states * real.sort(1, descending=True).values",
        "/ real.sum(dim=1, keepdim=True) -> / (states * real[..., None] != 0).sum(dim=1)",
    ],
    ch11.choose_places: [
        lambda tokens, draw, specials, share: (
            (draw < share) & ~((tokens >= min(specials)) & (tokens <= max(specials)))
        ),
        "draw < share -> draw >= share",
        filled_in_place,
        "draw < share -> draw <= share",
        "(draw < share) & ordinary -> (draw < share) | ~ordinary",
    ],
    ch11.whole_words: [
        "return sorted(hidden) -> return sorted(hidden or words[order[0]])",
        "max(1, int(share * sum(map(len, words)))) -> int(share * sum(map(len, words)))",
        "max(1, int(share * sum(map(len, words)))) -> max(1, round(share * sum(map(len, words))))",
        "len(hidden) + len(words[number]) <= budget -> len(hidden) < budget",
        "return sorted(hidden) -> return hidden",
        "for number in order -> for number in range(len(words))",
        '("[CLS]", "[SEP]", "[PAD]") -> ("[CLS]", "[SEP]", "[PAD]", "[UNK]")',
    ],
}
