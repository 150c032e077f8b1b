"""Greedy search, beam search, sampling, on models whose best sentence is known."""

import itertools
import math
import random

import pytest
import torch
from torch import nn

from course_lib.decoding.sampling import sample, truncate
from course_lib.decoding.search import WithoutCache, beam, greedy
from course_lib.text.words import BOS, EOS, PAD, Specials
from course_lib.transformer.model import Transformer, TransformerConfig

A, B, C = 3, 4, 5
VOCABULARY = 6


class TableModel:
    """Reads each row's next-token probabilities from a function of (source row, prefix).

    The state is a plain list of (source, prefix), so a mistake in reordering changes results.
    """

    def __init__(self, table):
        self.table = table
        self.steps = 0

    def init_state(self, source):
        return [(tuple(row), ()) for row in source.tolist()]

    def step(self, tokens, state):
        assert len(tokens) == len(state)
        self.steps += 1
        state = [(s, (*p, t)) for (s, p), t in zip(state, tokens.tolist(), strict=True)]
        return torch.tensor([self.table(s, p) for s, p in state]).log(), state

    def reorder(self, state, index):
        return [state[i] for i in index.tolist()]


def trap(source, prefix):
    """A looks best at first, but every sentence that begins with A is unlikely."""
    after = {
        (): [0, 0, 0.0, 0.55, 0.45, 0.0],
        (A,): [0, 0, 0.4, 0.3, 0.2, 0.1],
        (B,): [0, 0, 0.1, 0.0, 0.0, 0.9],
        (B, C): [0, 0, 1.0, 0.0, 0.0, 0.0],
    }
    return after.get(prefix[1:], [0, 0, 1.0, 0.0, 0.0, 0.0])


def wild(source, prefix):
    """Random probabilities for every source and prefix, also for tokens never to be written."""
    draw = random.Random(repr((source, prefix)))
    weights = [draw.random() ** 3 for _ in range(VOCABULARY)]
    return [w / sum(weights) for w in weights]


def brute_force(table, source, max_length, alpha=0.0):
    """The best complete sentence of all, by trying each."""
    found = []
    for length in range(max_length):
        for words in itertools.product((A, B, C), repeat=length):
            prefix, total = (BOS,), 0.0
            for token in (*words, EOS):
                total += math.log(table(source, prefix)[token])
                prefix = (*prefix, token)
            found.append((total / ((5 + length + 1) / 6) ** alpha, list(words)))
    return max(found)[1]


def rows(*numbers):
    return torch.tensor(numbers)[:, None]


SOURCES = rows(*range(20))

# Greedy


def test_greedy_walks_into_the_trap_and_beam_does_not():
    model = TableModel(trap)
    assert greedy(model, rows(0), 5) == [[A]]
    assert beam(model, rows(0), 5, width=2) == [[B, C]]
    assert brute_force(lambda *at: [max(p, 1e-9) for p in trap(*at)], (0,), 4) == [B, C]


def test_greedy_takes_the_most_probable_token_at_every_step():
    for source, words in zip(SOURCES.tolist(), greedy(TableModel(wild), SOURCES, 6), strict=True):
        prefix = (BOS,)
        for token in [*words, EOS][:6]:
            allowed = wild(tuple(source), prefix)[EOS:]
            assert token == EOS + allowed.index(max(allowed))
            prefix = (*prefix, token)


# What greedy search, beam search and sampling share


def decoders():
    def sampler(*args, **options):
        return sample(*args, generator=torch.Generator().manual_seed(0), **options)

    return [greedy, beam, sampler]


@pytest.mark.parametrize("decode", decoders())
def test_padding_and_begin_are_never_written(decode):
    found = decode(TableModel(lambda *_: [0.5, 0.4, 0.02, 0.05, 0.02, 0.01]), SOURCES, 5)
    assert not {PAD, BOS, EOS} & {word for words in found for word in words}


@pytest.mark.parametrize("decode", decoders())
def test_length_limits_hold_for_each_row(decode):
    def endless(source, prefix):
        return [0, 0, 0.0, 0.6, 0.4, 0.0]

    assert [len(w) for w in decode(TableModel(endless), rows(1, 2, 3), 4)] == [4, 4, 4]
    limits = torch.tensor([1, 5, 3])
    assert [len(w) for w in decode(TableModel(endless), rows(1, 2, 3), limits)] == [1, 5, 3]


@pytest.mark.parametrize("decode", [greedy, beam])
def test_rows_do_not_depend_on_their_neighbors(decode):
    together = decode(TableModel(wild), SOURCES, 6)
    alone = [decode(TableModel(wild), SOURCES[i : i + 1], 6)[0] for i in range(len(SOURCES))]
    assert together == alone
    assert len({len(words) for words in together}) > 1  # they end at different steps
    assert decode(TableModel(wild), SOURCES.flip(0), 6) == together[::-1]


@pytest.mark.parametrize("decode", decoders())
def test_decoding_stops_when_all_rows_have_ended(decode):
    def two_words(source, prefix):
        return [0, 0, 1.0, 0, 0, 0] if len(prefix) == 3 else [0, 0, 0, 0.7, 0.3, 0]

    model = TableModel(two_words)
    assert all(len(words) == 2 for words in decode(model, SOURCES, 50))
    assert model.steps == 3
    assert [len(words) for words in decode(model, rows(1, 2), torch.tensor([1, 50]))] == [1, 2]
    assert model.steps == 6  # the first row has had its one step

    def first_ends(source, prefix):
        return [0, 0, 1.0, 0, 0, 0] if source == (1,) else [0, 0, 0, 0.7, 0.3, 0]

    model = TableModel(first_ends)
    assert [len(words) for words in decode(model, rows(1, 2), torch.tensor([50, 1]))] == [0, 1]
    assert model.steps == 1


@pytest.mark.parametrize("decode", decoders())
def test_first_tokens_take_the_place_of_begin(decode):
    def repeat(source, prefix):
        return (
            [0, 0, 1.0, 0, 0, 0] if len(prefix) > 1 else [float(i == prefix[0]) for i in range(6)]
        )

    assert decode(TableModel(repeat), rows(0, 0), 5, first=torch.tensor([C, A])) == [[C], [A]]


@pytest.mark.parametrize("decode", decoders())
def test_other_vocabularies_have_other_specials(decode):
    """As in GPT-2: ids 0 to 2 are words, and another one ends a sentence."""

    def table(source, prefix):
        return [float(i == len(prefix) - 1) for i in range(VOCABULARY)]  # 0, 1, 2, 3, …

    at_the_end = Specials(pad=None, bos=None, eos=4)
    first = torch.tensor([PAD, 5])
    found = decode(TableModel(table), rows(1, 2), 9, first=first, specials=at_the_end)
    assert found == [[0, 1, 2, 3]] * 2

    def twos(source, prefix):
        return [0.0, 0.9, 0.1, 0.0, 0.0, 0.0]

    assert decode(TableModel(twos), rows(1), 3) == [[]]
    never_ends = Specials(pad=1, bos=None, eos=None)
    found = decode(TableModel(twos), rows(1), 3, first=first[1:], specials=never_ends)
    assert found == [[2, 2, 2]]
    with pytest.raises(ValueError, match="no begin token"):
        decode(TableModel(twos), rows(1), 3, specials=never_ends)


@pytest.mark.parametrize("decode", decoders())
@pytest.mark.parametrize("mark", [PAD, BOS])
def test_who_is_sure_of_padding_writes_nothing_more(decode, mark):
    def table(source, prefix):
        return [float(i == (mark if len(prefix) == 3 else A)) for i in range(VOCABULARY)]

    assert decode(TableModel(table), rows(1), 9) == [[A, A]]
    with pytest.raises(ValueError, match="gave no token a probability"):
        decode(TableModel(table), rows(1), 9, specials=Specials(eos=None))


def test_an_end_by_padding_is_neither_cheaper_nor_dearer():
    def table(source, prefix):
        after = {(): [0, 0, 0, 0.45, 0.55, 0], (A,): [1.0, 0, 0, 0, 0, 0]}
        return after.get(prefix[1:], [0, 0, 0.9, 0.1, 0, 0])

    assert beam(TableModel(table), rows(1), 9, width=3) == [[B]]  # 0.45 against 0.55 times 0.9


@pytest.mark.parametrize("decode", decoders())
def test_padded_prompts_are_refused(decode):
    prompts = torch.tensor([[4, 5, 3], [4, 3, PAD]])
    with pytest.raises(ValueError, match="first holds 0, padding: .* one length at a time"):
        decode(TableModel(wild), prompts[:, :-1], 5, first=prompts[:, -1])


@pytest.mark.parametrize("decode", decoders())
def test_bad_arguments_are_explained(decode):
    model = TableModel(wild)
    for limit in (0, torch.tensor([3, 0]), torch.tensor([3, 4, 5]), 2.5):
        with pytest.raises(ValueError, match="max_length is .* whole numbers from 1, one or 2"):
            decode(model, rows(1, 2), limit)
    with pytest.raises(ValueError, match="source has 0 rows"):
        decode(model, torch.zeros(0, 1, dtype=torch.long), 3)
    with pytest.raises(ValueError, match=r"2 rows and first the shape \(3,\)"):
        decode(model, rows(1, 2), 3, first=torch.tensor([1, 1, 1]))


class OnMac(torch.Tensor):
    """A tensor of a device without 64-bit floats, as the GPU of a Mac."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        out = super().__torch_function__(func, types, args, kwargs or {})
        if func is torch.Tensor.cpu:
            return out.as_subclass(torch.Tensor)
        if getattr(out, "dtype", None) == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64")
        return out


@pytest.mark.parametrize("decode", decoders())
def test_nothing_becomes_64_bit_before_it_has_left_a_mac_s_gpu(decode):
    class Mac(TableModel):
        def step(self, tokens, state):
            log_probs, state = super().step(tokens, state)
            return log_probs.as_subclass(OnMac), state

    with pytest.raises(TypeError):
        torch.ones(2).as_subclass(OnMac).double()
    assert decode(Mac(wild), SOURCES, 6) == decode(TableModel(wild), SOURCES, 6)


@pytest.mark.parametrize("decode", decoders())
def test_a_broken_model_is_reported(decode):
    with pytest.raises(ValueError, match="NaN"):
        decode(TableModel(lambda source, prefix: [math.nan] * 6), rows(1), 3)

    class Scalar(TableModel):
        def step(self, tokens, state):
            return torch.zeros(6), state

    class OneRow(TableModel):
        def step(self, tokens, state):
            return torch.zeros(1, 6), state

    for wrong, shape in ((Scalar, r"\(6,\)"), (OneRow, r"\(1, 6\)")):
        with pytest.raises(ValueError, match=f"shape {shape}, expected"):
            decode(wrong(wild), rows(1, 2), 3)


class Network(nn.Module):
    """A tiny language model with dropout and a part that stays in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8)
        self.cell = nn.GRUCell(8, 8)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(8, VOCABULARY)

    def init_state(self, source):
        return self.embedding(source[:, 0])

    def step(self, tokens, state):
        assert not torch.is_grad_enabled()
        state = self.cell(self.embedding(tokens), state)
        return self.output(self.dropout(state)).log_softmax(-1), state

    def reorder(self, state, index):
        return state[index]


@pytest.mark.parametrize("decode", decoders())
def test_training_mode_is_left_as_it_was(decode):
    torch.manual_seed(0)
    network = Network()
    network.output.eval()
    source = torch.tensor([[3], [4], [5]])
    before = [module.training for module in network.modules()]
    first = decode(network, source, 6)
    assert first == decode(network, source, 6)  # dropout is off
    assert [module.training for module in network.modules()] == before
    with pytest.raises(IndexError):
        decode(network, torch.tensor([[99]]), 6)
    assert [module.training for module in network.modules()] == before


# Without a cache


def transformer(**changes):
    torch.manual_seed(0)
    return Transformer(TransformerConfig.tiny(12, 12, **changes))


SENTENCES = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0], [4, 4, 11, 0]])


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, {"norm": "post"}, {"positions": "learned"}])
def test_cache_and_no_cache_give_the_same_probabilities(changes):
    model = transformer(**changes).eval()
    without = WithoutCache(model)
    state, other = model.init_state(SENTENCES), without.init_state(SENTENCES)
    tokens = torch.tensor([BOS, BOS, BOS])
    for step in range(12):
        log_probs, state = model.step(tokens, state)
        again, other = without.step(tokens, other)
        torch.testing.assert_close(again, log_probs, atol=1e-5, rtol=0)
        tokens = torch.tensor([3, 7, 11]) if step % 2 else log_probs.argmax(-1)
        if step == 5:
            order = torch.tensor([2, 0, 0])
            state, other = model.reorder(state, order), without.reorder(other, order)


def test_cache_and_no_cache_write_the_same():
    model = transformer(dropout=0.5)  # in training mode: the decoders switch dropout off
    without = WithoutCache(model)
    assert greedy(without, SENTENCES, 15) == greedy(model, SENTENCES, 15)
    assert beam(without, SENTENCES, 15, width=3) == beam(model, SENTENCES, 15, width=3)
    assert model.training


def test_without_cache_every_word_is_read_again_and_the_source_once():
    model = transformer()
    read = {"source": [], "target": []}
    for name, lengths in read.items():
        embedding = getattr(model, f"{name}_embedding").embedding
        embedding.register_forward_hook(lambda m, args, out, n=lengths: n.append(args[0].shape[1]))
    model.output.bias.data[EOS] = -1e4
    greedy(WithoutCache(model), SENTENCES, 5)
    assert read == {"source": [4], "target": [1, 2, 3, 4, 5]}
    greedy(model, SENTENCES, 5)
    assert read == {"source": [4, 4], "target": [1, 2, 3, 4, 5, 1, 1, 1, 1, 1]}


# Beam


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_a_wide_beam_finds_the_best_sentence_of_all(alpha):
    found = beam(TableModel(wild), SOURCES, 4, width=100, length_penalty=alpha)
    best = [brute_force(wild, tuple(source), 4, alpha) for source in SOURCES.tolist()]
    assert found == best
    assert best != greedy(TableModel(wild), SOURCES, 4)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 5.0])
def test_beam_of_width_one_is_greedy(alpha):
    one = beam(TableModel(wild), SOURCES, 6, width=1, length_penalty=alpha)
    assert one == greedy(TableModel(wild), SOURCES, 6)
    torch.manual_seed(1)
    network = Network()
    source = torch.randint(VOCABULARY, (50, 1))
    assert beam(network, source, 20, width=1) == greedy(network, source, 20)


def test_a_beam_is_4_wide_and_compares_plain_log_probabilities_unless_told_otherwise():
    found = [beam(TableModel(wild), SOURCES, 6, *asked) for asked in ((), (4, 0.0), (5,), (4, 1.0))]
    assert found[0] == found[1] and found[2] != found[0] != found[3]


def test_length_penalty_is_equation_14():
    """A short and a long sentence swap places exactly where the equation says."""
    p_short, p_long = 0.3, 0.2  # complete with 1 token and with 3 tokens, the end counted
    turn = math.log(math.log(p_long) / math.log(p_short)) / math.log((5 + 3) / (5 + 1))

    def two(source, prefix):
        after = {(): [0, 0, p_short, 1 - p_short, 0, 0], (A,): [0, 0, 0, 0, 1.0, 0]}
        after[(A, B)] = [0, 0, p_long / (1 - p_short), 0, 0, 1 - p_long / (1 - p_short)]
        return after.get(prefix[1:], [0, 0, 1e-9, 0, 0, 1.0])

    def best(alpha):
        return beam(TableModel(two), rows(0), 4, width=5, length_penalty=alpha)[0]

    assert best(turn - 0.01) == []
    assert best(turn + 0.01) == [A, B]


def test_a_longer_sentence_may_catch_up():
    """After step 1 the empty sentence leads; the search must not stop there."""

    def later(source, prefix):
        after = {(): [0, 0, 0.5, 0.45, 0.03, 0.02], (A,): [0, 0, 0, 0, 1.0, 0]}
        return after.get(prefix[1:], [0, 0, 1.0, 0, 0, 0])

    assert math.log(0.45) / ((5 + 3) / 6) > math.log(0.5)
    assert beam(TableModel(later), rows(0), 9, width=2, length_penalty=1.0) == [[A, B]]


def test_the_beam_becomes_narrower_when_a_hypothesis_is_complete():
    """Of width 2 one is used up at step 1, so at step 2 only A B stays, although A C is best."""

    def fork(source, prefix):
        after = {(): [0, 0, 0.4, 0.6, 0, 0], (A,): [0, 0, 0, 0, 0.55, 0.45]}
        after[(A, B)] = [0, 0, 0.05, 0.35, 0.3, 0.3]
        return after.get(prefix[1:], [0, 0, 1.0, 0, 0, 0])

    found = [beam(TableModel(fork), rows(0), 9, width=w, length_penalty=3.0) for w in (2, 3)]
    assert found == [[[A, B, A]], [[A, C]]]


def test_a_complete_hypothesis_is_preferred_to_a_cut_one():
    def slow_end(source, prefix):
        return [0, 0, 0.1, 0.9, 0, 0]

    assert beam(TableModel(slow_end), rows(0), 4, width=2) == [[]]
    assert beam(TableModel(slow_end), rows(0), 4, width=1) == [[A, A, A, A]]  # nothing complete


@pytest.mark.parametrize("wrong", [{"width": 0}, {"length_penalty": -1}])
def test_beam_refuses_bad_sizes(wrong):
    [(name, value)] = wrong.items()
    with pytest.raises(ValueError, match=f"{name}.* {value}"):
        beam(TableModel(wild), rows(0), 3, **wrong)


# Sampling


def test_samples_follow_the_probabilities():
    def fixed(source, prefix):
        return [0, 0, 0.1, 0.2, 0.3, 0.4] if len(prefix) == 1 else [0, 0, 1.0, 0, 0, 0]

    def frequencies(**options):
        generator = torch.Generator().manual_seed(0)
        drawn = sample(TableModel(fixed), rows(*[0] * 4000), 2, generator=generator, **options)
        return [drawn.count(words) / 4000 for words in ([], [A], [B], [C])]

    def close(expected):
        return pytest.approx(expected, abs=0.03)

    assert frequencies() == close([0.1, 0.2, 0.3, 0.4])
    assert frequencies(top_k=2) == close([0, 0, 3 / 7, 4 / 7])
    assert frequencies(top_p=0.6) == close([0, 0, 3 / 7, 4 / 7])
    assert frequencies(top_p=0.8) == close([0, 2 / 9, 3 / 9, 4 / 9])
    squares = [p**2 / 0.30 for p in (0.1, 0.2, 0.3, 0.4)]
    assert frequencies(temperature=0.5) == close(squares)
    assert frequencies(temperature=100.0) == close([0.25] * 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_cold_or_narrow_sampling_is_greedy(dtype):
    class Short(TableModel):
        def step(self, tokens, state):
            log_probs, state = super().step(tokens, state)
            return (60 * log_probs).to(dtype), state  # the best of some rows has −100

    expected = greedy(Short(wild), SOURCES, 6)
    for options in ({"temperature": 1e-4}, {"temperature": 1e-44}, {"top_k": 1}, {"top_p": 1e-6}):
        generator = torch.Generator().manual_seed(0)
        assert sample(Short(wild), SOURCES, 6, generator=generator, **options) == expected


def test_samples_depend_on_the_generator_only():
    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return sample(TableModel(wild), SOURCES, 6, generator=generator)

    before = torch.get_rng_state()
    assert draw(1) == draw(1) != draw(2)
    assert torch.equal(before, torch.get_rng_state())


def test_truncate_keeps_the_fewest_tokens_that_suffice():
    probs = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.97, 0.01, 0.01, 0.01]])
    assert (truncate(probs, top_p=0.7) > 0).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0]]
    assert (truncate(probs, top_k=3) > 0).sum(-1).tolist() == [3, 3]
    # top_k first: the four probabilities become 2/3 and 1/3, so 0.6 keeps one.
    assert (truncate(probs, top_k=2, top_p=0.6) > 0)[0].tolist() == [False, True, False, False]
    exactly = torch.tensor([[0.5, 0.25, 0.25]])
    assert (truncate(exactly, top_p=0.5) > 0).tolist() == [[True, False, False]]
    for kept in (truncate(probs), truncate(probs, top_k=99)):
        torch.testing.assert_close(kept, probs)
    torch.testing.assert_close(truncate(probs, 2, 0.9).sum(-1), torch.ones(2))
    assert (truncate(torch.tensor([[1.0, 1e-9]])) > 0).all()  # all are kept unless asked


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 0.0}, {"temperature": math.inf}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}],
)
def test_sampling_refuses_bad_settings(wrong):
    [(name, value)] = wrong.items()
    with pytest.raises(ValueError, match=f"{name}.* {value}.* use greedy"):
        sample(TableModel(wild), rows(0), 3, generator=torch.Generator(), **wrong)
