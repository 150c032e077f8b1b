"""Exercises 10.4 to 10.6: what decays, a pair as one text, and matrices that lie on their side."""

from __future__ import annotations

from torch import Tensor, nn

from course_lib.exercises.engine.core import exercise, expect, expect_equal, expect_tensor

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

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.norm = nn.LayerNorm(4)
        self.attention = nn.Linear(4, 12)
        self.bias_table = nn.Embedding(5, 4)
        self.output = nn.Linear(4, 9, bias=False)
        self.output.weight = self.embedding.weight


@decayed.case
def gives_names(answer):
    found = answer(_Small())
    there = [name for name, _ in _Small().named_parameters(remove_duplicate=False)]
    fine = isinstance(found, list) and all(name in there for name in found)
    expect(fine, "Expected a list of names as `named_parameters()` gives them.", found)


@decayed.case
def no_bias_and_no_scale(answer):
    found = answer(_Small())
    expect(
        not {"norm.weight", "norm.bias", "attention.bias"} & set(found),
        "A bias or the scale of a LayerNorm is among your names.",
        found,
    )


@decayed.case
def every_matrix_once(answer):
    expect_equal(answer(_Small()), decayed.answer(_Small()), "the names")


@decayed.mistake("gives_names", says="You return the parameters. Return their names.")
def parameters(model):
    return [parameter for parameter in model.parameters() if parameter.dim() > 1]


@decayed.mistake(
    "no_bias_and_no_scale",
    says='The scale of a LayerNorm is called "weight", too. Go by the shape, not by the name.',
)
def by_name(model):
    return [name for name, _ in model.named_parameters() if name.endswith("weight")]


@decayed.mistake("no_bias_and_no_scale", says="You let everything decay.")
def everything(model):
    return [name for name, _ in model.named_parameters()]


@decayed.mistake(
    "every_matrix_once",
    says="You leave embeddings out. They are matrices, and here one of them is the output layer.",
)
def linear_only(model):
    return [f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Linear)]


@decayed.mistake(
    "every_matrix_once",
    says="A tied matrix is in your list twice: an optimizer would complain, or take two steps.",
)
def tied_twice(model):
    every = model.named_parameters(remove_duplicate=False)
    return [name for name, parameter in every if parameter.dim() > 1]


@decayed.alternative
def by_shape(model):
    return [name for name, parameter in model.named_parameters() if len(parameter.shape) >= 2]


# --- 10.5 write_pair ------------------------------------------------------------------------------

START, DELIMITER, EXTRACT = 1, 50, 51


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

    marks: the ids of start, delimiter and extract. Where both do not fit, the longer text is cut at
    its end; where both are longer than half of the room, both are, and an odd token more goes to
    the first.
    """
    start, delimiter, extract = marks
    room = longest - 3
    shorter = min(len(first), len(second), room // 2)
    first = first[: room - shorter]
    return [start, *first, delimiter, *second[: room - len(first)], extract]


_MARKS = (START, DELIMITER, EXTRACT)


@write_pair.case
def both_texts_and_three_marks(answer):
    found = answer([5, 6], [7, 8, 9], _MARKS, 20)
    expect_equal(found, [1, 5, 6, 50, 7, 8, 9, 51], "the text of a short pair")


@write_pair.case
def never_too_long_and_always_complete(answer):
    found = answer(list(range(5, 25)), list(range(30, 49)), _MARKS, 16)
    fits = len(found) <= 16 and found[:1] == [1] and found[-1:] == [51] and found.count(50) == 1
    expect(fits, "A long pair: too long, or a mark is missing or not in its place.", found)


@write_pair.case
def the_longer_text_is_cut(answer):
    for one, other in ((3, 30), (30, 3), (30, 31), (9, 9)):
        first, second = list(range(100, 100 + one)), list(range(200, 200 + other))
        right = write_pair.answer(first, second, _MARKS, 18)
        expect_equal(answer(first, second, _MARKS, 18), right, f"a pair of {one} and {other}")


@write_pair.mistake(
    "both_texts_and_three_marks",
    says="Nothing stands between the two texts. Where does the first one end?",
)
def no_delimiter(first, second, marks, longest):
    return [marks[0], *first, *second, marks[2]]


@write_pair.mistake(
    "both_texts_and_three_marks",
    says="The begin mark closes the text. A model that was tuned with an extract mark finds none.",
)
def wrong_mark(first, second, marks, longest):
    right = write_pair.answer(first, second, marks, longest)
    return [*right[:-1], marks[0]]


@write_pair.mistake(
    "never_too_long_and_always_complete",
    says="You cut the finished text, and with it the extract mark, at which the answer is read.",
)
def cut_at_the_end(first, second, marks, longest):
    start, delimiter, extract = marks
    return [start, *first, delimiter, *second, extract][:longest]


@write_pair.mistake(
    "the_longer_text_is_cut",
    says="You give each text half of the room, also where one of them needs less.",
)
def halves(first, second, marks, longest):
    start, delimiter, extract = marks
    half = (longest - 3) // 2
    return [start, *first[:half], delimiter, *second[:half], extract]


@write_pair.mistake(
    "the_longer_text_is_cut", says="The first text takes what it wants, the second gets the rest."
)
def first_come(first, second, marks, longest):
    start, delimiter, extract = marks
    first = first[: longest - 4]
    return [start, *first, delimiter, *second[: longest - 3 - len(first)], extract]


@write_pair.alternative
def token_by_token(first, second, marks, longest):
    first, second = list(first), list(second)
    while len(first) + len(second) > longest - 3:
        (first if len(first) > len(second) else second).pop()
    return [marks[0], *first, marks[1], *second, marks[2]]


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


def _file(prefix: str = "transformer.") -> dict[str, Tensor]:
    import torch

    shapes = {
        "wte.weight": (4, 4),
        "wpe.weight": (6, 4),
        "h.0.ln_1.weight": (4,),
        "h.0.attn.bias": (1, 1, 6, 6),
        "h.0.attn.masked_bias": (),
        "h.0.attn.c_attn.weight": (4, 12),
        "h.0.attn.c_attn.bias": (12,),
        "h.0.attn.c_proj.weight": (4, 4),
        "h.0.mlp.c_fc.weight": (4, 16),
        "h.0.mlp.c_fc.bias": (16,),
        "h.0.mlp.c_proj.weight": (16, 4),
        "ln_f.weight": (4,),
    }
    return {prefix + name: torch.randn(shape) for name, shape in shapes.items()}


@from_conv1d.case
def the_names(answer):
    for prefix in ("transformer.", ""):
        found = answer(_file(prefix))
        expect_equal(sorted(found), sorted(from_conv1d.answer(_file(prefix))), "the names")


@from_conv1d.case
def wide_matrices_are_turned(answer):
    found = answer(_file())
    expect_tensor(found["h.0.attn.c_attn.weight"], (12, 4))
    expect_tensor(found["h.0.mlp.c_proj.weight"], (4, 16))
    expect_tensor(found["wpe.weight"], (6, 4))


@from_conv1d.case
def square_ones_too_and_embeddings_not(answer):
    given = _file()
    right, found = from_conv1d.answer(given), answer(given)
    for name in ("wte.weight", "h.0.attn.c_proj.weight"):
        same = bool((found[name] == right[name]).all())
        expect(same, f"{name}, which is square in this file, is not as it should be.", found[name])


@from_conv1d.mistake("the_names", says='The prefix "transformer." is still there.')
def with_prefix(state):
    right = from_conv1d.answer(state)
    return {f"transformer.{name}": tensor for name, tensor in right.items()}


@from_conv1d.mistake(
    "the_names", says="The causal masks of old files are still there: they are no weights."
)
def with_masks(state):
    masks = {n.removeprefix("transformer."): t for n, t in state.items() if "attn.bias" in n}
    return from_conv1d.answer(state) | masks


@from_conv1d.mistake("wide_matrices_are_turned", says="Nothing is turned.")
def not_turned(state):
    kept = from_conv1d.answer(state)
    return {name: state.get(f"transformer.{name}", state.get(name)) for name in kept}


@from_conv1d.mistake(
    "wide_matrices_are_turned", says="You turn every matrix, the embeddings as well."
)
def all_turned(state):
    right = from_conv1d.answer(state)
    return {n: t.T if n.startswith("w") else t for n, t in right.items()}


@from_conv1d.mistake(
    "square_ones_too_and_embeddings_not",
    says="You turn a matrix where its shape does not fit. A square one always fits: it is loaded "
    "on its side, without an error, and the model writes nonsense.",
)
def by_shape(state):  # noqa: F811
    right = from_conv1d.answer(state)
    square = "h.0.attn.c_proj.weight"
    return right | {square: right[square].T}


@from_conv1d.alternative
def by_pattern(state):
    import re

    found = {}
    for name, tensor in state.items():
        name = re.sub(r"^transformer\.", "", name)
        if re.fullmatch(r"h\.\d+\.attn\.(masked_)?bias", name):
            continue
        linear = re.fullmatch(r"h\.\d+\.(attn|mlp)\.c_\w+\.weight", name)
        found[name] = tensor.transpose(0, 1) if linear else tensor
    return found
