"""Exercises of chapter 07: what a Transformer is trained on, how, and how it writes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.attention.masks import causal_mask, padding_mask
from course_lib.exercises.engine.core import as_list, exercise, expect, expect_tensor, say
from course_lib.text.words import BOS, EOS, PAD

# --- 7.1 teacher_forcing --------------------------------------------------------------------------


@exercise(
    hints=(
        "For *le chat*, write the two rows below each other: what has been read when the first "
        "word is asked for? And what is asked for when both words have been read?",
        "Both rows have one mark more than the sentence has words: the input a begin mark in "
        "front, the expected row an end mark behind.",
        "Padding comes last, behind the end mark. Make the two lists of lists first and fill each "
        "up to the longest; `torch.tensor` of equally long lists gives (B, T).",
    )
)
def teacher_forcing(sentences: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Target sentences -> what the decoder reads and what it is asked for, (B, T) each.

    sentences: ids without marks, of different lengths. T is the longest sentence and one more.
    Marks: 0 is padding, 1 begin, 2 end. Position t of the second holds the token that follows
    position t of the first; behind the end mark, it is padding. Whether the first holds the end
    mark of a sentence that is shorter than the longest, or padding, is up to you.
    """
    longest = max(len(sentence) for sentence in sentences)
    read, asked = [], []
    for sentence in sentences:
        padding = [PAD] * (longest - len(sentence))
        read.append([BOS, *sentence, *padding])
        asked.append([*sentence, EOS, *padding])
    return torch.tensor(read), torch.tensor(asked)


def _read_and_asked(value: Any) -> list[Tensor]:
    """Both results as int64; an end mark that is read right after the words counts as padding."""
    both = as_list(value)
    count = say("Expected two results, found {count}.", count=len(both))
    expect(len(both) == 2, count, value)
    for one, what in zip(both, ("what is read", "what is asked for"), strict=True):
        expect_tensor(one, dtype=None, what=what)
    read, asked = (one if one.is_floating_point() else one.long() for one in both)
    if read.shape == asked.shape and read.dim() == 2:
        behind = F.pad(asked[:, :-1] == EOS, (1, 0))
        read = read.masked_fill(behind & (read == EOS), PAD)
    return [read, asked]


def _sentences(*lengths: int) -> list[list[int]]:
    return [torch.randint(3, 50, (length,)).tolist() for length in lengths]


@teacher_forcing.same_as_answer(see=_read_and_asked, says="One sentence alone needs no padding.")
def one_sentence():
    yield _sentences(4)
    yield _sentences(1)


@teacher_forcing.same_as_answer(see=_read_and_asked)
def several_sentences():
    yield _sentences(3, 1, 2)
    yield _sentences(2, 2, 7, 5)


teacher_forcing.mistake(
    "one_sentence",
    "The target is not shifted: at each position the decoder reads the token that it is asked for. "
    "It will learn to copy, the loss will fall to 0, and it will not write.",
    "[*sentence, EOS, *padding] -> [BOS, *sentence, *padding]",
)
teacher_forcing.mistake(
    "one_sentence",
    "The two have changed places: the decoder reads what it should be asked for.",
    "torch.tensor(read), torch.tensor(asked) -> torch.tensor(asked), torch.tensor(read)",
)
teacher_forcing.mistake(
    "one_sentence",
    "The end mark is missing. A model that has never been asked for it cannot stop.",
    "[*sentence, EOS, *padding] -> [*sentence, PAD, *padding]",
)
teacher_forcing.mistake(
    "several_sentences",
    "The end mark stands in the last column. In a short sentence it comes after the padding, but "
    "it must be asked for right after the last word.",
    "[*sentence, EOS, *padding] -> [*sentence, *padding, EOS]",
)

# --- 7.2 decoder_mask -----------------------------------------------------------------------------


@exercise(
    hints=(
        "Two conditions, and both must hold: the key is not after the query, and the key is a "
        "real token.",
        "`causal_mask(T)` is (T, T), the same for all sentences. `padding_mask(ids)` is (B, T), "
        "the same for all queries. Give each the axes that it lacks, then `&`.",
        "A padding mask hides *keys*, so it stands in the last axis: `[:, None, None, :]`.",
    )
)
def decoder_mask(target_in: Tensor) -> Tensor:
    """Where the decoder's self-attention may look: (B, T) ids -> (B, 1, T, T) bool.

    True at [b, 0, t, s] where position t of sentence b may see position s: s is not later than
    t, and s is not padding (0). `causal_mask` and `padding_mask` are in course_lib.attention.masks.
    """
    causal = causal_mask(target_in.shape[1], target_in.device)  # (T, T)
    real = padding_mask(target_in)  # (B, T)
    return causal & real[:, None, None, :]


@decoder_mask.same_as_answer(
    "the mask",
    says="Here nothing is padding: each position sees itself and what precedes it, and nothing "
    "later. (True means *may see*.)",
)
def the_past_and_itself():
    yield torch.randint(1, 9, (2, 5))
    yield torch.randint(1, 9, (1, 3))


@decoder_mask.same_as_answer("the mask")
def no_padding_as_a_key():
    yield torch.tensor([[1, 7, 8, 9, 6], [1, 5, 4, 0, 0], [1, 0, 0, 0, 0]])
    yield torch.tensor([[0, 0, 1, 4], [1, 0, 3, 0]])  # on the left, and in between
    yield torch.randint(0, 3, (4, 6))


decoder_mask.mistake(
    "the_past_and_itself",
    "You hide the diagonal too. The token at t has been read; it is the one *after* it that is "
    "asked for. And position 0 would see nothing at all.",
    "causal & real -> causal.tril(-1) & real",
)
decoder_mask.mistake(
    "the_past_and_itself",
    "What comes later can be seen: the causal condition is missing, or it is joined with *or*. In "
    "training the next token stands there: the loss will be too good, and the translations not.",
    "causal & real -> causal | real",
)
decoder_mask.mistake(
    "no_padding_as_a_key",
    "Padding is not masked. With padding on the right the causal mask hides it from the real "
    "words, so the loss stays right; the rows of padding, and any model that pads on the left, "
    "would see it.",
    "real = padding_mask(target_in) -> real = torch.ones_like(target_in, dtype=torch.bool)",
)
decoder_mask.mistake(
    "no_padding_as_a_key",
    "You hide what padding would *ask*. A row that may see nothing has the softmax 0/0, and an "
    "unguarded one makes NaN of it. What must be hidden is padding as a key.",
    "real[:, None, None, :] -> real[:, None, :, None]",
)

# --- 7.3 smoothed_loss ----------------------------------------------------------------------------


@exercise(
    hints=(
        "The smoothed target is a distribution: every token has ε/V, and the right one 1 − ε on "
        "top. Cross-entropy with a distribution is −Σ (target · log p).",
        "That sum falls into two parts: (1 − ε) times −log p of the right token, and ε times the "
        "*mean* of −log p over the vocabulary.",
        "`log_probs.gather(-1, targets[..., None])` picks the right tokens. Count real tokens "
        "only, in the sum and in the number that you divide by.",
    )
)
def smoothed_loss(logits: Tensor, targets: Tensor, epsilon: float) -> Tensor:
    """Cross-entropy with label smoothing, in nats per real token: (B, T, V), (B, T) -> scalar.

    The target of each position is 1 − epsilon for the right token, and epsilon spread evenly over
    all V tokens (the right one included). Targets of 0 are padding and do not count.
    """
    log_probs = logits.log_softmax(dim=-1)  # (B, T, V)
    right = -log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)  # (B, T)
    anything = -log_probs.mean(dim=-1)  # (B, T)
    loss = (1 - epsilon) * right + epsilon * anything
    real = targets != 0
    return loss[real].sum() / real.sum()


def _scored(vocabulary: int, *lengths: int, size: float = 2.0) -> tuple[Tensor, Tensor]:
    """Logits and targets of sentences of these lengths, with a column more than the longest."""
    targets = torch.zeros(len(lengths), max(lengths) + 1, dtype=torch.long)
    for row, length in zip(targets, lengths, strict=True):
        row[:length] = torch.randint(1, vocabulary, (length,))
    return size * torch.randn(*targets.shape, vocabulary), targets


@smoothed_loss.same_as_answer("the loss with ε = 0, plain cross-entropy,", grad=True)
def without_smoothing():
    yield *_scored(6, 4, 2), 0.0
    yield *_scored(9, 1, 5, 0), 0.0
    yield *_scored(5, 6, 3, size=100.0), 0.0  # a probability may be too small for a float


@smoothed_loss.same_as_answer("the loss", grad=True)
def with_smoothing():
    for epsilon in (0.1, 0.5, 1.0):
        yield *_scored(6, 4, 1), epsilon
    yield *_scored(11, 3), 0.3
    yield *_scored(5, 2, 4, size=100.0), 0.1
    logits, targets = _scored(5, 3, 2, 4)
    yield logits, targets.flip(1), 0.1  # padded on the left


smoothed_loss.mistake(
    "without_smoothing", "Padding counts like a word.", "targets != 0 -> targets >= 0"
)
smoothed_loss.mistake(
    "without_smoothing",
    "You divide by all positions, padding included. The loss then depends on how much padding a "
    "batch happens to hold.",
    "/ real.sum() -> / real.numel()",
)
smoothed_loss.mistake(
    "with_smoothing",
    "You add ε times the *sum* over the vocabulary. The shares of all tokens together are ε, so "
    "each of the V tokens has one V-th of it.",
    "log_probs.mean(dim=-1) -> log_probs.sum(dim=-1)",
)
smoothed_loss.mistake(
    "with_smoothing",
    "You spread ε over the *other* tokens only. That definition is in use too; the one asked for, "
    "as in PyTorch, gives the right token its share as well.",
    "-log_probs.mean(dim=-1) -> -(log_probs.sum(dim=-1) + right) / (logits.shape[-1] - 1)",
)

# --- 7.4 noam_rate --------------------------------------------------------------------------------


@exercise(
    hints=(
        "Two curves, one that rises with the step and one that falls. The smaller of the two is "
        "the rate. Where do they meet?",
        "Rising: step · warmup^(−1.5). Falling: step^(−0.5). Both times width^(−0.5).",
        "The paper counts steps from 1, a program from 0. At step 0 the paper's formula would "
        "divide by zero in one curve and waste a step in the other.",
    )
)
def noam_rate(step: int, width: int, warmup: int) -> float:
    """The learning rate of Vaswani et al. (2017), equation 3, at step 0, 1, 2, ... of a program.

    width: D; warmup: the number of steps of the rise. The paper's first step is 1, ours is 0.
    """
    count = step + 1
    return width**-0.5 * min(count**-0.5, count * warmup**-1.5)


@noam_rate.same_as_answer("the learning rate")
def the_rise():
    yield 0, 64, 100
    yield 0, 512, 4000
    yield 1, 64, 100
    yield 9, 256, 100
    yield 49, 512, 4000


@noam_rate.same_as_answer("the learning rate")
def the_peak_and_the_fall():
    for step in (98, 99, 100, 101, 399, 5000):
        yield step, 64, 100
    yield 3999, 512, 4000
    yield 99_999, 1024, 4000
    yield 0, 16, 1  # the peak is the first step
    yield 1, 16, 1


noam_rate.mistake(
    "the_rise",
    "You count steps from 0, and the paper from 1: at its step 0 the first step would change "
    "nothing, and the curve that falls is not defined.",
    "count = step + 1 -> count = step",
)
noam_rate.mistake(
    "the_rise",
    "You take the *larger* of the two curves. The first steps are then the largest of all, which "
    "is what warm-up is there to prevent.",
    "min( -> max(",
)
noam_rate.mistake(
    "the_peak_and_the_fall",
    "Your rate stays at the peak. After the warm-up it falls.",
    "min(count**-0.5, -> min(warmup**-0.5,",
)

# --- 7.5 process_loss -----------------------------------------------------------------------------


@exercise(
    hints=(
        "What would one process compute that saw all batches? One sum of losses, divided by one "
        "number of tokens.",
        "Each process contributes its sum, divided by the tokens of *all* processes. Then the "
        "contributions only have to be added.",
        "But they are not added: the gradients are *averaged* over the processes. What undoes a "
        "division by their number?",
    )
)
def process_loss(loss_sum: Tensor, tokens: list[int], rank: int) -> Tensor:
    """What process `rank` calls backward on: its loss, summed over its tokens -> scalar.

    tokens: the number of real tokens of every process, `tokens[rank]` its own. Afterwards the
    gradients of all processes are averaged, as DistributedDataParallel does. The result must be
    the gradient of the mean loss over all tokens of all processes.
    """
    return loss_sum * len(tokens) / sum(tokens)


def _averaged(answer: Callable, weight: Tensor, *batches: Tensor) -> Tensor:
    """The gradient (D,) that processes with these batches (N, D) end up with."""
    gradients: list[Tensor] = []
    for rank, batch in enumerate(batches):
        ours = weight.clone().requires_grad_()
        loss_sum = (batch * ours).square().sum()
        loss = answer(loss_sum, [len(one) for one in batches], rank)
        expect_tensor(loss, (), what="the loss")
        expect(bool(loss.isfinite()), say("Your loss is {loss}.", loss=loss.item()), loss)
        expect(loss.requires_grad, "Your loss has lost its gradient: `backward` would fail.", loss)
        gradients += torch.autograd.grad(loss, ours)
    return torch.stack(gradients).mean(0)


def _batches(*tokens: int) -> tuple[Tensor, ...]:
    return torch.randn(3), *(torch.randn(n, 3) for n in tokens)


@process_loss.same_as_answer("the gradient of a process that is alone", call=_averaged)
def one_process():
    yield _batches(8)
    yield _batches(3)


@process_loss.same_as_answer("the averaged gradient with equal batches", call=_averaged)
def equal_batches():
    yield _batches(8, 8)
    yield _batches(5, 5, 5)


@process_loss.same_as_answer("the averaged gradient with unequal batches", call=_averaged)
def unequal_batches():
    yield _batches(10, 30)
    yield _batches(2, 7, 1, 4)


@process_loss.same_as_answer("the averaged gradient where one process has no token", call=_averaged)
def an_empty_process():
    yield _batches(0, 10, 20)
    yield _batches(4, 0)


process_loss.mistake(
    "one_process",
    "You return a plain number. The graph behind the loss is gone with `.item()`.",
    "return loss_sum * -> return loss_sum.item() *",
)
process_loss.mistake(
    "equal_batches",
    "Right, if the gradients were added. They are averaged, so yours come out too small by the "
    "number of processes.",
    "* len(tokens) -> ",
)
process_loss.mistake(
    "unequal_batches",
    "Each process takes the mean over its own tokens. A mean of means gives a token of the small "
    "batch more weight than one of the large batch.",
    "loss_sum * len(tokens) / sum(tokens) -> loss_sum / max(tokens[rank], 1)",
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


def _embedded(
    answer: Callable, tokens: Tensor, read: int, weight: Tensor, positions: Tensor
) -> Tensor:
    """The answer for an embedding that passes gradients on to `weight` (V, D)."""
    embedding = nn.Embedding.from_pretrained(weight, freeze=False)
    if weight.requires_grad:  # a parameter would cut it off
        del embedding.weight
        embedding.weight = weight
    return answer(tokens, read, embedding, positions)


def _new_tokens(
    batch: int, length: int, read: int, width: int, rows: int = 12
) -> tuple[Tensor, int, Tensor, Tensor]:
    tokens = torch.randint(0, 9, (batch, length))
    return tokens, read, torch.randn(9, width), torch.randn(rows, width)


@embed_next.same_as_answer("the result for a whole text", call=_embedded, grad=True)
def a_whole_text():
    yield _new_tokens(2, 5, 0, 4)
    yield _new_tokens(1, 3, 0, 9, rows=3)


@embed_next.same_as_answer("the result for one new token", call=_embedded, grad=True)
def a_token_alone():
    yield _new_tokens(2, 1, 0, 4)
    yield _new_tokens(2, 1, 2, 4)
    yield _new_tokens(1, 1, 7, 10, rows=8)


@embed_next.same_as_answer("the result for several new tokens", call=_embedded, grad=True)
def several_after_others():
    yield _new_tokens(2, 3, 2, 4)
    yield _new_tokens(3, 2, 6, 6, rows=8)


embed_next.mistake(
    "a_token_alone",
    "A token that comes alone still gets no position.",
    "return words -> return words if length == 1 else words",
)
embed_next.mistake(
    "a_token_alone",
    "Positions still begin at 0 at every call.",
    "positions[read : read + length] -> positions[:length]",
)

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


def _output(value: Any) -> Any:
    return _output_and_cache(value)[0]


def _cache(value: Any) -> list:
    return _output_and_cache(value)[1]


def _output_and_cache(value: Any) -> tuple[Any, list]:
    parts = as_list(value)
    count = say("Expected two results, output and cache, found {count}.", count=len(parts))
    expect(len(parts) == 2, count, value)
    cache = as_list(parts[1], "the cache")
    expect(len(cache) == 2, "The cache has keys and values: two tensors.", value)
    return parts[0], cache


def _newest(batch: int, before: int, width: int, inside: int) -> tuple:
    cache = torch.randn(batch, before, inside), torch.randn(batch, before, width)
    maps = (torch.randn(width, size) for size in (inside, inside, width))
    return torch.randn(batch, width), *maps, cache


@cached_attention.same_as_answer(
    "the output", see=_output, says="The first word sees itself alone.", grad=True
)
def the_first_word():
    yield _newest(2, 0, 4, 9)
    yield _newest(1, 0, 6, 3)


@cached_attention.same_as_answer("the pair of keys and values after a word", see=_cache, grad=True)
def the_cache_after_a_word():
    yield _newest(2, 3, 4, 9)
    yield _newest(3, 0, 5, 5)
    yield _newest(1, 60, 6, 2)


@cached_attention.same_as_answer("the output", see=_output, grad=True, atol=1e-4)
def the_output_after_others():
    yield _newest(2, 3, 4, 9)
    yield _newest(3, 1, 5, 5)
    yield _newest(1, 60, 6, 2)


cached_attention.mistake(
    "the_first_word",
    "You look first and add then: the newest word does not see itself, and the first one has "
    "nothing to look at.",
    "(keys @ -> (cache[0] @ ;; @ values) -> @ cache[1])",
)
cached_attention.mistake(
    "the_cache_after_a_word",
    "You return the cache as it came in. The next word would not see this one.",
    "output, (keys, values) -> output, cache",
)
cached_attention.mistake(
    "the_cache_after_a_word",
    "The newest word stands first in your cache. Then the places of all others move at every word.",
    "cache[0], key.unsqueeze(1) -> key.unsqueeze(1), cache[0] ;; "
    "cache[1], value.unsqueeze(1) -> value.unsqueeze(1), cache[1]",
)

# --- 7.8 best_hypothesis --------------------------------------------------------------------------


@exercise(
    hints=(
        "The log-probability of a sentence is the sum over its tokens. What does every further "
        "token do to that sum?",
        "Divide each sum by its own `((5 + length) / 6) ** alpha`, and take the largest quotient.",
        "The sums are negative: the best one is nearest to zero. The length is the number of "
        "tokens, and the end mark is one of them.",
    )
)
def best_hypothesis(hypotheses: list[list[float]], alpha: float) -> int:
    """The index of the best finished hypothesis of a beam, by Wu et al. (2016), equation 14.

    hypotheses: for each the log-probabilities of its tokens, end mark included. They compare by
    log P / ((5 + length) / 6) ** alpha. alpha = 0 compares plain log-probabilities.
    """
    scores = [sum(tokens) / ((5 + len(tokens)) / 6) ** alpha for tokens in hypotheses]
    return scores.index(max(scores))


def _indices(answer: Callable, beams: list[list[list[float]]], alpha: float) -> list:
    """The answers for many beams; a whole number in a tensor is an index, too."""
    found = [answer(beam, alpha) for beam in beams]
    return [one.item() if isinstance(one, Tensor) and one.numel() == 1 else one for one in found]


def _beams(alpha: float, equal: bool = False, scale: float = 1.0) -> tuple[list, float]:
    """Forty beams of hypotheses that come near to each other under this alpha, and alpha."""
    beams = []
    for _ in range(40):
        sizes = torch.randint(1, 15, (int(torch.randint(2, 7, ())),)).tolist()
        beam = []
        for length in [sizes[0]] * len(sizes) if equal else sizes:
            nats = torch.rand(length, dtype=torch.float64) + 0.05
            near = scale * (2 + 0.3 * torch.rand(()).item()) * ((5 + length) / 6) ** alpha
            beam.append((-near * nats / nats.sum()).tolist())
        beams.append(beam)
    return beams, alpha


@best_hypothesis.same_as_answer(
    "the list of indices for forty beams",
    call=_indices,
    says="In each beam all hypotheses are equally long: the most probable one is best.",
)
def equally_long():
    yield _beams(0.6, equal=True)
    yield _beams(0.0, equal=True)


@best_hypothesis.same_as_answer(
    "the list of indices for forty beams",
    call=_indices,
    says="With alpha = 0 the most probable hypothesis is best, whatever its length.",
)
def without_a_penalty():
    yield _beams(0.0)
    yield _beams(0.0, scale=500.0)  # probabilities too small for a number


@best_hypothesis.same_as_answer(
    "the list of indices for forty beams", call=_indices, says="The hypotheses differ in length."
)
def with_a_penalty():
    for alpha in (0.6, 1.0, 2.0):
        yield _beams(alpha)


best_hypothesis.mistake(
    "equally_long",
    "You take the smallest score. Log-probabilities are negative: the largest is best.",
    "max(scores) -> min(scores)",
)
best_hypothesis.mistake(
    "without_a_penalty",
    "You divide by the length. That is what alpha = 1 comes near to; with alpha = 0 nothing is "
    "divided.",
    "((5 + len(tokens)) / 6) ** alpha -> len(tokens)",
)
best_hypothesis.mistake(
    "with_a_penalty",
    "You multiply by the penalty. The sums are negative, so a long hypothesis then loses twice.",
    "/ ((5 -> * ((5",
)
best_hypothesis.mistake(
    "with_a_penalty",
    "Your length leaves the end mark out. Its probability is in the sum, so it counts as a token.",
    "5 + len(tokens) -> 4 + len(tokens)",
)

# --- 7.9 beam_search ------------------------------------------------------------------------------


@exercise(
    hints=(
        "Write the round for a beam of any size: a list of pairs (tokens so far, sum of their "
        "log-probabilities). The search begins with one pair, ([], 0.0).",
        "Let every pair grow by every token into one long list, sort it by the *sum*, keep the "
        "first few. The length enters only at the very end, in the choice among complete ones.",
        "Kept pairs that end with the end mark go to a second list. How many does the next round "
        "keep? And what if that list is still empty after the last round?",
    )
)
def beam_search(
    next_logs: Callable[[list[int]], Tensor], width: int, longest: int, alpha: float
) -> list[int]:
    """Write one sentence by beam search: the tokens of the best hypothesis, no end mark.

    next_logs: a function of the tokens written so far ([] at first) that gives the
    log-probabilities (V,) of the next token; 2 is the end mark, all others are words. Each of at
    most `longest` rounds extends every hypothesis of the beam by every token and keeps the `width`
    of highest log P in all. A kept one that ends with the end mark is complete: it leaves the beam,
    which is one narrower from then on. Returned is the complete hypothesis of highest
    log P / ((5 + length) / 6) ** alpha, where the end mark counts in P and in the length; if none
    is complete after the last round, the most probable of the beam.
    """
    beam, complete = [([], 0.0)], []
    for _ in range(longest):
        grown = [
            ([*tokens, token], total + log)
            for tokens, total in beam
            for token, log in enumerate(next_logs(tokens).tolist())
        ]
        grown = sorted(grown, key=lambda pair: pair[1], reverse=True)[: width - len(complete)]
        complete += [pair for pair in grown if pair[0][-1] == EOS]
        beam = [pair for pair in grown if pair[0][-1] != EOS]
    best = max(complete or beam, key=lambda pair: pair[1] / ((5 + len(pair[0])) / 6) ** alpha)
    return [token for token in best[0] if token != EOS]


def _speaker(
    end: float = 0.0, vocabulary: int = 7, spread: float = 1.5
) -> Callable[[list[int]], Tensor]:
    """A model with an opinion about each token after any two others, and about the end."""
    table = spread * torch.randn(vocabulary, vocabulary, vocabulary)
    table[..., EOS] += end

    def next_logs(tokens: list[int]) -> Tensor:
        before, last = [0, 0, *tokens][-2:]
        return table[int(before), int(last)].log_softmax(dim=-1)

    return next_logs


def _sentence(value: Any) -> list[int]:
    return [int(token) for token in as_list(value, "the sentence")]


@beam_search.same_as_answer("the sentence where none ends in time", see=_sentence)
def nothing_is_complete():
    yield _speaker(-99.0), 3, 5, 1.0
    yield _speaker(-99.0), 1, 2, 0.0
    yield _speaker(-99.0, 40, 0.1), 1, 250, 1.0  # its probability is too small for a number


@beam_search.same_as_answer("the sentence of a beam of width 1", see=_sentence)
def width_one_is_greedy():
    for longest in (8, 3):
        for _ in range(5):
            yield _speaker(1.0), 1, longest, 0.0


@beam_search.same_as_answer("the sentence of the most probable hypothesis", see=_sentence)
def wider_beams():
    for width in (2, 3, 5, 9):
        for vocabulary in (7, 4, 15, 7, 5, 7, 7, 7):
            yield _speaker(vocabulary=vocabulary), width, 7, 0.0


@beam_search.same_as_answer("the sentence with a length penalty", see=_sentence)
def with_a_length_penalty():
    for alpha in (0.6, 1.0, 2.0):
        for _ in range(15):
            yield _speaker(0.5), 4, 9, alpha


beam_search.mistake(
    "wider_beams",
    "Every hypothesis keeps one extension of its own in your beam. They compete: two good ones "
    "may have the same beginning, and a bad beginning has none.",
    """for token, log in enumerate(next_logs(tokens).tolist())
    -> for log, token in zip(*(one.tolist() for one in next_logs(tokens).topk(
        1 if tokens else min(width, 4))))""",
)
beam_search.mistake(
    "wider_beams",
    "You return the first hypothesis that is complete. One that ends later may still be better.",
    "beam = [pair for pair in grown if pair[0][-1] != EOS] -> "
    "beam = [pair for pair in grown if pair[0][-1] != EOS and not complete]",
)
beam_search.mistake(
    "with_a_length_penalty",
    "A complete hypothesis leaves your beam, but its place does not: the beam is filled up again "
    "and is not narrower in the next round.",
    "[: width - len(complete)] -> [:width]",
)
beam_search.mistake(
    "with_a_length_penalty",
    "You compare the log-probabilities of complete hypotheses as they are: every token lowers "
    "the sum, so a short one wins.",
    "pair[1] / ((5 + len(pair[0])) / 6) ** alpha -> pair[1]",
)
