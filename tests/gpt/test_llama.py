"""Our Llama against Hugging Face's, on random weights and on SmolLM2's."""

import pytest
import torch
from torch import nn

from course_lib.attention.positions import sinusoidal
from course_lib.decoding.search import greedy
from course_lib.gpt import smollm
from course_lib.gpt.llama import Llama, LlamaConfig, RMSNorm
from course_lib.text.words import Specials
from tests.fetched import fetched

SMALL = LlamaConfig(31, 24, 40, 6, 2, 3, 64, base=500.0, epsilon=1e-3)
THEIRS = {
    "attention_norm": "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "network_norm": "post_attention_layernorm",
    "network.gate": "mlp.gate_proj",
    "network.up": "mlp.up_proj",
    "network.down": "mlp.down_proj",
    "wte": "embed_tokens",
    "norm": "norm",
}


def reference(config):
    """`LlamaForCausalLM` of the same sizes, with random weights."""
    from transformers import LlamaConfig as Config
    from transformers import LlamaForCausalLM

    torch.manual_seed(1)
    return LlamaForCausalLM(
        Config(
            vocab_size=config.vocab_size,
            hidden_size=config.width,
            intermediate_size=config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.key_heads,
            max_position_embeddings=config.context,
            rms_norm_eps=config.epsilon,
            rope_parameters={"rope_type": "default", "rope_theta": config.base},
            tie_word_embeddings=True,
        )
    ).eval()


def matched(theirs, ours):
    """(their parameter, ours, heads whose rows stand in another order or None), for all of them."""
    there, config = dict(theirs.named_parameters()), ours.config
    heads = {"attention.query": config.heads, "attention.key": config.key_heads}
    for name, parameter in ours.body.named_parameters():
        path = name.removesuffix(".weight").split(".")
        block = f"layers.{path[1]}." if path[0] == "h" else ""
        part = ".".join(path[2:] if block else path)
        yield there.pop(f"model.{block}{THEIRS[part]}.weight"), parameter, heads.get(part)
    assert not there


def ours_from(theirs, config):
    """The same weights in our model: their row i of a head turns with row i + K / 2, ours with the
    next.
    """
    model = Llama(config)
    with torch.no_grad():
        for from_, to, heads in matched(theirs, model):
            if heads:
                from_ = from_.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)
            to.copy_(from_)
    return model.eval()


def theirs_from(ours):
    """The same weights in Hugging Face's model."""
    model = reference(ours.config)
    with torch.no_grad():
        for to, from_, heads in matched(model, ours):
            if heads:
                from_ = from_.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)
            to.copy_(from_)
    return model


@pytest.fixture(scope="module")
def pair():
    theirs = reference(SMALL)
    return ours_from(theirs, SMALL), theirs


@pytest.fixture
def tokens():
    return torch.randint(31, (3, 20), generator=torch.Generator().manual_seed(0))


def test_logits_are_those_of_hugging_face(pair, tokens):
    ours, theirs = pair
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs(tokens).logits, atol=1e-5, rtol=1e-5)


def test_gradients_are_those_of_hugging_face(pair, tokens):
    ours, theirs = pair
    ours(tokens).logsumexp(-1).sum().backward()
    theirs(tokens).logits.logsumexp(-1).sum().backward()
    torch.testing.assert_close(
        ours.body.wte.weight.grad, theirs.model.embed_tokens.weight.grad, atol=1e-4, rtol=1e-4
    )


def test_what_was_kept_stands_for_what_was_read(pair, tokens):
    model = pair[0]
    with torch.no_grad():
        whole = model(tokens).log_softmax(-1)
        state = model.init_state(tokens[:, :7])
        for t in range(7, 20):
            log_probs, state = model.step(tokens[:, t], state)
            torch.testing.assert_close(log_probs, whole[:, t], atol=1e-5, rtol=1e-5)
    kept = state.past[0][0]
    assert state.length == 20 and kept.shape == (3, 2, 20, 4)  # two heads are kept, not six


def test_attention_weights(pair, tokens):
    model = pair[0]
    with torch.no_grad():
        logits, weights = model.with_weights(tokens)
        torch.testing.assert_close(logits, model(tokens), atol=1e-5, rtol=1e-5)
    assert [tuple(w.shape) for w in weights] == [(3, 6, 20, 20)] * 3
    for w in weights:
        torch.testing.assert_close(w.sum(-1), torch.ones(3, 6, 20))
        assert not w.triu(1).any()


def test_text_may_start_anywhere():
    """Rotary positions tell distances: without attention to the start, nothing knows the place."""
    torch.manual_seed(0)
    model = Llama(SMALL).eval()
    block, x = model.body.h[0], torch.randn(1, 5, 24)
    near, far = (block(x, None, sinusoidal(5, 4, start=s, base=500.0))[0] for s in (0, 1000))
    torch.testing.assert_close(near, far, atol=1e-4, rtol=1e-4)


def test_rms_norm_is_torchs():
    norm, theirs = RMSNorm(8, 1e-3), nn.RMSNorm(8, 1e-3)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-1, 2, 8))
        theirs.weight.copy_(norm.weight)
    x = torch.randn(4, 8) * 0.05  # small, so that epsilon shows
    torch.testing.assert_close(norm(x), theirs(x))


def test_query_heads_that_cannot_share():
    with pytest.raises(ValueError, match="6 query heads cannot share 4 key heads"):
        LlamaConfig(31, 24, 40, 6, 4, 3, 64)


@pytest.fixture(scope="module")
def smollm2():
    fetched("smollm2")
    return smollm.smollm2()


def test_smollm2_is_hugging_faces_model_with_the_same_weights(smollm2):
    model, tokens, _ = smollm2
    c = model.config
    assert (c.layers, c.width, c.heads, c.key_heads, c.base) == (30, 576, 9, 3, 100_000.0)
    assert sum(p.numel() for p in model.parameters()) == 134_515_008
    ids = torch.tensor([tokens.encode("The history of Paris begins in 250 BC, when").ids])
    with torch.no_grad():
        torch.testing.assert_close(model(ids), theirs_from(model)(ids).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "text",
    ["In 1905 it's 3.14  degrees,\n\ttabs\n and more", "고양이 café 😀", "def f(x):\n    return x"],
)
def test_tokens_restore_the_text(smollm2, text):
    assert smollm2.tokens.decode(smollm2.tokens.encode(text).ids) == text


def test_digits_and_marks_are_tokens_of_their_own(smollm2):
    tokens = smollm2.tokens.encode("<|im_start|>12").tokens
    assert tokens == ["<|im_start|>", "1", "2"] and smollm2.specials == Specials(
        None, None, 2, None
    )


def test_it_speaks(smollm2):
    model, tokens, specials = smollm2
    ids = torch.tensor([tokens.encode("The capital of France is").ids])
    (written,) = greedy(model, ids[:, :-1], 3, first=ids[:, -1], specials=specials)
    assert tokens.decode(written).startswith(" Paris")


def test_another_kind_of_model_is_refused(tmp_path):
    import gguf

    path = tmp_path / "falcon.gguf"
    writer = gguf.GGUFWriter(path, "falcon")
    writer.add_tokenizer_model("gpt2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ValueError, match="falcon model"):
        smollm.load(path)
