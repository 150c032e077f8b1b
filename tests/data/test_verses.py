"""Verses: the counts of the archive, clean pairs, splits without leakage."""

import re
from collections import Counter
from itertools import combinations

import pytest

from course_lib.data import verses
from course_lib.data.splits import hash_fraction


def test_every_translation_has_the_same_31102_verses():
    english, *others = map(verses.translation, verses.LANGUAGES)
    assert len(english) == 31_102 and all(other.keys() == english.keys() for other in others)
    assert english["Genesis", 1, 1] == "At the first God made the heaven and the earth."
    assert list(dict.fromkeys(book for book, _, _ in english)) == verses.BOOKS


def test_pairs_are_aligned_and_in_order(verse_pairs):
    known = {pair[:3]: pair for pair in verse_pairs}
    assert known["John", 11, 35].target == "Jésus pleura."
    assert known["Revelation", 22, 21] == verse_pairs[-1]
    order = [(verses.BOOKS.index(pair.book), pair.chapter, pair.verse) for pair in verse_pairs]
    assert order == sorted(set(order))


def test_texts_are_clean(verse_pairs):
    korean = verses.load("english", "korean")
    loaded = [verse_pairs, korean, verses.load("world_english", "ostervald")]
    assert list(map(len, loaded)) == [31_058, 31_039, 31_102]
    for pairs in loaded:
        for texts in ([pair.source for pair in pairs], [pair.target for pair in pairs]):
            odd = re.compile(r"[\d\[\]#*`’\t]|  |^ | $|^$", re.MULTILINE)
            assert not odd.search("\n".join(texts))
    assert re.fullmatch(r"[가-힣 ,.()\n]+", "\n".join(pair.target for pair in korean))


@pytest.mark.parametrize(
    ("raw", "book", "cleaned"),
    [
        ("[]", "Psalms", ""),
        ("A heart *** of pride", "Proverbs", ""),
        ("12절과 상동", "Jeremiah", ""),
        ("(Missing KJV: For the Son of man)", "Matthew", ""),
        ("(9:2) Je louerai l'Éternel", "Psalms", "Je louerai l'Éternel"),
        ("Blessed are they. Psalm 3 A Psalm by David.", "Psalms", "Blessed are they."),
        ("God`s first -[fruits]", "Leviticus", "God's first -fruits"),
        ("«Dieu avec nous» [Ésaïe 7:14].", "Matthew", "«Dieu avec nous» ."),
        ("1 Et Samuel prit", "1 Samuel", "Et Samuel prit"),
    ],
)
def test_clean(raw, book, cleaned):
    assert verses.clean(raw, book) == cleaned


def test_split_by_whole_books_without_repeated_sentences(verse_pairs):
    splits = verses.split(verse_pairs)
    books = [{pair.book for pair in part} for part in splits]
    assert books[2] == verses.TEST_BOOKS and books[1] == verses.VALIDATION_BOOKS
    assert set().union(*books) == set(verses.BOOKS)
    for side in ("book", "source", "target"):
        texts = [{getattr(pair, side) for pair in part} for part in splits]
        assert not any(one & other for one, other in combinations(texts, 2))
    for part in splits[1:]:
        assert 0.045 < len(part) / len(verse_pairs) < 0.055
    assert len(verse_pairs) - sum(map(len, splits)) < 10


def test_few_long_sequences_are_shared_between_test_and_training(verse_pairs):
    def sequences(text):
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    splits = verses.split(verse_pairs)
    held_out = [sequences(pair.source) for pair in splits.test]
    places: dict[tuple, list[int]] = {}
    for index, found in enumerate(held_out):
        for sequence in found:
            places.setdefault(sequence, []).append(index)
    close = set()
    for found in (sequences(pair.source) for pair in splits.train):
        shared = Counter(i for sequence in found for i in places.get(sequence, ()))
        close |= {i for i, n in shared.items() if n / len(found | held_out[i]) > 0.5}
    assert len(close) <= 1  # the docstring of verses.split says so


def test_an_unknown_language_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="'latin'; there are english, world_english"):
        verses.load("latin")


def test_hash_fraction_is_fixed_and_even():
    assert hash_fraction("") == 0xE3B0C44298FC1C14 / 2**64  # SHA-256 of nothing
    values = [hash_fraction(str(i)) for i in range(2000)]
    assert 0 <= min(values) and max(values) < 1
    assert abs(sum(values) / 2000 - 0.5) < 0.03
