"""The translation lab: grammar, alignments, length control and leak-free splits."""

import random
import re

import pytest

from course_lib.data import lab
from course_lib.data.lab import grammar
from course_lib.data.lab.lexicon import ADJECTIVES, NOUNS, PREPOSITIONS, VERBS
from course_lib.data.lab.meaning import Meaning, NounPhrase

VOWELS = "aeiouhéê"


@pytest.fixture(scope="module", params=["french", "korean"])
def pairs(request):
    return lab.generate(2_000, seed=1, lengths=(3, 30), target=request.param)


@pytest.fixture(scope="module")
def french():
    return [pair.target for pair in lab.generate(3_000, seed=2, lengths=(3, 30))]


def test_the_same_seed_gives_the_same_pairs():
    assert lab.generate(50, seed=4) == lab.generate(50, seed=4)
    assert lab.generate(50, seed=4) != lab.generate(50, seed=5)


@pytest.mark.parametrize("length", [3, 4, 7, 19, 33, 50])
def test_length_is_exact(length):
    assert {len(pair.source) for pair in lab.generate(30, seed=0, lengths=(length, length))} == {
        length
    }


def test_lengths_are_spread_evenly():
    lengths = [len(pair.source) for pair in lab.generate(3_000, seed=0, lengths=(6, 15))]
    counts = [lengths.count(length) for length in range(6, 16)]
    assert min(counts) > 230 and max(counts) < 370


@pytest.mark.parametrize("target", ["french", "korean"])
def test_splits_share_no_source_sentence(target):
    # Short sentences: the space is small, so a leak would show.
    found = {}
    for split in lab.SPLITS:
        n = 150 if split == "combination" else 300
        sample = lab.generate(n, seed=3, lengths=(4, 5), target=target, split=split)
        found[split] = {pair.source for pair in sample}
    for one in lab.SPLITS:
        for other in lab.SPLITS:
            assert one == other or not found[one] & found[other]


def _adjective_noun(pair):
    adjectives = {adjective for adjective, _ in lab.HELD_OUT}
    nouns = {noun for _, noun in lab.HELD_OUT}
    words = pair.source
    for first, second, third in zip(words, words[1:], (*words[2:], ""), strict=False):
        if first in adjectives:
            yield from ((first, noun) for noun in (second, third) if noun in nouns)


def test_held_out_combinations_are_seen_only_in_their_split():
    train = lab.generate(3_000, seed=5, lengths=(4, 20))
    assert not {couple for pair in train for couple in _adjective_noun(pair)} & lab.HELD_OUT
    combination = lab.generate(200, seed=5, lengths=(4, 12), split="combination")
    seen = {couple for pair in combination for couple in _adjective_noun(pair)} & lab.HELD_OUT
    assert len(seen) > len(lab.HELD_OUT) / 2  # the plural nouns ("men") are not counted here


def test_a_source_sentence_has_one_translation():
    by_source = {}
    for seed in range(5):
        for pair in lab.generate(2_000, seed=seed, lengths=(5, 12), target="korean"):
            assert by_source.setdefault(pair.source, pair.target) == pair.target


def test_alignments_stay_in_range_and_reach_every_content_word(pairs):
    for pair in pairs:
        assert pair.alignment == tuple(sorted(set(pair.alignment)))
        assert all(0 <= i < len(pair.source) for i, _ in pair.alignment)
        assert all(0 <= j < len(pair.target) for _, j in pair.alignment)
        aligned = {i for i, _ in pair.alignment}
        unaligned = {word for i, word in enumerate(pair.source) if i not in aligned}
        assert unaligned <= {"the"}  # Korean has no article


def _word(table, english):
    return next(row for row in table if english in (row.english, row.english[0]))


@pytest.fixture
def meaning():
    """ "the white horse of the child does not see an apple" """
    built = Meaning(random.Random(0))
    clause = built.main[0]
    clause.subject = NounPhrase(_word(NOUNS, "horse"), "the", plural=False)
    clause.subject.adjectives["after"] = _word(ADJECTIVES, "white")
    clause.subject.preposition = _word(PREPOSITIONS, "of")
    clause.subject.place = NounPhrase(_word(NOUNS, "child"), "the", plural=False)
    clause.verb, clause.negated = _word(VERBS, "sees"), True
    clause.object = NounPhrase(_word(NOUNS, "apple"), "a", plural=False)
    return built


def _links(source, target):
    pair = lab._pair(source, target)
    return {f"{pair.source[i]}-{pair.target[j]}" for i, j in pair.alignment}


def test_french_alignment_by_hand(meaning):
    english, french = grammar.english(meaning), grammar.french(meaning)
    assert " ".join(w for w, _ in english) == "the white horse of the child does not see an apple"
    assert lab.detokenize([w for w, _ in french]) == (
        "le cheval blanc de l'enfant ne voit pas de pomme"
    )
    assert _links(english, french) == set(
        "the-le white-blanc horse-cheval of-de the-l' child-enfant does-ne does-pas "
        "not-ne not-pas see-voit an-de apple-pomme".split()
    )


def test_contracted_words_are_aligned_with_both_sources(meaning):
    meaning.main[0].subject.place = NounPhrase(_word(NOUNS, "dog"), "the", plural=False)
    links = _links(grammar.english(meaning), grammar.french(meaning))
    assert {"of-du", "the-du", "dog-chien"} <= links


def test_korean_alignment_by_hand(meaning):
    english, korean = grammar.english(meaning), grammar.korean(meaning)
    assert lab.detokenize([w for w, _ in korean]) == "아이의 하얀 말은 한 사과를 보지 않는다"
    assert _links(english, korean) == set(
        "white-하얀 horse-말 of--의 child-아이 does-않는다 not-않는다 see-보지 an-한 "
        "apple-사과".split()
    )


def test_french_adjectives_agree_in_gender_and_number(meaning):
    subject = meaning.main[0].subject
    written = {}
    for noun in ("horse", "house"):
        for plural in (False, True):
            subject.noun, subject.plural = _word(NOUNS, noun), plural
            written[noun, plural] = [word for word, _ in grammar.french(meaning)][1:3]
    assert written == {
        ("horse", False): ["cheval", "blanc"],
        ("horse", True): ["chevaux", "blancs"],
        ("house", False): ["maison", "blanche"],
        ("house", True): ["maisons", "blanches"],
    }


def test_the_adjective_moves_behind_the_french_noun():
    pair = next(p for p in lab.generate(2_000, seed=0, lengths=(4, 4)) if "white" in p.source)
    white = pair.source.index("white")
    (partner,) = [j for i, j in pair.alignment if i == white]
    (noun,) = [j for i, j in pair.alignment if i == white + 1]
    assert partner == noun + 1


def test_french_elision_and_contraction(french):
    for words in french:
        text = " ".join(words)
        elidable = rf"\b(?:le|la|de|ne|que|ma|beau|nouveau) [{VOWELS}]"
        assert not re.search(elidable, text), text
        assert not re.search(r"\b(?:de|à) les?\b", text), text
        assert not re.search(r"\b(?:l'|d'|n'|qu') (?![" + VOWELS + "])", text), text
        assert not re.search(r"\bde des\b|\bde de\b|d' d'", text), text
    everything = " ".join(" ".join(words) for words in french).split()
    assert {"l'", "d'", "n'", "qu'", "du", "des", "au", "aux", "bel", "vieil", "mon"} <= set(
        everything
    )


def test_french_negation_wraps_the_verb(french):
    for words in french:
        for position, word in enumerate(words):
            if word in ("ne", "n'"):
                assert words[position + 2] == "pas"


def test_korean_particles_follow_the_last_consonant():
    after_consonant = {"-은", "-이", "-을", "-과"}
    after_vowel = {"-는", "-가", "-를", "-와"}
    seen = set()
    for pair in lab.generate(2_000, seed=0, lengths=(4, 25), target="korean"):
        for word, particle in zip(pair.target, pair.target[1:], strict=False):
            has_consonant = (ord(word[-1]) - 0xAC00) % 28 != 0
            if particle in after_consonant | after_vowel:
                assert (particle in after_consonant) == has_consonant
                seen.add(particle)
    assert seen == after_consonant | after_vowel


def test_korean_verb_comes_last():
    pair = lab.generate(1, seed=0, lengths=(20, 20), target="korean")[0]
    assert pair.target[-1].endswith("다")


def test_every_construction_occurs_in_short_sentences():
    # Otherwise a falling length curve could be blamed on constructions, not on length.
    words = {word for pair in lab.generate(4_000, seed=0, lengths=(6, 9)) for word in pair.target}
    longer = {word for pair in lab.generate(500, seed=0, lengths=(30, 40)) for word in pair.target}
    assert longer <= words


def test_detokenize_joins_what_people_join():
    assert lab.detokenize(("l'", "oiseau", "n'", "arrive", "pas")) == "l'oiseau n'arrive pas"
    assert lab.detokenize(("고양이", "-는", "잔다")) == "고양이는 잔다"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lengths": (2, 5)}, "3 <= shortest"),
        ({"lengths": (9, 5)}, "shortest <= longest"),
        ({"lengths": (3, 51)}, "<= 50"),
        ({"target": "german"}, "french, korean"),
        ({"split": "dev"}, "validation"),
        ({"n": -1}, "0 or more"),
        ({"n": 10_000, "lengths": (3, 3)}, "found only"),
    ],
)
def test_bad_arguments_say_what_was_expected(arguments, message):
    with pytest.raises(ValueError, match=message):
        lab.generate(**({"n": 5, "seed": 0} | arguments))
