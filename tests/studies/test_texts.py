"""Chapters 9 to 11: no test text anywhere, one protocol, ways to tune, what is kept."""

import math
import os
import re
import signal
from functools import cache

import pytest
import torch

from course_lib.data import reviews, sentence_order, wikipedia
from course_lib.data.splits import TextTask
from course_lib.gpt.classifier import marks_for
from course_lib.gpt.model import GPT, GPTConfig
from course_lib.recurrent.streams import join
from course_lib.studies.ch09 import few_labels, tasks
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.ch10 import gpt_models, gpt_tuning
from course_lib.studies.ch11 import (
    bert_tuning,
    small_bert,
)
from course_lib.text.bpe import BPE
from course_lib.text.wordpiece import SPECIALS, WordPiece
from course_lib.text.words import UNK, WordTokenizer
from course_lib.transfer import freezing

LETTERS = [chr(n) for n in range(97, 123)]
PIECES = WordPiece([*SPECIALS, *LETTERS, *(f"##{letter}" for letter in LETTERS), "the", "of"])
TEXTS = ["a b c a b", "b c a c", "c a b b a c a"] * 40


@pytest.fixture(scope="module", autouse=True)
def read_once():
    """The archives are read once, and the subwords of these tests learned from few texts."""
    with pytest.MonkeyPatch.context() as patched:
        for corpus in (reviews, wikipedia):
            patched.setattr(corpus, "load", cache(corpus.load))
        texts = lm.vocabulary_texts()
        with pytest.MonkeyPatch.context() as few:
            few.setattr(lm, "vocabulary_texts", lambda: texts[::40])
            lm.tokenizer(300)
        yield


@cache
def words(text: str) -> str:
    return re.sub(r"\W+", " ", text.casefold()).strip()


@pytest.fixture(scope="module")
def held_out() -> set[str]:
    """Every validation and test text of reviews and topics, as bare words."""
    parts = [*reviews.split(reviews.load())[1:], *wikipedia.split(wikipedia.load())[1:]]
    return {words(item.text) for part in parts for item in part}


@pytest.fixture(scope="module")
def small():
    return lm.tokenizer(300)


@pytest.fixture(scope="module")
def abc():
    return WordTokenizer.train(TEXTS)


def body():
    torch.manual_seed(7)
    return lm.build({"merges": 300, "embedding": 8, "width": 12}).body


# Texts -----------------------------------------------------------------------------------------


def test_no_held_out_text_is_in_the_vocabulary_or_in_a_language_model(held_out):
    streams = [lm.vocabulary_texts(), lm.wikipedia_texts(1)[0], lm.review_texts(1)[0]]
    assert len(held_out) > 4000
    for texts in streams:
        assert texts and not held_out & {words(text) for text in texts}
    test = {words(review.text) for review in reviews.split(reviews.load()).test}
    test |= {words(article.text) for article in wikipedia.split(wikipedia.load()).test}
    for _, scored_on in (lm.wikipedia_texts(0), lm.review_texts(0)):
        assert scored_on and not test & {words(text) for text in scored_on}


def test_domain_text_is_a_nested_share_of_training_films():
    sizes, last = [], set()
    for share in (0.01, 0.1, 1.0):
        texts = set(lm.review_texts(3, share)[0])
        assert last <= texts
        last = texts
        sizes.append(len(texts))
    everything = len(reviews.split(reviews.load()).train)
    assert sizes[0] == pytest.approx(0.01 * everything, abs=2) and sizes[2] >= everything - 30


@pytest.mark.parametrize("task", tasks.MAJORITY)
def test_no_held_out_text_is_tuned_to_and_the_labels_are_those_of_the_protocol(held_out, task):
    parts = tasks.parts(task, 2, lambda one, other: [len(one), len(other or "")])
    labeled, validation, test = ({words(t) for t in part.written} for part in parts.values())
    assert labeled and not held_out & labeled and not validation & test
    articles, few = wikipedia.load(), parts["labeled"].first(100)
    wanted, texts, labels = {
        "reviews": lambda: (reviews.task(reviews.load(), 2), "text", lambda one: one.label),
        "topics": lambda: (
            wikipedia.topic_task(articles, 2),
            "text",
            lambda one: wikipedia.TOPICS.index(one.topic),
        ),
        "order": lambda: (sentence_order.task(articles, 2), "first", lambda one: one.label),
    }[task]()
    first = wanted.labeled[:100]
    assert few.labels == [labels(one) for one in first]
    assert [ids[0] for ids in few.ids] == [len(getattr(one, texts)) for one in first]
    assert all(text == text.lower() for text in few.written)
    assert len(parts["labeled"].labels) == min(5000, len(wanted.labeled))
    assert len(parts["test"].labels) == len(wanted.test)


def test_a_text_is_encoded_when_it_is_asked_for_and_only_once():
    asked = []

    def encode(one, other):
        asked.append(one)
        return [len(one)]

    parts = tasks.parts("topics", 0, encode)
    few, test = parts["labeled"].first(3), parts["test"]
    assert not asked and len(few.ids) == 3 and len(test.ids) == len(test.written)
    for _ in range(2):
        assert few.ids[1] == [len(few.written[1])] and list(few.ids[1:]) == list(few.ids)[1:]
    assert [text.lower() for text in asked] == [few.written[i] for i in (1, 2, 0)]


def test_pairs_keep_their_order_and_their_length(monkeypatch, small):
    pairs = sentence_order.task(wikipedia.load(), 0).test[:6]
    three = TextTask(pairs, pairs, pairs)
    monkeypatch.setattr(sentence_order, "task", lambda *asked: three)
    marks, longest = marks_for(len(small)), gpt_tuning.LONGEST_PAIR
    gpt, bert, lstm = (
        module.parts("order", tokens, 0)["test"].ids
        for module, tokens in ((gpt_tuning, small), (bert_tuning, PIECES), (tuning, small))
    )
    for pair, one, two, three in zip(pairs, gpt, bert, lstm, strict=True):
        assert one[0] == marks.start and one[-1] == marks.extract
        assert one.count(marks.delimiter) == 1 and len(one) <= longest
        before = one[1 : one.index(marks.delimiter)]
        assert before == small.encode(pair.first.lower())[: len(before)]
        assert two == PIECES.text(pair.first, pair.second, longest=longest).ids
        first, second = (small.encode(text.lower())[:46] for text in pair[:2])
        assert three == [1, *first, 2, 1, *second, 2] and len(three) <= longest


def test_the_subset_is_fixed_balanced_and_part_of_the_test():
    parts = [tasks.parts("reviews", seed, lambda one, other: []) for seed in (0, 1)]
    one, other = (bert_tuning.subset(each["test"]) for each in parts)
    assert one.written == other.written and len(one.labels) == 500 and sum(one.labels) == 250
    whole = dict(zip(parts[0]["test"].written, parts[0]["test"].labels, strict=True))
    assert len(whole) == 2000
    assert all(whole[text] == label for text, label in zip(one.written, one.labels, strict=True))


def test_averaged_accuracy_by_hand():
    assert tasks.averaged([0, 0, 0, 1], [0, 0, 0, 0]) == 0.75
    assert tasks.averaged([0, 0, 0, 0], [0, 0, 0, 1]) == 0.5  # a frequent class does not help


def test_the_baseline_learns_words_and_cannot_tell_the_order():
    few = tasks.Texts(["good film", "bad film", "good", "bad"], [], [1, 0, 1, 0])
    assert tasks.tfidf(few, tasks.Texts(["a good one", "a bad one"], [], [1, 0])) == 1.0
    parts = tasks.parts("order", 0, lambda one, other: [])
    found = tasks.tfidf(parts["labeled"].first(200), parts["test"])
    assert abs(found - 0.5) < 0.06  # pairs of words cross the border of the sentences


# Language models -------------------------------------------------------------------------------


def test_the_vocabulary_is_small_and_knows_nearly_every_character():
    tokens = lm.WIKIPEDIA.tokenizer(BPE)
    ids = join(lm.review_texts(0)[1], tokens).tolist()
    assert len(tokens) <= 8000 and ids.count(UNK) / len(ids) < 0.002


@pytest.mark.parametrize("adapt", [False, True])
def test_a_killed_language_model_goes_on_to_the_last_bit(tmp_path, monkeypatch, adapt):
    monkeypatch.setattr(lm, "STREAMS", 2)
    monkeypatch.setattr(lm, "LENGTH", 8)
    ids = torch.randint(4, 30, (400,), generator=torch.Generator().manual_seed(0))
    batch, whole, halves = lm.StreamSampler.batch, [], []

    def stopped(self, step: int):  # as Ctrl-C does, before the batch of step 6
        if step == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return batch(self, step)

    for result, samplers in ((whole, [batch]), (halves, [stopped, batch])):
        path = tmp_path / f"{len(samplers)}.safetensors"
        for sampler in samplers:
            torch.manual_seed(4)
            model = lm.build({"merges": 300, "embedding": 8, "width": 12})
            monkeypatch.setattr(lm.StreamSampler, "batch", sampler)
            try:
                lm.learn(model, ids, 12, 1e-2, adapt=adapt, checkpoint=path)
            except KeyboardInterrupt:
                continue
        result.extend(model.parameters())
    assert all(torch.equal(one, other) for one, other in zip(whole, halves, strict=True))


def test_scores_of_a_model_that_knows_nothing(abc):
    model = GPT(GPTConfig.course(len(abc), width=16, heads=2, layers=1)).eval()
    with torch.no_grad():
        model.body.wte.weight.zero_()  # all tokens equally likely
    found, uniform = gpt_models.scored(model, TEXTS, abc), math.log(len(abc))
    assert found["nats"] == pytest.approx(uniform, abs=1e-4)
    assert found["cut"]["perplexity"] == pytest.approx(len(abc), rel=1e-3)
    assert found["by_context"] == pytest.approx([uniform] * len(gpt_models.BORDERS), abs=1e-4)
    bits = uniform / math.log(2) * len(join(TEXTS, abc)) / sum(map(len, TEXTS))
    assert found["bits_per_character"] == pytest.approx(bits, abs=1e-3)


def test_pieces_cover_a_text_without_a_gap():
    text = "the " * 200 + "of " * 90
    found = small_bert.pieces([text, "of"], PIECES)
    inside = [id for piece in found for id in piece.ids[1:-1]]
    assert inside == PIECES.encode(text)[: len(inside)] and len(inside) > 280
    assert all(8 <= len(piece.ids) <= small_bert.LENGTH for piece in found)
    assert all((p.ids[0], p.ids[-1]) == (PIECES.cls, PIECES.sep) for p in found)


# What is kept ----------------------------------------------------------------------------------

KEPT = {  # what is kept, a new model for some subwords, and the way back
    "lstm": (lm.WIKIPEDIA, lambda _: lm.build({}), lambda **at: lm.load_kept(lm.WIKIPEDIA, **at)),
    "gpt": (
        gpt_models.KEPT,
        lambda subwords: gpt_models.build({}, len(subwords)),
        gpt_models.load_kept,
    ),
    "bert": (
        small_bert.KEPT,
        lambda subwords: small_bert.build({"direction": "both"}, subwords),
        small_bert.load_kept,
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_model_comes_back_with_its_subwords(tmp_path, monkeypatch, small, name):
    monkeypatch.setattr(lm, "MERGES", 300)
    monkeypatch.setenv("COURSE_ARTIFACTS", str(tmp_path))
    kept, build, load = KEPT[name]
    subwords = PIECES if name == "bert" else small
    torch.manual_seed(0)
    model = build(subwords)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    kept.keep(kept.config, 0, model, {"right": 1}, tokens=subwords)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    loaded, tokens, card = load(folder=tmp_path)
    assert loaded.state_dict().keys() == before.keys() and not loaded.training
    for key, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, before[key].half().float())
    assert tokens.encode("a fine film") == subwords.encode("a fine film")
    assert card["storage"] == "16-bit floats" and card["scores"] == {"right": 1}
    if name == "lstm":
        assert loaded.head.weight is loaded.body.embedding.weight
        with pytest.raises(KeyError, match=f"there are: {lm.WIKIPEDIA.name}"):
            lm.load_kept(lm.REVIEWS, folder=tmp_path)


# Tuning ----------------------------------------------------------------------------------------


@pytest.fixture
def few(small):
    ids = [small.encode(text) for text in ("a good film", "a bad film")] * 3
    return tasks.Texts([], ids, [1, 0] * 3)


@pytest.mark.parametrize("way", few_labels.WAYS)
def test_each_way_to_tune_does_what_its_name_says(monkeypatch, few, way):
    seen = []

    def watched(model, loss, sampler, steps, *, optimizer, schedule, **more):
        rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
        seen.append((rates, isinstance(sampler, freezing.Unfreezing), schedule(0), schedule(6)))

    monkeypatch.setattr(tuning.resumable, "fit_resumable", watched)
    tuning.tune(body(), few, few_labels.WAYS[way], 0, steps=12)
    [(rates, unfreezing, first, middle)] = seen
    assert unfreezing == ("freez" in way or way == "all")
    head = tuning.RATES[few_labels.WAYS[way]["rates"]]
    assert (len(rates) == 1) == (way == "last") and rates["head"] == head
    if "discr" in way or way == "all":
        assert rates["layer 2"] == pytest.approx(head / 2.6)
    elif way != "last":
        assert set(rates.values()) == {head}
    expected = {"stlr": (1 / 32, True), "all": (1 / 32, True), "cos": (1.0, True)}
    begins, falls = expected.get(way.split("+")[-1], (1.0, False))
    assert first == pytest.approx(begins) and (middle < 1) == falls


def test_tuning_from_scratch_has_the_sizes_but_not_the_weights(monkeypatch, few):
    start = body()
    monkeypatch.setattr(tuning, "RATES", {"discriminative": 1e-9})
    scratch = tuning.tune(start, few, tuning.ULMFIT, 0, copied=False, steps=10)
    copied, again = (tuning.tune(start, few, tuning.ULMFIT, 0, steps=10) for _ in range(2))
    torch.testing.assert_close(copied.body.embedding.weight, start.embedding.weight)
    assert not torch.allclose(scratch.body.embedding.weight, start.embedding.weight, atol=1e-3)
    for one, other in zip(copied.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
