"""Chapter 09's studies: no test text anywhere, files that fit, resuming, the ways to tune."""

import os
import re
import signal

import pytest
import torch

from course_lib import studies
from course_lib.data import reviews, wikipedia
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.ch09 import ulmfit_ladder
from course_lib.studies.engine import artifacts
from course_lib.text.words import UNK
from course_lib.transfer import freezing
from course_lib.ulmfit import classifier as ulmfit_classifier


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


@pytest.fixture(scope="module")
def held_out() -> set[str]:
    """Every validation and test text of both tasks, as bare words."""
    parts = [*reviews.split(reviews.load())[1:], *wikipedia.split(wikipedia.load())[1:]]
    return {words(item.text) for part in parts for item in part}


@pytest.fixture(scope="module")
def small():
    return lm.tokenizer(300)


def test_no_held_out_text_is_in_the_vocabulary_or_in_a_language_model(held_out):
    streams = [lm.vocabulary_texts()]
    streams += [lm.wikipedia_texts(seed)[0] for seed in (0, 1)]
    streams += [lm.review_texts(seed, share)[0] for seed in (0, 1) for share in (0.01, 0.1, 1.0)]
    assert len(held_out) > 4000
    for texts in streams:
        assert texts and not held_out & {words(text) for text in texts}


def test_language_models_are_scored_on_validation_texts_not_on_test_texts():
    test = {words(review.text) for review in reviews.split(reviews.load()).test}
    test |= {words(article.text) for article in wikipedia.split(wikipedia.load()).test}
    for _, scored_on in (lm.wikipedia_texts(0), lm.review_texts(0)):
        assert scored_on and not test & {words(text) for text in scored_on}


def test_no_held_out_text_is_tuned_to(held_out, small):
    for parts in (tuning.review_parts(small, 0), tuning.topic_parts(small, 0)):
        labeled = {words(text) for text in parts["labeled"].written}
        assert labeled and not held_out & labeled
        assert not {words(text) for text in parts["validation"].written} & {
            words(text) for text in parts["test"].written
        }


def test_domain_text_is_a_nested_share_of_training_films():
    sizes, last = [], set()
    for share in (0.01, 0.1, 1.0):
        texts = set(lm.review_texts(3, share)[0])
        assert last <= texts
        last = texts
        sizes.append(len(texts))
    everything = len(reviews.split(reviews.load()).train)
    assert sizes[0] == pytest.approx(0.01 * everything, abs=2) and sizes[2] >= everything - 30


def test_the_kept_models_have_room_in_the_package():
    """Two language models of the kept size, in 16 bits, take 16 MB at most."""
    model = lm.build({})
    assert len(lm.tokenizer()) <= 8000
    assert 2 * 2 * sum(parameter.numel() for parameter in model.parameters()) <= 16e6


def test_nearly_every_character_of_held_out_reviews_is_known():
    parts = tuning.review_parts(lm.tokenizer(), 0)
    ids = [token for text in parts["validation"].ids for token in text]
    assert ids.count(UNK) / len(ids) < 0.002


def test_a_kept_model_comes_back_with_its_subwords(tmp_path, monkeypatch, small):
    monkeypatch.setattr(lm, "MERGES", 300)
    monkeypatch.setenv("COURSE_ARTIFACTS", str(tmp_path))
    torch.manual_seed(0)
    model = lm.build({})
    expected = {name: tensor.half().float() for name, tensor in model.state_dict().items()}
    artifacts.save_reader(lm.WIKIPEDIA, model, {"what": "a test"}, small)
    loaded, tokens, card = lm.load_kept(lm.WIKIPEDIA, folder=tmp_path)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())
    assert loaded.head.weight is loaded.body.embedding.weight and not loaded.training
    assert tokens.encode("a fine film") == small.encode("a fine film")
    assert card["storage"] == "16-bit floats"
    with pytest.raises(KeyError, match=f"there are: {lm.WIKIPEDIA}"):
        lm.load_kept(lm.REVIEWS, folder=tmp_path)


def test_long_cells_have_a_file_to_go_on_from_in_the_runner_only(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_ARTIFACTS", raising=False)
    assert lm.resume_file("x", {"steps": 1}, 0) is None
    lm.forget(None)
    monkeypatch.setenv("COURSE_ARTIFACTS", "kept")
    monkeypatch.setenv("ATTENTION_MEASURED_CACHE", str(tmp_path))
    files = {lm.resume_file("x", {"steps": n}, seed) for n in (1, 2) for seed in (0, 1)}
    assert len(files) == 4 and all(tmp_path in file.parents for file in files)
    file = files.pop()
    file.write_bytes(b"")
    lm.forget(file)
    lm.forget(file)
    assert not file.exists()


@pytest.mark.parametrize("adapt", [False, True])
def test_a_killed_language_model_goes_on_to_the_last_bit(tmp_path, monkeypatch, adapt):
    monkeypatch.setattr(lm, "STREAMS", 2)
    monkeypatch.setattr(lm, "LENGTH", 8)
    ids = torch.randint(4, 30, (400,), generator=torch.Generator().manual_seed(0))
    sizes = {"merges": 300, "embedding": 8, "width": 12}
    whole, halves = [], []
    for result, stops in ((whole, (None,)), (halves, (6, None))):
        path = tmp_path / f"{len(stops)}.safetensors"
        for stop in stops:
            torch.manual_seed(4)
            model = lm.build(sizes)
            with monkeypatch.context() as kill:
                if stop is not None:
                    kill.setattr(lm.StreamSampler, "batch", _killed_at(stop))
                try:
                    lm.learn(model, ids, 12, 1e-2, adapt=adapt, checkpoint=path)
                except KeyboardInterrupt:
                    continue
        result.extend(model.parameters())
    assert all(torch.equal(one, other) for one, other in zip(whole, halves, strict=True))


def _killed_at(stop: int):
    """Ask for a stop, as Ctrl-C does, before the batch of step ``stop``."""
    batch = lm.StreamSampler.batch

    def asked(self, step: int):
        if step == stop:
            os.kill(os.getpid(), signal.SIGINT)
        return batch(self, step)

    return asked


@pytest.mark.parametrize("way", ulmfit_ladder.WAYS)
def test_each_way_to_tune_does_what_its_name_says(monkeypatch, small, way):
    seen = []
    fit = tuning.loop.fit

    def spy(*arguments, optimizer, schedule, **more):
        sampler = arguments[2]
        rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
        seen.append((rates, isinstance(sampler, freezing.Unfreezing), schedule(0), schedule(6)))
        return fit(*arguments, optimizer=optimizer, schedule=schedule, **more)

    monkeypatch.setattr(tuning.loop, "fit", spy)
    torch.manual_seed(0)
    body = lm.build({"merges": 300, "embedding": 8, "width": 12}).body
    few = tuning.encoded(["a good film", "a bad film"] * 3, [1, 0] * 3, small)
    tuning.tune(body, few, ulmfit_ladder.WAYS[way], 0, steps=12, rate=0.1)
    [(rates, unfreezing, first, middle)] = seen
    assert unfreezing == ("freez" in way or way == "all")
    assert (len(rates) == 1) == (way == "last") and rates["head"] == 0.1
    if "discr" in way or way == "all":
        assert rates["layer 2"] == pytest.approx(0.1 / 2.6)
    elif way != "last":
        assert set(rates.values()) == {0.1}
    expected = {"stlr": (1 / 32, True), "all": (1 / 32, True), "cos": (1.0, True)}
    begins, falls = expected.get(way.split("+")[-1], (1.0, False))
    assert first == pytest.approx(begins) and (middle < 1) == falls


def test_tuning_from_scratch_has_the_sizes_but_not_the_weights(small):
    torch.manual_seed(7)
    body = lm.build({"merges": 300, "embedding": 8, "width": 12}).body
    few = tuning.encoded(["a good film", "a bad film"] * 3, [1, 0] * 3, small)
    scratch = tuning.tune(body, few, tuning.ULMFIT, 0, steps=10, rate=1e-9, copied=False)
    copied = tuning.tune(body, few, tuning.ULMFIT, 0, steps=10, rate=1e-9)
    torch.testing.assert_close(copied.body.embedding.weight, body.embedding.weight)
    assert not torch.allclose(scratch.body.embedding.weight, body.embedding.weight, atol=1e-3)
    again = tuning.tune(body, few, tuning.ULMFIT, 0, steps=10, rate=1e-9)
    assert torch.equal(
        ulmfit_classifier.predict(again, few.ids), ulmfit_classifier.predict(copied, few.ids)
    )


def test_averaged_accuracy_by_hand():
    assert tuning.averaged([0, 0, 0, 1], [0, 0, 0, 0]) == 0.75
    assert tuning.averaged([0, 0, 0, 0], [0, 0, 0, 1]) == 0.5  # a frequent class does not help


def test_the_baseline_learns_words(small):
    few = tuning.encoded(["good film", "bad film", "good", "bad"], [1, 0, 1, 0], small)
    test = tuning.encoded(["a good one", "a bad one"], [1, 0], small)
    assert tuning.tfidf(few, test) == 1.0


def test_every_number_of_labels_has_its_steps():
    sizes = {
        cell["labels"]
        for name in ("review_labels", "topic_labels", "ulmfit_ladder")
        for cell in studies.get(name).cells
    }
    assert sizes <= set(tuning.STEPS)
