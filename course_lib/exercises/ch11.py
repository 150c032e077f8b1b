"""Exercises of chapter 11: WordPiece, pairs, hidden words and their loss, masks, pooling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.exercises.engine.core import exercise, expect_close

# --- 11.1 longest_match ---------------------------------------------------------------------------


@exercise(
    hints=(
        "Stand at the first letter. Which pieces of the vocabulary does the rest of the word begin "
        "with? Take the longest, go behind it, repeat.",
        "Inside the word a piece carries the prefix ##. At its beginning it does not.",
        "Let `end` fall from the length of the word. The first hit is the longest. No hit at all: "
        "the whole word is unknown, also the pieces that were found before.",
    )
)
def longest_match(word: str, vocabulary: set[str]) -> list[str]:
    """Cut a word into pieces of a vocabulary: WordPiece's greedy rule.

    From the left, always the longest piece that fits. A piece that does not begin the word is
    looked up, and returned, with "##" before it. If the word cannot be cut to its end, the answer
    is ["[UNK]"].
    """
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        for end in range(len(word), start, -1):
            if prefix + word[start:end] in vocabulary:
                pieces.append(prefix + word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    return pieces


def _words(*words: str):
    pieces = "un unbe ##be ##lie ##liev ##able ##vable low ##low ##er ##r a b ##b"
    return ((word, set(pieces.split())) for word in words)


@longest_match.same_as_answer("the list of pieces")
def pieces_inside_carry_the_prefix():
    yield from _words("low", "lower", "lowlow", "bb", "a")
    yield "Low", {"Low", "low"}


@longest_match.same_as_answer("the list of pieces")
def the_longest_piece_is_taken():
    yield from _words("unbelievable", "lowerr", "lowlower")


@longest_match.same_as_answer("the list of pieces, of a word that cannot be cut to its end,")
def an_unknown_rest_makes_the_word_unknown():
    yield from _words("lowx", "xlow", "er", "loow", "unbelie")
    yield "low", {"##low", "lo", "##er"}
    yield "lower", {"low", "er", "##e"}  # a piece that begins words, inside one
    yield "abcd", {"a", "##bcd", "abc"}  # what is greedy does not go back


longest_match.mistake(
    "pieces_inside_carry_the_prefix",
    "You look pieces inside the word up without ##, as if a new word began there: the mark of a "
    "continuing piece is forgotten.",
    '"##" if start else "" -> ""',
)
longest_match.mistake(
    "the_longest_piece_is_taken",
    "You take the shortest piece that fits. The rule is greedy: the longest.",
    "range(len(word), start, -1) -> range(start + 1, len(word) + 1)",
)
longest_match.mistake(
    "an_unknown_rest_makes_the_word_unknown",
    "You keep the pieces found so far and mark the rest as unknown. In WordPiece the whole word "
    "is.",
    'return ["[UNK]"] -> return [*pieces, "[UNK]"]',
)

# --- 11.2 encode_pair -----------------------------------------------------------------------------


@exercise(
    hints=(
        "One mark at the very beginning, one after each text: three in all.",
        "A segment belongs to a text *and* the mark that ends it. To which does the first mark "
        "belong?",
    )
)
def encode_pair(
    first: Sequence[int], second: Sequence[int], cls: int, sep: int
) -> tuple[list[int], list[int]]:
    """[CLS] first [SEP] second [SEP], and the segment of each token: 0 up to the first [SEP] and
    with it, 1 after it.

    first, second: token ids without marks. Returns two lists of equal length.
    """
    ids = [cls, *first, sep, *second, sep]
    segments = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    return ids, segments


def _pairs():
    yield [7, 8, 9], [4, 5], 101, 102
    yield [7], [4, 5, 6], 2, 3
    yield [7, 8], [8, 7, 9], 101, 102  # the same words
    yield [], [1, 1], 101, 102  # an empty text, and a token that looks like a segment


@encode_pair.same_as_answer("the list of ids", see=lambda pair: pair[0])
def marks_stand_where_bert_expects_them():
    yield from _pairs()


@encode_pair.same_as_answer("your result")
def segments_change_after_the_first_text_and_its_mark():
    yield from _pairs()


encode_pair.mistake(
    "marks_stand_where_bert_expects_them",
    "You begin the second text with [CLS] again. There is one for the pair: its state is read for "
    "the pair's class.",
    "sep, *second -> sep, cls, *second ;; len(second) + 1 -> len(second) + 2",
)
encode_pair.mistake(
    "segments_change_after_the_first_text_and_its_mark",
    "Your first [SEP] is in segment 1. It ends the first text and belongs to it.",
    "(len(first) + 2) -> (len(first) + 1) ;; (len(second) + 1) -> (len(second) + 2)",
)

# --- 11.3 corrupt ---------------------------------------------------------------------------------


@exercise(
    hints=(
        "Three things can stand at a chosen place. `draw` decides: below 0.8, from there to 0.9, "
        "above. Elsewhere nothing changes.",
        "`torch.where(condition, a, b)` twice. Both conditions begin with `chosen`.",
    )
)
def corrupt(tokens: Tensor, chosen: Tensor, draw: Tensor, others: Tensor, mask_id: int) -> Tensor:
    """What BERT sees in pre-training: (B, S) -> (B, S).

    Where chosen (B, S) is True: `mask_id` if draw (B, S) is below 0.8, the random token of others
    (B, S) if it is at least 0.8 and below 0.9, else the token itself. Everywhere else the token
    itself. tokens is not changed.
    """
    seen = torch.where(chosen & (draw < 0.8), mask_id, tokens)
    return torch.where(chosen & (draw >= 0.8) & (draw < 0.9), others, seen)


def _draws(chosen: float, rows: int = 3, length: int = 40) -> tuple[Tensor, ...]:
    """Random places and draws, some of them exactly at 0.8 and 0.9."""
    draw = torch.rand(rows, length)
    draw[:, :4] = torch.tensor([0.8, 0.9, 0.0, 0.8])
    tokens, others = (torch.randint(low, low + 95, (rows, length)) for low in (5, 100))
    return tokens, torch.rand(rows, length) < chosen, draw, others


@corrupt.case
def what_is_not_chosen_stays(answer):
    tokens, chosen, draw, others = _draws(0.5)
    seen = answer(tokens, chosen, draw, others, 4)
    expect_close(seen[~chosen], tokens[~chosen], "the tokens that were not chosen")


@corrupt.same_as_answer("what stands at the places")
def eighty_ten_ten():
    yield *_draws(1.0), 4
    yield *_draws(0.5, 6, 11), 103
    yield *_draws(0.15, 1, 50), 0


corrupt.mistake(
    "eighty_ten_ten",
    "All chosen places are masked. Then [MASK] is the only sign that a word is asked for, and a "
    "text without it gets no good states.",
    lambda tokens, chosen, draw, others, mask_id: torch.where(chosen, mask_id, tokens),
)
corrupt.mistake(
    "eighty_ten_ten", "A tenth should stay as it is; yours are all replaced.", "& (draw < 0.9) -> "
)

# --- 11.4 masked_loss -----------------------------------------------------------------------------


@exercise(
    hints=(
        "At how many places is the model asked? The mean runs over those, and over no other.",
        "A boolean tensor (B, S) as index turns (B, S, V) into (n, V), and (B, S) into (n,).",
    )
)
def masked_loss(logits: Tensor, tokens: Tensor, chosen: Tensor) -> Tensor:
    """Mean −log p of the true tokens at the chosen places, in nats: a scalar.

    logits: (B, S, V). tokens: (B, S), the true ones. chosen: (B, S) bool; the others do not count.
    """
    return F.cross_entropy(logits[chosen], tokens[chosen])


def _scored(
    *counts: int, length: int = 8, vocabulary: int = 11, size: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, tokens, and as many chosen places in each row."""
    chosen = torch.stack([torch.randperm(length) < count for count in counts])
    tokens = torch.randint(0, vocabulary, chosen.shape)
    return size * torch.randn(*chosen.shape, vocabulary), tokens, chosen


@masked_loss.case
def other_places_do_not_count(answer):
    logits, tokens, chosen = _scored(2, 1, 1)
    moved = logits + 3 * torch.randn_like(logits) * ~chosen.unsqueeze(-1)
    what = "the loss after only the scores of other places have changed"
    expect_close(answer(moved, tokens, chosen), answer(logits, tokens, chosen), what)


@masked_loss.same_as_answer("the loss", grad=True)
def the_mean_runs_over_chosen_places():
    yield _scored(3, 1, 1)
    yield _scored(1, 5, length=6, vocabulary=4)
    yield _scored(8)
    yield _scored(2, 3, size=100.0)


masked_loss.mistake(
    "other_places_do_not_count",
    "You count all places. Most of them the model can copy from its input, so the loss looks good "
    "while it learns to copy.",
    "logits[chosen], tokens[chosen] -> logits.flatten(0, 1), tokens.flatten()",
)
masked_loss.mistake(
    "the_mean_runs_over_chosen_places",
    "Is −log p made twice? `F.cross_entropy` applies the softmax itself.",
    "logits[chosen] -> logits[chosen].softmax(-1)",
)
masked_loss.mistake(
    "the_mean_runs_over_chosen_places",
    "You take a mean in each text, then the mean of those: places in texts with few of them count "
    "more.",
    "F.cross_entropy(logits[chosen], tokens[chosen]) -> torch.stack([F.cross_entropy(a[c], b[c]) "
    "for a, b, c in zip(logits, tokens, chosen)]).mean()",
)

# --- 11.5 both_ways -------------------------------------------------------------------------------


@exercise(
    hints=(
        "Which tokens must nobody look at? Does it matter who is asking?",
        "Two axes of length 1 let one row serve all heads and all places that ask: `[:, None, "
        "None, :]`.",
    )
)
def both_ways(tokens: Tensor, pad: int) -> Tensor:
    """BERT's attention mask: (B, S) ids -> (B, 1, 1, S) bool, True = may be attended to.

    Every place may attend to every real token of its text, on both sides, and to no padding.
    """
    return (tokens != pad)[:, None, None, :]


def _texts(pad: int, *lengths: int) -> Tensor:
    tokens = torch.randint(4, 9, (len(lengths), max(lengths)))
    return torch.where(torch.arange(max(lengths)) < torch.tensor(lengths)[:, None], tokens, pad)


@both_ways.same_as_answer("the mask")
def every_real_token_and_no_padding():
    yield _texts(0, 4, 2), 0
    yield _texts(0, 5), 0


@both_ways.same_as_answer("the mask")
def whatever_the_padding_id():
    yield _texts(3, 2, 6, 3), 3
    yield _texts(0, 4, 2), 7


both_ways.mistake(
    "every_real_token_and_no_padding",
    "Beside weights (B, H, T, S) your first axis would be taken for the heads or for the places "
    "that ask.",
    "[:, None, None, :] -> ",
)
both_ways.mistake(
    "every_real_token_and_no_padding",
    "Your last axis is the place that asks. It must be the one asked.",
    "None, None, :] -> None, :, None]",
)
both_ways.mistake(
    "every_real_token_and_no_padding", "Your mask is inverted: True = may.", "!= -> =="
)
both_ways.mistake(
    "whatever_the_padding_id", "The id of padding is an argument here.", "!= pad -> != 0"
)

# --- 11.6 text_vector (find the bug) --------------------------------------------------------------


@exercise(
    hints=(
        "Give the same text alone and beside a longer one. Which vector changes, and why?",
        "Padding has states, too, and they are not zero. How many states should be in the sum, "
        "and by what is it divided?",
        "`real.unsqueeze(-1)` (B, S, 1) times the states removes padding from the sum.",
    )
)
def text_vector(states: Tensor, real: Tensor) -> Tensor:
    """The mean of the states of real tokens: (B, S, D), (B, S) bool -> (B, D)."""
    total = (states * real.unsqueeze(-1)).sum(dim=1)
    return total / real.sum(dim=1, keepdim=True)


def _states(*lengths: int, width: int = 5) -> tuple[Tensor, Tensor]:
    real = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return torch.randn(*real.shape, width) + 1, real


@text_vector.case
def more_padding_changes_nothing(answer):
    states, real = _states(7, 3, 1)
    longer = torch.cat([states, torch.randn(3, 4, 5)], dim=1)
    with_more = torch.cat([real, torch.zeros(3, 4, dtype=torch.bool)], dim=1)
    what = "the vectors with more padding behind"
    expect_close(answer(longer, with_more), answer(states, real), what)


@text_vector.same_as_answer(grad=True)
def it_is_the_mean():
    yield _states(7, 3, 1)
    yield _states(4, 4, width=4)
    yield _states(6, width=2)
    states, real = _states(2, 5, 3)
    yield states, real[:, torch.randperm(5)]  # padding may stand anywhere
    yield states.relu(), real.flip(1)


text_vector.mistake(
    "more_padding_changes_nothing",
    "You average padding, too: a text's vector depends on the longest text beside it.",
    lambda states, real: states.mean(dim=1),
)
text_vector.mistake(
    "more_padding_changes_nothing",
    "Padding is out of the sum, but it still counts in the number that you divide by.",
    "real.sum(dim=1, keepdim=True) -> real.shape[1]",
)
text_vector.mistake(
    "it_is_the_mean",
    "This is the sum: long texts get long vectors.",
    "/ real.sum(dim=1, keepdim=True) -> ",
)

# --- 11.7 choose_places (find the bug) ------------------------------------------------------------


@exercise(
    hints=(
        "Print the tokens that are chosen in a batch of texts of different lengths. What stands "
        "there most often?",
        "Which ids may never be asked for? `torch.isin(tokens, ids)` marks them.",
        "The draw of a forbidden place must lose, whatever it is.",
    )
)
def choose_places(tokens: Tensor, draw: Tensor, specials: list[int], share: float) -> Tensor:
    """Which places the model is asked for: (B, S) bool.

    A place is chosen where its draw (B, S), uniform in [0, 1), is below `share`; but never at a
    special token, which padding is, too. specials: the ids of all special tokens.
    """
    ordinary = ~torch.isin(tokens, torch.tensor(specials))
    return (draw < share) & ordinary


def _padded(specials: list[int], share: float):
    """Texts with marks and padding, and draws of which some equal the share."""
    pad, mark, end = specials[:3]
    tokens = torch.randint(5, 60, (4, 30))
    tokens[:, 0] = mark
    for row, length in enumerate((30, 20, 12, 6)):
        tokens[row, length - 1] = end
        tokens[row, length:] = pad
    draw = torch.rand(4, 30)
    draw[:, 3] = share
    return tokens, draw, specials, share


@choose_places.same_as_answer("the set of places")
def no_special_token_is_asked_for():
    yield _padded([0, 2, 3, 1, 4], 0.75)
    yield _padded([0, 2, 3, 1, 4], 1.0)


@choose_places.same_as_answer("the set of places")
def other_specials_and_other_shares():
    yield _padded([99, 100, 101], 0.125)
    yield _padded([70, 61, 62, 63], 0.5)
    yield torch.randint(0, 9, (2, 25)), torch.rand(2, 25), [7], 0.5
    yield torch.randint(0, 60, (3, 25)), torch.rand(3, 25), [50, 5, 20], 0.6


choose_places.mistake(
    "no_special_token_is_asked_for",
    "In short texts most places are padding, and a model that always answers [PAD] there looks "
    "good. No special token may be asked for.",
    "& ordinary -> ",
)
choose_places.mistake(
    "no_special_token_is_asked_for",
    "[CLS] and [SEP] are always in the same place. They are special tokens, too.",
    "~torch.isin(tokens, torch.tensor(specials)) -> tokens != 0",
)
choose_places.mistake(
    "other_specials_and_other_shares",
    "The ids of the special tokens are an argument: another vocabulary has others.",
    "~torch.isin(tokens, torch.tensor(specials)) -> tokens > 4",
)

# --- 11.8 whole_words -----------------------------------------------------------------------------


@exercise(
    hints=(
        "First the words: a list of lists of places. What opens a new list, what joins the last "
        "one, and what does neither?",
        "The budget is counted in pieces, not in words. Fix it before you take the first word.",
        "A word that does not fit is passed over, and the search goes on: `continue`, not `break`.",
    )
)
def whole_words(pieces: list[str], order: list[int], share: float) -> list[int]:
    """The places that are hidden when words are hidden as a whole, in ascending order.

    pieces: one text of WordPiece. A word is a piece without "##" and the pieces with "##" that
    follow it; "[CLS]", "[SEP]" and "[PAD]" belong to no word. order: the numbers of the words,
    0 for the first of the text, in the order in which they are tried. Hidden are at most `share`
    of all pieces that belong to words, rounded down, but at least one piece may be. A word with
    more pieces than may still be hidden is passed over; those after it are tried.
    """
    words: list[list[int]] = []
    for place, piece in enumerate(pieces):
        if piece.startswith("##"):
            words[-1].append(place)
        elif piece not in ("[CLS]", "[SEP]", "[PAD]"):
            words.append([place])
    budget = max(1, int(share * sum(map(len, words))))
    hidden: list[int] = []
    for number in order:
        if len(hidden) + len(words[number]) <= budget:
            hidden += words[number]
    return sorted(hidden)


def _in_pieces(share: float, *lengths: int, pad: int = 0) -> tuple[list[str], list[int], float]:
    """A text whose words have so many pieces, a mark in its middle, and a random order."""
    pieces = ["[CLS]"]
    for number, length in enumerate(lengths):
        if number == len(lengths) // 2:
            pieces.append("[SEP]")
        pieces += ["[UNK]" if number == 1 else "word", *["##s"] * (length - 1)]
    pieces += ["[SEP]", *["[PAD]"] * pad]
    return pieces, torch.randperm(len(lengths)).tolist(), share


@whole_words.same_as_answer("the list of places where every word may be hidden")
def all_pieces_of_a_word():
    yield _in_pieces(1.0, 2, 1, 3, 1)
    yield _in_pieces(1.0, 1, 1, 4, 2, 2, pad=3)


@whole_words.same_as_answer("the list of places where every word is one piece")
def as_many_as_the_share_allows():
    for share, words in ((0.25, 12), (0.5, 9), (0.15, 22), (0.15, 3), (0.7, 2)):
        yield _in_pieces(share, *[1] * words, pad=7)


@whole_words.same_as_answer("the list of places")
def longer_words_and_a_budget():
    yield _in_pieces(0.15, 3, 3, 2, 3)  # no word fits
    for share in (0.25, 0.375, 0.5, 0.75, 0.15, 0.3):
        for _ in range(4):
            yield _in_pieces(share, *torch.randint(1, 5, (11,)).tolist(), pad=5)


whole_words.mistake(
    "all_pieces_of_a_word",
    "Only the first piece of each word is hidden. The rest stands beside it and tells the word.",
    "words[-1].append(place) -> pass",
)
whole_words.mistake(
    "as_many_as_the_share_allows",
    "Your share is one of the whole row: marks and padding are counted, too.",
    "sum(map(len, words)) -> len(pieces)",
)
whole_words.mistake(
    "longer_words_and_a_budget",
    "You count words where pieces are to be counted: long words take more than their share.",
    "len(hidden) + len(words[number]) <= budget -> "
    "sum(word[0] in hidden for word in words) < max(1, int(share * len(words)))",
)
whole_words.mistake(
    "longer_words_and_a_budget",
    "You stop at the first word that does not fit. A shorter one after it may.",
    """if len(hidden) + len(words[number]) <= budget:
            hidden += words[number]
    -> if len(hidden) + len(words[number]) > budget:
            break
        hidden += words[number]""",
)
