"""Chapter 9: settings searched with equal effort on validation texts, and the linear probe."""

import pytest
import torch

from course_lib import studies
from course_lib.studies.ch09 import body_probe, tasks, tuning_search
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning as tuning

SIZES = {"merges": 300, "embedding": 8, "width": 12}
TEXTS = ["a b c a b", "b c a c", "c a b b a c a"] * 40


def body():
    torch.manual_seed(7)
    return lm.build(SIZES).body


@pytest.fixture
def few():
    tokens = lm.tokenizer(300)
    ids = [tokens.encode(text) for text in ("a good film", "a bad film")] * 3
    return tasks.Texts([], ids, [1, 0] * 3)


def test_every_contestant_chooses_among_as_many_settings_and_no_seed_is_reported():
    for name, search in tuning_search.SEARCHES.items():
        counts = {}
        for cell in search.cells:
            contestant = cell["way" if name == "ladder" else "start"]
            counts.setdefault((cell["task"], cell["labels"]), []).append(contestant)
        for place, tried in counts.items():
            tried = {one: tried.count(one) for one in tried}
            assert tried.pop("tfidf", 0) <= 6, place
            assert len(set(tried.values())) == 1 and max(tried.values()) <= 6, place
        assert set(search.seeds) <= {*tuning_search.TOPIC_SEEDS}
    for name in ("topic_labels", "review_labels", "ulmfit_ladder", "body_probe"):
        assert not set(tuning_search.TOPIC_SEEDS) & set(studies.get(name).seeds)


REPORTED = {"topics": "topic_labels", "reviews": "review_labels"}


@pytest.mark.parametrize("task", REPORTED)
def test_the_setting_is_the_best_on_validation_and_the_reported_runs_have_it(task):
    tried = studies.load(tuning_search.SEARCHES[task].name)
    reported = studies.load(REPORTED[task])
    for cell in [cell for cell in reported.configs if cell["start"] not in ("short", "tfidf")]:
        configs = [one for one in tried.configs if cell.items() <= one.items()]
        best = max(configs, key=lambda one: sum(tried.values("validation", **one)))
        found = tuning_search.chosen(task, **cell)
        assert cell | found == best and len(configs) in (3, 6)
        assert all(one.items() <= found.items() for one in reported.values("setting", **cell))


def test_a_search_does_not_look_at_the_test(monkeypatch, few):
    def parts(task, tokens, seed):
        return {"labeled": few, "validation": few}  # no test

    monkeypatch.setattr(tuning, "parts", parts)
    setting = {"way": "one rate", "rate": 1e-3, "steps": 4}
    cell = {"task": "topics", "start": "scratch", "labels": 6, **setting, **SIZES}
    assert set(tuning_search.run(cell, 0)) == {"validation", "training"}


def test_a_probe_reads_off_what_is_there_and_leaves_the_body_alone(few):
    start = body()
    before = {name: tensor.clone() for name, tensor in start.state_dict().items()}
    vectors = body_probe.states(start.train(), few)
    assert vectors.shape == (6, 24) and start.training
    assert all(torch.equal(before[name], tensor) for name, tensor in start.state_dict().items())
    torch.testing.assert_close(vectors[0], vectors[2])  # the same text, without noise
    held_out = {part: (vectors, few.labels) for part in ("validation", "test")}
    assert body_probe.probe(vectors, few.labels, held_out) == 1.0
    wrong = {**held_out, "test": (vectors, [1 - label for label in few.labels])}
    assert body_probe.probe(vectors, few.labels, wrong) == 0.0  # fitted to labels, not to the test


def test_a_body_is_trained_once_and_then_read_from_its_file(tmp_path, monkeypatch):
    monkeypatch.setenv(lm.archives.CACHE_VARIABLE, str(tmp_path))
    build = lm.build
    monkeypatch.setattr(lm, "tokenizer", lambda merges=300, real=lm.tokenizer: real(300))
    monkeypatch.setattr(lm, "build", lambda config: build({**config, **SIZES}))
    monkeypatch.setattr(lm, "wikipedia_texts", lambda seed: (TEXTS, TEXTS))
    monkeypatch.setattr(lm, "STREAMS", 2)
    monkeypatch.setattr(lm, "LENGTH", 8)
    first = lm.pretrained.__wrapped__(4, 1).state_dict()
    monkeypatch.setattr(lm.StreamSampler, "batch", None)  # nothing is read again
    again = lm.pretrained.__wrapped__(4, 1).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    untrained = build(SIZES).state_dict()
    assert not torch.equal(first["body.embedding.weight"], untrained["body.embedding.weight"])
