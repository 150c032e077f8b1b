"""Files in the layout of real GPT-2 checkpoints: read, checked, and equal to Hugging Face's."""

import json

import pytest
import safetensors.torch
import torch

from course_lib.gpt import weights as gpt_weights
from course_lib.gpt.model import GPT, GPTConfig

SIZES = {"vocab_size": 13, "n_positions": 10, "n_embd": 8, "n_head": 2, "n_layer": 2}
CONFIG = GPTConfig(13, 10, 8, 2, 2)


def real_layout(prefix="", old=False, head=False):
    """A random state dict as GPT-2's files have it: names, order of dimensions, extras."""
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        theirs = transformers.GPT2Model(transformers.GPT2Config(**SIZES))
    made = torch.Generator().manual_seed(0)
    shapes = {name: parameter.shape for name, parameter in theirs.named_parameters()}
    state = {name: torch.randn(shape, generator=made) for name, shape in shapes.items()}
    if old:
        for n in range(2):
            state[f"h.{n}.attn.bias"] = torch.ones(10, 10).tril()[None, None]
            state[f"h.{n}.attn.masked_bias"] = torch.tensor(-1e4)
    state = {prefix + name: tensor for name, tensor in state.items()}
    if head:
        state["lm_head.weight"] = state[f"{prefix}wte.weight"].clone()
    return state


def folder_with(path, state, **said):
    safetensors.torch.save_file(state, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps({**SIZES, **said}))
    return path


@pytest.mark.parametrize("prefix", ["", "transformer."])
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("head", [False, True])
def test_every_layout_is_read(tmp_path, prefix, old, head):
    model = gpt_weights.load(folder_with(tmp_path, real_layout(prefix, old, head)))
    assert model.config == CONFIG and not model.training
    plain, body = real_layout(), model.body
    assert torch.equal(body.wte.weight, plain["wte.weight"])
    assert torch.equal(body.h[1].attn.c_proj.weight, plain["h.1.attn.c_proj.weight"].T)
    assert torch.equal(body.h[0].mlp.c_fc.weight, plain["h.0.mlp.c_fc.weight"].T)
    assert torch.equal(body.h[0].attn.c_attn.bias, plain["h.0.attn.c_attn.bias"])


def test_equal_to_hugging_face_from_its_own_file(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**SIZES)).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    theirs.save_pretrained(tmp_path)
    ours = gpt_weights.load(tmp_path)
    ids = torch.randint(0, 13, (3, 10))
    torch.testing.assert_close(ours(ids), theirs(ids).logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"transformer.h.1.ln_2.bias": None}, r"missing: h\.1\.ln_2\.bias"),
        ({"h.2.ln_1.bias": torch.ones(8)}, r"extra: h\.2\.ln_1\.bias"),
        (  # somebody has turned it already: named as the file has it
            {"transformer.h.0.mlp.c_fc.weight": torch.ones(32, 8)},
            r"h\.0\.mlp\.c_fc\.weight \(32, 8\) \(the model has \(8, 32\)\)",
        ),
        ({"transformer.ln_f.bias": torch.full((8,), torch.nan)}, r"not finite: ln_f\.bias"),
        ({"lm_head.weight": torch.ones(13, 8)}, r"unequal.*: wte\.weight and lm_head\.weight"),
    ],
)
def test_what_differs_is_named_and_nothing_is_copied(change, said):
    model, state = GPT(CONFIG), real_layout("transformer.") | change
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=f"this.pt.*{said}"):
        gpt_weights.load_state(
            model, {name: tensor for name, tensor in state.items() if tensor is not None}, "this.pt"
        )
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_damaged_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        gpt_weights.load(tmp_path)
    folder_with(tmp_path, real_layout())
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"model\.safetensors is no whole safetensors file"):
        gpt_weights.load(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is not JSON"):
        gpt_weights.load(tmp_path)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"activation_function": "relu"}, "activation_function is 'relu'.*'gelu_new'"),
        ({"model_type": "bert"}, "model_type is 'bert'"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ({"scale_attn_weights": False}, "scale_attn_weights"),
        ({"layer_norm_epsilon": 1e-12}, "layer_norm_epsilon"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings"),
        ({"n_inner": 16}, "n_inner is 16"),
        ({"n_head": 3}, "must divide"),
    ],
)
def test_another_kind_of_model_is_refused(tmp_path, said, message):
    usual = {"model_type": "gpt2", "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}
    usual |= {"scale_attn_weights": True, "tie_word_embeddings": True, "n_inner": None}
    config = tmp_path / "config.json"
    for more in ({}, usual):
        config.write_text(json.dumps({**SIZES, **more}))
        assert gpt_weights.read_config(config) == CONFIG
    config.write_text(json.dumps({**SIZES, **usual, **said}))
    with pytest.raises(ValueError, match=message):
        gpt_weights.read_config(config)
    config.write_text("{}")
    with pytest.raises(ValueError, match="than a GPT-2: vocab_size is missing"):
        gpt_weights.read_config(config)
