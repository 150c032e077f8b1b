"""Sentence pairs in, translations, attention weights and scores out."""

import math

import pytest
import torch

from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data import lab
from course_lib.data.verses import VersePair
from course_lib.decoding import search
from course_lib.decoding.translation import Translator, score, tokenizers
from course_lib.evaluation.scores import bleu
from course_lib.text.words import BOS, EOS, Tokenizer, Vocabulary

PAIRS = lab.generate(130, seed=0, lengths=(4, 12))  # of all lengths, and more than one batch
VERSES = [VersePair("", 0, i, "de nuit" * i, "by night") for i in (1, 3)]


class Characters(Tokenizer):
    """One token a character: a tokenizer whose tokens are not words."""

    def split(self, text):
        return list(text)

    def join(self, tokens):
        return "".join(tokens)


def translator(source, target) -> Translator:
    torch.manual_seed(0)
    config = AttentionConfig.tiny(len(source), len(target), dropout=0.5)
    return Translator(AttentionEncoderDecoder(config), source, target)


@pytest.fixture(scope="module")
def ours() -> Translator:
    return translator(*tokenizers(PAIRS))


@pytest.fixture(scope="module")
def characters() -> Translator:
    return translator(*(Characters(Vocabulary.build([text])) for text in ("de nuit", "by night")))


def test_pairs_of_words_and_of_text_become_ids(ours, characters):
    [(source, target)] = ours.encode(PAIRS[:1])
    assert tuple(ours.source.vocabulary.decode(source)) == PAIRS[0].source
    assert tuple(ours.target.vocabulary.decode(target)) == PAIRS[0].target
    korean = lab.generate(5, seed=0, target="korean")
    tokens = tokenizers(korean)[1]
    for pair in korean:  # particles are words of their own
        assert tuple(tokens.vocabulary.decode(tokens.encode(" ".join(pair.target)))) == pair.target
    [(source, target), _] = characters.encode(VERSES)
    assert (characters.source.decode(source), characters.target.decode(target)) == VERSES[0][3:]
    batch = characters.batch(VERSES)
    assert batch.source.shape == (2, 21) and batch.target.tolist() == [[BOS, *target, EOS]] * 2


def test_each_source_is_translated_in_its_place_and_in_its_kind(ours, characters):
    written = ours.translate(PAIRS)
    for place in (0, 57, 129):
        ids = torch.tensor([ours.encode(PAIRS)[place][0]])
        [alone] = search.greedy(ours.model, ids, 2 * ids.shape[1] + 10)
        alone = ours.target.vocabulary.decode(alone)
        shorter = min(len(alone), len(written[place]))  # the limit is that of the batch
        assert alone[:shorter] == written[place][:shorter] and shorter > 0
    assert ours.translate([pair.source for pair in PAIRS[:3]]) == ours.translate(PAIRS[:3])
    texts = characters.translate([VERSES[1], "nuit"], limit=4)
    assert [type(text) for text in texts] == [str, str] and len(texts[0]) == 4
    assert ours.translate([]) == []


def test_the_beam_is_that_of_the_search(ours):
    batch = ours.batch(PAIRS[:5])
    by_hand = search.beam(ours.model, batch.source, 7, 2, 0.6)
    found = ours.translate(PAIRS[:5], limit=7, width=2, length_penalty=0.6)
    assert found == list(map(ours.target.vocabulary.decode, by_hand))
    assert found != ours.translate(PAIRS[:5], limit=7)
    plain = search.beam(ours.model, batch.source, 7, 2)
    found = ours.translate(PAIRS[:5], limit=7, width=2)
    assert found == list(map(ours.target.vocabulary.decode, plain))


def test_the_limit_follows_the_longest_source():
    endless = translator(*tokenizers(PAIRS))
    endless.model.decoder.output.bias.data[EOS] = -1e4
    longest = max(len(pair.source) for pair in PAIRS[:3])
    assert [len(words) for words in endless.translate(PAIRS[:3])] == [2 * longest + 10] * 3


def test_weights_come_in_the_order_of_the_pairs_and_without_padding(ours):
    weights = ours.attention_weights(PAIRS)
    assert ours.model.training  # as before
    ids = ours.encode(PAIRS)
    assert [tuple(matrix.shape) for matrix in weights] == [(len(t), len(s)) for s, t in ids]
    ours.model.eval()
    for (s, t), matrix in list(zip(ids, weights, strict=True))[::13]:
        own = ours.model.with_weights(torch.tensor([s]), torch.tensor([[BOS, *t]]))[1][0, :-1]
        torch.testing.assert_close(matrix, own, atol=1e-6, rtol=0)
    ours.model.train()
    assert not any(matrix.requires_grad for matrix in weights)
    assert ours.attention_weights([]) == []


def test_perplexity_counts_words_and_end_marks_and_no_padding(ours):
    nll, count = 0.0, 0
    ours.model.eval()
    for source, target in ours.encode(PAIRS):  # one by one: nothing is padded
        logits = ours.model(torch.tensor([source]), torch.tensor([[BOS, *target]]))[0]
        right = torch.tensor([*target, EOS])
        nll -= logits.log_softmax(-1).gather(1, right[:, None]).sum().item()
        count += len(right)
    ours.model.train()
    assert ours.perplexity(PAIRS) == pytest.approx(math.exp(nll / count), rel=1e-5)
    with pytest.raises(ZeroDivisionError):
        ours.perplexity([])


def test_scores_are_those_of_the_text_that_people_read(ours):
    right = [list(pair.target) for pair in PAIRS[:4]]
    found = score(right, PAIRS[:4])
    assert found["bleu"] == pytest.approx(100) and found["exact_match"] == 1
    assert "tok:13a" in found["signature"]
    right[2] = right[2][1:]
    assert score(right, PAIRS[:4])["exact_match"] == 0.75
    verse = VersePair("", 0, 0, "x", "a ship -like thing of old")  # "-like" would join in the lab
    found = score(["a ship-like thing of old"], [verse])
    assert found["exact_match"] == 0
    assert found["bleu"] == bleu(["a ship-like thing of old"], [verse.target]).score
