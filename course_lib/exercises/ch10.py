"""Exercises of chapter 10: labels, sampling, likelihoods, inputs for tasks, real weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_equal, say

# --- 10.1 temper ----------------------------------------------------------------------------------


@exercise(
    hints=(
        "Temperature changes the scores before the softmax, not the probabilities after it.",
        "Which scores are closer to each other: divided by 2, or multiplied?",
    )
)
def temper(logits: Tensor, temperature: float) -> Tensor:
    """Probabilities at a temperature: logits (B, V) -> (B, V), rows sum to one.

    At 1 they are the model's own. Below 1 the likely becomes more likely, above 1 less.
    """
    return (logits / temperature).softmax(dim=-1)


@temper.same_as_answer("the probabilities at temperature 1")
def one_leaves_the_model_alone():
    yield torch.randn(2, 6), 1.0
    yield torch.randn(7, 7), 1.0


@temper.same_as_answer("the probabilities", grad=True)
def cold_and_hot():
    yield torch.randn(4, 9), 0.5
    yield torch.randn(3, 3), 2.0
    yield 5 * torch.randn(2, 5), 0.1
    yield torch.tensor([[300.0, 301.0], [-300.0, -302.0]]), 2.0
    yield torch.tensor([[10.0, 9.9, -4.0]]), 0.05


temper.mistake(
    "one_leaves_the_model_alone",
    "Your softmax runs over the batch. Each row is a distribution of its own.",
    "dim=-1 -> dim=0",
)
temper.mistake(
    "cold_and_hot",
    "You divide the probabilities, so that they no longer sum to one. Divide the scores.",
    "(logits / temperature).softmax(dim=-1) -> logits.softmax(dim=-1) / temperature",
)
temper.mistake("cold_and_hot", "Your temperature works the other way round.", "/ temp -> * temp")

# --- 10.2 keep_top_k ------------------------------------------------------------------------------


@exercise(
    hints=(
        "How probable is the k-th most probable token of each row?",
        "`probs.topk(k)` gives values and places. After cutting, a row must sum to one again.",
    )
)
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """Keep the k most probable tokens of each row: (B, V) -> (B, V), rows sum to one.

    All others get exactly 0. No two tokens of a row are equally probable; 1 <= k <= V.
    """
    values, places = probs.topk(k, dim=-1)
    return torch.zeros_like(probs).scatter(-1, places, values / values.sum(-1, keepdim=True))


@keep_top_k.case
def exactly_k_are_left(answer):
    for k in (3, 1, 10):
        left = (answer(torch.randn(4, 10).softmax(-1), k) > 0).sum(-1)
        what = say("how many tokens are left in a row, of k = {k},", k=k)
        expect_close(left, torch.full((4,), k), what)


@keep_top_k.same_as_answer("the probabilities")
def the_best_ones_in_their_places():
    yield torch.randn(4, 10).softmax(-1), 4
    yield (3 * torch.randn(2, 7)).softmax(-1), 1
    yield torch.randn(3, 5).softmax(-1), 5


keep_top_k.mistake(
    "exactly_k_are_left",
    "You set scores of 0 for what is cut and then apply a softmax. exp(0) is 1, not 0.",
    "places, values / values.sum(-1, keepdim=True)) -> places, values).softmax(-1)",
)
keep_top_k.mistake(
    "the_best_ones_in_their_places",
    "What you cut away is missing: the rest must sum to one again.",
    "values / values.sum(-1, keepdim=True) -> values",
)
keep_top_k.mistake(
    "the_best_ones_in_their_places",
    "The probabilities are sorted now, so they stand at the ids of other tokens. Put each one back "
    "into its place.",
    "-1, places, values / -> -1, torch.arange(k).expand(len(probs), k), values /",
)

# --- 10.3 keep_top_p ------------------------------------------------------------------------------


@exercise(
    hints=(
        "Sort from the most to the least probable, then add up. Where is p reached?",
        "A token stays if what stands *before* it sums to less than p. So the first always stays.",
        "`sort` gives places as well as values. `scatter` with them brings every value back.",
    )
)
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """Keep the fewest tokens that together have at least probability p: (B, V) -> (B, V).

    The nucleus of Holtzman et al. (2020). All other tokens get exactly 0, rows sum to one, and the
    most probable token always stays. No two tokens of a row are equally probable; 0 < p <= 1.
    """
    ordered, places = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    kept = ordered * (before < p)
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, places, kept)


@keep_top_p.same_as_answer("the probabilities")
def the_best_always_stays():
    yield torch.tensor([[0.03, 0.9, 0.07]]), 0.5
    yield torch.tensor([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]), 0.01


@keep_top_p.same_as_answer("the probabilities")
def the_fewest_that_reach_p():
    eighths = (
        torch.tensor([[4, 1, 0, 3], [1, 0, 5, 2]]) / 8
    )  # sums are exact: p is reached, not passed
    yield eighths, 0.875
    yield eighths, 0.5
    yield eighths, 0.625
    yield (2 * torch.randn(6, 20)).softmax(-1), 0.3
    yield (2 * torch.randn(3, 8)).softmax(-1), 0.9
    yield (0.2 * torch.randn(3, 300)).softmax(-1), 0.8  # many are kept
    yield torch.randn(4, 5).softmax(-1), 1.0


keep_top_p.mistake(
    "the_best_always_stays",
    "You keep tokens while the sum *with* them is below p. The one that crosses p is missing: "
    "where the first token alone has more than p, nothing is left.",
    "(before < p) -> (before + ordered < p)",
)
keep_top_p.mistake(
    "the_fewest_that_reach_p",
    "You keep one token too many where p is reached exactly: *at least* p is enough.",
    "before < p -> before <= p",
)
keep_top_p.mistake(
    "the_fewest_that_reach_p",
    "You keep tokens whose own probability is above 1 − p. It is their sum that counts.",
    "(before < p) -> ((ordered > 1 - p) | (before == 0))",
)
keep_top_p.mistake(
    "the_best_always_stays",
    "You add up in the order of the vocabulary. Sort first: which tokens stay must depend on their "
    "probabilities, not on their ids.",
    "probs.sort(dim=-1, descending=True) -> probs, torch.arange(probs.shape[1]).expand_as(probs)",
)

# --- 10.4 decayed ---------------------------------------------------------------------------------


@exercise(
    hints=(
        "Print names and shapes of a small model. What do biases and the numbers of a LayerNorm "
        "have in common that matrices have not?",
        "`named_parameters()` gives a tied matrix once, under its first name.",
    )
)
def decayed(model: nn.Module) -> list[str]:
    """Names of the parameters that weight decay pulls towards 0, in the model's order.

    Matrices, embeddings among them, decay. Biases and the scales of normalizations do not.
    """
    return [name for name, parameter in model.named_parameters() if parameter.dim() > 1]


class _Small(nn.Module):
    """Names that tell nothing: a scale called gain, a matrix called bias_table, a tied output."""

    def __init__(self, tied: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.norm = nn.LayerNorm(4)
        self.attention = nn.Linear(4, 12)
        self.bias_table = nn.Embedding(5, 4)
        self.gain = nn.Parameter(torch.ones(4))
        self.output = nn.Linear(4, 9, bias=False)
        if tied:
            self.output.weight = self.embedding.weight


@decayed.case
def no_bias_and_no_scale(answer):
    found = answer(_Small())
    there = [name for name, _ in _Small().named_parameters(remove_duplicate=False)]
    fine = isinstance(found, list) and all(name in there for name in found)
    expect(fine, "Expected a list of names as `named_parameters()` gives them.", found)
    expect(
        not {"norm.weight", "norm.bias", "attention.bias", "gain"} & set(found),
        "A bias or the scale of a normalization is among your names.",
        found,
    )


@decayed.case
def every_matrix_once(answer):
    for model in (
        _Small(),
        _Small(tied=False),
        nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)),
        nn.Sequential(nn.Linear(4, 1), nn.Linear(1, 4)),  # one row, one column
    ):
        expect_equal(answer(model), decayed.answer(model), "the list of names")


decayed.mistake(
    "no_bias_and_no_scale",
    'The scale of a LayerNorm is called "weight", too. Go by the shape, not by the name.',
    'parameter.dim() > 1 -> name.endswith("weight")',
)
decayed.mistake(
    "every_matrix_once",
    "A tied matrix is in your list twice: an optimizer would complain, or take two steps.",
    "named_parameters() -> named_parameters(remove_duplicate=False)",
)
decayed.mistake(
    "every_matrix_once",
    "You leave embeddings out. They are matrices, and here one of them is the output layer.",
    lambda model: [f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Linear)],
)

# --- 10.5 write_pair ------------------------------------------------------------------------------


@exercise(
    hints=(
        "Write down the five parts, and count: how much room do three marks leave for both texts?",
        "If the first text is short, the second may be longer than half. Cut only what is too "
        "long.",
        "room = longest − 3; the shorter text needs min(its length, room // 2).",
    )
)
def write_pair(
    first: list[int], second: list[int], marks: tuple[int, int, int], longest: int
) -> list[int]:
    """Two texts as one: start, first, delimiter, second, extract; `longest` tokens at most.

    marks: the ids (start, delimiter, extract), a named tuple. Where both do not fit, the longer
    text is cut at its end; where both are longer than half of the room, both are, and an odd token
    more goes to the first.
    """
    start, delimiter, extract = marks
    room = longest - 3
    shorter = min(len(first), len(second), room // 2)
    first = first[: room - shorter]
    return [start, *first, delimiter, *second[: room - len(first)], extract]


class Marks(NamedTuple):
    start: int
    delimiter: int
    extract: int


def _texts(one: int, other: int) -> tuple[list[int], list[int]]:
    return list(range(100, 100 + one)), list(range(200, 200 + other))


@write_pair.same_as_answer("the text")
def both_texts_and_three_marks():
    yield *_texts(2, 3), Marks(1, 50, 51), 20
    yield *_texts(4, 1), Marks(7, 8, 9), 12
    yield [], [5], Marks(1, 50, 51), 9


@write_pair.same_as_answer("the text")
def the_longer_text_is_cut():
    for longest in (18, 17):
        for lengths in ((3, 30), (30, 3), (30, 31), (9, 9), (7, 8), (8, 7)):
            yield *_texts(*lengths), Marks(1, 50, 51), longest


write_pair.mistake(
    "both_texts_and_three_marks",
    "The begin mark closes the text. A model that was tuned with an extract mark finds none.",
    "second[: room - len(first)], extract] -> second[: room - len(first)], start]",
)
write_pair.mistake(
    "the_longer_text_is_cut",
    "You cut the finished text, and with it the extract mark, at which the answer is read.",
    "first = first[: room - shorter] -> "
    "return [start, *first, delimiter, *second, extract][:longest]",
)
write_pair.mistake(
    "the_longer_text_is_cut",
    "You give each text half of the room, also where one of them needs less.",
    "first = first[: room - shorter] -> "
    "return [start, *first[: room // 2], delimiter, *second[: room // 2], extract]",
)
write_pair.mistake(
    "the_longer_text_is_cut",
    "The first text takes what it wants, the second gets the rest.",
    "first[: room - shorter] -> first[: room - 1]",
)

# --- 10.6 from_conv1d -----------------------------------------------------------------------------


@exercise(
    hints=(
        "Which modules of GPT-2 are `Conv1D` layers: the embeddings, the norms, or those whose "
        "names begin with c_?",
        "A square matrix looks the same on its side. So the name must decide, not the shape.",
        "`name.removeprefix('transformer.')`, and `tensor.T` for a name that ends like "
        "`.c_attn.weight`.",
    )
)
def from_conv1d(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """GPT-2's tensors as torch.nn.Linear wants them: the same names without "transformer.".

    Matrices of the linear maps (names like "h.0.attn.c_attn.weight", c_proj, c_fc) stand as
    (in, out) in the file and as (out, in) in the result. Embeddings, norms and biases stay as they
    are. Masks ("h.0.attn.bias", "h.0.attn.masked_bias") are left out.
    """
    found = {}
    for name, tensor in state.items():
        name = name.removeprefix("transformer.")
        if name.endswith((".attn.bias", ".attn.masked_bias")):
            continue
        *_, module, kind = name.split(".")
        turned = module.startswith("c_") and kind == "weight"
        found[name] = tensor.T if turned else tensor
    return found


def _file(prefix: str = "transformer.", layer: int = 0) -> dict[str, Tensor]:
    """Tensors of a small GPT-2 with one layer, whose number may have two digits."""
    shapes = {
        "wte.weight": (4, 4),
        "wpe.weight": (6, 4),
        "ln_1.weight": (4,),
        "attn.bias": (1, 1, 6, 6),
        "attn.masked_bias": (),
        "attn.c_attn.weight": (4, 12),
        "attn.c_attn.bias": (12,),
        "attn.c_proj.weight": (4, 4),
        "mlp.c_fc.weight": (4, 16),
        "mlp.c_fc.bias": (16,),
        "mlp.c_proj.weight": (16, 4),
        "ln_f.weight": (4,),
    }
    inside = ("ln_1", "attn", "mlp")
    return {
        prefix + (f"h.{layer}.{name}" if name.startswith(inside) else name): torch.randn(shape)
        for name, shape in shapes.items()
    }


@from_conv1d.case
def the_names(answer):
    for given in (_file(), _file(""), _file(layer=11)):
        names, right = sorted(answer(dict(given))), sorted(from_conv1d.answer(given))
        expect_equal(names, right, "the list of names")


@from_conv1d.same_as_answer("the result")
def turned_or_not():
    yield _file()
    yield _file("", layer=11)


from_conv1d.mistake(
    "the_names",
    "The causal masks of old files are still there: they are no weights.",
    "continue -> pass",
)
from_conv1d.mistake(
    "turned_or_not",
    "You turn matrices by their shape, or every one, or none. The name decides: a square one is "
    "loaded on its side without an error, and embeddings stay.",
    'module.startswith("c_") and kind == "weight" -> tensor.dim() == 2',
)
from_conv1d.mistake(
    "turned_or_not",
    "A matrix that is square is not turned. It fits on its side, too, and the model writes "
    "nonsense.",
    'kind == "weight" -> tensor.dim() == 2 and tensor.shape[0] != tensor.shape[1]',
)

# --- 10.7 continuation_nats -----------------------------------------------------------------------


@exercise(
    hints=(
        "The row of logits at position t scores the token at position t + 1. Which row scores the "
        "first token of the continuation?",
        "With P tokens of prompt and T of continuation: rows P − 1 to P + T − 2.",
    )
)
def continuation_nats(logits: Tensor, prompt: Tensor, continuation: Tensor) -> Tensor:
    """−log p(continuation | prompt) in nats, summed over its tokens: a scalar.

    logits: (P + T, V), what a language model gives for the prompt (P,) followed by the continuation
    (T,); P and T are at least 1. Tokens of the prompt do not count.
    """
    start = len(prompt) - 1
    asked = logits[start : start + len(continuation)]  # (T, V)
    return F.cross_entropy(asked, continuation, reduction="sum")


def _read(
    prompt: int, continuation: int, vocabulary: int = 13, size: float = 2.0
) -> tuple[Tensor, Tensor, Tensor]:
    logits = size * torch.randn(prompt + continuation, vocabulary)
    asked, goes_on = (torch.randint(0, vocabulary, (n,)) for n in (prompt, continuation))
    return logits, asked, goes_on


@continuation_nats.case
def each_row_scores_the_next_token(answer):
    prompt, continuation = torch.tensor([3, 4]), torch.tensor([5, 6, 7])
    tokens = torch.cat([prompt, continuation])
    logits = torch.zeros(5, 13)
    logits[torch.arange(4), tokens[1:]] = 40.0  # sure of the next token
    what = "the nats of a model that is sure of each next token and right"
    expect_close(answer(logits, prompt, continuation), torch.tensor(0.0), what)


@continuation_nats.same_as_answer("the sum", grad=True)
def the_sum_in_nats():
    yield _read(5, 4)
    yield _read(1, 6, 9)
    yield _read(7, 1)
    yield _read(2, 6, size=100.0)


continuation_nats.mistake(
    "each_row_scores_the_next_token",
    "Your rows are one too late: row t scores the token at t + 1, so the token at t has already "
    "been read there.",
    "len(prompt) - 1 -> len(prompt)",
)
continuation_nats.mistake(
    "the_sum_in_nats",
    "You score the whole text. A prompt that is unlikely would count against every continuation "
    "of it.",
    lambda logits, prompt, continuation: F.cross_entropy(
        logits[:-1], torch.cat([prompt, continuation])[1:], reduction="sum"
    ),
)
continuation_nats.mistake(
    "the_sum_in_nats",
    "You take the mean over tokens. That is another question: then long continuations are not less "
    "likely than short ones.",
    'reduction="sum" -> reduction="mean"',
)

# --- 10.8 next_token_loss (find the bug) ----------------------------------------------------------


@exercise(
    hints=(
        "What would this loss be for a model that gives back the token it has just read?",
        "Row t of the logits has read tokens 0 to t. Which token is it asked for?",
        "The last row has no answer in the batch, and the first token is no answer to any row.",
    )
)
def next_token_loss(logits: Tensor, tokens: Tensor, pad: int) -> Tensor:
    """The loss of a language model: logits (B, T, V) of tokens (B, T) -> mean nats, a scalar.

    The row at position t scores the token at t + 1. Positions whose answer is `pad` do not count.
    """
    asked = tokens[:, 1:]
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), asked.flatten(), ignore_index=pad)


@next_token_loss.same_as_answer("the loss of a model that copies what it reads")
def copying_is_no_success():
    tokens = torch.randint(1, 9, (3, 7))
    yield 20 * F.one_hot(tokens, 9).float(), tokens, 0


@next_token_loss.same_as_answer("the loss", grad=True)
def padding_is_not_asked_for():
    for pad, size, (rows, length) in ((0, 2, (3, 7)), (8, 2, (2, 5)), (8, 100, (2, 6))):
        tokens = torch.randint(1, 8, (rows, length))
        tokens[1, length // 2 :] = pad
        yield size * torch.randn(rows, length, 9), tokens, pad
    tokens[:, 2] = pad  # in the middle, and on the left
    yield torch.randn(2, 6, 9), tokens.flip(1), pad


next_token_loss.mistake(
    "copying_is_no_success",
    "The labels are not shifted: your model is asked for the token that it has just read. The loss "
    "goes to zero and the model has learned to copy.",
    "tokens[:, 1:] -> tokens ;; logits[:, :-1] -> logits",
)
next_token_loss.mistake(
    "padding_is_not_asked_for",
    "You shift the wrong way: row t is asked for the token at t − 1, which it has read.",
    "tokens[:, 1:] -> tokens[:, :-1] ;; logits[:, :-1] -> logits[:, 1:]",
)
next_token_loss.mistake(
    "padding_is_not_asked_for",
    "Padding counts in your loss, as if it were a word.",
    ", ignore_index=pad -> ",
)

# --- 10.9 window_nats -----------------------------------------------------------------------------


@exercise(
    hints=(
        "Row i of a window that begins at b reads the tokens b to b + i and scores token "
        "b + i + 1. Which tokens does each window score, and which of them were scored before?",
        "Remember up to where the text has been scored. Of each window only the rows behind that "
        "place are new: all of the first window, `stride` of a later one, fewer of the last.",
        "The windows read `ids[:-1]`; the last token is scored and never read. Sum nats, divide "
        "once by the number of tokens scored, N − 1.",
    )
)
def window_nats(model: nn.Module, ids: Tensor, length: int, stride: int) -> float:
    """Mean −log p in nats of the tokens of a long text, each scored once: (N,) -> a number.

    model: (B, T) -> logits (B, T, V) with T <= length, in evaluation mode; the logits at a token
    score the token after it. The model reads ids[:-1]: the last token is only scored, the first
    one only read. Windows begin at token 0, stride, 2 · stride, … and read `length` tokens, or
    what is left; 1 <= stride <= length. A token that several windows could score is scored by the
    first of them. The window that scores the last token of the text is the last window.
    """
    read, asked = ids[:-1], ids[1:]
    total, scored = 0.0, 0
    for start in range(0, len(read), stride):
        logits = model(read[None, start : start + length])[0]  # (T, V)
        end = start + len(logits)
        new = logits[scored - start :]
        total = total + F.cross_entropy(new, asked[scored:end], reduction="sum").item()
        scored = end
        if end == len(read):
            break
    return total / scored


class _Reader(nn.Module):
    """Scores that depend on all tokens of the window so far, and on where they stand in it."""

    def __init__(self, longest: int, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, vocabulary)
        self.positions = nn.Parameter(torch.randn(longest, vocabulary))
        self.requires_grad_(False).eval()

    def forward(self, ids: Tensor) -> Tensor:
        shape = tuple(ids.shape)
        expect(len(shape) == 2, say("The model reads (B, T), you gave it {shape}.", shape=shape))
        length, most = ids.shape[1], len(self.positions)
        long = "The model reads {most} tokens at most, you gave it {length}."
        expect(length <= most, say(long, most=most, length=length))
        return self.words(ids).cumsum(1) + self.positions[:length]


def _long_text(tokens: int, length: int, stride: int, vocabulary: int = 11) -> tuple:
    return _Reader(length, vocabulary), torch.randint(0, vocabulary, (tokens,)), length, stride


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) and value.dim() == 0 else value


@window_nats.same_as_answer("the mean of a text that one window holds", see=_number)
def one_window():
    yield _long_text(9, 8, 8)
    yield _long_text(6, 8, 3, 5)
    yield _long_text(2, 4, 1)


@window_nats.same_as_answer("the mean with windows side by side", see=_number)
def side_by_side():
    yield _long_text(25, 8, 8)
    yield _long_text(23, 5, 5)


@window_nats.same_as_answer("the mean with windows that overlap", see=_number)
def overlapping():
    for tokens, length, stride in ((21, 8, 4), (24, 8, 3), (30, 7, 2), (19, 6, 1), (17, 8, 5)):
        yield _long_text(tokens, length, stride)


window_nats.mistake(
    "side_by_side",
    "The first token of each window is never scored: you cut the text first and shift then. The "
    "window before has read what precedes it.",
    """new = logits[scored - start :] -> new = logits[(start > 0) :] ;;
    asked[scored:end] -> asked[scored + (start > 0) : end]""",
)
window_nats.mistake(
    "side_by_side",
    "You take the mean of the windows' means: the tokens of a short last window then count more.",
    'scored = 0.0, 0 -> scored, count = 0.0, 0, 0 ;; "sum" -> "mean" ;; '
    "scored = end -> scored, count = end, count + 1 ;; total / scored -> total / count",
)
window_nats.mistake(
    "overlapping",
    "Tokens in which windows overlap are counted several times.",
    "new = logits[scored - start :] -> new, scored = logits, start ;; "
    "return total / scored -> return total / sum(min(length, len(read) - b) "
    "for b in range(0, max(len(read) - length, 0) + stride, stride))",
)
window_nats.mistake(
    "overlapping",
    "A token that several windows could score is scored by the last of yours, which has read the "
    "least before it. The purpose of the overlap is lost.",
    """new = logits[scored - start :] -> last = end == len(read)
        new = logits if last else logits[:stride] ;;
    asked[scored:end] -> asked[start : start + len(new)]""",
)
