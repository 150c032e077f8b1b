"""Chapter 7: right answers written differently, and wrong ones without a message of their own."""

import heapq
import math

import torch
from torch import nn
from torch.nn import functional as F

from course_lib.exercises import ch07


def last_column_cut(sentences):
    rows = [torch.tensor([1, *sentence, 2]) for sentence in sentences]
    rows = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return rows[:, :-1], rows[:, 1:]


def filled_in(sentences):
    width = 1 + max(map(len, sentences))
    read = torch.zeros(len(sentences), width, dtype=torch.long)
    asked = read.clone()
    read[:, 0] = 1
    for row, words in enumerate(map(torch.tensor, sentences)):
        read[row, 1 : len(words) + 1] = words
        asked[row, : len(words)] = words
        asked[row, len(words)] = 2
    return [read, asked]


def end_marks_of_the_longest_only(sentences):
    read, asked = ch07.teacher_forcing.answer(sentences)
    return read, asked.masked_fill((asked == 2) & (torch.arange(asked.shape[1]) < 2), 0)


def place_by_place(target_in):
    places = range(target_in.shape[1])
    return torch.tensor(
        [[[[s <= t and row[s] != 0 for s in places] for t in places]] for row in target_in.tolist()]
    )


def masks_multiplied(target_in):
    length = target_in.shape[1]
    later = torch.triu(torch.ones(length, length), diagonal=1).bool()
    return torch.logical_not(later | (target_in == 0)[:, None, None])


def by_torch_with_smoothing(logits, targets, epsilon):
    return F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=0, label_smoothing=epsilon
    )


def with_the_whole_distribution(logits, targets, epsilon):
    tokens = logits.shape[-1]
    wanted = (1 - epsilon) * F.one_hot(targets, tokens).float() + epsilon / tokens
    each = -(wanted * logits.log_softmax(-1)).sum(-1)
    real = (targets != 0).float()
    return (each * real).sum() / real.sum()


def mean_of_sentences(logits, targets, epsilon):
    rows = zip(logits, targets, strict=True)
    losses = [ch07.smoothed_loss.answer(a[None], b[None], epsilon) for a, b in rows if b.any()]
    return torch.stack(losses).mean()


def in_two_pieces(step, width, warmup):
    peak = 1 / (width * warmup) ** 0.5
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (warmup / (step + 1)) ** 0.5


def own_mean_weighted(loss_sum, tokens, rank):
    if tokens[rank] == 0:
        return loss_sum * 0.0
    share = tokens[rank] / sum(tokens)
    return loss_sum / tokens[rank] * share * len(tokens)


def by_lookup(tokens, read, embedding, positions):
    places = read + torch.arange(tokens.shape[1])
    return embedding(tokens).mul(math.sqrt(positions.shape[1])) + F.embedding(places, positions)


def scaled_in_place(tokens, read, embedding, positions):
    embedding.weight.data *= embedding.embedding_dim**0.5
    return embedding(tokens) + positions[read : read + tokens.shape[1]]


def by_torch(x, Wq, Wk, Wv, cache):
    keys = torch.cat([cache[0], (x @ Wk)[:, None]], dim=1)
    values = torch.cat([cache[1], (x @ Wv)[:, None]], dim=1)
    output = F.scaled_dot_product_attention((x @ Wq)[:, None], keys, values)
    return [output[:, 0], [keys, values]]


def sentence_by_sentence(x, Wq, Wk, Wv, cache):
    outputs, all_keys, all_values = [], [], []
    for row, keys, values in zip(x, *cache, strict=True):
        keys, values = torch.vstack([keys, row @ Wk]), torch.vstack([values, row @ Wv])
        shares = ((row @ Wq) @ keys.T / keys.shape[1] ** 0.5).exp()
        outputs.append(shares / shares.sum() @ values)
        all_keys.append(keys)
        all_values.append(values)
    return torch.stack(outputs), (torch.stack(all_keys), torch.stack(all_values))


def by_argmax(hypotheses, alpha):
    logs = torch.tensor([math.fsum(tokens) for tokens in hypotheses], dtype=torch.float64)
    lengths = torch.tensor([float(len(tokens)) for tokens in hypotheses])
    return (logs / ((5 + lengths) / 6).pow(alpha)).argmax()


def by_comparing(hypotheses, alpha):
    best, found = -math.inf, 0
    for index, tokens in enumerate(hypotheses):
        score = sum(tokens) * (6 / (5 + len(tokens))) ** alpha
        if score > best:
            best, found = score, index
    return found


def beam_on_a_heap(next_logs, width, longest, alpha):
    open_, done = [(-0.0, ())], []
    for _ in range(longest):
        logs = [(tokens, total, next_logs(list(tokens))) for total, tokens in open_]
        every = [
            (total - float(row[i]), (*tokens, i))
            for tokens, total, row in logs
            for i in range(len(row))
        ]
        kept = heapq.nsmallest(width, every)
        done += [one for one in kept if one[1][-1] == 2]
        width -= sum(one[1][-1] == 2 for one in kept)
        open_ = [one for one in kept if one[1][-1] != 2]
    if not done:
        return min(open_)[1]
    return list(min(done, key=lambda one: one[0] * (6 / (5 + len(one[1]))) ** alpha)[1][:-1])


RIGHT = {
    ch07.teacher_forcing: [
        last_column_cut,
        filled_in,
        "return torch.tensor(read), torch.tensor(asked) -> "
        "return torch.tensor(read, dtype=torch.int32), torch.tensor(asked, dtype=torch.int32)",
    ],
    ch07.decoder_mask: [place_by_place, masks_multiplied],
    ch07.smoothed_loss: [by_torch_with_smoothing, with_the_whole_distribution],
    ch07.noam_rate: [in_two_pieces, "return width -> return torch.tensor(1.0) * width"],
    ch07.process_loss: [
        own_mean_weighted,
        "* len(tokens) / sum(tokens) -> / (sum(tokens) / len(tokens))",
    ],
    ch07.embed_next: [by_lookup],
    ch07.cached_attention: [by_torch, sentence_by_sentence],
    ch07.best_hypothesis: [by_argmax, by_comparing],
    ch07.beam_search: [
        beam_on_a_heap,
        # In one round all are equally long.
        "grown = sorted(grown, key=lambda pair: pair[1], reverse=True) -> grown = sorted(grown, "
        "key=lambda pair: pair[1] / ((5 + len(pair[0])) / 6) ** alpha, reverse=True)",
    ],
}

WRONG = {
    ch07.teacher_forcing: [
        end_marks_of_the_longest_only,
        "[BOS, *sentence, *padding] -> [BOS, *sentence, EOS, *padding]",
        "[BOS, *sentence, *padding] -> [*padding, BOS, *sentence]",
        "in sentences: -> in sorted(sentences, key=len):",
        "torch.tensor(read), torch.tensor(asked) -> read, asked",
        "torch.tensor(read), torch.tensor(asked) -> torch.tensor(read)",
        "torch.tensor(asked) -> torch.tensor(asked).float()",
        lambda sentences: [x.T for x in ch07.teacher_forcing.answer(sentences)],
    ],
    ch07.decoder_mask: [
        "return causal & real[:, None, None, :] -> return ~(causal & real[:, None, None, :])",
        "return causal & real -> return causal.T & real",
        "real = padding_mask(target_in) -> real = padding_mask(target_in, 1)",
    ],
    ch07.smoothed_loss: [
        mean_of_sentences,
        "logits.log_softmax -> logits.detach().log_softmax",
        "-log_probs.mean -> -log_probs.detach().mean",
        "(1 - epsilon) * right + epsilon * anything -> epsilon * right + (1 - epsilon) * anything",
        "(1 - epsilon) * right + epsilon * anything -> 0.9 * right + 0.1 * anything",
    ],
    ch07.noam_rate: [
        "count = step + 1 -> count = step + 2",
        "min(count**-0.5, -> min(max(step, 1)**-0.5,",
        "min(count**-0.5, count * warmup**-1.5) -> min(warmup**-0.5, count**-0.5)",
        "min(count**-0.5, -> min(warmup**0.5 / count,",
        "count * warmup**-1.5 -> count**0.5 / warmup * warmup**-0.5",
        "count * warmup**-1.5 -> count * 4000**-1.5",
        "width**-0.5 * -> ",
        "min(count**-0.5, -> min((count - warmup) ** -0.5 if count > warmup else 1.0,",
    ],
    ch07.process_loss: [
        "* len(tokens) -> * sum(n > 0 for n in tokens)",
        "* len(tokens) -> * 2",
        "/ sum(tokens) -> / tokens[0]",
        "loss_sum * -> loss_sum.detach() *",
        "return loss_sum -> return -loss_sum",
        "return loss_sum -> return loss_sum.unsqueeze(0)",
    ],
    ch07.embed_next: [
        scaled_in_place,
        "positions[read : read + length] -> (positions[:length] if read == 0 else positions[read])",
        "embedding.embedding_dim**0.5 -> 2",
        "embedding(tokens) -> embedding(tokens).detach()",
        "positions[read : read + length] -> positions[read : read + length].detach()",
        "return words + positions[read : read + length] -> "
        "return (words + positions[read : read + length])[:, -1]",
        "return words + positions[read : read + length] -> "
        "words += positions[read : read + length]",
    ],
    ch07.cached_attention: [
        "math.sqrt(keys.shape[-1]) -> math.sqrt(x.shape[-1])",
        "(keys, values) -> (keys[:, -1:], values[:, -1:])",
        "(keys, values) -> (keys.detach(), values.detach())",
        "(keys, values) -> keys, values",
        "dim=1)  # (B, P + 1, K) -> dim=1)[:, -8:] ;; dim=1)  # (B, P + 1, D) -> dim=1)[:, -8:]",
        "scores.softmax(dim=-1).unsqueeze(1) -> scores.softmax(dim=-1).detach().unsqueeze(1)",
        "[cache[0], key -> [cache[0].detach(), key",
        "return output, -> return output.unsqueeze(1),",
        "return output, (keys, values) -> return output",
    ],
    ch07.best_hypothesis: [
        "((5 + len(tokens)) / 6) ** alpha -> ((5 + len(tokens)) / 6) ** min(alpha, 1)"
    ],
    ch07.beam_search: [
        "[token for token in best[0] if token != EOS] -> best[0]",
        "complete or beam -> complete + beam",
        "range(longest) -> range(longest - 1)",
        "next_logs(tokens).tolist() -> next_logs(tokens).tolist()[:7]",
        "range(longest) -> range(longest + 1)",
        "5 + len(pair[0]) -> 4 + len(pair[0])",
        "alpha) -> alpha if alpha < 2 else pair[1] / len(pair[0]))",
        "[: width - len(complete)] -> [: 4 - len(complete)]",
    ],
}
