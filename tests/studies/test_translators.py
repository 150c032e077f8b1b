"""The translators of chapters 2 to 7: what the studies compute, and what they leave behind."""

import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from course_lib import studies
from course_lib.attention.attend import attend
from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data import lab
from course_lib.data import verses as corpus
from course_lib.data.batching import PairSampler
from course_lib.decoding.translation import Translator, score, tokenizers
from course_lib.evaluation.scores import alignment_error_rate
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.recurrent.word_dictionary import WordDictionary
from course_lib.studies import Record
from course_lib.studies.ch02 import lab_translation, verse_translation
from course_lib.studies.ch04 import attention_lab
from course_lib.studies.ch07 import contest, decoding_cost, page_translators, scaling
from course_lib.studies.engine import measure, translators
from course_lib.text.words import BOS, EOS
from course_lib.transformer.costs import training_flops
from course_lib.transformer.model import Transformer, TransformerConfig


@pytest.fixture(scope="module")
def pairs() -> list[lab.Pair]:
    return lab.generate(130, seed=0, lengths=(4, 12))


@pytest.fixture(scope="module")
def sides(pairs):
    return tokenizers(pairs)


@pytest.fixture
def translator(sides) -> Translator:
    torch.manual_seed(0)
    sizes = AttentionConfig.tiny(*map(len, sides), dropout=0.5)
    return Translator(AttentionEncoderDecoder(sizes), *sides)


@pytest.fixture
def model(translator) -> AttentionEncoderDecoder:
    return translator.model


# Chapter 2 -------------------------------------------------------------------------------------


def test_exact_match_by_words():
    pairs = lab.generate(60, seed=0, lengths=(4, 8))
    some_right = [pair.target if len(pair.source) < 7 else ("non",) for pair in pairs]
    by_words = lab_translation.by_words(some_right, pairs)
    assert by_words == {"4": 1, "5": 1, "6": 1, "7": 0, "8": 0}


def test_forced_accuracy_is_counted_over_real_tokens_and_free_agrees_at_the_first(pairs, sides):
    torch.manual_seed(0)
    model = EncoderDecoder(Seq2SeqConfig.tiny(*map(len, sides))).eval()
    translator = Translator(model, *sides)
    right = total = 0
    for s, t in translator.encode(pairs):
        logits = model(torch.tensor([s]), torch.tensor([[BOS, *t]]))
        right += int((logits.argmax(-1)[0] == torch.tensor([*t, EOS])).sum())
        total += len(t) + 1
    found = lab_translation.forced_and_free(translator, pairs)
    forced, free = found["forced"], found["free"]
    assert forced["words"] == pytest.approx(right / total, abs=1e-6)
    assert forced["by_position"][0] == free["by_position"][0]
    assert len(forced["by_position"]) == lab_translation.POSITIONS
    assert forced["sentences"] == free["sentences"]  # all right means the same inputs


# Where a model looks ---------------------------------------------------------------------------


class Scripted(nn.Module):
    """Looks where `script` says, and writes words that depend on the last source word only."""

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
    for pair, (s, t) in zip(pairs, Translator(None, *sides).encode(pairs), strict=True):
        weights = torch.zeros(len(t), len(s))
        for i, j in reversed(pair.alignment):
            weights[j] = 0.0
            weights[j, i] = 1.0  # the first of several
        weights[weights.sum(-1) == 0, 0] = 1.0
        script[tuple(s)] = weights
        links.append({(int(row.argmax()), j) for j, row in enumerate(weights)})
    found = attention_lab.alignment(Translator(Scripted(sides, script), *sides), pairs)
    gold = [pair.alignment for pair in pairs]
    assert found["error_rate"] == pytest.approx(alignment_error_rate(links, gold))
    assert found["error_rate"] == pytest.approx(floor, abs=0.01)
    assert found["weight_on_gold"] <= 1
    spread = {s: torch.full_like(weights, 1 / weights.shape[1]) for s, weights in script.items()}
    blind = attention_lab.alignment(Translator(Scripted(sides, spread), *sides), pairs)
    assert blind["error_rate"] > 0.8 and blind["weight_on_gold"] < 0.2


def test_weight_on_gold_adds_up_the_gold_words_of_each_target_word(sides):
    [pair] = lab.generate(1, seed=0, lengths=(6, 6))
    pair = pair._replace(alignment=((0, 0), (1, 0), (2, 1)))
    [(s, t)] = Translator(None, *sides).encode([pair])
    weights = torch.zeros(len(t), len(s))
    weights[:, :3] = torch.tensor([0.25, 0.5, 0.25])
    found = attention_lab.alignment(
        Translator(Scripted(sides, {tuple(s): weights}), *sides), [pair]
    )
    assert found["weight_on_gold"] == pytest.approx(((0.25 + 0.5) + 0.25) / 2)


def test_the_gradient_finds_the_word_that_the_prediction_depends_on(monkeypatch, pairs, sides):
    chosen = [pair for pair in pairs if len(pair.source) > 7][:12]
    monkeypatch.setattr(attention_lab, "held_out", lambda *asked: chosen)
    ids = Translator(None, *sides).encode(chosen)
    first, last = (
        {tuple(s): torch.eye(len(s))[place].expand(len(t), -1) for s, t in ids} for place in (0, -1)
    )
    linked = [  # for each target word with gold links the sentence's length and the gold words
        (len(pair.source), {i for i, k in pair.alignment if k == j})
        for pair in chosen
        for j in {k for _, k in pair.alignment}
    ]

    def share(place):
        return pytest.approx(sum(place % n in gold for n, gold in linked) / len(linked))

    ask = dict(sentences=12, language="french")
    found = attention_lab.looks_and_gradients(Translator(Scripted(sides, first), *sides), **ask)
    assert found["look_is_gradient"] == 0
    assert found["look_is_gold"] == share(0) and found["gradient_is_gold"] == share(-1)
    found = attention_lab.looks_and_gradients(Translator(Scripted(sides, last), *sides), **ask)
    assert found["look_is_gradient"] == 1


def test_a_reader_from_the_end_is_not_asked_for_gradients(sides):
    turned = AttentionConfig.tiny(*map(len, sides), bidirectional=False, reverse_source=True)
    turned = Translator(AttentionEncoderDecoder(turned), *sides)
    with pytest.raises(ValueError, match="reads its source from the end"):
        attention_lab.looks_and_gradients(turned, sentences=2, language="french")


# Other weights in place of the model's own -----------------------------------------------------


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
    assert (shuffled != many).any(-1).float().mean() > 0.95  # of the rows
    assert (shuffled.argmax(-1) - many.argmax(-1)).unique().numel() > 3  # not all in the same way


@pytest.mark.parametrize("name", attention_lab.edits())
def test_an_edited_score_gives_exactly_the_edited_weights(model, name):
    queries, keys = torch.randn(2, 3, model.config.width), torch.randn(2, 5, model.config.width)
    wanted = attention_lab.edits(seed=7)[name](model.decoder.score(queries, keys).softmax(-1))
    edited = attention_lab.EditedScore(model.decoder.score, attention_lab.edits(seed=7)[name])
    _, weights = attend(queries, keys, keys, score=edited)
    torch.testing.assert_close(weights, wanted / wanted.sum(-1, keepdim=True))


def test_the_uniform_score_gives_equal_weights():
    queries, keys = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    _, weights = attend(queries, keys, keys, score=attention_lab.uniform)
    assert torch.equal(weights, torch.full((2, 3, 5), 0.2))


def test_own_weights_leave_the_translation_as_it_is(translator, pairs):
    model = translator.model
    found = attention_lab.replaced_weights(translator, sentences=10, language="french")
    assert list(found) == list(attention_lab.edits()) and found["own"]["unchanged"] == 1
    assert all(0 <= share <= 1 for row in found.values() for share in row.values())
    assert not isinstance(model.decoder.score, attention_lab.EditedScore)  # it was copied
    other = attention_lab.with_edited_weights(model, attention_lab.edits()["shuffled"])
    source, target = torch.tensor([translator.encode(pairs)[0][0]]), torch.tensor([[BOS, 4, 5]])
    assert not torch.allclose(other(source, target), model(source, target))


# One protocol for all --------------------------------------------------------------------------


# What was kept ---------------------------------------------------------------------------------

KEPT = {
    "attention_lab_french": attention_lab.load_translator,
    "attention_lab_korean": lambda **at: attention_lab.load_translator("korean", **at),
    "transformer_lab": contest.load_translator,
    "transformer_lab_korean": partial(page_translators.load_translator, "transformer", "korean"),
    "fixed_lab_french": partial(page_translators.load_translator, "fixed", "french"),
    "fixed_lab_korean": partial(page_translators.load_translator, "fixed", "korean"),
    "verses_fixed_vector": verse_translation.load_fixed_vector,
    "verses_attention": verse_translation.load_attention,
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_not_there_is_named(name, tmp_path):
    with pytest.raises(KeyError, match=f"no weights '{name}'; there are: none yet"):
        KEPT[name](folder=tmp_path)
    (tmp_path / f"{name}.safetensors").write_bytes(b"x")
    (tmp_path / f"{name}.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=f"{name}.source.json"):
        KEPT[name](folder=tmp_path)


@pytest.mark.parametrize("name", [name for name in KEPT if "verses" not in name])
def test_kept_translators_of_the_lab_translate_what_they_have_not_seen(name):
    kept = KEPT[name]()
    assert not kept.model.training
    language = "korean" if "korean" in name else "french"
    lengths = (4, 8) if "fixed" in name else (6, 12)
    test = lab.generate(40, seed=7, lengths=lengths, target=language, split="test")
    assert score(kept.translate(test), test)["exact_match"] >= 0.75
    if "attention" in name:  # a monotone diagonal has 0.43 in French, 0.87 in Korean
        assert attention_lab.alignment(kept, test)["error_rate"] < 0.6


@pytest.mark.parametrize("language", page_translators.LANGUAGES)
def test_the_translators_of_the_pages_have_one_vocabulary_and_one_budget(language):
    kept = page_translators.KEPT[language]
    loaded = [page_translators.load_translator(model, language) for model in kept]
    assert len({one.source.vocabulary.tokens for one in loaded}) == 1
    assert len({one.target.vocabulary.tokens for one in loaded}) == 1
    assert {(one.config["steps"], one.config["pairs"]) for one in kept.values()} == {(2000, 20_000)}
    # The one that a study of chapter 4 keeps was trained with the settings of the contest, too.
    assert contest.SETTINGS["attention"] == {"lr": 4e-3, "warmup": 50}


@pytest.mark.parametrize("name", [name for name in KEPT if "verses" in name])
def test_kept_translators_of_verses(name):
    kept = KEPT[name]()
    verse, longer = "And God said to him, Go.", "And it was so for a long time in the land."
    [text] = kept.translate([verse])
    assert text and kept.translate([longer, verse])[1] == text and not kept.model.training


# Verses ----------------------------------------------------------------------------------------


def book(name: str, mark: str, count: int) -> list[corpus.VersePair]:
    """Verses of a book, each with a number of its own and all with the book's mark."""
    return [
        corpus.VersePair(name, 1, n, f"and {mark} went {n} times.", f"et {mark} alla {n} fois.")
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize("kind", ["attention", "fixed", "first"])
def test_nothing_of_the_held_out_books_is_in_the_training(monkeypatch, kind):
    bible = book("Genesis", "known", 70) + book("Hosea", "qqq", 6) + book("Daniel", "www", 6)
    monkeypatch.setattr(corpus, "load", lambda *languages: bible)
    learned, trained, scored = [], [], []
    train, learn = verse_translation.BPE.train, verse_translation.learn_dictionary

    def watched_train(texts, *sizes, **options):
        learned.extend(texts := list(texts))
        return train(texts, *sizes, **options)

    def watched_sampler(ids, **options):
        trained.extend(ids)
        return PairSampler(ids, **options)

    def watched_learn(pairs):
        learned.extend(text for pair in pairs for text in (pair.source, pair.target))
        return learn(pairs)

    def watched_translate(self, sentences, **options):
        scored.extend(sentences)
        return ["rien"] * len(sentences)

    monkeypatch.setattr(verse_translation.BPE, "train", watched_train)
    monkeypatch.setattr(verse_translation, "PairSampler", watched_sampler)
    monkeypatch.setattr(verse_translation, "learn_dictionary", watched_learn)
    monkeypatch.setattr(Translator, "translate", watched_translate)
    tiny = {"merges": 20, "width": 8, "embedding": 8}
    if kind == "first":
        parts = ("short", "all")
        found = verse_translation.run_fixed_vector(verse_translation.FIXED_VECTOR.smoke | tiny, 0)
        assert len({text for text in scored if "www" in text or "qqq" in text}) == 6
    else:
        parts = ("validation", "test")
        tiny |= {"every": 1, "model": kind}
        found = verse_translation.run_attention(verse_translation.ATTENTION.smoke | tiny, 0)
        assert sum("qqq" in text for text in scored) == sum("www" in text for text in scored) == 6
    assert len(trained) == 70 == found["training_pairs"] and len(learned) == 4 * 70
    assert not any(mark in text for text in learned for mark in ("qqq", "www"))
    for part in parts:
        assert found[part]["verses"] == 6
        for system in ("model", "dictionary"):
            assert "tok:13a" in found[part][system]["signature"]


def test_verses_by_words_cover_each_verse_once():
    sentences = [" ".join(["word"] * n) for n in (1, 12, 13, 30, 31, 60)]
    found = verse_translation._by_words(sentences, sentences, sentences)
    sizes = {name: row["verses"] for name, row in found.items()}
    assert sizes == {"1-12": 2, "13-18": 1, "25-30": 1, "31-99": 2}


def test_word_by_word_keeps_punctuation_readable():
    dictionary = WordDictionary({"God": {"Dieu": 1.0}, "said": {"dit": 0.9, "a": 0.1}})
    assert verse_translation.word_by_word(dictionary, ["God said: light."]) == ["Dieu dit: light."]


# Costs -----------------------------------------------------------------------------------------


@pytest.fixture
def record():
    """Two seeds; at 100, 200 and 400 steps they cost 1, 2, 4 and 2, 4, 8 seconds."""
    cells = [
        {
            "config": {"model": "transformer", "language": "french", "steps": steps},
            "seed": seed,
            "metrics": {"cost": {"seconds": (seed + 1) * steps / 100}, "quality": quality},
        }
        for steps, quality in ((400, 0.9), (100, 0.1), (200, 0.5))
        for seed in (0, 1)
    ]
    return Record("toy", "07", "", True, 6, [], None, cells)


def test_quality_at_a_cost_is_straight_over_the_logarithm(record):
    def at(budget):
        return contest.at_cost(record, "transformer", "quality", cost="seconds", budget=budget)

    assert at(2.0).mean == pytest.approx((0.5 + 0.1) / 2)  # on a point of either seed
    between = 0.5 + 0.4 * (math.log(3) - math.log(2)) / math.log(2), 0.1 + 0.4 * math.log2(1.5)
    assert at(3.0).mean == pytest.approx(sum(between) / 2)


def best_of(study, **select):
    """The configuration with the best BLEU on validation sentences."""
    cells = [c for c in studies.load(study).cells if select.items() <= c["config"].items()]
    bleu = [c["metrics"].get("inside", c["metrics"])["bleu"] for c in cells]
    return max(bleu), cells[bleu.index(max(bleu))]["config"]


def test_the_contest_uses_what_its_search_found():
    tried = {model: best_of("contest_search", model=model) for model in contest.MODELS}
    for model, (_, config) in tried.items():
        assert contest.SETTINGS[model].items() <= config.items()
    assert contest.BEST == max(contest.TRANSFORMERS, key=lambda model: tried[model][0])
    assert contest.SEARCH_SEED not in contest.CONTEST.seeds


def test_the_scaling_study_uses_what_its_search_found():
    for model, rates in scaling.RATES.items():
        assert rates["medium"] == contest.SETTINGS[model]["lr"]
        for size in ("small", "large"):
            assert rates[size] == best_of("scaling_search", model=model, size=size)[1]["lr"]
    assert all(cell["split"] == "validation" for cell in scaling.SEARCH.cells)
    assert all(cell["split"] == "test" for cell in scaling.SCALING.cells)


@pytest.mark.parametrize("size", scaling.SIZES)
def test_models_that_are_compared_are_about_equally_large(size):
    numbers = [measure.size(scaling.build(model, size, 160, 150)) for model in scaling.MODELS]
    assert max(numbers) < 1.12 * min(numbers)
    if size == "medium":
        for model, number in zip(scaling.MODELS, numbers, strict=True):
            assert measure.size(contest.build(model, 160, 150)) == number


def test_curve_goes_from_few_steps_to_many(record):
    def means(cost):
        points = contest.curve(record, "transformer", "quality", cost=cost)
        return [(spent.mean, quality.mean) for spent, quality in points]

    assert means("steps") == [(100, 0.1), (200, 0.5), (400, 0.9)]
    assert means("seconds") == [(1.5, 0.1), (3, 0.5), (6, 0.9)]


def test_flops_are_those_of_the_batches_with_padding():
    batches = PairSampler([([4, 5], [6, 7, 8]), ([4], [5])], batch_size=2, seed=0)
    sizes = TransformerConfig.tiny(9, 9)
    found = translators.flops(Transformer(sizes), batches, 2)
    assert found == 2 * 2 * training_flops(sizes, 2, 4)  # B = 2, S = 2, T = 3 + the mark


def test_a_sentence_costs_the_sum_of_its_words():
    sums = decoding_cost._sums({"1": 1.0, "2": 2.0, "4": 4.0})
    assert sums == {"1": 1.0, "2": 3.0, "4": 1 + 2 + 3 + 4}
