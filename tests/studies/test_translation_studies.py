"""What the translation studies compute, and the translator that they leave behind."""

import pytest
import torch

from course_lib import studies
from course_lib.data import lab
from course_lib.decoding.translation import tokenizers
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.recurrent.word_dictionary import copy_source
from course_lib.studies.ch02 import lab_translation, verses_fixed_vector
from course_lib.studies.engine import artifacts
from course_lib.text.words import BOS, EOS


@pytest.fixture(scope="module")
def pairs() -> list[lab.Pair]:
    return lab.generate(60, seed=0, lengths=(4, 8))


@pytest.fixture(scope="module")
def model(pairs) -> EncoderDecoder:
    torch.manual_seed(0)
    source, target = tokenizers(pairs)
    return EncoderDecoder(Seq2SeqConfig.tiny(len(source), len(target))).eval()


def test_perfect_and_copied_translations(pairs):
    perfect = lab_translation.scores([pair.target for pair in pairs], pairs)
    assert perfect["bleu"] == pytest.approx(100) and perfect["exact_match"] == 1
    assert "tok:13a" in perfect["signature"]
    copied = lab_translation.scores([copy_source(pair.source) for pair in pairs], pairs)
    assert copied["bleu"] < 5 and copied["exact_match"] == 0


def test_exact_match_by_words(pairs):
    some_right = [pair.target if len(pair.source) < 7 else ("non",) for pair in pairs]
    by_words = lab_translation.by_words(some_right, pairs)
    assert by_words == {"4": 1, "5": 1, "6": 1, "7": 0, "8": 0}


def test_forced_and_free_agree_at_the_first_word(model, pairs):
    accuracy = lab_translation.forced_and_free(model, *tokenizers(pairs), pairs)
    forced, free = accuracy["forced"], accuracy["free"]
    assert forced["by_position"][0] == free["by_position"][0]
    assert len(forced["by_position"]) == lab_translation.POSITIONS
    assert forced["sentences"] == free["sentences"]  # all right means the same inputs


def test_forced_accuracy_is_counted_over_real_tokens(model, pairs):
    source, target = tokenizers(pairs)
    right = total = 0
    for pair in pairs:
        ids = [BOS, *target.encode(" ".join(pair.target)), EOS]
        logits = model(
            torch.tensor([source.encode(" ".join(pair.source))]), torch.tensor([ids[:-1]])
        )
        right += int((logits.argmax(-1)[0] == torch.tensor(ids[1:])).sum())
        total += len(ids) - 1
    forced = lab_translation.forced_and_free(model, source, target, pairs)["forced"]
    assert forced["words"] == pytest.approx(right / total, abs=1e-6)


def test_word_by_word_keeps_punctuation_readable():
    from course_lib.recurrent.word_dictionary import WordDictionary

    dictionary = WordDictionary({"God": {"Dieu": 1.0}, "said": {"dit": 0.9, "a": 0.1}})
    assert verses_fixed_vector.word_by_word(dictionary, "God said: light.") == "Dieu dit: light."


def test_kept_translator_loads_and_translates():
    model, source, target = verses_fixed_vector.load_translator()
    verse, longer = "And God said to him, Go.", "And it was so for a long time in the land."
    [text] = verses_fixed_vector.translate(model, source, target, [verse])
    both = verses_fixed_vector.translate(model, source, target, [longer, verse])
    assert text and both[1] == text
    assert not model.training


def test_kept_translator_is_small_and_described():
    files = list(artifacts.CHECKPOINTS.glob(f"{verses_fixed_vector.NAME}.*"))
    assert sum(file.stat().st_size for file in files) < 6_000_000
    record = studies.load(verses_fixed_vector.NAME)
    model, _, _ = verses_fixed_vector.load_translator()
    assert sum(p.numel() for p in model.parameters()) == record.values("parameters")[0]
