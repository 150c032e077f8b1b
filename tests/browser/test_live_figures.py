"""Live figures in Chromium: what they compute, and that a control changes what they say."""

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from course_lib import claims, studies
from course_lib.attention import masks
from course_lib.attention.attend import attend
from course_lib.attention.positions import sinusoidal
from course_lib.bert import pre_training
from course_lib.evaluation import intervals
from course_lib.evaluation.scores import bleu
from course_lib.figures import plots
from course_lib.gpt.llama import Llama, LlamaConfig
from course_lib.recurrent import cells
from course_lib.studies.ch05 import layer_kinds
from course_lib.text import wordpiece
from course_lib.training import schedules
from course_lib.transfer import freezing
from course_lib.transformer.costs import forward_flops, parameter_counts
from course_lib.transformer.model import TransformerConfig
from course_lib.ulmfit import classifier
from tools.pages import PARTS, SHARED
from tools.project import ROOT, is_lesson, notebooks

pytestmark = pytest.mark.browser

LIVE = ROOT / "book" / "_static" / "live"
LESSONS = [path.stem for path in notebooks() if is_lesson(path)]

# The still pictures that a computed one replaces, once it is asked for.
GONE = ".am-alive:not(.am-stays, .am-waiting) > .am-still"
# Moves the first control that does something; of a text it takes the first word away.
MOVE = """(stage) => {
    const said = () => [...stage.querySelectorAll('.am-result, table')]
        .map((one) => one.textContent).join();
    const before = said();
    for (const one of stage.querySelectorAll('input, textarea, select')) {
        if (one.matches('[type=text], textarea')) one.value = one.value.replace(/\\S+ /, '');
        else if (one.type === 'checkbox') one.checked = !one.checked;
        else if (one.tagName === 'SELECT') one.selectedIndex = one.options.length - 1;
        else if (one.type === 'range') one.value = +one.value > +one.min ? one.min : one.max;
        else one.value = +one.value + 1;
        one.dispatchEvent(new Event('input', { bubbles: true }));
        if (said() !== before) return true;
    }
    return false;
}"""


@pytest.fixture(scope="module")
def scripts(chromium):
    """Call a function of a live figure's script, on an empty page."""
    page = chromium.new_page()
    page.set_content("<!doctype html><p>empty</p>")
    page.add_script_tag(path=LIVE.parent / "say.js")
    loaded = set()

    def call(name: str, function: str, *arguments: object) -> object:
        for part in (*SHARED, *PARTS.get(name, ()), name):
            if part not in loaded:
                page.add_script_tag(path=LIVE / f"{part}.js")
                loaded.add(part)
        code = f"(given) => AM.computes['{name}'].{function}(...given)"
        return page.evaluate(code, json.loads(json.dumps(arguments)))

    yield call
    page.close()


def near(found: object, wanted: object) -> None:
    torch.testing.assert_close(
        torch.as_tensor(found, dtype=torch.double),
        torch.as_tensor(wanted, dtype=torch.double),
        rtol=1e-6,
        atol=1e-9,
    )


def test_colors_are_those_of_the_still_figures():
    text = re.search(r"AM.colors = \{(.*?)\};", (LIVE / "chart.js").read_text("utf8"), re.DOTALL)[1]
    for name, color in re.findall(r'(\w+): "(\S+)"', text):
        assert color == ("currentColor" if name == "ink" else plots.COLORS[name])


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_has_two_figures_whose_controls_change_what_they_say(chromium, site, name):
    page = chromium.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{site}notebooks/{name}.html")
    stages = page.locator(".am-alive > .am-stage")
    assert stages.count() == page.locator(".am-live").count() >= 2
    for stage in stages.all():
        if stage.locator(".am-invite").count():  # made by controls.js
            assert stage.evaluate(MOVE), stage.inner_text()
            assert stage.locator(".am-invite").inner_text()
    assert not problems
    assert not any(one.is_visible() for one in page.locator(GONE).all())
    page.emulate_media(media="print")
    for still in page.locator(".am-alive > .am-still").all():
        assert still.locator("svg").first.is_visible()
    page.close()


# Chapter 0


def test_softmax_and_loss_of_scores_at_a_temperature(scripts):
    for scores, temperature in (
        ([2.0, 1.2, 0.6, -1.0, -2.0], 1),
        ([99.0, -99.0, 0.0], 0.1),
        ([0.0, 0.0], 10),
    ):
        wanted = torch.tensor(scores, dtype=torch.double) / temperature
        near(scripts("temperature", "softmax", scores, temperature), wanted.softmax(-1))
        losses = [
            scripts("temperature", "loss", scores, temperature, i) for i in range(len(scores))
        ]
        near(losses, -wanted.log_softmax(-1))


@pytest.mark.parametrize(("rate", "steep"), [(0.1, 4), (0.52, 4), (0.3, 1)])
def test_gradient_descent_goes_where_torch_goes(scripts, rate, steep):
    point = torch.tensor([2.0, 1.0], dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.SGD([point], lr=rate)
    wanted = [point.tolist()]
    for _ in range(20):
        optimizer.zero_grad()
        (0.5 * (point[0] ** 2 + steep * point[1] ** 2)).backward()
        optimizer.step()
        wanted.append(point.tolist())
    near(scripts("descent", "path", rate, steep), wanted)


# Chapter 1


def test_the_memory_is_that_of_an_lstm_cell_with_these_gates(scripts):
    gates = {"forget": 0.9, "input": 0.1, "output": 0.5, "candidate": -0.7}
    found = scripts("lstm_memory", "remember", 2, gates)
    cell = cells.LSTMCell(1, 1).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        given = [gates[name] for name in ("input", "forget", "candidate", "output")]
        cell.bias_ih[:] = torch.tensor(given, dtype=torch.double).logit()
        cell.bias_ih[2] = math.atanh(gates["candidate"])
        memory, state = [torch.tensor([[2.0]]).double()], []
        for _ in range(30):
            h, c = cell(torch.zeros(1, 1).double(), (torch.zeros(1, 1).double(), memory[-1]))
            memory.append(c)
            state.append(h)
    near(found["memory"], torch.cat(memory).squeeze())
    near(found["state"][1:], torch.cat(state).squeeze())


@pytest.mark.parametrize(("weight", "given"), [(0.9, 0.0), (1.5, 0.0), (1.5, 0.4)])
def test_the_gradient_back_is_that_of_a_plain_cell(scripts, weight, given):
    cell = cells.RNNCell(1, 1).double()
    values = {"weight_ih": [[1.0]], "weight_hh": [[weight]], "bias_ih": [0.0], "bias_hh": [0.0]}
    cell.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    states = [torch.zeros(1, 1).double().requires_grad_()]
    for _ in range(30):
        states.append(cell(torch.tensor([[given]]).double(), states[-1]))
    wanted = torch.autograd.grad(states[-1].sum(), states)
    near(scripts("gradient_back", "states", weight, given, 30), torch.cat(states).squeeze())
    found = scripts("gradient_back", "reach", weight, given, 30, 30)
    near(found, torch.cat(wanted).squeeze().flip(0))


# Chapter 2


@pytest.mark.parametrize(
    "written",
    [
        "le chat de ma sœur ne court pas",
        "le chat de ma sœur ne dort pas souvent",
        "souvent le le le chat, l'ami (1.5 km) dort-il ?",  # repeated words, punctuation
        "le chat dort sur sœur",  # no run of three
        "le chat dort",  # no run of four at all
        "ein Hund",
        "",
    ],
)
def test_bleu_is_the_one_of_the_course(scripts, written):
    reference = "le chat de ma sœur ne dort pas souvent"
    found = scripts("bleu", "bleu", written, reference)["score"]
    near(found, bleu([written], [reference]).score)


@pytest.mark.parametrize("source", ["cats sleep", "sleep cats", "cats cats sleep cats"])
def test_two_words_are_encoded_as_by_a_plain_cell(scripts, source):
    vectors = {"cats": [1.0, 0.0], "sleep": [0.0, 1.0]}
    cell = cells.RNNCell(2, 2).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.weight_ih += torch.eye(2)
        cell.weight_hh += 0.5 * torch.eye(2)
    inputs = torch.tensor([[vectors[word] for word in source.split()]]).double()
    states, _ = cells.unroll(cell, inputs)
    found = scripts("two_words", "encode", source.split(), vectors, 0.5)
    near(found[1:], states[0])


# Chapter 3


def test_chances_of_words_and_of_sentences_belong_together(scripts):
    for chance, count in ((0.97, 24), (1, 30), (0.5, 1)):
        whole = scripts("chance_per_word", "whole", chance, count)
        near(whole, torch.full((count,), chance, dtype=torch.double).prod())
        near(scripts("chance_per_word", "perWord", whole, count), chance)


def test_a_sentence_fits_where_its_bits_do(scripts):
    for words, width, bits in ((133, 128, 32), (133, 128, 1), (2, 8, 4)):
        longest = scripts("room", "longest", width, bits, words)
        room = width * bits
        assert scripts("room", "room", width, bits) == room
        near(scripts("room", "needed", longest, words), longest * math.log2(words))
        assert words**longest <= 2**room < words ** (longest + 1)


# Chapter 4


@pytest.mark.parametrize("allowed", [[True, True, True], [True, False, True], [False, True, False]])
def test_attention_by_hand_is_the_course_s(scripts, allowed):
    query = torch.tensor([[1.0, -1.5]], dtype=torch.double)
    keys = torch.tensor([[1.0, 0.0], [1.0, 2.0], [2.0, -2.0]], dtype=torch.double)
    context, weights = attend(query, keys, keys, torch.tensor([allowed]))
    options = {"scaled": True, "allowed": allowed}
    given = query[0].tolist(), keys.tolist(), keys.tolist(), options
    found = scripts("attention_by_hand", "attend", *given)
    near(found["weights"], weights[0])
    near(found["context"], context[0])


# Chapter 5


def test_sinusoidal_positions_are_those_of_the_course(scripts):
    for width in (2, 64):
        table = sinusoidal(100, width, dtype=torch.double)
        near(
            [scripts("positions", "sinusoidal", place, width) for place in (0, 7, 99)],
            table[[0, 7, 99]],
        )
        wanted = torch.nn.functional.cosine_similarity(table[30], table[75], dim=0)
        near(scripts("positions", "similarity", 30, 75, width), wanted)


def test_multiplications_of_layers_are_those_of_the_study(scripts):
    for length, width in ((16, 64), (4096, 256)):
        for layer in ("lstm", "attention"):
            found = scripts("layer_work", layer, length, width)
            assert found == layer_kinds.multiplications(layer, length, width)
        meet = scripts("layer_work", "crossing", width)
        assert scripts("layer_work", "lstm", meet, width) == scripts(
            "layer_work", "attention", meet, width
        )


# Chapter 6


@pytest.mark.parametrize("numbers", [[1, 2, 3, 6], [5, 5, 5, 5], [-1000, 0.5, 0, 7]])
def test_layer_norm_is_torch_s(scripts, numbers):
    norm = torch.nn.LayerNorm(4, dtype=torch.double)
    torch.nn.init.constant_(norm.weight, 1.5)
    torch.nn.init.constant_(norm.bias, -0.5)
    found = scripts("layer_norm", "layerNorm", numbers, 1.5, -0.5)
    near(found["after"], norm(torch.tensor(numbers, dtype=torch.double)).detach())


@pytest.mark.parametrize("shared", [True, False])
def test_parameters_and_flops_are_those_of_the_library(scripts, shared):
    sizes = {"width": 64, "hidden": 128, "layers": 3, "words": 1000, "shared": shared}
    tie = "all" if shared else "none"
    config = TransformerConfig.base(1000, 1000, tie=tie, width=64, heads=4, hidden=128, layers=3)
    assert scripts("parameters", "parameterCounts", sizes) == parameter_counts(config)
    assert scripts("parameters", "forwardFlops", sizes, 17) == forward_flops(config, 17, 17)


# Chapter 7


def test_schedules_are_the_library_s(scripts):
    for warmup, total in ((1, 20), (50, 1000), (4000, 20_000), (16_000, 20_000)):
        steps = [0, 1, warmup - 1, warmup, (warmup + total) // 2, total - 1, total]
        wanted = {
            "root": schedules.warmup_inverse_sqrt(warmup),
            "cosine": schedules.cosine(total, warmup=warmup),
            "lines": schedules.warmup_linear(warmup, total),
        }
        for rule, rate in wanted.items():
            found = [scripts("schedule", "multiplier", rule, warmup, total, n) for n in steps]
            near(found, [rate(n) for n in steps])
    # Equation 3 of Vaswani et al. (2017), whose steps count from 1, at its highest.
    for width, warmup in ((512, 4000), (64, 50)):
        rates = [width**-0.5 * min(n**-0.5, n * warmup**-1.5) for n in range(1, 2 * warmup)]
        near(scripts("schedule", "peak", width, warmup), max(rates))


def test_weights_on_the_answer_are_those_of_masked_attention(scripts):
    for own, right in ((0, 0), (2.5, -5), (0, 10)):
        scores = own * torch.eye(4) + right * torch.ones(3).diag(1)
        for masked in (True, False):
            mask = masks.causal_mask(4) if masked else torch.ones(4, 4, dtype=torch.bool)
            wanted = masks.masked_softmax(scores.double(), mask)
            found = scripts("answers", "weights", 4, own, right, masked)
            near(found, wanted)
            near(scripts("answers", "onAnswer", found, True), [*wanted.diagonal(1).tolist(), 0])
            near(scripts("answers", "onAnswer", found, False), wanted.diagonal())


# Chapter 8


def test_detectors_see_what_the_lesson_s_body_sees(scripts):
    body = torch.zeros(2, 3, 3)
    body[0, :, 1] = body[1, 1] = 1
    pictures = torch.randint(2, (20, 3, 3), generator=torch.Generator().manual_seed(0)).float()
    wanted = torch.einsum("nhw,dhw->nd", pictures, body)
    found = [scripts("detectors", "features", one.flatten().tolist()) for one in pictures]
    near(found, wanted)
    scores = [scripts("detectors", "score", one, [1, -0.5], -5) for one in found]
    near(scores, wanted.double() @ torch.tensor([1, -0.5], dtype=torch.double) - 5)


def test_intervals_of_the_first_draws_are_the_library_s(scripts):
    record = studies.load("picture_transfer")
    stage, last = (
        record.values(f"accuracy.{layer}.10", way="imagenet", on="pictures")
        for layer in ("stage6", "last")
    )
    for draws in (2, 3, 7, 10):
        first = stage[:draws], last[:draws]
        [found] = scripts("draws", "intervals", [stage], draws)
        near([found["mean"], found["low"], found["high"]], intervals.t_interval(first[0]))
        found = scripts("draws", "difference", stage, last, draws)
        near([found["mean"], found["low"], found["high"]], intervals.difference(*first))
    for freedom, confidence in ((1, 0.95), (2, 0.5), (9, 0.99), (1000, 0.95), (999, 0.999)):
        near(
            scripts("draws", "student", freedom, confidence),
            stats.t.ppf((1 + confidence) / 2, freedom),
        )


# Chapter 9


def test_pooling_is_the_library_s(scripts):
    states = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    for words in (1, 3, 5):
        real = torch.arange(5)[None] < words
        wanted = classifier.concat_pool(states[None], real)[0].view(3, 2)
        near(scripts("pooling", "pool", states.tolist(), words), wanted)


def test_rates_by_layer_and_step_are_the_library_s(scripts):
    groups = {name: () for name in ("embedding", "layer 1", "layer 2", "head")}
    for steps, rate, factor, share, every in (
        (60, 0.01, 2.6, 0.1, 12),
        (100, 0.05, 1.0, 0.29, 0),
        (60, 0.002, 5.0, 0, 15),
    ):
        stages = freezing.gradual_unfreezing(groups, every)
        at_once = stages[-1]  # every layer, where none waits for another
        trained = [freezing.stage_at(stages, n) if every else at_once for n in range(steps)]
        rates = freezing.discriminative(groups, rate, factor)
        multiplier = schedules.slanted_triangular(steps, cut_frac=share)
        wanted = [
            [rates[name] * multiplier(n) * (name in trained[n].trained) for n in range(steps)]
            for name in groups
        ]
        near(scripts("devices", "plan", 4, steps, rate, factor, share, every), wanted)


# Chapter 10


def test_the_size_of_a_cache_is_that_of_a_real_one(scripts):
    for layers, heads, shared, width, tokens in ((2, 6, 2, 8, 5), (1, 4, 4, 16, 9)):
        config = LlamaConfig(
            vocab_size=11,
            width=heads * width,
            hidden=20,
            heads=heads,
            key_heads=shared,
            layers=layers,
            context=16,
        )
        ids = torch.randint(11, (3, tokens), generator=torch.Generator().manual_seed(0))
        past = Llama(config).init_state(ids).past
        wanted = sum(one.numel() * one.element_size() for pair in past for one in pair)
        given = {"layers": layers, "heads": shared, "width": width, "tokens": tokens}
        assert scripts("cache", "bytes", given | {"texts": 3, "bits": 32}) == wanted


# Chapter 11


def test_pieces_are_those_of_wordpiece(scripts):
    pieces = ["un", "unb", "##believ", "##ably", "believ", "##a", "##ble", "a", "an", "é", "!", "$"]
    tokens = wordpiece.WordPiece([*wordpiece.SPECIALS, *pieces])
    for text in (
        "unbelievably",
        "Un believable! an ANA",
        "anaa  É é a$a",
        "a" + 99 * "a",
        "a" + 100 * "a",
        "",
        "고 a",
    ):
        assert scripts("pieces", "words", text) == wordpiece.words(text)
        assert scripts("pieces", "cut", text, pieces) == tokens.split(text)
    # One piece more, and a word that was cut well is unknown.
    better = [piece for piece in pieces if piece != "unb"]
    assert scripts("pieces", "cut", "unbelievably", better) == ["un", "##believ", "##ably"]
    assert scripts("pieces", "cut", "unbelievably", pieces) == ["[UNK]"]


def test_words_are_hidden_as_the_library_hides_them(scripts):
    vocabulary = wordpiece.WordPiece([*wordpiece.SPECIALS, *"abcdefghij"])
    for share in (0.15, 0.05, 0.5, 1.0):
        for length in (1, 2, 10, 30, 50, 63):
            ids = torch.randint(5, 15, (1, length), generator=torch.Generator().manual_seed(length))
            drawn, again = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
            chosen = pre_training.choose(ids, vocabulary.specials, drawn, share)
            seen = pre_training.corrupt(ids, chosen, vocabulary, drawn, (0.5, 0.4, 0.1))
            first, second = (torch.rand(ids.shape, generator=again)[0].tolist() for _ in range(2))
            others = [5 + torch.randint(10, ids.shape, generator=again)[0]][0].tolist()
            found = scripts("hiding", "choose", first, share)
            assert found == chosen[0].tolist()
            words, replaced = (vocabulary.pieces(row) for row in (ids[0].tolist(), others))
            hidden = scripts("hiding", "corrupt", words, found, second, replaced, 0.5, 0.4)
            assert hidden == vocabulary.pieces(seen[0].tolist())
            near(scripts("hiding", "anyRandom", length, share, 0.1), 1 - 0.9 ** chosen.sum().item())


# Chapter 12


def test_a_verdict_is_the_ledger_s(scripts):
    claim = next(claim for claim in claims.load() if claim.margin is None)
    for values in ([1.2, 0.4, 2.0, -0.3, 1.7], [1.2, 0.4, 2.0, 0.3, 1.7], [-1.0, 0.5], [0.0, 0.0]):
        interval = intervals.t_interval(values)
        found = scripts("verdict", "tInterval", values)
        near([found["mean"], found["low"], found["high"]], interval)
        for margin in (None, 0.5, 1.2, 20.0):
            judged = SimpleNamespace(difference=interval, margin=margin)
            wanted = type(claim).by_its_seeds.fget(judged)
            assert claims.VERDICTS[scripts("verdict", "verdict", found, margin)] == wanted


@pytest.mark.parametrize(
    ("mean", "spread", "margin"), [(1, 0.946, None), (0.1, 1, None), (-0.5, 1, 1.5), (1, 0, None)]
)
def test_the_seeds_that_a_verdict_needs(scripts, mean, spread, margin):
    room = mean if margin is None else margin - abs(mean)
    enough = (n for n in range(2, 10_000) if stats.t.ppf(0.975, n - 1) * spread / n**0.5 < room)
    assert scripts("verdict", "seedsNeeded", mean, spread, margin) == next(enough)


def test_a_mean_on_the_wrong_side_is_never_reproduced(scripts):
    assert scripts("verdict", "seedsNeeded", -1, 1, None) == 0
    assert scripts("verdict", "seedsNeeded", 2, 1, 1.5) == 0


def test_the_best_of_many_runs_is_too_good(scripts):
    for runs, n, p in ((1, 50, 0.8), (12, 500, 0.8), (50, 10_000, 0.99), (50, 5000, 0.5)):
        below = stats.binom.cdf(range(n), n, p)
        near(scripts("luck", "best", runs, n, p), (1 - below**runs).sum() / n)
    draws = np.random.default_rng(0).binomial(500, 0.8, size=(20_000, 12)).max(axis=1) / 500
    assert abs(draws.mean() - scripts("luck", "best", 12, 500, 0.8)) < 5e-4
