"""The translation lab: grammar, alignments, length control and splits that cannot leak."""

import random
import re
from itertools import combinations, pairwise

import pytest

from course_lib.data import lab
from course_lib.data.lab import grammar
from course_lib.data.lab.lexicon import ADJECTIVES, ADVERBS, NOUNS, PREPOSITIONS, VERBS
from course_lib.data.lab.meaning import Clause, Meaning, NounPhrase


@pytest.fixture(scope="module")
def pairs() -> dict[str, list[lab.Pair]]:
    return {
        target: lab.generate(2_000, seed=1, lengths=(3, 30), target=target)
        for target in ("french", "korean")
    }


def test_the_same_seed_gives_the_same_pairs():
    assert lab.generate(50, seed=4) == lab.generate(50, seed=4)
    assert lab.generate(50, seed=4) != lab.generate(50, seed=5)


@pytest.mark.parametrize("length", [3, 4, 7, 50])
def test_length_is_exact(length):
    made = lab.generate(30, seed=0, lengths=(length, length))
    assert {len(pair.source) for pair in made} == {length}


def test_lengths_are_spread_evenly():
    lengths = [len(pair.source) for pair in lab.generate(2_000, seed=0, lengths=(6, 15))]
    counts = [lengths.count(length) for length in range(6, 16)]
    assert min(counts) > 145 and max(counts) < 255


def test_splits_share_no_source_sentence():
    # Short sentences: the space is small, so a leak would show.
    found = [
        {pair.source for pair in lab.generate(150, seed=3, lengths=(4, 5), split=split)}
        for split in lab.SPLITS
    ]
    assert not any(one & other for one, other in combinations(found, 2))


def _adjective_noun(pair: lab.Pair) -> set[tuple[str, str]]:
    """Neighbors, and with one adjective between: "small white cat"."""
    words = pair.source
    return {*pairwise(words), *zip(words, words[2:], strict=False)} & lab.HELD_OUT


def test_held_out_combinations_are_seen_only_in_their_split(pairs):
    assert not any(map(_adjective_noun, pairs["french"]))
    combination = lab.generate(200, seed=5, lengths=(4, 12), split="combination")
    seen = set().union(*map(_adjective_noun, combination))
    assert len(seen) > len(lab.HELD_OUT) / 2  # the plural nouns ("men") are not counted here


def test_a_source_sentence_has_one_translation():
    by_source = {}
    for seed in range(3):
        for pair in lab.generate(700, seed=seed, lengths=(4, 6), target="korean"):
            assert by_source.setdefault(pair.source, pair.target) == pair.target
    assert len(by_source) < 2_000  # some came up more than once


@pytest.mark.parametrize("target", ["french", "korean"])
def test_alignments_stay_in_range_and_reach_every_content_word(pairs, target):
    for pair in pairs[target]:
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


def _links(meaning, write) -> set[str]:
    pair = lab._pair(grammar.english(meaning), write(meaning))
    return {f"{pair.source[i]}-{pair.target[j]}" for i, j in pair.alignment}


def _text(tokens) -> str:
    return lab.detokenize([word for word, _ in tokens])


def test_alignment_by_hand(meaning):
    english = "the white horse of the child does not see an apple"
    assert _text(grammar.english(meaning)) == english
    french = "le cheval blanc de l'enfant ne voit pas de pomme"
    assert _text(grammar.french(meaning)) == french
    assert _links(meaning, grammar.french) == set(
        "the-le white-blanc horse-cheval of-de the-l' child-enfant does-ne does-pas "
        "not-ne not-pas see-voit an-de apple-pomme".split()
    )
    assert _text(grammar.korean(meaning)) == "아이의 하얀 말은 어떤 사과를 보지 않는다"
    assert _links(meaning, grammar.korean) == set(
        "white-하얀 horse-말 of--의 child-아이 does-않는다 not-않는다 see-보지 an-어떤 "
        "apple-사과".split()
    )
    meaning.main[0].subject.place = NounPhrase(_word(NOUNS, "dog"), "the", plural=False)
    assert {"of-du", "the-du", "dog-chien"} <= _links(meaning, grammar.french)  # contracted


@pytest.mark.parametrize(
    ("negated", "plural", "french", "korean"),
    [
        (False, False, "voit une pomme", "어떤 사과를 본다"),
        (False, True, "voit des pommes", "몇몇 사과를 본다"),
        (True, True, "ne voit pas de pommes", "몇몇 사과를 보지 않는다"),
    ],
)
def test_indefinite_objects(meaning, negated, plural, french, korean):
    clause = meaning.main[0]
    clause.negated, clause.object.plural = negated, plural
    assert _text(grammar.french(meaning)).endswith(f"l'enfant {french}")
    assert _text(grammar.korean(meaning)).endswith(f"말은 {korean}")


@pytest.mark.parametrize(
    ("noun", "plural", "written"),
    [
        ("horse", False, "le cheval blanc"),
        ("horse", True, "les chevaux blancs"),
        ("house", False, "la maison blanche"),
        ("house", True, "les maisons blanches"),
    ],
)
def test_french_adjectives_agree_in_gender_and_number(meaning, noun, plural, written):
    subject = meaning.main[0].subject
    subject.noun, subject.plural = _word(NOUNS, noun), plural
    assert _text(grammar.french(meaning)).startswith(written)


def test_french_elision_contraction_and_negation(pairs):
    texts = [" ".join(pair.target) for pair in pairs["french"]]
    for text in texts:
        assert not re.search(r"\b(?:le|la|de|ne|que|ma|beau|nouveau) [aeiouhéê]", text), text
        assert not re.search(r"\b(?:l'|d'|n'|qu') (?![aeiouhéê])", text), text
        assert not re.search(r"\b(?:de|à) les?\b|\bde des\b|\bde de\b|d' d'", text), text
        assert not re.search(r"\b(?:ne|n') \S+ (?!pas\b)", text), text
    forms = {"l'", "d'", "n'", "qu'", "du", "des", "au", "aux", "bel", "vieil", "mon"}
    assert forms <= set(" ".join(texts).split())


def test_korean_particles_follow_the_last_consonant_and_the_verb_comes_last(pairs):
    after_consonant, after_vowel = {"-은", "-이", "-을", "-과"}, {"-는", "-가", "-를", "-와"}
    seen = set()
    for pair in pairs["korean"]:
        assert pair.target[-1].endswith("다")
        for word, particle in pairwise(pair.target):
            if particle in after_consonant | after_vowel:
                has_consonant = (ord(word[-1]) - 0xAC00) % 28 != 0
                assert (particle in after_consonant) == has_consonant
                seen.add(particle)
    assert seen == after_consonant | after_vowel


KOREAN_FAULTS = {  # what a native reader stumbles over: token patterns over "| … |"
    "an indefinite subject as topic": r"(어떤|몇몇)( (?:ADJECTIVE))*( (?:NOUN)) -[은는] ",
    "an indefinite first partner as topic": r"(어떤|몇몇)( (?:ADJECTIVE))*( (?:NOUN))"
    r" (-[와과]|그리고)( 내)?( (?:ADJECTIVE))*( (?:NOUN))( -들)? -[은는] ",
    "not … always reads never": r" (자주|항상|드물게)( 미소)? [^ ]+[^는 ] 않",
    "한: as long as, or one item": r" 한 ",
    "a partner inside the next relative clause": r" -[와과]( 어떤| 몇몇| 내)?( (?:ADJECTIVE))*"
    r"( (?:NOUN))?( -들)?( -[을를]| -에게| -의 소리 -를| 소리 -를)?( 자주| 항상| 드물게)?( 미소)?"
    r" (?:RELATIVE) ",
    "an old being is not 오래된": r" 오래된( (?:ADJECTIVE))* (?:BEING) ",
    "an old thing is not 늙은": r" 늙은( (?:ADJECTIVE))* (?:OTHER) ",
    "one hears a sound": r" (?:NOUN)( -들)? -[을를] ((자주|항상|드물게) )?듣",
    "words of the first version": r"선생님|미소짓|푸른| 옆 ",
}


@pytest.fixture(scope="module")
def korean_texts():
    return [
        f"| {' '.join(pair.target)} |"
        for pair in lab.generate(4_000, seed=5, lengths=(3, 30), target="korean")
    ]


def _korean_pattern(pattern):
    words = {
        "ADJECTIVE": {word for a in ADJECTIVES for word in (a.korean, a.korean_being)},
        "NOUN": {noun.korean for noun in NOUNS},
        "BEING": {noun.korean for noun in NOUNS if noun.kind == "being"},
        "OTHER": {noun.korean for noun in NOUNS if noun.kind != "being"},
        "RELATIVE": {verb.korean_stem.split()[-1] + "는" for verb in VERBS} | {"[^ ]+지는? 않는"},
    }
    for name, choices in words.items():
        pattern = pattern.replace(f"(?:{name})", f"(?:{'|'.join(choices)})")
    return re.compile(pattern)


@pytest.mark.parametrize("fault", KOREAN_FAULTS)
def test_korean_reads_as_it_is_meant(korean_texts, fault):
    pattern = _korean_pattern(KOREAN_FAULTS[fault])
    assert [text for text in korean_texts if pattern.search(text)] == []


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("an indefinite subject as topic", "| 어떤 작은 소녀 -는 웃는다 |"),
        ("an indefinite first partner as topic", "| 어떤 소녀 -와 내 개 -는 웃는다 |"),
        ("not … always reads never", "| 소녀 -는 항상 자지 않는다 |"),
        ("a partner inside the next relative clause", "| 소녀 -와 새 -를 자주 보는 개 -는 잔다 |"),
        ("a partner inside the next relative clause", "| 소녀 -와 자지 않는 개 -는 잔다 |"),
        ("an old being is not 오래된", "| 오래된 하얀 소녀 -는 잔다 |"),
        ("an old thing is not 늙은", "| 소녀 -는 늙은 집 -을 본다 |"),
        ("one hears a sound", "| 소녀 -는 개 -들 -을 자주 듣는다 |"),
    ],
)
def test_a_korean_fault_would_be_seen(fault, text):
    assert _korean_pattern(KOREAN_FAULTS[fault]).search(text)


def _being(noun, determiner="the", **more):
    return NounPhrase(_word(NOUNS, noun), determiner, plural=False, **more)


def _sentence(subject, verb, of=None, **more):
    built = Meaning(random.Random(0))
    built.main[:] = [Clause(_word(VERBS, verb), subject, of, **more)]
    return " ".join(w for w, _ in grammar.english(built)), lab.detokenize(
        [w for w, _ in grammar.korean(built)]
    )


def test_korean_sentences_by_hand():
    always = next(a for a in ADVERBS if a.english == "always")
    old = {"before": _word(ADJECTIVES, "old")}
    sleeper, heard = _being("cat"), _being("cat")
    sleeper.relative = Clause(_word(VERBS, "sleeps"), None, head=sleeper)
    heard.relative = Clause(_word(VERBS, "hears"), _being("dog", "my"), head=heard)
    assert [
        _sentence(_being("girl", "a"), "laughs"),
        _sentence(_being("cat", "my"), "sleeps", negated=True, adverb=always),
        _sentence(_being("doctor", adjectives=old), "hears", _being("house", adjectives=old)),
        _sentence(_being("doctor", partner=sleeper), "sings"),
        _sentence(heard, "smiles", _being("man")),
    ] == [
        ("a girl laughs", "어떤 소녀가 웃는다"),
        ("my cat does not always sleep", "내 고양이는 항상 자지는 않는다"),
        ("the old doctor hears the old house", "늙은 의사는 오래된 집의 소리를 듣는다"),
        ("the doctor and the cat that sleeps sing", "의사 그리고 자는 고양이는 노래한다"),
        (
            "the cat that my dog hears smiles at the man",
            "내 개가 소리를 듣는 고양이는 남자에게 미소 짓는다",
        ),
    ]


def test_korean_verb_comes_last():
    pair = lab.generate(1, seed=0, lengths=(20, 20), target="korean")[0]
    assert pair.target[-1].endswith("다")


def test_every_construction_occurs_in_short_sentences():
    # Otherwise a falling length curve could be blamed on constructions, not on length.
    words = {word for pair in lab.generate(4_000, seed=0, lengths=(6, 9)) for word in pair.target}
    longer = {word for pair in lab.generate(500, seed=0, lengths=(30, 40)) for word in pair.target}
    assert longer <= words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lengths": (2, 5)}, "3 <= shortest"),
        ({"lengths": (9, 5)}, "shortest <= longest"),
        ({"lengths": (3, 51)}, "<= 50"),
        ({"target": "german"}, "french, korean"),
        ({"split": "dev"}, "validation"),
        ({"n": 10_000, "lengths": (3, 3)}, "found only"),
    ],
)
def test_bad_arguments_say_what_was_expected(arguments, message):
    with pytest.raises(ValueError, match=message):
        lab.generate(**({"n": 5, "seed": 0} | arguments))
