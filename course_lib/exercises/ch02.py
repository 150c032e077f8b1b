"""Exercises of chapter 02: teacher forcing, padding, BLEU, greedy decoding, scoring."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_equal,
    expect_number,
    expect_tensor,
    expect_type,
)
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.text.words import BOS, EOS, PAD

ROWS = torch.tensor([[5, 6, 7, 8], [9, 4, 0, 0], [10, 11, 6, 0]])  # (B, S), 0 is padding
TARGETS = torch.tensor([[1, 5, 6, 4, 2], [1, 7, 2, 0, 0], [1, 8, 4, 2, 0]])  # (B, T)


def small_model() -> EncoderDecoder:
    """An untrained translator whose choices depend on the source: 12 source ids, 9 target ids."""
    torch.manual_seed(5)
    model = EncoderDecoder(Seq2SeqConfig.tiny(source_vocab=12, target_vocab=9)).eval()
    with torch.no_grad():  # sharper than at random, so that near ties cannot decide a check
        for parameter in model.parameters():
            parameter.mul_(2.0)
    return model


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


@shifted.case
def two_tensors_one_column_shorter(answer):
    pair = answer(TARGETS)
    expect_type(pair, (tuple, list), "your result")
    expect(len(pair) == 2, f"Your result has {len(pair)} parts, expected two.", list(pair))
    for part, what in zip(pair, ("what the decoder reads", "what it must predict"), strict=True):
        expect_tensor(part, (3, 4), torch.long, what)


@shifted.case
def reads_the_begin_token_first(answer):
    read, _ = answer(TARGETS)
    expect_close(read[:, 0], torch.full((3,), BOS), "the first column that the decoder reads")


@shifted.case
def predicts_the_following_token(answer):
    read, predicted = answer(TARGETS)
    expect_close(predicted, TARGETS[:, 1:], "what the decoder must predict")
    expect_close(read, TARGETS[:, :-1], "what the decoder reads")


@shifted.mistake("two_tensors_one_column_shorter")
def not_shortened(target):
    return target, target


@shifted.mistake(
    "reads_the_begin_token_first",
    says="The two are exchanged: your decoder reads the answer of its own step.",
)
def exchanged(target):
    return target[:, 1:], target[:, :-1]


@shifted.mistake(
    "predicts_the_following_token",
    says="Your decoder is asked for the word that it has just read. Copying it gives loss 0, and "
    "the model learns nothing about translation.",
)
def same_column(target):
    return target[:, :-1], target[:, :-1]


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


@last_states.case
def one_state_per_sentence(answer):
    expect_tensor(answer(torch.randn(3, 4, 5), ROWS), (3, 5))


@last_states.case
def ignores_states_at_padding(answer):
    states = torch.randn(3, 4, 5)
    changed = states.masked_fill((ROWS == PAD).unsqueeze(-1), 99.0)
    message = "Your result changes when only the states at padding change."
    expect(torch.equal(answer(states, ROWS), answer(changed, ROWS)), message, answer(states, ROWS))


@last_states.case
def takes_the_last_word(answer):
    states = torch.randn(3, 4, 5)
    expected = torch.stack([states[0, 3], states[1, 1], states[2, 2]])
    expect_close(answer(states, ROWS), expected)


@last_states.mistake("one_state_per_sentence")
def keeps_an_axis(states, source):
    return states[:, -1:]


@last_states.mistake(
    "ignores_states_at_padding",
    says="You take the last *column*. In all but the longest sentence that is padding.",
)
def last_column(states, source):
    return states[:, -1]


@last_states.mistake(
    "ignores_states_at_padding",
    says="A sentence with n words ends at position n − 1. Position n is padding, or beyond the "
    "end.",
)
def one_too_far(states, source):
    lengths = (source != 0).sum(dim=1).clamp(max=source.shape[1] - 1)
    return states[torch.arange(len(source)), lengths]


@last_states.mistake("takes_the_last_word", says="That is the state after the *first* word.")
def first_word(states, source):
    return states[:, 0]


@last_states.mistake(
    "takes_the_last_word", says="That is the mean over the words, not the state after the last."
)
def mean_of_the_words(states, source):
    real = (source != 0).unsqueeze(-1)
    return (states * real).sum(1) / real.sum(1)


@last_states.alternative
def by_gather(states, source):
    index = (source.ne(0).sum(1) - 1).view(-1, 1, 1).expand(-1, 1, states.shape[-1])
    return states.gather(1, index).squeeze(1)


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


@clipped_precision.case
def single_words(answer):
    words = "le chat noir dort".split()
    expect_number(answer(words, words, 1), 1.0, "the precision of a perfect translation")
    guess = "le chien noir dort".split()
    expect_number(answer(guess, words, 1), 3 / 4, "the 1-word precision with one wrong word of 4")
    expect_number(answer(words[:2], words, 1), 1.0, "the 1-word precision of half a sentence")


@clipped_precision.case
def repetition_does_not_pay(answer):
    value = answer("le le le le".split(), "le chat voit le chien".split(), 1)
    expect_number(value, 2 / 4, "the precision of “le le le le”")


@clipped_precision.case
def longer_runs(answer):
    value = answer("le noir chat dort bien".split(), "le chat dort bien".split(), 2)
    expect_number(value, 2 / 4, "the 2-word precision")


@clipped_precision.case
def too_short_to_have_a_run(answer):
    value = answer(["oui"], ["oui"], 2)
    expect_number(value, 0.0, "the 2-word precision of one word")


@clipped_precision.mistake(
    "single_words",
    says="You divide by the length of the reference: that is recall. Precision asks which part "
    "of the *hypothesis* is right.",
)
def recall(hypothesis, reference, n):
    ours = Counter(zip(*(hypothesis[i:] for i in range(n)), strict=False))
    theirs = Counter(zip(*(reference[i:] for i in range(n)), strict=False))
    return (ours & theirs).total() / theirs.total()


@clipped_precision.mistake(
    "repetition_does_not_pay",
    says="Without clipping, a translation that repeats one common word scores perfectly.",
)
def not_clipped(hypothesis, reference, n):
    ours = list(zip(*(hypothesis[i:] for i in range(n)), strict=False))
    theirs = set(zip(*(reference[i:] for i in range(n)), strict=False))
    return sum(run in theirs for run in ours) / len(ours) if ours else 0.0


@clipped_precision.mistake(
    "repetition_does_not_pay",
    says="A word that stands twice in the reference may be credited twice; you credit it once.",
)
def as_sets(hypothesis, reference, n):
    ours = list(zip(*(hypothesis[i:] for i in range(n)), strict=False))
    theirs = set(zip(*(reference[i:] for i in range(n)), strict=False))
    return len(set(ours) & theirs) / len(ours) if ours else 0.0


@clipped_precision.mistake("longer_runs", says="You count single words whatever n is.")
def always_single_words(hypothesis, reference, n):
    return (Counter(hypothesis) & Counter(reference)).total() / len(hypothesis)


@clipped_precision.mistake(
    "longer_runs",
    says="A sentence of m words has m − n + 1 runs of n words. You divide by m.",
)
def divides_by_the_words(hypothesis, reference, n):
    ours = Counter(zip(*(hypothesis[i:] for i in range(n)), strict=False))
    theirs = Counter(zip(*(reference[i:] for i in range(n)), strict=False))
    return (ours & theirs).total() / len(hypothesis)


@clipped_precision.mistake("too_short_to_have_a_run")
def perfect_when_there_is_nothing(hypothesis, reference, n):
    ours = Counter(zip(*(hypothesis[i:] for i in range(n)), strict=False))
    theirs = Counter(zip(*(reference[i:] for i in range(n)), strict=False))
    return (ours & theirs).total() / ours.total() if ours else 1.0


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


def one_hot_logits(predictions: Tensor) -> Tensor:
    """Logits (B, T, V) whose largest entry is at the prediction."""
    return torch.nn.functional.one_hot(predictions, 9).float()


@token_accuracy.case
def perfect_predictions(answer):
    expect_number(answer(one_hot_logits(TARGETS), TARGETS), 1.0, "the accuracy of a perfect model")


@token_accuracy.case
def right_guesses_at_padding_earn_nothing(answer):
    value = answer(one_hot_logits(torch.zeros_like(TARGETS)), TARGETS)
    expect_number(value, 0.0, "the accuracy of a model that predicts only padding")


@token_accuracy.case
def wrong_guesses_at_padding_cost_nothing(answer):
    value = answer(one_hot_logits(TARGETS.masked_fill(TARGETS == PAD, 3)), TARGETS)
    expect_number(value, 1.0, "the accuracy of a model that is wrong only at padding")


@token_accuracy.case
def every_token_counts_the_same(answer):
    predictions = TARGETS.clone()
    predictions[1, :3] = 8
    value = answer(one_hot_logits(predictions), TARGETS)
    expect_number(value, 9 / 12, "the accuracy with one short sentence wrong")


@token_accuracy.mistake(
    "perfect_predictions",
    says="The positions that you divide by still include padding.",
)
def only_right_divided_by_all(logits, targets):
    right = (logits.argmax(dim=-1) == targets) & (targets != 0)
    return right.sum().item() / targets.numel()


@token_accuracy.mistake(
    "perfect_predictions",
    says="More than 1: right guesses at padding are still among the right ones.",
)
def only_the_denominator(logits, targets):
    right = logits.argmax(dim=-1) == targets
    return right.sum().item() / (targets != 0).sum().item()


@token_accuracy.mistake(
    "right_guesses_at_padding_earn_nothing",
    says="Padding is still counted. The emptier the batch, the better the score.",
)
def counts_padding(logits, targets):
    return (logits.argmax(dim=-1) == targets).float().mean().item()


@token_accuracy.mistake(
    "wrong_guesses_at_padding_cost_nothing",
    says="Ask where the *target* is real, not where the prediction is.",
)
def masks_by_prediction(logits, targets):
    predictions = logits.argmax(dim=-1)
    real = predictions != 0
    right = (predictions == targets) & real
    return right.sum().item() / max(real.sum().item(), 1)


@token_accuracy.mistake(
    "every_token_counts_the_same",
    says="You average the accuracies of the sentences, so a word of a short sentence weighs more.",
)
def mean_of_sentences(logits, targets):
    real = targets != 0
    right = ((logits.argmax(dim=-1) == targets) & real).sum(1) / real.sum(1)
    return right.mean().item()


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
    """The most probable word at each step, without begin and end tokens: one list per row."""
    state = model.init_state(source)
    tokens = torch.full((len(source),), 1)  # begin tokens
    written = []
    for _ in range(max_length):
        log_probs, state = model.step(tokens, state)
        tokens = log_probs.argmax(dim=-1)  # (B,)
        written.append(tokens)
    rows = torch.stack(written, dim=1).tolist()
    return [row[: row.index(2)] if 2 in row else row for row in rows]


class Script:
    """Stands in for a model: it continues a fixed sentence for each row, if it is fed right.

    Row b writes 10·b + 4, 10·b + 5, … until its end; a wrong input is answered with token 3.
    """

    lengths = (2, 5, 0)

    def init_state(self, source: Tensor) -> int:
        return 0

    def step(self, tokens: Tensor, state: int) -> tuple[Tensor, int]:
        log_probs = torch.full((len(tokens), 40), -9.0)
        for row, token in enumerate(tokens.tolist()):
            expected = BOS if state == 0 else self.word(row, state - 1)
            over = state > self.lengths[row]  # past the end anything may be fed
            word = self.word(row, state) if over or token == expected else 3
            log_probs[row, word] = -0.1
        return log_probs, state + 1

    def word(self, row: int, position: int) -> int:
        if position > self.lengths[row]:
            return 4  # what is written after the end is noise
        return EOS if position == self.lengths[row] else 10 * row + 4 + position


SCRIPTED = [[4, 5], [14, 15, 16, 17, 18], []]


@greedy.case
def lists_of_whole_numbers(answer):
    result = answer(Script(), ROWS, 9)
    expect_type(result, list, "your result")
    expect(len(result) == 3, f"Your result has {len(result)} rows, expected one per sentence: 3.")
    for row in result:
        expect_type(row, list, "a row of your result")
        expect(all(type(token) is int for token in row), "A row holds something other than `int`.")


@greedy.case
def feeds_back_its_own_words(answer):
    result = answer(Script(), ROWS, 9)
    fed_wrongly = "The decoder was not fed the word it wrote before (or a begin token at first)."
    expect(not any(3 in row for row in result), fed_wrongly, result)


@greedy.case
def stops_each_row_at_its_own_end(answer):
    expect_equal(answer(Script(), ROWS, 9), SCRIPTED, "what was written")


@greedy.case
def stops_after_max_length(answer):
    expect_equal(answer(Script(), ROWS, 3), [[4, 5], [14, 15, 16], []], "what 3 steps give")


@greedy.mistake("lists_of_whole_numbers")
def returns_a_tensor(model, source, max_length):
    return torch.zeros(len(source), max_length)


@greedy.mistake(
    "feeds_back_its_own_words",
    says="You feed the begin token at every step.",
)
def always_begins(model, source, max_length):
    state, tokens = model.init_state(source), torch.full((len(source),), 1)
    written = []
    for _ in range(max_length):
        log_probs, state = model.step(tokens, state)
        written.append(log_probs.argmax(dim=-1))
    rows = torch.stack(written, dim=1).tolist()
    return [row[: row.index(2)] if 2 in row else row for row in rows]


@greedy.mistake("stops_each_row_at_its_own_end", says="The end token is no word: leave it out.")
def keeps_the_end(model, source, max_length):
    state, tokens = model.init_state(source), torch.full((len(source),), 1)
    written = []
    for _ in range(max_length):
        log_probs, state = model.step(tokens, state)
        tokens = log_probs.argmax(dim=-1)
        written.append(tokens)
    rows = torch.stack(written, dim=1).tolist()
    return [row[: row.index(2) + 1] if 2 in row else row for row in rows]


@greedy.mistake(
    "stops_each_row_at_its_own_end",
    says="All rows stop when the first one ends. The others had more to say.",
)
def stops_with_the_first(model, source, max_length):
    state, tokens = model.init_state(source), torch.full((len(source),), 1)
    rows = [[] for _ in source]
    for _ in range(max_length):
        log_probs, state = model.step(tokens, state)
        tokens = log_probs.argmax(dim=-1)
        if 2 in tokens:
            break
        for row, token in zip(rows, tokens.tolist(), strict=True):
            row.append(token)
    return rows


@greedy.mistake(
    "stops_each_row_at_its_own_end",
    says="What a row writes after its end token is noise: cut it there. (Removing the end tokens "
    "is not enough.)",
)
def removes_end_tokens(model, source, max_length):
    state, tokens = model.init_state(source), torch.full((len(source),), 1)
    written = []
    for _ in range(max_length):
        log_probs, state = model.step(tokens, state)
        tokens = log_probs.argmax(dim=-1)
        written.append(tokens)
    return [[t for t in row if t != 2] for row in torch.stack(written, dim=1).tolist()]


@greedy.mistake("stops_after_max_length")
def one_step_more(model, source, max_length):
    state, tokens = model.init_state(source), torch.full((len(source),), 1)
    written = []
    for _ in range(max_length + 1):
        log_probs, state = model.step(tokens, state)
        tokens = log_probs.argmax(dim=-1)
        written.append(tokens)
    rows = torch.stack(written, dim=1).tolist()
    return [row[: row.index(2)] if 2 in row else row for row in rows]


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


@translation_score.case
def one_number_per_pair(answer):
    expect_tensor(answer(small_model(), ROWS, TARGETS), (3,))


@translation_score.case
def scores_are_log_probabilities(answer):
    scores = answer(small_model(), ROWS, TARGETS)
    expect(bool((scores < 0).all()), "The logarithm of a probability is below 0.", scores)


@translation_score.case
def padding_does_not_count(answer):
    wide = torch.cat([TARGETS, torch.zeros(3, 4, dtype=torch.long)], dim=1)
    scores, padded = answer(small_model(), ROWS, TARGETS), answer(small_model(), ROWS, wide)
    message = "Four more columns of padding change the score."
    expect(torch.allclose(scores, padded, atol=1e-4), message, padded)


@translation_score.case
def sums_the_words_and_the_end(answer):
    model = small_model()
    expect_close(answer(model, ROWS, TARGETS), translation_score.answer(model, ROWS, TARGETS))


@translation_score.mistake("one_number_per_pair")
def one_for_the_batch(model, source, target):
    return translation_score.answer(model, source, target).sum()


@translation_score.mistake(
    "scores_are_log_probabilities",
    says="That is the negative logarithm, a loss: small is good. A score is the other way round.",
)
def negative(model, source, target):
    return -translation_score.answer(model, source, target)


@translation_score.mistake(
    "padding_does_not_count",
    says="You add the log-probability of every padding token. Sentences in wide batches lose.",
)
def with_padding(model, source, target):
    log_probs = model(source, target[:, :-1]).log_softmax(dim=-1)
    return log_probs.gather(2, target[:, 1:].unsqueeze(2)).squeeze(2).sum(dim=1)


@translation_score.mistake(
    "sums_the_words_and_the_end",
    says="That is the mean per word. The probability of a sentence needs the sum.",
)
def mean_per_word(model, source, target):
    return translation_score.answer(model, source, target) / (target[:, 1:] != 0).sum(dim=1)


@translation_score.mistake(
    "sums_the_words_and_the_end",
    says="You score the word that was just read, not the one after it: shift the target.",
)
def not_shifted(model, source, target):
    log_probs = model(source, target).log_softmax(dim=-1)
    of_words = log_probs.gather(2, target.unsqueeze(2)).squeeze(2)
    return of_words.masked_fill(target == 0, 0.0).sum(dim=1)


@translation_score.mistake(
    "sums_the_words_and_the_end",
    says="The end token belongs to the sentence: without it, every beginning of a good sentence "
    "would score better than the sentence.",
)
def without_the_end(model, source, target):
    log_probs = model(source, target[:, :-1]).log_softmax(dim=-1)
    expected = target[:, 1:]
    of_words = log_probs.gather(2, expected.unsqueeze(2)).squeeze(2)
    return of_words.masked_fill((expected == 0) | (expected == 2), 0.0).sum(dim=1)


@translation_score.alternative
def step_by_step(model, source, target):
    state, total = model.init_state(source), torch.zeros(len(source))
    for t in range(target.shape[1] - 1):
        log_probs, state = model.step(target[:, t], state)
        word = target[:, t + 1]
        total = total + log_probs[torch.arange(len(word)), word] * (word != 0)
    return total
