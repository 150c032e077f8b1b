"""Bert: equal to Hugging Face's, blind to padding, and open about what does not fit."""

import json

import pytest
import safetensors.torch
import torch

from course_lib.bert import weights as bert_weights
from course_lib.bert.model import Bert, BertConfig, BertForPreTraining, init_bert_
from course_lib.data import archives

transformers = pytest.importorskip("transformers")

SHAPES = [
    {"width": 32, "layers": 2, "heads": 2, "hidden": 64, "positions": 64},
    {"width": 48, "layers": 3, "heads": 4, "hidden": 80, "positions": 32, "segments": 3},
    {"width": 16, "layers": 1, "heads": 1, "hidden": 16, "positions": 16, "epsilon": 1e-5},
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


@pytest.fixture(params=SHAPES, ids=["two layers", "three segments", "one layer"])
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
    torch.testing.assert_close(states[real], body.last_hidden_state[real], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.bert.pool(states), body.pooler_output, atol=1e-5, rtol=1e-5)
    found, wanted = ours(tokens, segments), theirs(**asked)
    torch.testing.assert_close(
        found.words[real], wanted.prediction_logits[real], atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(found.next, wanted.seq_relationship_logits, atol=1e-5, rtol=1e-5)


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
    try:
        return archives.fetch("minilm")
    except archives.ArchiveError as error:
        pytest.skip(str(error))


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


def test_padding_changes_nothing():
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.tiny(50)).eval()
    tokens = torch.randint(5, 50, (2, 9))
    padded = torch.cat([tokens, torch.zeros(2, 6, dtype=torch.long)], dim=1)
    alone, filled = model(tokens), model(padded)
    torch.testing.assert_close(filled.words[:, :9], alone.words, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(filled.next, alone.next, atol=1e-6, rtol=1e-5)
    given = model.bert(padded, mask=padded != 0)
    torch.testing.assert_close(given, model.bert(padded))


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


def test_without_positions_the_order_would_not_matter():
    torch.manual_seed(0)
    model = Bert(BertConfig.tiny(50)).eval()
    tokens, turn = torch.arange(5, 13)[None], torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    assert not torch.allclose(model(tokens)[:, turn], model(tokens[:, turn]), atol=1e-3)
    torch.nn.init.zeros_(model.embeddings.position_embeddings.weight)
    torch.testing.assert_close(model(tokens)[:, turn], model(tokens[:, turn]), atol=1e-5, rtol=1e-5)


def test_asking_at_some_places_gives_the_same_scores():
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.tiny(50)).eval()
    tokens = torch.randint(5, 50, (2, 9))
    places = torch.rand(2, 9) < 0.4
    torch.testing.assert_close(model(tokens, places=places).words, model(tokens).words[places])


def test_output_layer_is_the_embedding():
    model = BertForPreTraining(BertConfig.tiny(50))
    tied = model.cls["predictions"].decoder.weight
    assert tied is model.bert.embeddings.word_embeddings.weight
    names = [name for name, _ in model.named_parameters()]
    assert len(names) == len(set(names)) and "cls.predictions.decoder.weight" not in names


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


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"layers": 0}, "layers must be a positive"),
        ({"heads": 5}, "must divide"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"epsilon": 0.0}, "epsilon must be"),
    ],
)
def test_wrong_sizes_are_refused(change, part):
    with pytest.raises(ValueError, match=part):
        BertConfig.tiny(50, **change)


def test_wrong_inputs_are_refused():
    model = Bert(BertConfig.tiny(50))
    tokens = torch.ones(2, 5, dtype=torch.long)
    for arguments, part in (
        ((tokens[0],), "expected \\(B, S\\)"),
        ((torch.ones(1, 65, dtype=torch.long),), "65 tokens, but this model knows 64"),
        ((tokens * 50,), "tokens go from 50 to 50, expected 0 to 49"),
        ((tokens, tokens * 2), "segments go from 2 to 2, expected 0 to 1"),
        ((tokens, tokens[:, :4]), "segments \\(2, 4\\) beside tokens"),
        ((tokens, None, tokens), "mask has shape"),
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


def test_their_files_are_read(saved):
    folder, theirs = saved
    tokens = torch.randint(5, 50, (2, 9))
    config = bert_weights.read_config(folder / "config.json")
    whole, body = BertForPreTraining(config).eval(), Bert(config).eval()
    bert_weights.load_weights(whole, folder / "model.safetensors")
    bert_weights.load_weights(body, folder / "model.safetensors")  # the heads are left out
    wanted = theirs(tokens)
    torch.testing.assert_close(whole(tokens).words, wanted.prediction_logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(whole.bert(tokens), body(tokens))
    assert whole.cls["predictions"].decoder.weight is whole.bert.embeddings.word_embeddings.weight


def test_old_names_of_layer_norm_are_read(saved):
    folder, _ = saved
    file = folder / "model.safetensors"
    found = safetensors.torch.load_file(file)
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): tensor
        for name, tensor in found.items()
    }
    assert old.keys() != found.keys()
    safetensors.torch.save_file(old, folder / "old.safetensors")
    config = bert_weights.read_config(folder / "config.json")
    one, other = Bert(config), Bert(config)
    bert_weights.load_weights(one, file)
    bert_weights.load_weights(other, folder / "old.safetensors")
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def rewritten(folder, change):
    found = safetensors.torch.load_file(folder / "model.safetensors")
    change(found)
    path = folder / "changed.safetensors"
    safetensors.torch.save_file(found, path)
    return path


QUERY = "bert.encoder.layer.1.attention.self.query.weight"
CHANGES = {
    "missing": (lambda t: t.pop(QUERY), "missing: encoder.layer.1.attention.self.query.weight"),
    "extra": (lambda t: t.update({"bert.gate": torch.ones(2)}), "extra: gate"),
    "shape": (
        lambda t: t.update({QUERY: torch.ones(32, 16)}),
        r"query.weight \(32, 16\) \(the model has \(32, 32\)\)",
    ),
    "nan": (lambda t: t[QUERY].fill_(torch.nan), "not finite: encoder.layer.1"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_differs_is_named_and_nothing_is_copied(saved, name):
    folder, _ = saved
    change, message = CHANGES[name]
    path = rewritten(folder, change)
    body = Bert(bert_weights.read_config(folder / "config.json"))
    before = [parameter.clone() for parameter in body.parameters()]
    with pytest.raises(ValueError, match=message):
        bert_weights.load_weights(body, path)
    assert all(torch.equal(a, b) for a, b in zip(before, body.parameters(), strict=True))


def test_another_layout_is_named(saved, tmp_path):
    folder, _ = saved
    gpt = {"transformer.h.0.attn.c_attn.weight": torch.ones(3, 9)}
    safetensors.torch.save_file(gpt, tmp_path / "gpt.safetensors")
    body = Bert(bert_weights.read_config(folder / "config.json"))
    with pytest.raises(ValueError, match="missing: embeddings.*extra: transformer.h.0"):
        bert_weights.load_weights(body, tmp_path / "gpt.safetensors")


def test_truncated_and_foreign_files_are_refused(saved):
    folder, _ = saved
    body = Bert(bert_weights.read_config(folder / "config.json"))
    whole = (folder / "model.safetensors").read_bytes()
    for content in (whole[:-100], whole[:50], b"\x80\x02}q\x00."):
        (folder / "cut.safetensors").write_bytes(content)
        with pytest.raises(ValueError, match="no whole safetensors file"):
            bert_weights.load_weights(body, folder / "cut.safetensors")
    with pytest.raises(FileNotFoundError, match="no weights file at"):
        bert_weights.load_weights(body, folder / "absent.safetensors")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2' \\(expected 'bert'\\)"),
        ({"hidden_act": "gelu_new"}, "hidden_act 'gelu_new'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"num_hidden_layers": None}, "does not say num_hidden_layers"),
    ],
)
def test_configurations_that_we_do_not_compute_are_refused(saved, change, part):
    folder, _ = saved
    said = json.loads((folder / "config.json").read_text()) | change
    said = {name: value for name, value in said.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(said))
    with pytest.raises(ValueError, match=part):
        bert_weights.read_config(folder / "config.json")


def test_a_vocabulary_that_does_not_belong_is_refused(saved):
    from course_lib.text.wordpiece import SPECIALS

    folder, _ = saved
    lines = [*SPECIALS, *(f"w{n}" for n in range(50))]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="55 tokens, the weights know 50"):
        bert_weights.load(folder)
    (folder / "vocab.txt").write_text("\n".join(lines[:50]) + "\n")
    assert len(bert_weights.load(folder).tokens) == 50


def test_a_damaged_configuration_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no configuration"):
        bert_weights.read_config(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        bert_weights.read_config(tmp_path / "config.json")
