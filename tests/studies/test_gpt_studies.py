"""The studies of chapter 10: equal text, the protocol of chapter 09, and a model that is kept."""

import math

import pytest
import torch

from course_lib.data import sentence_order, wikipedia
from course_lib.gpt.classifier import marks_for
from course_lib.gpt.model import GPT, GPTConfig
from course_lib.recurrent.ngram import NGram
from course_lib.recurrent.streams import join
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import wikipedia_awd_lstm
from course_lib.studies.ch10 import gpt_models, gpt_tuning, wikipedia_gpt
from course_lib.studies.engine import artifacts
from course_lib.text.words import WordTokenizer

TEXTS = ["a b c a b", "b c a c", "c a b b a c a"] * 40


@pytest.fixture(scope="module")
def words():
    return WordTokenizer.train(TEXTS)


def test_as_many_tokens_as_the_lstm():
    assert gpt_models.BATCH * gpt_models.CONTEXT == lm.STREAMS * lm.LENGTH
    ours = [cell["steps"] for cell in wikipedia_gpt.STUDY.cells if cell["model"] == "gpt"]
    assert sorted(ours) == sorted(cell["steps"] for cell in wikipedia_awd_lstm.STUDY.cells)
    assert wikipedia_gpt.STUDY.seeds == wikipedia_awd_lstm.STUDY.seeds


def test_the_kept_model_fits_its_share():
    """12 MB in 16 bits, for the subwords of chapter 09."""
    with torch.device("meta"):
        count = sum(p.numel() for p in GPT(GPTConfig.course(lm.MERGES + 200)).parameters())
    assert 2 * count < 12e6


def test_scores_of_a_model_that_knows_nothing(words):
    model = GPT(GPTConfig.course(len(words), width=16, heads=2, layers=1)).eval()
    with torch.no_grad():
        model.body.wte.weight.zero_()  # all tokens equally likely
    found = gpt_models.scored(model, TEXTS, words)
    uniform = math.log(len(words))
    assert found["nats"] == pytest.approx(uniform, abs=1e-4)
    assert found["cut"]["perplexity"] == pytest.approx(len(words), rel=1e-3)
    assert found["by_context"] == pytest.approx([uniform] * len(gpt_models.BORDERS), abs=1e-4)
    characters, ids = sum(map(len, TEXTS)), join(TEXTS, words)
    bits = uniform / math.log(2) * len(ids) / characters
    assert found["bits_per_character"] == pytest.approx(bits, abs=1e-3)


def test_the_n_gram_counts_the_training_articles(words):
    found = wikipedia_gpt.counted({"order": 2}, TEXTS[:30], TEXTS[30:60], words)
    counted = NGram(2, len(words)).fit(join(TEXTS[:30], words).tolist())
    expected = counted.nats_per_token(join(TEXTS[30:60], words).tolist())
    assert found["validation"]["nats"] == pytest.approx(expected, abs=1e-4)
    assert found["tokens_in_corpus"] == len(join(TEXTS[:30], words))


def test_a_model_is_kept_and_read_again(tmp_path, monkeypatch):
    from course_lib.text.bpe import BPE

    monkeypatch.setenv("COURSE_ARTIFACTS", str(tmp_path))
    tokens = BPE.train(TEXTS, 5)
    torch.manual_seed(0)
    model = gpt_models.build({}, len(tokens)).eval()
    ids = torch.randint(0, len(tokens), (1, 9))
    before = model(ids)
    artifacts.save_reader("wikipedia_gpt", model, {"what": "a test"}, tokens)
    again, subwords, card = gpt_models.load_kept(folder=tmp_path)
    assert subwords.encode("a b c") == tokens.encode("a b c") and card["what"] == "a test"
    torch.testing.assert_close(again(ids), before, rtol=0, atol=0.02)  # 16 bits
    assert not again.training
    path = artifacts.find("wikipedia_gpt", folder=tmp_path)
    harmed = bytearray(path.read_bytes())
    harmed[-1] ^= 1
    path.write_bytes(harmed)
    with pytest.raises(ValueError, match="not the file its card describes"):
        gpt_models.load_kept(folder=tmp_path)


def test_pairs_are_written_with_a_delimiter(words):
    pairs = sentence_order.task(wikipedia.load(), 0).test[:6]
    marks = marks_for(len(words))
    texts = gpt_tuning.encoded_pairs(pairs, words, marks, 40)
    assert texts.labels == [pair.label for pair in pairs]
    for ids, pair in zip(texts.ids, pairs, strict=True):
        assert (
            ids[0] == marks.start and ids[-1] == marks.extract and ids.count(marks.delimiter) == 1
        )
        assert len(ids) <= 40
        before = ids[1 : ids.index(marks.delimiter)]
        assert before == words.encode(pair.first.lower())[: len(before)]


def test_every_cell_has_its_steps_rate_and_majority():
    for cell in gpt_tuning.STUDY.cells:
        assert cell["labels"] in gpt_tuning.STEPS
        assert cell["task"] in gpt_tuning.MAJORITY and cell["task"] in gpt_tuning.LONGEST
        assert cell["start"] == "tfidf" or cell["start"] in gpt_tuning.RATES
        assert gpt_tuning.LONGEST[cell["task"]] <= gpt_models.CONTEXT


def test_counting_words_cannot_tell_the_order(words):
    from course_lib.studies.ch09 import text_tuning

    task = sentence_order.task(wikipedia.load(), 0)
    marks = marks_for(len(words))
    few = gpt_tuning.encoded_pairs(task.labeled[:200], words, marks, 40)
    test = gpt_tuning.encoded_pairs(task.test, words, marks, 40)
    found = text_tuning.tfidf(few, test)
    assert abs(found - 0.5) < 0.06  # pairs of words cross the border of the sentences
