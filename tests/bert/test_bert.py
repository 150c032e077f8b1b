"""Bert: equal to Hugging Face's, blind to padding, and open about what does not fit."""

import json

import pytest
import safetensors.torch
import torch

from course_lib.bert import weights as bert_weights
from course_lib.bert.model import Bert, BertConfig, BertForPreTraining, init_bert_
from course_lib.text.wordpiece import SPECIALS
from tests.fetched import fetched

transformers = pytest.importorskip("transformers")

SHAPES = [
    {"width": 48, "layers": 3, "heads": 4, "hidden": 80, "positions": 32, "segments": 3},
    {"width": 16, "layers": 1, "heads": 1, "hidden": 16, "positions": 16, "epsilon": 1e-2},
]


def ours_as_theirs(config: BertConfig):
    return transformers.BertConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.hidden,
        max_position_embeddings=config.positions,
        type_vocab_size=config.segments,
        layer_norm_eps=config.epsilon,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def batch(config: BertConfig):
    """Ids (3, 12) with padding in two rows, segments, and their mask."""
    torch.manual_seed(5)
    tokens = torch.randint(1, config.vocab_size, (3, 12))
    tokens[1, 7:], tokens[2, 3:] = 0, 0
    segments = torch.randint(0, config.segments, (3, 12))
    return tokens, segments, tokens != 0


@pytest.fixture(params=SHAPES, ids=["three segments", "one layer"])
def pair(request):
    """Our model with theirs, on the same weights, biases and norms moved from 0 and 1."""
    config = BertConfig(50, dropout=0.0, **request.param)
    torch.manual_seed(0)
    theirs = transformers.BertForPreTraining(ours_as_theirs(config)).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    ours = BertForPreTraining(config).eval()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_equal_to_hugging_face(pair):
    ours, theirs = pair
    tokens, segments, real = batch(ours.config)
    asked = {"input_ids": tokens, "token_type_ids": segments, "attention_mask": real.long()}
    body = theirs.bert(**asked)
    states = ours.bert(tokens, segments)
    near = {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close(states[real], body.last_hidden_state[real], **near)
    torch.testing.assert_close(ours.bert(tokens, segments, real), states)
    torch.testing.assert_close(ours.bert.pool(states), body.pooler_output, **near)
    found, wanted = ours(tokens, segments), theirs(**asked)
    torch.testing.assert_close(found.words[real], wanted.prediction_logits[real], **near)
    torch.testing.assert_close(found.next, wanted.seq_relationship_logits, **near)
    some = ours(tokens, segments, real).words
    torch.testing.assert_close(some, wanted.prediction_logits[real], **near)


def test_the_epsilon_of_every_layer_norm_is_the_published_one():
    """States that hardly differ show it: in BERT it is 1e-12, where torch takes 1e-5."""
    model = BertForPreTraining(BertConfig(50, 16, 1, 1, 16, 8))
    norms = [part for part in model.modules() if isinstance(part, torch.nn.LayerNorm)]
    assert len(norms) == 4 and {norm.eps for norm in norms} == {1e-12}
    model = BertForPreTraining(BertConfig.tiny(50, epsilon=0.5))
    norms = [part for part in model.modules() if isinstance(part, torch.nn.LayerNorm)]
    assert {norm.eps for norm in norms} == {0.5}


def test_weights_of_every_head_are_equal_to_hugging_face(pair):
    ours, theirs = pair
    tokens, segments, real = batch(ours.config)
    theirs.set_attn_implementation("eager")
    asked = {"input_ids": tokens, "token_type_ids": segments, "attention_mask": real.long()}
    wanted = theirs.bert(**asked, output_attentions=True).attentions
    states, looks = ours.bert.with_weights(tokens, segments)
    for one, other in zip(looks, wanted, strict=True):
        torch.testing.assert_close(
            one.transpose(1, 2)[real], other.transpose(1, 2)[real], atol=1e-5, rtol=1e-5
        )
        assert (one[:, :, :, :].masked_select(~real[:, None, None, :]) == 0).all()
    torch.testing.assert_close(states, ours.bert(tokens, segments), atol=1e-5, rtol=1e-5)


def test_gradients_are_equal_to_hugging_face(pair):
    ours, theirs = pair
    tokens, segments, real = batch(ours.config)
    asked = {"input_ids": tokens, "token_type_ids": segments, "attention_mask": real.long()}
    labels = torch.where(real & (tokens % 3 == 0), tokens, -100)
    theirs(**asked, labels=labels, next_sentence_label=torch.tensor([0, 1, 0])).loss.backward()
    found = ours(tokens, segments, labels != -100)
    loss = torch.nn.functional.cross_entropy(found.words, labels[labels != -100])
    (loss + torch.nn.functional.cross_entropy(found.next, torch.tensor([0, 1, 0]))).backward()
    wanted = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        other = wanted[name].grad
        if name.endswith("word_embeddings.weight"):
            # Theirs never changes the row of padding through the embedding itself.
            parameter.grad[0], other = other[0], other
        torch.testing.assert_close(parameter.grad, other, atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def folder():
    return fetched("minilm")


def test_equal_to_hugging_face_on_minilm(folder):
    body, tokens = bert_weights.minilm()
    theirs = transformers.BertModel.from_pretrained(folder).eval()
    assert not body.training
    texts = [
        tokens.text("A gripping film, and a funny one.").ids,
        tokens.text("It is long.", "But it is never dull, not even in the middle.").ids,
    ]
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    segments = torch.zeros_like(ids)
    segments[1, 5:] = 1
    real = ids != 0
    with torch.no_grad():
        states = body(ids, segments)
        wanted = theirs(ids, token_type_ids=segments, attention_mask=real.long())
    torch.testing.assert_close(states[real], wanted.last_hidden_state[real], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(body.pool(states), wanted.pooler_output, atol=1e-5, rtol=1e-5)


def test_every_place_sees_both_sides_unless_causal():
    torch.manual_seed(0)
    tokens = torch.randint(5, 50, (1, 8))
    other = tokens.clone()
    other[0, 4] = (tokens[0, 4] + 1) % 50
    for causal in (False, True):
        model = Bert(BertConfig.tiny(50, causal=causal)).eval()
        moved = (model(tokens) - model(other)).abs().amax(-1)[0] > 0
        assert moved[4:].all()
        assert moved[:4].all() != causal and moved[:4].any() != causal


def test_first_weights_are_as_published():
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.small(2000))
    matrix = model.bert.embeddings.word_embeddings.weight
    assert matrix.abs().max() <= 0.04 and matrix.std().item() == pytest.approx(0.0176, abs=2e-4)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all()
        elif "LayerNorm" in name:
            assert (parameter == 1).all()
    init_bert_(model, spread=0.1)
    assert 0.15 < matrix.abs().max() <= 0.2


def test_sizes_of_the_presets():
    """MiniLM and BERT base, whose sizes are published: 22.7 and 110 million with the pooler."""
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in Bert(c).parameters()) for c in
                 (BertConfig.minilm(), BertConfig.base())]  # fmt: skip
    assert sizes == [22_713_216, 109_482_240]


def test_wrong_sizes_are_refused():
    for change in ({"heads": 5}, {"segments": 0}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match=next(iter(change))):
            BertConfig.tiny(50, **change)


def test_wrong_inputs_are_refused():
    model = Bert(BertConfig.tiny(50))
    tokens = torch.ones(2, 5, dtype=torch.long)
    model(torch.ones(1, 64, dtype=torch.long))
    for arguments, part in (
        ((torch.ones(1, 65, dtype=torch.long),), "65.*up to 64 positions"),
        ((tokens * 50,), "tokens contains id 50"),
        ((tokens, tokens * 2), "segments contains id 2"),
        ((tokens, tokens[:1]), "shapes .*\\(1, 5\\)"),
        ((tokens, tokens, tokens[:1] > 0), "shapes .*\\(1, 5\\)"),
    ):
        with pytest.raises(ValueError, match=part):
            model(*arguments)


# Files --------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """A random small BERT in Hugging Face's own files, as their program writes them."""
    config = BertConfig(50, 32, 2, 2, 64, 64, dropout=0.0)
    torch.manual_seed(1)
    theirs = transformers.BertForPreTraining(ours_as_theirs(config)).eval()
    theirs.save_pretrained(tmp_path)
    return tmp_path, theirs


def tensors(folder):
    return safetensors.torch.load_file(folder / "model.safetensors")


def test_their_files_are_read(saved):
    folder, theirs = saved
    tokens = torch.randint(5, 50, (2, 9))
    config = bert_weights.read_config(folder / "config.json")
    whole, body = BertForPreTraining(config).eval(), Bert(config).eval()
    bert_weights.load_state(whole, tensors(folder))
    bert_weights.load_state(body, tensors(folder))  # the heads are left out
    wanted = theirs(tokens)
    torch.testing.assert_close(whole(tokens).words, wanted.prediction_logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(whole.bert(tokens), body(tokens))
    assert whole.cls["predictions"].decoder.weight is whole.bert.embeddings.word_embeddings.weight


def test_the_first_files_are_read(saved):
    """LayerNorm had other names, and the numbers of the positions were kept."""
    folder, _ = saved
    old = {"bert.embeddings.position_ids": torch.arange(64)}
    for name, tensor in tensors(folder).items():
        norm = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        old[norm.replace("LayerNorm.bias", "LayerNorm.beta")] = tensor
    config = bert_weights.read_config(folder / "config.json")
    one, other = Bert(config), Bert(config)
    bert_weights.load_state(one, tensors(folder))
    bert_weights.load_state(other, old)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


QUERY = "bert.encoder.layer.1.attention.self.query.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({QUERY: None}, "missing: encoder.layer.1.attention.self.query.weight"),
        ({"bert.gate": torch.ones(2)}, "extra: gate"),
        (
            {QUERY: torch.ones(32, 16)},
            r"query.weight \(32, 16\) \(the model has \(32, 32\)\)",
        ),
        ({QUERY: torch.full((32, 32), torch.nan)}, "not finite: encoder.layer.1"),
    ],
)
def test_what_differs_is_named_and_nothing_is_copied(saved, change, message):
    folder, _ = saved
    found = {name: one for name, one in (tensors(folder) | change).items() if one is not None}
    body = Bert(bert_weights.read_config(folder / "config.json"))
    before = [parameter.clone() for parameter in body.parameters()]
    with pytest.raises(ValueError, match=f"this.pt does not fit this Bert.*{message}"):
        bert_weights.load_state(body, found, "this.pt")
    assert all(torch.equal(a, b) for a, b in zip(before, body.parameters(), strict=True))


def test_an_output_matrix_of_its_own_is_refused(saved):
    folder, _ = saved
    model = BertForPreTraining(bert_weights.read_config(folder / "config.json"))
    other = {"cls.predictions.decoder.weight": torch.ones(50, 32)}
    with pytest.raises(ValueError, match="unequal.*word_embeddings.weight and cls.predictions"):
        bert_weights.load_state(model, tensors(folder) | other)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"model_type": "gpt2"}, "model_type is 'gpt2' \\(expected 'bert'\\)"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"is_decoder": True}, "is_decoder"),
        ({"pad_token_id": 1}, "pad_token_id is 1"),
        ({"num_hidden_layers": None}, "num_hidden_layers is missing"),
    ],
)
def test_configurations_that_we_do_not_compute_are_refused(saved, change, part):
    folder, _ = saved
    said = json.loads((folder / "config.json").read_text()) | change
    said = {name: value for name, value in said.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(said))
    with pytest.raises(ValueError, match=part):
        bert_weights.read_config(folder / "config.json")


def test_a_configuration_that_says_the_least(tmp_path):
    """As old files do: what goes without saying has the published value."""
    least = {"model_type": "bert", "hidden_act": "gelu", "vocab_size": 50, "hidden_size": 32}
    least |= {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    least |= {"max_position_embeddings": 16, "type_vocab_size": 2}
    (tmp_path / "config.json").write_text(json.dumps(least))
    found = bert_weights.read_config(tmp_path / "config.json")
    assert found == BertConfig(50, 32, 2, 4, 64, 16, 2, 0.1, 1e-12)


def test_a_vocabulary_that_does_not_belong_is_refused(saved):
    folder, _ = saved
    lines = [*SPECIALS, *(f"w{n}" for n in range(50))]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="55 tokens, the weights know 50"):
        bert_weights.load(folder)
    (folder / "vocab.txt").write_text("\n".join(lines[:50]) + "\n")
    body, tokens = bert_weights.load(folder)
    assert len(tokens) == 50 and not body.training
