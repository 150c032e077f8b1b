"""The bench compares like with like (no timing is tested)."""

import json

import pytest
import torch

from course_lib.attention.attend import attend, attend_fast
from course_lib.gpt.model import GPT, GPTConfig
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.transformer.model import Transformer, TransformerConfig
from course_lib.ulmfit.model import AWDConfig, Dropouts
from tests.fetched import fetched
from tools.bench import __main__ as bench
from tools.bench import (
    attention,
    bert,
    gpt,
    gpu,
    language_model,
    memory,
    pairs,
    recurrent,
    transformer,
    twins,
    vision,
)


def test_both_models_compute_the_same():
    config = Seq2SeqConfig.tiny(9, 11)
    ours, bare = EncoderDecoder(config), recurrent.BareEncoderDecoder(config)
    recurrent.copy_weights(ours, bare)
    source, target = torch.tensor([[4, 5, 6], [7, 0, 0]]), torch.tensor([[1, 4], [1, 5]])
    torch.testing.assert_close(ours(source, target), bare(source, target))
    assert len(recurrent.ours_in_bare_order(ours)) == len(list(ours.parameters()))


@pytest.mark.parametrize(
    ("ratio", "slope", "peak", "code"),
    [(1.04, 1.0, 5, 0), (1.06, 1.0, 5, 1), (1.04, 2.0, 5, 1), (1.04, 1.0, 50, 1)],
)
def test_a_missed_target_is_an_exit_code(tmp_path, monkeypatch, capsys, ratio, slope, peak, code):
    lengths = attention.SOURCES
    times = [[length**slope for length in lengths]]
    given = [lambda: fake(ratio, 1.05), lambda: fake(9.0, None)]
    monkeypatch.setattr(bench, "comparisons", lambda n: given)
    monkeypatch.setattr(
        bench,
        "exponents",
        lambda n: [lambda: attention.exponent("step", lengths, times, 512, 1.2)],
    )
    monkeypatch.setattr(bench, "peaks", lambda: [lambda: memory.Peak("x", 8, peak, 10, peak < 10)])
    report = tmp_path / "bench.json"
    assert bench.main(["--report", str(report)]) == code
    written = json.loads(report.read_text())
    assert written["results"][0]["ratio"] == ratio
    assert written["exponents"][0]["exponent"] == pytest.approx(slope)
    assert written["memory"][0]["peak"] == peak
    printed = capsys.readouterr().out
    assert f"<= 1.05 {'pass' if ratio < 1.05 else 'FAIL'}" in printed
    assert f"<= 1.20 {'pass' if slope < 1.2 else 'FAIL'}" in printed
    assert printed.count("FAIL") == code


def test_a_comparison_that_fails_loses_no_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        bench, "comparisons", lambda n: [lambda: fake(1, 2), lambda: 1 / 0, lambda: fake(3, 4)]
    )
    monkeypatch.setattr(bench, "exponents", lambda n: [])
    monkeypatch.setattr(bench, "peaks", lambda: [])
    report = tmp_path / "bench.json"
    assert bench.main(["--report", str(report)]) == 1
    assert [one["ratio"] for one in json.loads(report.read_text())["results"]] == [1, 3]
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_pairs_are_interleaved():
    calls = []
    pairs.compare("x", lambda: calls.append("a"), lambda: calls.append("b"), 3, 1, None)
    assert "".join(calls) == "ab" * 5


@pytest.mark.parametrize("padded", [False, True])
def test_attention_is_timed_on_equal_work(monkeypatch, padded):
    """The two sides of each pair give the same context, of as many tokens at every length."""
    given, mask = attention.inputs(64, padded)
    assert given[0].shape == (64, 4, 64, 32)
    assert attention.inputs(512, padded)[0][0].shape == (8, 4, 512, 32)
    if padded:
        assert mask.any(-1).all() and not mask.all()  # some padding, no empty sentence
    seen = []
    monkeypatch.setattr(attention, "compare", lambda *arguments: seen.append(arguments))
    attention.fast_path(64, padded, 3)
    attention.explicit_path(64, padded, 3)
    attention.explicit_path(512, padded, 3)
    assert [arguments[-1] for arguments in seen] == [1 / 0.95, 3.0, None]
    for function in seen[0][1:3]:
        function()
    torch.testing.assert_close(attend(*given, mask)[0], attend_fast(*given, mask))


def test_our_transformer_and_torchs_compute_the_same():
    torch.manual_seed(0)
    ours = Transformer(TransformerConfig.tiny(9, 11))
    theirs = transformer.TorchTransformer(ours)
    twins.copy(twins.of_stacks(ours, theirs.stacks))
    source, target = torch.tensor([[4, 5, 6], [7, 0, 0]]), torch.tensor([[1, 4], [1, 5]])
    torch.testing.assert_close(ours(source, target), theirs(source, target))
    sizes = [sum(p.numel() for p in model.parameters()) for model in (ours, theirs)]
    assert sizes[0] == sizes[1]


TINY = {"width": 16, "heads": 2, "layers": 1, "hidden": 32}


def test_a_training_step_is_timed_on_equal_work(monkeypatch):
    """The bench says so itself before it times: other weights, another loss."""
    monkeypatch.setitem(transformer.SIZES, "lab", TINY)
    result = transformer.training_step("lab", pairs=1)
    assert result.target == 1.0 and result.name.startswith("training step / nn.Transformer")
    monkeypatch.setattr(twins, "copy", lambda pairs: None)
    monkeypatch.setattr(transformer, "compare", lambda *arguments: pytest.fail("it was timed"))
    with pytest.raises(AssertionError, match="not close"):
        transformer.training_step("lab", pairs=1)


@pytest.mark.parametrize(
    ("module", "kind", "decode"),
    [
        (transformer, Transformer, lambda **how: transformer.decoding(TINY, 2, 3, **how)),
        (gpt, GPT, lambda **how: gpt.writing(GPTConfig.tiny(30), 3, **how)),
    ],
)
def test_both_ways_to_decode_write_as_many_words_as_their_name_says(
    monkeypatch, module, kind, decode
):
    written, greedy = [], module.greedy
    monkeypatch.setattr(module, "SHORTEST", 6)
    monkeypatch.setattr(
        module, "greedy", lambda *a: written.append((type(a[0]), greedy(*a))) or written[-1]
    )
    result = decode(pairs=1, target=0.2)
    assert result.target == 0.2 and "T=3" in result.name
    cached, reread = (
        [words for model, words in written if model is one] for one in (kind, module.WithoutCache)
    )
    assert cached == reread and len(cached) == 3 * 2  # two halves to warm up, one timed
    assert {len(sentence) for words in cached for sentence in words} == {3}


def test_a_late_token_is_as_late_as_its_name_says(monkeypatch):
    read = []
    step = Transformer.step
    monkeypatch.setattr(
        Transformer, "step", lambda self, t, s: read.append(s.length + 1) or step(self, t, s)
    )
    result = transformer.late_token(TINY, 5, 2, pairs=2)
    assert "5 / 2" in result.name and result.target == transformer.STEADY
    assert read == [1, 2, 3, 4, 1] + 4 * (8 * [5] + 8 * [2])


def test_language_models_are_timed_on_equal_work(monkeypatch):
    """Without noise, both have learned the same after as many steps."""
    made = []
    for name in ("AWDLanguageModel", "BareLanguageModel"):
        kind = getattr(language_model, name)
        monkeypatch.setattr(
            language_model, name, lambda c, kind=kind: made.append(kind(c)) or made[-1]
        )
    steps = []
    monkeypatch.setattr(
        language_model, "compare", lambda name, a, b, *rest: steps.append((a, b, rest[-1]))
    )
    language_model.training(1, AWDConfig.tiny(30, Dropouts().times(0)))
    ours, bare = made
    layers = [p for layer in ours.body.layers for p in layer.parameters()]
    in_order = [ours.head.bias, ours.body.embedding.weight, *layers]
    with torch.no_grad():
        for one, other in zip(in_order, bare.parameters(), strict=True):
            other.copy_(one)
    before = in_order[1].detach().clone()
    [(train_ours, train_bare, target)] = steps
    train_ours()
    train_bare()
    assert target == 1 / 0.9 and not torch.equal(before, in_order[1])
    for one, other in zip(in_order, bare.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_an_exponent_is_fitted_at_the_upper_end():
    lengths = (1, 10, 100, 1000)
    times = [[5.0, 5.0, 0.1, 1.0], [5.0, 5.0, 0.2, 2.0], [5.0, 5.0, 0.1, 10.0]]
    found = attention.exponent("x", lengths, times, 100, 1.2)
    assert found.exponent == pytest.approx(1)
    assert found.passed and found.interval[0] <= 1 <= found.interval[1]
    assert found.milliseconds[2] == pytest.approx(100)
    assert not attention.exponent("x", lengths, times[2:], 100, 1.2).passed


def test_each_decoding_step_is_as_long_as_its_name(monkeypatch):
    read = []
    monkeypatch.setattr(attention, "SOURCES", (4, 1024, 2048))
    monkeypatch.setattr(
        attention.AttentionEncoderDecoder,
        "step",
        lambda self, tokens, state: read.append(state.values.shape[1]),
    )
    found = attention.decoding_step("dot", rounds=2)
    assert read == [4, 1024, 2048] + 2 * (256 * [4] + [1024] + [2048])
    assert found.lengths == (4, 1024, 2048) and found.rounds == 2


def fake(ratio, target):
    passed = None if target is None else ratio <= target
    pair = (ratio, ratio)
    return pairs.Result("fake", 1, pair, ratio, pair, ratio, pair, target, passed)


def test_gpts_are_timed_on_equal_work(monkeypatch):
    """Both models compute the same, which the bench checks itself before it times them."""
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = GPTConfig.tiny(30)
    ours = GPT(config).eval()
    ids = torch.randint(0, 30, (2, 7))
    theirs = gpt.hugging_face(ours).eval()
    torch.testing.assert_close(theirs(ids).logits, ours(ids), rtol=0, atol=1e-5)
    sizes = [sum(p.numel() for p in model.parameters()) for model in (ours, theirs)]
    assert sizes[0] == sizes[1]
    result = gpt.training_step(1, config)
    assert result.target == 1.0 and result.name.endswith("D=32")


def test_the_reference_for_the_gpu_is_the_same_network():
    torch.manual_seed(0)
    config = GPTConfig.tiny(50)
    ours, reference = GPT(config), gpu.Reference(config)
    reference.take(ours)
    tokens = torch.randint(50, (2, 16))
    torch.testing.assert_close(reference(tokens), ours(tokens))


def test_without_a_gpu_the_comparison_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main(tmp_path / "gpu.json") == 2
    assert "needs one" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_operations_of_gpt_2_small():
    config = GPTConfig.gpt2()  # 124 million weights, 0.8 million of them for the places
    assert gpu.flops_a_token(config, 123_653_376) == pytest.approx(8.55e8, rel=0.01)


def test_bert_and_its_reference_read_the_same_texts(monkeypatch):
    """The bench itself compares the states; here: what it times."""
    pytest.importorskip("transformers")
    fetched("minilm")
    monkeypatch.setattr(bert, "TEXTS", 2)
    result = bert.forward(True, pairs=1)
    assert result.target == 1.0 and "padded" in result.name
    for padded in (False, True):
        tokens = bert.texts(padded)
        assert (tokens == 0).any() == padded and ((tokens == 0) | (tokens >= 1000)).all()


def test_efficientnet_and_its_reference_see_the_same_pictures(monkeypatch):
    """The bench itself compares the logits; here: that it runs."""
    pytest.importorskip("efficientnet_lite_pytorch")
    fetched("imagenet")
    monkeypatch.setattr(vision, "PICTURES", 1)
    assert vision.forward(pairs=1).target == 1.0
