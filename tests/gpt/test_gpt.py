"""GPT: equal to Hugging Face's GPT-2, blind to the future, with or without kept keys and values."""

import pytest
import torch

from course_lib.data.batching import StreamBatch
from course_lib.decoding import search
from course_lib.gpt import weights as gpt_weights
from course_lib.gpt.model import GPT, GPTConfig, adamw, last_tokens
from course_lib.gpt.windows import nats_per_token, window_loss
from course_lib.text.words import Specials


@pytest.fixture
def model():
    torch.manual_seed(0)
    return GPT(GPTConfig.tiny(11)).eval()


@pytest.fixture
def ids():
    return torch.randint(0, 11, (3, 9), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def theirs():
    """Hugging Face's GPT-2, its biases and scales moved from 0 and 1."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"vocab_size": 11, "n_positions": 16, "n_embd": 32, "n_layer": 2, "n_head": 2}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def test_equal_to_hugging_face(model, theirs, ids):
    gpt_weights.load_state(model, theirs.state_dict())
    found = theirs(ids).logits
    assert found.std() > 0.5
    torch.testing.assert_close(model(ids), found, rtol=0, atol=1e-5)


def test_every_id_of_a_published_vocabulary_is_a_token(model, theirs):
    """GPT-2 knows an end only: 0, 1 and 2 are scored and written as Hugging Face does."""
    gpt_weights.load_state(model, theirs.state_dict())
    ids = torch.tensor([[5, 0, 1, 2, 0, 7, 2, 0, 1]])
    nats = theirs(ids, labels=ids).loss.item()
    batch = StreamBatch(ids[:, :-1], ids[:, 1:], fresh=True)
    assert window_loss(model, batch).item() == pytest.approx(nats, abs=1e-5)
    assert nats_per_token(model, ids[0], 16, 16) == pytest.approx(nats, abs=1e-5)
    prompt, end = torch.cartesian_prod(torch.arange(10), torch.arange(10)), 10
    options = {"max_new_tokens": 9, "do_sample": False, "eos_token_id": end, "pad_token_id": end}
    written = [[*row, end] for row in theirs.generate(prompt, **options)[:, 2:].tolist()]
    assert {0, 1, 2} <= {token for row in written for token in row}
    specials = Specials(pad=None, bos=None, eos=end, unk=None)
    ours = search.greedy(model, prompt[:, :-1], 9, first=prompt[:, -1], specials=specials)
    assert ours == [row[: row.index(end)] for row in written]


@torch.no_grad()
def test_kept_keys_and_values_change_nothing(model, ids):
    """Token by token, in two pieces, or all at once: the same log-probabilities."""
    whole = model(ids).log_softmax(-1)
    state = model.init_state(ids[:, :0])
    for t in range(ids.shape[1]):
        log_probs, state = model.step(ids[:, t], state)
        torch.testing.assert_close(log_probs, whole[:, t], rtol=0, atol=1e-5)
    assert state.length == ids.shape[1]
    first, state, _ = model.body.read(ids[:, :4], model.body.start())
    second, state, _ = model.body.read(ids[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), model.body(ids), rtol=0, atol=1e-5)


def test_a_later_token_changes_nothing_before_it(model, ids):
    changed = ids.clone()
    changed[:, 5] = (ids[:, 5] + 1) % 11
    one, other = model(ids), model(changed)
    torch.testing.assert_close(one[:, :5], other[:, :5])
    assert (one[:, 5:] - other[:, 5:]).abs().amax(dim=(0, 2)).min() > 1e-6


def test_the_weights_of_each_head(model, ids):
    """Rows sum to one, nothing looks ahead, and the explicit path gives the fast path's states."""
    logits, weights = model.with_weights(ids)
    assert [tuple(one.shape) for one in weights] == [(3, 2, 9, 9)] * 2
    for one in weights:
        torch.testing.assert_close(one.sum(-1), torch.ones(3, 2, 9))
        assert one.triu(1).abs().max() == 0
    torch.testing.assert_close(logits, model(ids))


def test_sixteen_bits_stay_near(model, ids):
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(ids)
    torch.testing.assert_close(rough.float(), model(ids), rtol=0, atol=0.02)


@torch.no_grad()
def test_reorder_picks_and_repeats_rows(model, ids):
    index = torch.tensor([2, 0, 0])
    state = model.init_state(ids[:, :5])
    expected = model.step(ids[:, 5], state)[0][index]
    moved = model.reorder(state, index)
    torch.testing.assert_close(model.step(ids[index, 5], moved)[0], expected)


def test_an_empty_prompt_is_the_empty_state(model):
    nothing = model.init_state(torch.empty(2, 0, dtype=torch.long))
    assert nothing == model.body.start()
    assert model.reorder(nothing, torch.tensor([0, 0, 1])) == nothing


def test_weights_start_as_published():
    torch.manual_seed(0)
    body = GPT(GPTConfig(500, 200, 96, 4, 8)).body
    named = dict(body.named_parameters())
    for name, parameter in named.items():
        if name.endswith("bias"):
            assert parameter.abs().max() == 0
        elif "ln_" in name:
            assert (parameter == 1).all()
        else:
            expected = 0.02 / 4 if "c_proj" in name else 0.02  # √(2 · 8 layers) = 4
            assert parameter.std().item() == pytest.approx(expected, rel=0.05), name


def test_the_presets_have_the_published_numbers_of_parameters():
    """117 million for GPT, 124 million for GPT-2 small, whose paper says 117 million too."""
    with torch.device("meta"):
        sizes = [
            sum(p.numel() for p in GPT(config).parameters())
            for config in (GPTConfig.gpt1(), GPTConfig.gpt2(), GPTConfig.course(6_105))
        ]
    assert sizes == [116_536_320, 124_439_808, 3_866_304]


def test_the_output_layer_is_the_embedding(model, ids):
    assert not [
        name for name, _ in model.named_parameters() if "wte" not in name and "head" in name
    ]
    model(ids[:1, :2]).sum().backward()
    assert (model.body.wte.weight.grad.abs().sum(-1) > 0).all()  # also of tokens never read


def test_matrices_decay_and_nothing_else(model):
    optimizer = adamw(model, 1e-3, decay=0.3)
    names = {parameter: name for name, parameter in model.named_parameters()}
    decay, free = ([names[p] for p in group["params"]] for group in optimizer.param_groups)
    assert sorted(decay + free) == sorted(names.values())
    assert all(name.endswith("weight") and "ln_" not in name for name in decay)
    assert all(name.endswith("bias") or "ln_" in name for name in free)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]
    assert {(group["lr"], *group["betas"]) for group in optimizer.param_groups} == {
        (1e-3, 0.9, 0.95)
    }


@pytest.mark.parametrize("wrong", [{"heads": 5}, {"layers": 0}, {"attention_dropout": 1.0}])
def test_a_wrong_configuration_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GPTConfig(9, **wrong)


def test_too_long_a_text_is_refused_and_can_be_cut(model):
    """The model never cuts by itself: what it has not read should be no surprise."""
    words = (torch.arange(10_000).remainder(10) + 1).tolist()
    with pytest.raises(ValueError, match="10000 tokens.*16 positions"):
        model(torch.tensor([words]))
    state = model.init_state(torch.tensor([words[:16]]))
    with pytest.raises(ValueError, match="17 tokens"):
        model.step(torch.tensor([1]), state)
    prompt = last_tokens(words, model.config, room=6)
    assert prompt == words[-10:]
    source = torch.tensor([prompt])
    written = search.greedy(model, source[:, :-1], 6, first=source[:, -1])
    assert len(written[0]) <= 6
    with pytest.raises(ValueError, match="room"):
        last_tokens(words, model.config, room=16)


def test_wrong_ids_are_named(model):
    with pytest.raises(ValueError, match="tokens contains id 11"):
        model(torch.tensor([[11]]))


def test_a_gpt_compiles_to_one_graph():
    torch.manual_seed(0)
    model = GPT(GPTConfig.tiny(50)).eval()
    tokens = torch.randint(50, (2, 16))
    compiled = torch.compile(model, backend="eager", fullgraph=True)  # a break would raise
    torch.testing.assert_close(compiled(tokens), model(tokens))
