"""GPT: equal to Hugging Face's GPT-2, blind to the future, with or without kept keys and values."""

import pytest
import torch

from course_lib.gpt import GPT, GPTConfig


@pytest.fixture
def model():
    torch.manual_seed(0)
    return GPT(GPTConfig.tiny(11)).eval()


@pytest.fixture
def ids():
    return torch.randint(0, 11, (3, 9), generator=torch.Generator().manual_seed(1))


def hugging_face(config, **changes):
    transformers = pytest.importorskip("transformers")
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.context,
            n_embd=config.width,
            n_layer=config.layers,
            n_head=config.heads,
            **changes,
        )
    ).eval()


def copy_from(theirs, ours):
    """Their weights in ours; their Conv1D keeps (in, out), our Linear (out, in)."""
    state = {}
    for name, tensor in theirs.transformer.state_dict().items():
        turn = tensor.dim() == 2 and not name.startswith("w")
        state[name] = tensor.T.contiguous() if turn else tensor
    ours.body.load_state_dict(state)


def test_equal_to_hugging_face(model, ids):
    theirs = hugging_face(model.config)
    with torch.no_grad():
        for parameter in theirs.parameters():  # biases and scales too, which start at 0 and 1
            parameter.add_(torch.randn_like(parameter) * 0.3)
    copy_from(theirs, model)
    found = theirs(ids, output_attentions=False).logits
    assert found.std() > 0.5
    torch.testing.assert_close(model(ids), found, rtol=0, atol=1e-5)


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
