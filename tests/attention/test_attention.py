"""Attention: scores, the two paths of `attend`, and the translator that uses it."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from course_lib.attention.attend import (
    AdditiveScore,
    GeneralScore,
    attend,
    attend_fast,
    dot,
    scaled_dot,
)
from course_lib.attention.masks import causal_mask
from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.decoding import search
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig

NAMES = ("additive", "dot", "general", "scaled_dot")
SHAPES = {"none": (), "batch": (2,), "heads": (2, 3), "five dimensions": (2, 2, 2)}
ROWS = [[5, 6, 7, 8, 9], [10, 4, 11], [7]]


def batch(rows: list[list[int]], width: int | None = None) -> torch.Tensor:
    width = width or max(map(len, rows))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def fast(*given) -> tuple[torch.Tensor, None]:
    return attend_fast(*given), None


BOTH = pytest.mark.parametrize("path", [attend, fast])


def build(name: str, width: int = 4):
    """A score in double precision, for queries and keys of that width."""
    scores = {
        "dot": dot,
        "scaled_dot": scaled_dot,
        "general": GeneralScore(width, width).double(),
        "additive": AdditiveScore(width, width, 6).double(),
    }
    return scores[name]


def inputs(leading=(2,), t=3, s=5, width=4, values=4):
    shapes = ((*leading, t, width), (*leading, s, width), (*leading, s, values))
    return [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes]


def reference_score(name, score, q, k) -> float:
    """The formulas of the papers for one query and one key, number by number."""
    if name == "additive":
        inside = score.query.weight @ q + score.key.weight @ k
        return sum(
            v * math.tanh(x) for v, x in zip(score.energy.weight[0], inside.tolist(), strict=True)
        )
    if name == "general":
        k = score.query.weight.T @ k
    total = sum(a * b for a, b in zip(q.tolist(), k.tolist(), strict=True))
    return total / math.sqrt(len(q)) if name == "scaled_dot" else total


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_attend_equals_loops_over_the_formula(name):
    torch.manual_seed(0)
    score = build(name)
    queries, keys, values = inputs(values=7)
    mask = torch.rand(2, 3, 5) < 0.6
    mask[0, 1] = False
    context, weights = attend(queries, keys, values, mask, score=score)
    for b in range(2):
        for t in range(3):
            seen = mask[b, t].nonzero()[:, 0].tolist()
            powers = {
                s: math.exp(reference_score(name, score, queries[b, t], keys[b, s])) for s in seen
            }
            for s in range(5):
                expected = powers[s] / sum(powers.values()) if s in seen else 0.0
                assert weights[b, t, s].item() == pytest.approx(float(expected), abs=1e-12)
            mean = sum((weights[b, t, s] * values[b, s] for s in seen), torch.zeros(7))
            torch.testing.assert_close(context[b, t], mean.double())


def test_a_worked_example():
    keys = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    values = torch.tensor([[10.0], [20.0]])
    query = torch.tensor([[math.log(3.0), 0.0]])
    context, weights = attend(query, keys, values, score=dot)
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.25]]))
    torch.testing.assert_close(context, torch.tensor([[12.5]]))


def masks(leading, t=3, s=5) -> dict[str, torch.Tensor | None]:
    torch.manual_seed(1)
    full = torch.rand(*leading, t, s) < 0.6
    full[..., 1, :] = False  # one query with nothing to attend to
    padding = torch.arange(s) < torch.randint(1, s, (*leading, 1, 1))
    return {
        "no mask": None,
        "full": full,
        "padding": padding,
        "(T, S)": torch.arange(t)[:, None] >= torch.arange(s)[None],
        "(S,)": torch.arange(s) < 4,
        "nothing": torch.zeros(1, s, dtype=torch.bool),
    }


@pytest.mark.parametrize("mask", masks(()).keys())
@pytest.mark.parametrize("leading", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("width", [4, 7])  # of the values; torch takes another kernel for 7
def test_fast_path_equals_explicit_path(mask, leading, width):
    given = inputs(leading, values=width)
    mask = masks(leading)[mask]
    target = torch.randn(*leading, 3, width, dtype=torch.double)
    explicit, weights = attend(*given, mask)
    quick = attend_fast(*given, mask)
    assert weights.shape == (*leading, 3, 5)
    torch.testing.assert_close(quick, explicit)
    gradients = [torch.autograd.grad((out * target).sum(), given) for out in (explicit, quick)]
    for ours, theirs in zip(*gradients, strict=True):
        assert ours.isfinite().all()
        torch.testing.assert_close(ours, theirs)


@BOTH
@pytest.mark.parametrize("leading", [(2,), (2, 3)])
def test_scaled_dot_equals_torch(leading, path):
    given = inputs(leading)
    mask = masks(leading)["full"]
    theirs = F.scaled_dot_product_attention(*given, attn_mask=mask)
    ours, _ = path(*given, mask)
    torch.testing.assert_close(ours, theirs)
    target = torch.randn_like(theirs)
    for mine, other in zip(
        torch.autograd.grad((ours * target).sum(), given),
        torch.autograd.grad((theirs * target).sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("name", NAMES)
def test_every_score_equals_torch_that_is_given_the_scores(name):
    """With queries of 0, torch's attention is the softmax of what is added to its scores."""
    queries, keys, values = given = inputs((2, 3))
    score, mask = build(name), masks((2, 3))["full"]
    added = score(queries, keys).masked_fill(~mask, -torch.inf)
    theirs = F.scaled_dot_product_attention(queries * 0, keys, values, attn_mask=added)
    ours, _ = attend(*given, mask, score=score)
    seen = mask.any(-1)
    torch.testing.assert_close(ours[seen], theirs[seen])
    assert ours[~seen].abs().max() == 0


@pytest.mark.parametrize("name", NAMES)
def test_weights_sum_to_one_over_the_source(name):
    # S = T, so that a softmax over the wrong axis would give no wrong shape.
    queries, keys, values = inputs(t=5)
    _, weights = attend(queries, keys, values, causal_mask(5), score=build(name))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5, dtype=torch.double))
    assert (weights.sum(-2) - 1).abs().max() > 0.01
    assert torch.equal(weights > 0, causal_mask(5).expand(2, 5, 5))


@pytest.mark.parametrize("path", ["fast", *NAMES])
def test_nothing_to_attend_to_gives_zeros_and_no_nan(path):
    given, named = inputs(), path in NAMES
    mask = torch.ones(2, 3, 5, dtype=torch.bool)
    mask[0, 1] = False
    context, weights = attend(*given, mask, build(path)) if named else fast(*given, mask)
    assert context[0, 1].abs().max() == 0
    assert context[0, 0].abs().max() > 0
    if named:
        assert weights[0, 1].abs().max() == 0
    for gradient in torch.autograd.grad(context.sum(), given[2:] + given[:2], allow_unused=True):
        assert gradient is None or gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@BOTH
def test_nothing_to_attend_to_in_each_precision(dtype, path):
    given = [tensor.detach().to(dtype).requires_grad_() for tensor in inputs((2, 1), s=40, t=40)]
    mask = causal_mask(40).tril(-1)  # the first query sees nothing
    context, _ = path(*given, mask)
    assert context.dtype == dtype and context.isfinite().all()
    assert context[..., 0, :].abs().max() == 0 < context[..., 1, :].abs().max()
    for gradient in torch.autograd.grad(context.float().square().sum(), given):
        assert gradient.isfinite().all()


def looks_at_the_keys(score) -> bool:
    """Whether weights follow the keys: permuted keys must give permuted weights, not the same."""
    queries, keys, values = inputs()
    order = torch.tensor([4, 2, 0, 1, 3])
    _, before = attend(queries, keys, values, score=score)
    _, after = attend(queries, keys[:, order], values, score=score)
    return torch.allclose(after, before[..., order]) and not torch.allclose(after, before)


@pytest.mark.parametrize("name", NAMES)
def test_weights_follow_the_keys(name):
    assert looks_at_the_keys(build(name))


def test_a_score_that_never_reads_the_keys_is_found():
    # A tutorial computed its weights from the decoder alone, one for each source position, for
    # years (pytorch/tutorials issue 2121). The shapes are right and the loss falls.
    blind = nn.Linear(4, 5).double()
    assert not looks_at_the_keys(lambda queries, keys: blind(queries))


def test_general_score_with_the_identity_is_dot():
    score = GeneralScore(4, 4).double()
    nn.init.eye_(score.query.weight)
    queries, keys, _ = inputs()
    torch.testing.assert_close(score(queries, keys), dot(queries, keys))


def test_learned_scores_take_queries_and_keys_of_different_widths():
    queries, keys = torch.randn(2, 3, 4), torch.randn(2, 5, 6)
    assert GeneralScore(4, 6)(queries, keys).shape == (2, 3, 5)
    assert AdditiveScore(4, 6, 8)(queries, keys).shape == (2, 3, 5)


def test_additive_score_from_prepared_keys():
    score = build("additive")
    queries, keys, values = inputs()
    torch.testing.assert_close(
        attend(queries, score.prepare(keys), values, score=score.from_prepared),
        attend(queries, keys, values, score=score),
    )


def test_scaled_dot_keeps_the_variance_whatever_the_width():
    torch.manual_seed(0)
    for width in (4, 256):
        scores = scaled_dot(torch.randn(200, width), torch.randn(200, width))
        assert scores.var().item() == pytest.approx(1, abs=0.15)


def test_inputs_and_modules_are_left_alone():
    score = AdditiveScore(4, 4, 6).double()
    given = inputs()
    mask = causal_mask(5)[:3]
    before = [tensor.detach().clone() for tensor in (*given, mask)]
    held = set(vars(score))
    attend(*given, mask, score=score)
    assert all(torch.equal(a, b) for a, b in zip(before, (*given, mask), strict=True))
    assert set(vars(score)) == held
    assert len(list(score.buffers())) == 0


class LargestTensor(TorchDispatchMode):
    """Notes the size of the largest tensor that any operation, also a backward one, returns."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def counts(self, tensor: torch.Tensor) -> bool:
        return True

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, torch.Tensor) and self.counts(tensor):
                size = tensor.untyped_storage().nbytes() // tensor.element_size()
                self.numbers = max(self.numbers, size)
        return out


class BooleanTensors(LargestTensor):
    """The same of boolean tensors only."""

    def counts(self, tensor: torch.Tensor) -> bool:
        return tensor.dtype == torch.bool


def test_a_padding_mask_is_never_written_out():
    length = 600
    given = [torch.randn(1, 1, length, 8) for _ in range(3)]
    mask = torch.ones(1, 1, 1, length, dtype=torch.bool)
    with LargestTensor() as seen:
        attend_fast(*given, mask)
    assert seen.numbers <= 32 * length
    with BooleanTensors() as seen:
        attend(*given, mask)
    assert 0 < seen.numbers <= length


def largest_tensor(leading: tuple[int, ...], length: int, path) -> int:
    given = [torch.randn(*leading, length, 8, requires_grad=True) for _ in range(3)]
    mask = torch.arange(length) < length - 7  # a padding mask
    with LargestTensor() as seen:
        path(*given, mask)[0].sum().backward()
    assert given[0].grad.abs().max() > 0
    return seen.numbers


@pytest.mark.parametrize("leading", [(), (1,), (1, 1)])
def test_fast_path_never_holds_all_weights_of_a_long_source(leading):
    length = 4096
    assert largest_tensor(leading, length, fast) < 32 * length
    assert largest_tensor(leading, 512, attend) >= 512**2  # the measure works


@BOTH
@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.ones(2, 3, 5), TypeError, "boolean with True = may attend, got torch.float32"),
        (torch.ones(2, 3, 5).long(), TypeError, "torch.int64"),
        (torch.ones(2, 3, 4).bool(), ValueError, r"\(2, 3, 4\) does not broadcast.*\(2, 3, 5\)"),
        (torch.ones(2, 5).bool(), ValueError, "does not broadcast"),  # (B, S), not given its place
        (torch.ones(1, 2, 3, 5).bool(), ValueError, "does not broadcast"),
    ],
)
def test_wrong_masks_are_named(mask, error, message, path):
    given = torch.ones(2, 3, 4), torch.ones(2, 5, 4), torch.ones(2, 5, 4)
    with pytest.raises(error, match=message):
        path(*given, mask)


@BOTH
@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 4), (2, 5, 4), (2, 6, 4)),  # a value too many
        ((2, 3, 4), (1, 5, 4), (1, 5, 4)),
        ((2, 3, 4), (5, 4), (5, 4)),
        ((4,), (5, 4), (5, 4)),
    ],
)
def test_shapes_that_do_not_belong_together_are_named(shapes, path):
    with pytest.raises(ValueError, match="one value for each key"):
        path(*map(torch.ones, shapes))


# The translator

VARIANTS = {
    **{name: {"score": name} for name in NAMES},
    "forward encoder": {"bidirectional": False},
    "deep, reversed": {"layers": 2, "reverse_source": True},
}


@pytest.fixture(params=VARIANTS, name="model")
def fixture_model(request) -> AttentionEncoderDecoder:
    torch.manual_seed(3)
    config = AttentionConfig.tiny(source_vocab=12, target_vocab=9, **VARIANTS[request.param])
    return AttentionEncoderDecoder(config).eval()


def test_shapes(model):
    source, target = batch(ROWS), torch.randint(1, 9, (3, 4))
    logits, weights = model.with_weights(source, target)
    assert logits.shape == (3, 4, 9)
    assert weights.shape == (3, 4, 5)
    torch.testing.assert_close(logits, model(source, target), atol=1e-6, rtol=0)


def test_alignments_are_weights_over_the_real_words(model):
    _, weights = model.with_weights(batch(ROWS), torch.randint(1, 9, (3, 4)))
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4))
    assert torch.equal(weights > 0, (batch(ROWS) != 0)[:, None].expand(3, 4, 5))


def test_padding_changes_nothing(model):
    target = torch.randint(1, 9, (3, 6))
    logits, weights = model.with_weights(batch(ROWS), target)
    wide_logits, wide_weights = model.with_weights(batch(ROWS, width=11), target)
    torch.testing.assert_close(logits, wide_logits, atol=1e-6, rtol=0)
    torch.testing.assert_close(weights, wide_weights[..., :5], atol=1e-6, rtol=0)
    assert wide_weights[..., 5:].abs().max() == 0


def test_batch_equals_sentences_one_by_one(model):
    target = torch.randint(1, 9, (3, 4))
    logits, weights = model.with_weights(batch(ROWS), target)
    for b, row in enumerate(ROWS):
        own_logits, own_weights = model.with_weights(torch.tensor([row]), target[b : b + 1])
        torch.testing.assert_close(logits[b], own_logits[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(weights[b, :, : len(row)], own_weights[0], atol=1e-6, rtol=0)


def test_one_step_at_a_time_equals_teacher_forcing(model):
    source, target = batch(ROWS), torch.randint(1, 9, (3, 6))
    at_once = model(source, target).log_softmax(-1)
    state = model.init_state(source)
    for t in range(6):
        log_probs, state = model.step(target[:, t], state)
        torch.testing.assert_close(log_probs, at_once[:, t], atol=1e-5, rtol=0)


def test_a_later_target_word_leaves_earlier_predictions_alone(model):
    source, target = batch(ROWS), torch.randint(1, 9, (3, 6))
    changed = target.clone()
    changed[:, 4] = (changed[:, 4] % 8) + 1
    before, after = model.with_weights(source, target), model.with_weights(source, changed)
    torch.testing.assert_close(before[0][:, :4], after[0][:, :4])
    assert (before[0][:, 4] - after[0][:, 4]).abs().max() > 1e-4
    # The query is the state before the word is read, so word 4 moves the look of word 5 first.
    torch.testing.assert_close(before[1][:, :5], after[1][:, :5])
    assert (before[1][:2, 5] - after[1][:2, 5]).abs().max() > 1e-7


def test_weights_and_predictions_move_with_the_encoder_states(model):
    source, target = batch(ROWS[:1]), torch.randint(1, 9, (1, 4))
    state = model.init_state(source)
    states, last = model.encoder(source)
    # Only the states move: the first state of the decoder, which also knows the source, does not.
    moved = model.decoder.init_state(states.flip(1), last, torch.ones(1, 5, dtype=torch.bool))
    assert torch.equal(moved.hidden, state.hidden)
    logits, weights, _ = model.decoder.with_weights(target, state)
    _, other, _ = model.decoder.with_weights(target, moved)
    # The mean over all words forgets their order, so it is the weights that turn round with it.
    torch.testing.assert_close(other, weights.flip(-1), atol=1e-6, rtol=0)
    assert (other - weights).abs().max() > 1e-3
    louder = state._replace(values=state.values * 2)
    assert (model.decoder(target, louder)[0] - logits).abs().max() > 1e-3


def test_the_query_is_the_top_state_before_the_word(model):
    state = model.init_state(batch(ROWS))
    tokens = torch.tensor([[1, 4], [1, 5], [1, 6]])
    _, weights, _ = model.decoder.with_weights(tokens, state)
    score = getattr(model.decoder.score, "from_prepared", model.decoder.score)
    for t in range(2):
        query = state.hidden[-1][:, None]
        _, expected = attend(query, state.keys, state.values, state.mask, score=score)
        torch.testing.assert_close(weights[:, t], expected[:, 0], atol=1e-6, rtol=0)
        _, state = model.decoder(tokens[:, t : t + 1], state)


def test_another_source_moves_the_weights_and_a_blind_score_is_found(model):
    """What stayed unseen for years in a tutorial: weights that no source word can change."""
    source, target = batch(ROWS[:1]), torch.randint(1, 9, (1, 4))
    first, last = model.encoder(source)

    def weights_move() -> bool:
        changed = first.clone()
        changed[:, 2] = -changed[:, 2]  # one source word says something else
        mask = torch.ones(1, 5, dtype=torch.bool)
        before, after = (
            model.decoder.with_weights(target, model.decoder.init_state(states, last, mask))[1]
            for states in (first, changed)
        )
        return (before[:, 0] - after[:, 0]).abs().max().item() > 1e-4  # the same first query

    assert weights_move()
    blind = nn.Linear(model.config.width, 5)
    del model.decoder.score  # a module, perhaps, which only a module may replace
    model.decoder.score = lambda queries, keys: blind(queries)
    assert not weights_move()


def test_looks_differ_from_step_to_step(model):
    _, weights = model.with_weights(batch(ROWS[:1]), torch.tensor([[1, 4, 5, 6]]))
    assert (weights[0, 1:] - weights[0, :-1]).abs().amax(-1).min() > 1e-6


def test_with_one_vector_to_look_at_it_is_the_fixed_vector_decoder(model):
    """What the two models differ in is c_t for c, and nothing else."""
    torch.manual_seed(0)
    target = torch.randint(1, 9, (3, 4))
    shared = {k: v for k, v in model.state_dict().items() if not k.startswith("decoder.score")}
    fields = {k: v for k, v in vars(model.config).items() if k != "score"}
    fixed = EncoderDecoder(Seq2SeqConfig(**fields)).eval()
    fixed.load_state_dict(shared)
    _, last = model.encoder(batch(ROWS))
    one = torch.ones(3, 1, dtype=torch.bool)
    logits, _ = model.decoder(target, model.decoder.init_state(last.unsqueeze(1), last, one))
    torch.testing.assert_close(logits, fixed(batch(ROWS), target), atol=1e-5, rtol=0)


def test_same_seed_gives_the_shared_weights_of_the_fixed_vector_model():
    torch.manual_seed(5)
    fixed = EncoderDecoder(Seq2SeqConfig.tiny(12, 9, bidirectional=True)).state_dict()
    torch.manual_seed(5)
    ours = AttentionEncoderDecoder(AttentionConfig.tiny(12, 9)).state_dict()
    assert all(torch.equal(ours[name], weight) for name, weight in fixed.items())
    assert {n for n in ours if n not in fixed} == {
        f"decoder.score.{part}.weight" for part in ("query", "key", "energy")
    }


def test_reorder_picks_and_repeats_rows(model):
    state = model.init_state(batch(ROWS))
    _, state = model.step(torch.tensor([1, 2, 3]), state)
    index = torch.tensor([2, 2, 0, 1])
    moved = model.reorder(state, index)
    tokens = torch.tensor([4, 5, 6])
    expected = model.step(tokens, state)[0][index]
    torch.testing.assert_close(model.step(tokens[index], moved)[0], expected)


def test_nothing_is_stored_on_the_model(model):
    held = [set(vars(module)) for module in model.modules()]
    model.with_weights(batch(ROWS), torch.ones(3, 2).long())
    model.step(torch.tensor([1, 1, 1]), model.init_state(batch(ROWS)))
    assert [set(vars(module)) for module in model.modules()] == held


def test_all_weights_learn(model):
    model(batch(ROWS), torch.tensor([[1, 2], [1, 3], [1, 4]])).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    assert model.encoder.embedding.weight.grad[0].abs().max() == 0


def work_of_one_step(name: str, length: int) -> int:
    """Multiplications and additions of one decoding step with a source of that length."""
    model = AttentionEncoderDecoder(AttentionConfig.tiny(12, 9, score=name)).eval()
    state = model.init_state(torch.full((1, length), 5))
    with FlopCounterMode(display=False) as counter:
        model.decoder.with_weights(torch.tensor([[1]]), state)
    return counter.get_total_flops()


@pytest.mark.parametrize("name", NAMES)
def test_one_step_is_linear_in_the_source_and_prepares_no_key_again(name):
    work = {length: work_of_one_step(name, length) for length in (10, 20, 50)}
    # For each word D products for its score and D for the mean; D² would be U k once more.
    per_word = 2 * (32 + 32)
    assert work[20] - work[10] == 10 * per_word
    assert work[50] - work[20] == 30 * per_word


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
def test_overfits_one_batch_and_writes_it(changes):
    torch.manual_seed(0)
    model = AttentionEncoderDecoder(AttentionConfig.tiny(12, 9, **changes))
    source = batch(ROWS)
    target = torch.tensor([[1, 4, 5, 6, 2], [1, 7, 4, 8, 2], [1, 8, 8, 4, 2]])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        logits = model(source, target[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    expected = target[:, 1:-1].tolist()
    assert search.greedy(model, batch(ROWS, width=8), 6) == expected
    assert search.beam(model, source, 6, width=3) == expected


def test_wrong_sentences_are_named(model):
    with pytest.raises(ValueError, match="row 1 is an empty sentence"):
        model(torch.tensor([[5, 6], [0, 0]]), torch.tensor([[1], [1]]))
    with pytest.raises(ValueError, match="target contains id 9"):
        model(torch.tensor([[5]]), torch.tensor([[1, 9]]))
    for call in (model, model.with_weights):
        with pytest.raises(ValueError, match="3 sentences, target_in has 2"):
            call(batch(ROWS), torch.tensor([[1], [1]]))


def test_config_is_validated():
    assert AttentionConfig.lab(12, 9).bidirectional
    assert isinstance(AttentionConfig.lab(12, 9), AttentionConfig)
    with pytest.raises(ValueError, match="score must be one of additive, dot.*'cosine'"):
        AttentionConfig(12, 9, score="cosine")
    with pytest.raises(ValueError, match="is odd"):
        AttentionConfig(12, 9, width=33)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_training_in_16_bits_on_a_processor_computes_in_32(monkeypatch, dtype):
    """Without a gradient it stays in 16; the result has the type of the inputs either way."""
    seen = []
    kernel = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda *a, **k: seen.append(a[0].dtype) or kernel(*a, **k),
    )
    given = [torch.randn(1, 2, 8, 4, dtype=dtype) for _ in range(3)]
    plain = attend_fast(*given)
    for tensor in given:
        tensor.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        trained = attend_fast(*given)
    assert seen == [dtype, torch.float32] and plain.dtype == trained.dtype == dtype
    torch.testing.assert_close(trained, plain, atol=0.03, rtol=0.03)


def test_causal_by_name_equals_the_causal_mask_and_dropout_drops():
    given = inputs((2, 3), t=5)
    torch.testing.assert_close(
        attend_fast(*given, causal=True), attend_fast(*given, causal_mask(5))
    )
    torch.manual_seed(0)
    ones = torch.ones(1, 1, 4000, 1)
    dropped = attend_fast(ones[:, :, :1], ones, ones, dropout=0.25)
    assert dropped.item() == pytest.approx(1, abs=0.05) and dropped.item() != 1
