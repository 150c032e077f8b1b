"""Exercises of chapter 02: teacher forcing, padding, BLEU, greedy decoding, scoring."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import as_list, exercise, expect, expect_type
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.text.words import BOS, EOS, PAD

# What the cases are made of --------------------------------------------------------------------


def sentences(lengths: list[int], width: int, vocab: int = 12, lowest: int = 3) -> Tensor:
    """Random words, ids from `lowest` to `vocab` - 1, with padding on the right: (B, width)."""
    words = torch.randint(lowest, vocab, (len(lengths), width))
    return words.masked_fill(torch.arange(width) >= torch.tensor(lengths)[:, None], PAD)


def targets(lengths: list[int], width: int, vocab: int = 9) -> Tensor:
    """Random sentences of so many words between a begin and an end token: (B, width)."""
    rows = torch.cat([torch.full((len(lengths), 1), BOS), sentences(lengths, width - 1, vocab)], 1)
    rows[torch.arange(len(lengths)), torch.tensor(lengths) + 1] = EOS
    return rows


def small_model(sharpness: float = 2.0) -> EncoderDecoder:
    """An untrained translator whose choices depend on the source: 12 source ids, 9 target ids."""
    model = EncoderDecoder(Seq2SeqConfig.tiny(source_vocab=12, target_vocab=9)).eval()
    with torch.no_grad():  # sharper than at random, so that near ties cannot decide a check
        for parameter in model.parameters():
            parameter.mul_(sharpness)
    return model


class Chain(nn.Module):
    """Stands in for a translator: what it writes depends on the source and on every word it read.

    Its state is one number per row, (B,), with as many random log-probabilities behind each. The
    end token is often the most probable, an unknown word now and then, padding and begin never.
    """

    def __init__(self) -> None:
        super().__init__()
        scores = torch.randn(997, 15)
        scores[:, [PAD, BOS]] -= 9.0
        scores[:, EOS] += 0.8
        self.log_probs = nn.Parameter(scores.log_softmax(-1))
        self.eval()

    def init_state(self, source: Tensor) -> Tensor:
        places = torch.arange(1, source.shape[1] + 1)
        return (source * places**2).sum(1) % 997

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = (31 * state + 7 * tokens + 13) % 997
        return self.log_probs[state], state

    def reorder(self, state: Tensor, index: Tensor) -> Tensor:
        return state[index]


# --- 2.1 shifted ----------------------------------------------------------------------------------


@exercise(
    hints=(
        "The decoder reads a word and is asked for the next one. Which token does it read first?",
        "Both results are the target without one column. Which column is never read? Which is "
        "never asked for?",
        "`target[:, :-1]` leaves out the last column, `target[:, 1:]` the first.",
    )
)
def shifted(target: Tensor) -> tuple[Tensor, Tensor]:
    """What the decoder reads and what it must predict: (B, T) -> (B, T - 1), (B, T - 1)."""
    return target[:, :-1], target[:, 1:]


@shifted.same_as_answer("your pair", see=as_list)
def one_column_apart():
    yield targets([3, 1, 2], 5)
    yield targets([0, 4, 6, 2], 9)  # padded in every row
    yield targets([0], 2)


shifted.mistake(
    "one_column_apart",
    "The two are exchanged: your decoder reads the answer of its own step.",
    "target[:, :-1], target[:, 1:] -> target[:, 1:], target[:, :-1]",
)
shifted.mistake(
    "one_column_apart",
    "Your decoder is asked for the word that it has just read. Copying it gives loss 0, and the "
    "model learns nothing about translation.",
    "target[:, 1:] -> target[:, :-1]",
)


# --- 2.2 last_states ------------------------------------------------------------------------------


@exercise(
    hints=(
        "How many real words has each sentence? `(source != 0)` marks them.",
        "The last real word of a sentence with n words stands at position n − 1.",
        "Indexing with two tensors picks one row for each pair of numbers: "
        "`states[rows, positions]` with `rows = torch.arange(B)`.",
    )
)
def last_states(states: Tensor, source: Tensor) -> Tensor:
    """The state after the last real word of each sentence: (B, S, D), (B, S) -> (B, D)."""
    lengths = (source != 0).sum(dim=1)  # (B,)
    return states[torch.arange(len(source)), lengths - 1]


@last_states.same_as_answer("the last state", grad=True)
def state_after_the_last_word():
    yield torch.randn(4, 6, 5), sentences([4, 2, 5, 1], 6, lowest=1)  # padded in every row
    yield torch.randn(3, 4, 7), sentences([1, 4, 3], 4, 3, lowest=1)
    yield torch.randn(2, 3, 1), sentences([3, 3], 3)
    yield torch.randn(1, 2, 4), torch.tensor([[2, 1]])


last_states.mistake(
    "state_after_the_last_word",
    "You take the last *column*. In all but the longest sentence that is padding.",
    "lengths - 1 -> -1",
)
last_states.mistake(
    "state_after_the_last_word",
    "A sentence with n words ends at position n − 1. Position n is padding, or beyond the end.",
    "lengths - 1 -> lengths",
)


# --- 2.3 clipped_precision ------------------------------------------------------------------------


@exercise(
    hints=(
        "Collect the runs of n words: `zip(words, words[1:])` gives those of two words. How many "
        "runs of n words has a sentence of m words?",
        "Count how often each run occurs, `Counter(...)`, in both sentences. A run may be "
        "credited only as often as it stands in the reference.",
        "`hypothesis_counts & reference_counts` keeps the smaller count of each. Divide their sum "
        "by the number of runs of the hypothesis.",
    )
)
def clipped_precision(hypothesis: list[str], reference: list[str], n: int) -> float:
    """The share of the hypothesis' n-word runs that are in the reference, each counted at most
    as often as it stands there (Papineni et al. 2002, section 2.1.1). 0.0 if it has none."""
    ours = Counter(zip(*(hypothesis[i:] for i in range(n)), strict=False))
    theirs = Counter(zip(*(reference[i:] for i in range(n)), strict=False))
    return (ours & theirs).total() / ours.total() if ours else 0.0


@clipped_precision.same_as_answer("the precision")
def runs_of_n_words():
    def words(count: int) -> list[str]:
        return ["le chat dort bien".split()[i] for i in torch.randint(4, (count,))]

    yield from ((words(hypothesis), words(5), 1) for hypothesis in (7, 4, 5))
    yield "le le le le".split(), "le chat voit le chien".split(), 1
    yield from ((words(9), words(12), n) for n in (1, 2, 3))
    yield "le noir chat dort bien".split(), "le chat dort bien".split(), 2
    yield "le chat noir dort bien ici".split(), "un chat noir dort bien".split(), 4
    yield "le chat noir".split(), "le chat noir".split(), 3
    yield ["bon", "jour"], ["bo", "njour"], 2  # other words, though the same letters
    yield ["Le", "chat"], ["le", "chat"], 1
    yield ["at", "le"], ["chat", "les"], 1  # words, not pieces of words
    yield "oui oui".split(), ["non"], 2  # the reference has no run


@clipped_precision.same_as_answer("the precision")
def without_a_run():
    yield ["oui"], ["oui"], 2
    yield ["oui"], ["oui", "merci"], 2
    yield [], ["oui"], 1


clipped_precision.mistake(
    "runs_of_n_words",
    "You divide by the runs of the reference: that is recall. Precision asks which part of the "
    "*hypothesis* is right.",
    "/ ours.total() -> / theirs.total()",
)
clipped_precision.mistake(
    "runs_of_n_words",
    "Without clipping, a translation that repeats one common word scores perfectly.",
    "(ours & theirs).total() -> sum(ours[run] for run in ours if run in theirs)",
)
clipped_precision.mistake(
    "runs_of_n_words",
    "A run that stands twice in the reference may be credited twice; you credit it once.",
    "(ours & theirs).total() -> len(ours & theirs)",
)
clipped_precision.mistake(
    "runs_of_n_words",
    "A sentence of m words has m − n + 1 runs of n words. You divide by m.",
    "/ ours.total() -> / len(hypothesis)",
)


# --- 2.4 token_accuracy (find the bug) ------------------------------------------------------------


@exercise(
    hints=(
        "Give the function a model that always predicts padding. What should it say? What does "
        "it say?",
        "Two numbers are wrong: which predictions count as right, and how many there are.",
        "`real = targets != 0` marks what may be counted, in both numbers.",
    )
)
def token_accuracy(logits: Tensor, targets: Tensor) -> float:
    """The share of real target tokens that are predicted right; (B, T, V), (B, T)."""
    real = targets != 0  # (B, T)
    right = (logits.argmax(dim=-1) == targets) & real
    return right.sum().item() / real.sum().item()


@token_accuracy.same_as_answer("the accuracy")
def only_real_tokens_count():
    def predictions(of: Tensor, right: float) -> Tensor:
        """Logits that are right for about this share of the tokens, padding included."""
        others = torch.randint(11, of.shape)
        chosen = torch.where(torch.rand(of.shape) < right, of, others)
        return torch.randn(*of.shape, 11) + 9 * nn.functional.one_hot(chosen, 11) - 20

    for lengths, width in (([5, 1, 3], 8), ([2, 6, 4, 1, 1], 7), ([9], 10)):
        wanted = targets(lengths, width + 1, vocab=11)[:, 1:]
        yield predictions(wanted, 0.6), wanted
        yield predictions(wanted, 0.6) / 9, wanted  # none of them sure
        yield predictions(wanted, 0.0), wanted
        yield predictions(torch.zeros_like(wanted), 1.0), wanted  # nothing but padding
        yield predictions(wanted.masked_fill(wanted == PAD, 3), 1.0), wanted  # never padding
    yield predictions(wanted, 1.0), wanted


token_accuracy.mistake(
    "only_real_tokens_count",
    "Padding is still counted. The emptier the batch, the better the score.",
    "real = targets != 0 -> real = targets >= 0",
)
token_accuracy.mistake(
    "only_real_tokens_count",
    "The positions that you divide by still include padding.",
    "/ real.sum().item() -> / real.numel()",
)
token_accuracy.mistake(
    "only_real_tokens_count",
    "Right guesses at padding are still among the right ones.",
    "== targets) & real -> == targets)",
)
token_accuracy.mistake(
    "only_real_tokens_count",
    "You average the accuracies of the sentences, so a word of a short sentence weighs more.",
    "right.sum().item() / real.sum().item() -> (right.sum(1) / real.sum(1)).mean().item()",
)


# --- 2.5 greedy -----------------------------------------------------------------------------------


@exercise(
    hints=(
        "Start with `state = model.init_state(source)` and a batch of begin tokens (id 1). What "
        "does the decoder read at the second step?",
        "`log_probs, state = model.step(tokens, state)`; the next `tokens` are the most probable "
        "ones, `log_probs.argmax(-1)`. Keep them, and feed them.",
        "Rows end at different steps. It is easiest to write all `max_length` steps, and to cut "
        "each row at its first end token (id 2) afterwards.",
    )
)
def greedy(model: EncoderDecoder, source: Tensor, max_length: int) -> list[list[int]]:
    """The most probable word at each step, without begin and end tokens: one list per row.

    model.init_state(source) gives a state; model.step(tokens, state) reads the word before, (B,),
    which is the begin token 1 at first, and gives the log-probabilities of the next, (B, V), and
    a new state.
    """
    state = model.init_state(source)
    tokens = torch.full((len(source),), 1)  # begin tokens
    written = []
    for _ in range(max_length):
        log_probs, state = model.step(tokens, state)
        tokens = log_probs.argmax(dim=-1)  # (B,)
        written.append(tokens)
    rows = torch.stack(written, dim=1).tolist()
    return [row[: row.index(2)] if 2 in row else row for row in rows]


def lists_of_ids(rows: list[list[int]]) -> list[list[int]]:
    expect_type(rows, list)
    for row in rows:
        expect_type(row, list, "a row of your result")
        expect(all(type(one) is int for one in row), "A row holds something other than `int`.", row)
    return rows


@greedy.same_as_answer(see=lists_of_ids)
def most_probable_words():
    yield Chain(), sentences([4, 2, 5, 1, 3, 2, 4], 5), 12
    yield Chain(), sentences([3, 1, 2, 2, 3], 3), 3
    yield Chain(), sentences([1, 6], 6), 1
    yield Chain(), sentences([5] * 60, 5), 15  # some words come twice in a row


greedy.mistake(
    "most_probable_words",
    "You feed the begin token at every step.",
    "model.step(tokens, state) -> model.step(torch.full((len(source),), 1), state)",
)
greedy.mistake(
    "most_probable_words",
    "All rows stop when the first one ends. The others had more to say.",
    "written.append(tokens) -> if 2 in tokens: break\n        written.append(tokens) ;;"
    "rows = torch.stack(written, dim=1).tolist() -> "
    "rows = torch.stack(written, dim=1).tolist() if written else [[] for _ in source]",
)
greedy.mistake(
    "most_probable_words",
    "What a row writes after its end token is noise: cut it there. (Removing the end tokens is "
    "not enough.)",
    "row[: row.index(2)] if 2 in row else row -> [one for one in row if one != 2]",
)


# --- 2.6 translation_score ------------------------------------------------------------------------


@exercise(
    hints=(
        "The probability of a sentence is the product of the probabilities of its words, each "
        "given the words before it. What becomes of a product under the logarithm?",
        "`model(source, target[:, :-1])` gives the logits of every next word at once. Which "
        "tensor says what the next words are?",
        "`log_softmax(-1)`, then `gather` the entry of each true next word; set the entries at "
        "padding to 0 before you sum over the sentence.",
    )
)
def translation_score(model: EncoderDecoder, source: Tensor, target: Tensor) -> Tensor:
    """log p(target | source) of each pair in nats: (B, S), (B, T) with BOS … EOS -> (B,)."""
    log_probs = model(source, target[:, :-1]).log_softmax(dim=-1)  # (B, T - 1, V)
    expected = target[:, 1:]  # (B, T - 1)
    of_words = log_probs.gather(2, expected.unsqueeze(2)).squeeze(2)  # (B, T - 1)
    return of_words.masked_fill(expected == 0, 0.0).sum(dim=1)


@translation_score.same_as_answer("the log-probability", atol=1e-4)
def words_and_end_of_each_pair():
    yield small_model(), sentences([4, 2, 3, 1], 4), targets([3, 5, 1, 2], 9)
    yield small_model(), sentences([2, 6], 6), targets([3, 0], 5)
    yield small_model(), sentences([5], 5), targets([4], 6)
    yield small_model(100.0), sentences([3, 5], 5), targets([4, 2], 6)  # sure, and wrong


translation_score.mistake(
    "words_and_end_of_each_pair",
    "You add the log-probability of every padding token. Sentences in wide batches lose.",
    "of_words.masked_fill(expected == 0, 0.0) -> of_words",
)
translation_score.mistake(
    "words_and_end_of_each_pair",
    "You score the word that was just read, not the one after it: shift the target.",
    "target[:, :-1] -> target ;; target[:, 1:] -> target",
)
translation_score.mistake(
    "words_and_end_of_each_pair",
    "The end token belongs to the sentence: without it, every beginning of a good sentence would "
    "score better than the sentence.",
    "expected == 0 -> (expected == 0) | (expected == 2)",
)
