"""The studies of chapter 04: what they compute, and the translators that they leave behind."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from course_lib import studies
from course_lib.attention.attend import attend
from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data import lab, verses
from course_lib.decoding.translation import encode, tokenizers, translate, weights_of
from course_lib.evaluation.scores import alignment_error_rate
from course_lib.studies.ch02 import verses_fixed_vector
from course_lib.studies.ch03 import bottleneck
from course_lib.studies.ch04 import attention_lab, verses_attention
from course_lib.studies.engine import artifacts
from course_lib.text.words import BOS


@pytest.fixture(scope="module")
def pairs() -> list[lab.Pair]:
    return lab.generate(130, seed=0, lengths=(4, 12))


@pytest.fixture(scope="module")
def sides(pairs):
    return tokenizers(pairs)


@pytest.fixture
def model(sides) -> AttentionEncoderDecoder:
    torch.manual_seed(0)
    source, target = sides
    config = AttentionConfig.tiny(len(source), len(target), dropout=0.5)
    return AttentionEncoderDecoder(config)


# Where a model looks ---------------------------------------------------------------------------


def test_weights_come_in_the_order_of_the_pairs_and_without_padding(model, pairs, sides):
    ids = encode(pairs, *sides)  # of all lengths, and more than one batch
    weights = weights_of(model, ids)
    assert [tuple(matrix.shape) for matrix in weights] == [(len(t), len(s)) for s, t in ids]
    model.eval()
    for (s, t), matrix in list(zip(ids, weights, strict=True))[::13]:
        own = model.with_weights(torch.tensor([s]), torch.tensor([[BOS, *t]]))[1][0, :-1]
        torch.testing.assert_close(matrix, own, atol=1e-6, rtol=0)
        torch.testing.assert_close(matrix.sum(-1), torch.ones(len(t)))
    assert not any(matrix.requires_grad for matrix in weights)
    assert weights_of(model, []) == []


class Scripted(nn.Module):
    """Looks where ``weights`` says, and writes words that depend on the last source word only."""

    def __init__(self, sides, script: dict[tuple[int, ...], torch.Tensor]) -> None:
        super().__init__()
        source, target = sides
        self.encoder = nn.Module()
        self.encoder.embedding = nn.Embedding(len(source), 4)
        self.output = nn.Linear(4, len(target))
        self.script = script
        self.config = SimpleNamespace(reverse_source=False)

    def forward(self, source, target_in):
        last = self.encoder.embedding(source)[:, -1]  # (B, E)
        return self.output(last).unsqueeze(1).expand(-1, target_in.shape[1], -1)

    def with_weights(self, source, target_in):
        weights = torch.zeros(*target_in.shape, source.shape[1])
        for row, words in enumerate(source.tolist()):
            own = self.script[tuple(word for word in words if word)]
            weights[row, : own.shape[0], : own.shape[1]] = own
        return None, weights


@pytest.mark.parametrize(("language", "floor"), [("french", 0.067), ("korean", 0.165)])
def test_a_model_that_looks_at_the_gold_reaches_the_floor(language, floor):
    """One link a target word leaves an error where the gold has two links or none."""
    pairs = lab.generate(300, seed=1, target=language, split="test")
    sides = tokenizers(pairs)
    script, links = {}, []
    for pair, (s, t) in zip(pairs, encode(pairs, *sides), strict=True):
        weights = torch.zeros(len(t), len(s))
        for i, j in reversed(pair.alignment):
            weights[j] = 0.0
            weights[j, i] = 1.0  # the first of several
        unlinked = weights.sum(-1) == 0
        weights[unlinked, 0] = 1.0
        script[tuple(s)] = weights
        links.append({(int(row.argmax()), j) for j, row in enumerate(weights)})
    found = attention_lab.alignment(Scripted(sides, script), *sides, pairs)
    assert found["error_rate"] == pytest.approx(
        alignment_error_rate(links, [pair.alignment for pair in pairs])
    )
    assert found["error_rate"] == pytest.approx(floor, abs=0.01)
    assert found["weight_on_gold"] <= 1
    spread = {s: torch.full_like(weights, 1 / weights.shape[1]) for s, weights in script.items()}
    blind = attention_lab.alignment(Scripted(sides, spread), *sides, pairs)
    assert blind["error_rate"] > 0.8 and blind["weight_on_gold"] < 0.2


def test_weight_on_gold_adds_up_the_gold_words_of_each_target_word(sides):
    [pair] = lab.generate(1, seed=0, lengths=(6, 6))
    pair = pair._replace(alignment=((0, 0), (1, 0), (2, 1)))
    [(s, t)] = encode([pair], *sides)
    weights = torch.zeros(len(t), len(s))
    weights[:, :3] = torch.tensor([0.25, 0.5, 0.25])
    found = attention_lab.alignment(Scripted(sides, {tuple(s): weights}), *sides, [pair])
    assert found["weight_on_gold"] == pytest.approx(((0.25 + 0.5) + 0.25) / 2)


def test_the_gradient_finds_the_word_that_the_prediction_depends_on(monkeypatch, pairs, sides):
    chosen = [pair for pair in pairs if len(pair.source) > 7][:12]
    monkeypatch.setattr(attention_lab.lab, "generate", lambda *a, **b: chosen)
    first = {tuple(s): torch.eye(len(s))[0].expand(len(t), -1) for s, t in encode(chosen, *sides)}
    last = {tuple(s): torch.eye(len(s))[-1].expand(len(t), -1) for s, t in encode(chosen, *sides)}
    ask = dict(sentences=12, language="french")
    linked = [  # for each target word with gold links the sentence's length and the gold words
        (len(pair.source), {i for i, k in pair.alignment if k == j})
        for pair in chosen
        for j in {k for _, k in pair.alignment}
    ]

    def share(place):
        return pytest.approx(sum(place % n in gold for n, gold in linked) / len(linked))

    found = attention_lab.looks_and_gradients(Scripted(sides, first), *sides, **ask)
    assert found["look_is_gradient"] == 0
    assert found["look_is_gold"] == share(0) and found["gradient_is_gold"] == share(-1)
    found = attention_lab.looks_and_gradients(Scripted(sides, last), *sides, **ask)
    assert found["look_is_gradient"] == 1


def test_agreement_of_an_untrained_model_is_a_set_of_shares(model, sides):
    before = len(model.encoder.embedding._forward_hooks)
    found = attention_lab.looks_and_gradients(model, *sides, sentences=4, language="french")
    assert set(found) == {"look_is_gradient", "look_is_gold", "gradient_is_gold"}
    assert all(0 <= share <= 1 for share in found.values())
    assert len(model.encoder.embedding._forward_hooks) == before


def test_a_reader_from_the_end_is_not_asked_for_gradients(sides):
    source, target = sides
    config = AttentionConfig.tiny(
        len(source), len(target), bidirectional=False, reverse_source=True
    )
    model = AttentionEncoderDecoder(config)
    with pytest.raises(ValueError, match="reads its source from the end"):
        attention_lab.looks_and_gradients(model, *sides, sentences=2, language="french")
    small = attention_lab.STUDY.smoke | {"pairs": 130, "steps": 52, "sentences": 4}
    assert "agreement" not in attention_lab.run(small | {"reading": "reversed"}, 3)
    assert "agreement" in attention_lab.run(small, 3)


def test_states_belong_to_the_words_also_when_the_source_is_read_from_the_end(pairs, sides):
    """A changed word moves its own state and those of the words that are read after it."""
    source, target = sides
    [(s, t)] = encode([next(pair for pair in pairs if len(pair.source) == 9)], *sides)
    changed = [*s[:4], next(i for i in range(4, len(source)) if i != s[4]), *s[5:]]
    for reading in ({}, {"reverse_source": True}):
        torch.manual_seed(0)
        config = AttentionConfig.tiny(len(source), len(target), bidirectional=False, **reading)
        encoder = AttentionEncoderDecoder(config).eval().encoder
        before, after = (encoder(torch.tensor([ids]))[0][0] for ids in (s, changed))  # (S, D)
        moved = (before != after).any(-1).tolist()
        assert moved == [place <= 4 if reading else place >= 4 for place in range(9)]


# Other weights in place of the model's own -----------------------------------------------------


def test_the_uniform_score_gives_equal_weights():
    queries, keys = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    _, weights = attend(queries, keys, keys, score=attention_lab.uniform)
    assert torch.equal(weights, torch.full((2, 3, 5), 0.2))


@pytest.mark.parametrize("name", attention_lab.edits())
def test_an_edited_score_gives_exactly_the_edited_weights(model, name):
    torch.manual_seed(1)
    width = model.config.width
    queries, keys = torch.randn(2, 3, width), torch.randn(2, 5, width)
    own = model.decoder.score(queries, keys).softmax(-1)
    wanted = attention_lab.edits(seed=7)[name](own)
    edited = attention_lab.EditedScore(model.decoder.score, attention_lab.edits(seed=7)[name])
    _, weights = attend(queries, keys, keys, score=edited)
    torch.testing.assert_close(weights, wanted / wanted.sum(-1, keepdim=True))


def test_what_each_edit_does():
    edits = attention_lab.edits()
    own = torch.tensor([[0.1, 0.6, 0.3]])
    rows = {name: edit(own)[0].tolist() for name, edit in edits.items()}
    assert rows["own"] == pytest.approx([0.1, 0.6, 0.3])
    assert rows["only_largest"] == [0, 1, 0]
    assert rows["without_largest"] == pytest.approx([0.1, 0, 0.3])
    assert rows["uniform"] == [1, 1, 1]  # the softmax makes thirds of them
    assert rows["shifted"] == pytest.approx([0.3, 0.1, 0.6])
    many = torch.randn(4, 50, 9).softmax(-1)
    shuffled = edits["shuffled"](many)
    assert torch.equal(shuffled.sort(-1).values, many.sort(-1).values)
    moved = (shuffled != many).any(-1).float().mean()
    assert moved > 0.95  # of the rows, and not all in the same way
    assert (shuffled.argmax(-1) - many.argmax(-1)).unique().numel() > 3


def test_own_weights_leave_the_translation_as_it_is(model, pairs, sides):
    some = pairs[:20]
    same = attention_lab.with_edited_weights(model.eval(), attention_lab.edits()["own"])
    assert translate(same, *sides, some) == translate(model, *sides, some)
    other = attention_lab.with_edited_weights(model, attention_lab.edits()["shuffled"])
    source, target = torch.tensor([encode(some, *sides)[0][0]]), torch.tensor([[BOS, 4, 5]])
    torch.testing.assert_close(same(source, target), model(source, target))
    assert not torch.allclose(other(source, target), model(source, target))
    assert not isinstance(model.decoder.score, attention_lab.EditedScore)  # it was copied


def test_replaced_weights_are_counted_over_real_words(model, sides):
    found = attention_lab.replaced_weights(model, *sides, sentences=10, language="french")
    assert list(found) == list(attention_lab.edits())
    assert found["own"]["unchanged"] == 1
    assert all(0 <= share <= 1 for row in found.values() for share in row.values())


# The comparison with chapter 03 ----------------------------------------------------------------


def test_data_budget_and_seeds_are_those_of_the_bottleneck():
    [wide] = [c for c in bottleneck.STUDY.cells if c == bottleneck._cell()]
    for name in ("pairs", "sentences"):
        assert {c[name] for c in attention_lab.STUDY.cells} == {wide[name]}
    assert {c["steps"] for c in attention_lab.STUDY.cells} == {wide["steps"], 3 * wide["steps"]}
    assert attention_lab.STUDY.seeds == bottleneck.STUDY.seeds
    assert set(attention_lab.SCORES) <= {c["score"] for c in attention_lab.STUDY.cells}
    assert all(config in attention_lab.STUDY.cells for config in attention_lab.KEPT.values())


def test_without_a_score_it_is_the_training_of_the_bottleneck():
    small = {"pairs": 150, "steps": 52}
    ours = attention_lab.train_model(attention_lab._cell("none", reading="forward") | small, 3)
    theirs = bottleneck.train_model(bottleneck._cell() | small, 3)
    assert ours[3].losses == theirs[3].losses


def test_recorded_lab_cells_hold_together():
    cells = studies.load("attention_lab").cells
    for cell in cells:
        metrics = cell["metrics"]
        assert len(metrics["losses"]) == cell["config"]["steps"] / 50
        assert set(metrics["exact_match"]) == set(metrics["bleu"])
        assert "tok:13a" in metrics["signature"]
        if cell["config"]["score"] in attention_lab.SCORES:
            floor = {"french": 0.05, "korean": 0.14}[cell["config"]["language"]]
            assert floor < metrics["alignment"]["error_rate"] < 1
            assert metrics["replaced"]["own"]["unchanged"] == 1


@pytest.mark.parametrize("words", ["25-27", "28-30", "31-40"])
@pytest.mark.parametrize("score", attention_lab.SCORES)
def test_the_gap_on_long_sentences_is_beyond_the_intervals(score, words):
    with_score = [
        c for c in studies.load("attention_lab").cells if c["config"] == attention_lab._cell(score)
    ]
    assert len(with_score) == len(attention_lab.STUDY.seeds)
    ours = studies.load("attention_lab").interval(f"exact_match.{words}", **with_score[0]["config"])
    fixed = studies.load("bottleneck").interval(f"exact_match.{words}", **bottleneck._cell())
    assert ours.low > fixed.high + 0.3


# Loading ---------------------------------------------------------------------------------------


LOADERS = {
    "attention_lab_french": attention_lab.load_translator,
    "attention_lab_korean": lambda folder: attention_lab.load_translator("korean", folder=folder),
    verses_attention.NAME: verses_attention.load_translator,
    verses_fixed_vector.NAME: verses_fixed_vector.load_translator,
}


@pytest.mark.parametrize("name", LOADERS)
def test_what_is_not_there_is_named(name, tmp_path):
    with pytest.raises(KeyError, match=f"no weights '{name}'; there are: none yet"):
        LOADERS[name](folder=tmp_path)
    (tmp_path / f"{name}.safetensors").write_bytes(b"x")
    (tmp_path / f"{name}.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=f"{name}.source.json"):
        LOADERS[name](folder=tmp_path)


def test_another_language_is_named():
    with pytest.raises(KeyError, match="no translator into 'german'; there are: french, korean"):
        attention_lab.load_translator("german")


def test_the_kept_french_translator():
    _translates("french")


def test_the_kept_korean_translator():
    _translates("korean")


def _translates(language: str) -> None:
    name = f"attention_lab_{language}"
    model, source, target = attention_lab.load_translator(language)
    assert not model.training and model.config.score == "additive"
    test = lab.generate(40, seed=7, lengths=(6, 12), target=language, split="test")
    written = translate(model, source, target, test)
    right = [tuple(words) == pair.target for words, pair in zip(written, test, strict=True)]
    assert sum(right) >= 30
    found = attention_lab.alignment(model, source, target, test)
    assert found["error_rate"] < 0.6  # a monotone diagonal has 0.43 in French, 0.87 in Korean
    files = list(artifacts.CHECKPOINTS.glob(f"{name}.*"))
    assert sum(file.stat().st_size for file in files) < 1_000_000
    card = json.loads((artifacts.CHECKPOINTS / f"{name}.json").read_text(encoding="utf-8"))
    assert card["config"] == attention_lab.KEPT[language]
    cells = studies.load("attention_lab").cells
    if cells:  # 16-bit weights are kept after the measuring, so the card holds the record's scores
        [cell] = [c for c in cells if c["config"] == card["config"] and c["seed"] == card["seed"]]
        assert card["scores"]["overall"] == cell["metrics"]["overall"]


# Verses ----------------------------------------------------------------------------------------


TINY = verses_attention.STUDY.smoke | {"merges": 20, "width": 8, "embedding": 8, "every": 1}


def book(name: str, mark: str, count: int) -> list[verses.VersePair]:
    """Verses of a book, each with a number of its own and all with the book's mark."""
    return [
        verses.VersePair(name, 1, n, f"and {mark} went {n} times.", f"et {mark} alla {n} fois.")
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize("which", ["attention", "fixed"])
def test_nothing_of_the_held_out_books_is_in_the_training(monkeypatch, which):
    corpus = book("Genesis", "known", 70) + book("Hosea", "qqq", 6) + book("Daniel", "www", 6)
    monkeypatch.setattr(verses_attention.verses, "load", lambda *languages: corpus)
    seen, scored = SimpleNamespace(texts=[], ids=[]), []

    def watched_bpe(texts, *arguments, **options):
        texts = list(texts)
        seen.texts.extend(texts)
        return bpe_train(texts, *arguments, **options)

    def watched_sampler(ids, **options):
        seen.ids.extend(ids)
        return train_sampler(ids, **options)

    def watched_dictionary(pairs):
        pairs = list(pairs)
        seen.texts.extend(text for pair in pairs for text in (pair.source, pair.target))
        return learn_dictionary(pairs)

    def watched_translate(model, source, target, sentences, **options):
        scored.extend(sentences)
        return ["rien"] * len(sentences)

    bpe_train, train_sampler = verses_attention.BPE.train, verses_attention.PairSampler
    learn_dictionary = verses_attention.learn_dictionary
    monkeypatch.setattr(verses_attention.BPE, "train", watched_bpe)
    monkeypatch.setattr(verses_attention, "PairSampler", watched_sampler)
    monkeypatch.setattr(verses_attention, "learn_dictionary", watched_dictionary)
    monkeypatch.setattr(verses_attention, "translate", watched_translate)
    config = TINY | {"model": which, "score": "additive" if which == "attention" else "none"}
    metrics = verses_attention.run(config, 0)
    assert len(seen.ids) == 70 and len(seen.texts) == 4 * 70
    assert not any(mark in text for text in seen.texts for mark in ("qqq", "www"))
    assert sum("qqq" in text for text in scored) == sum("www" in text for text in scored) == 6
    assert metrics["training_pairs"] == 70
    assert metrics["test"]["verses"] == metrics["validation"]["verses"] == 6
    for part in ("validation", "test"):
        for system in ("model", "dictionary"):
            assert "tok:13a" in metrics[part][system]["signature"]


def test_verses_differ_in_attention_only():
    one, other = verses_attention.STUDY.cells
    assert {name for name in one if one[name] != other[name]} == {"model", "score"}
    assert len(verses_attention.STUDY.seeds) >= 3


def test_verses_by_words_cover_each_verse_once():
    sentences = [" ".join(["word"] * n) for n in (1, 12, 13, 30, 31, 60)]
    found = verses_attention._by_words(sentences, sentences, sentences)
    assert {name: row["verses"] for name, row in found.items()} == {
        "1-12": 2,
        "13-18": 1,
        "25-30": 1,
        "31-99": 2,
    }


def test_recorded_verse_scores_say_how_they_were_computed():
    cells = studies.load("verses_attention").cells
    signatures = {
        cell["metrics"][part][system]["signature"]
        for cell in cells
        for part in ("validation", "test")
        for system in ("model", "dictionary")
    }
    assert len(signatures) == 1 and "tok:13a" in signatures.pop()
    for cell in cells:
        test = cell["metrics"]["test"]
        assert sum(row["verses"] for row in test["by_words"].values()) == test["verses"]


def test_the_kept_verse_translator():
    model, source, target = verses_attention.load_translator()
    verse, longer = "And God said to him, Go.", "And it was so for a long time in the land."
    [text] = verses_fixed_vector.translate(model, source, target, [verse])
    both = verses_fixed_vector.translate(model, source, target, [longer, verse])
    assert text and both[1] == text and not model.training
    ids = [(source.encode(verse), target.encode(text))]
    [weights] = weights_of(model, ids)
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[0]))
    files = list(artifacts.CHECKPOINTS.glob(f"{verses_attention.NAME}.*"))
    assert sum(file.stat().st_size for file in files) < 8_000_000
    assert (
        sum(p.numel() for p in model.parameters())
        == json.loads(
            (artifacts.CHECKPOINTS / f"{verses_attention.NAME}.json").read_text(encoding="utf-8")
        )["parameters"]
    )
