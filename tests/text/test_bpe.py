"""Byte pair encoding: learning, encoding, and equality with the `tokenizers` package."""

import random
import unicodedata
from collections import Counter
from itertools import pairwise

import pytest
import tokenizers
from tokenizers.models import BPE as PackageModel
from tokenizers.pre_tokenizers import Split

from course_lib.text.bpe import BPE, END, apply_merges, join_pair, known_parts
from course_lib.text.words import UNK

TEXTS = [
    "Ada Lovelace (10 December 1815 – 27 November 1852) was an English mathematician and writer, "
    "chiefly known for her work on Charles Babbage's proposed mechanical general-purpose "
    "computer, the Analytical Engine. She was the first to see that the machine could do more "
    "than pure calculation.",
    "The Seine (/seɪn, sɛn/; French: [sɛn]) is a 777-kilometre-long river in northern France. Its "
    "basin holds 30 % of the country's people; the river flows into the Channel at Le Havre.",
    "Seoul (서울), officially Seoul Special City (서울특별시), is the capital of South Korea. The "
    "city had 9,386,034 people in 2023, and the area around it holds half of the country.",
    "L'été, la mer est « chaude » : 25 °C à l'ombre ! Où est-ce que l'on peut s'y baigner ?",
    "한글은 한국어의 고유 문자로, 1443년에 창제되었다. 한글은 소리를 적는 글자이다.",
    "A river is a natural stream of water that flows to the sea, to a lake, or to another river. "
    "The rivers of the country flow to the north; the longest river flows through the capital.",
]
STRANGE = [
    "",
    "   ",
    "\t\n",
    "…",
    "a",
    "the  the\u00a0the\nthe",
    "naïve café — naïve café",
    "cafe\u0301 l'e\u0301te\u0301",
    "Привет, мир! 東京タワー 🗼👩‍🔬",
    "x_1 = y__2; 10³ m² ½",
    "riverrivers RIVERS rIvEr's “river’s”",
    "the▁river ▁",
    "<pad> the </s> <unk>",
    "국어의한글은 서울특별시의 뷁",
    "aaaaaaaaaaaaaaaaaaaaaaa",
]


def random_texts(count=300, seed=0):
    """Strings of pieces of the texts, strange characters and spaces, in no sensible order."""
    draw = random.Random(seed)
    source = " ".join(TEXTS + STRANGE)
    texts = []
    for _ in range(count):
        starts = [draw.randrange(len(source)) for _ in range(draw.randint(1, 8))]
        glue = draw.choice(["", " ", ".", "é", "✗"])
        texts.append(glue.join(source[i : i + draw.randint(1, 12)] for i in starts))
    return texts


def package_ids(bpe, text):
    """The ids that the package gives for the same merges, with its own cutting into words."""
    model = PackageModel(
        vocab={token: i for i, token in enumerate(bpe.vocabulary.tokens)},
        merges=list(bpe.merges),
        unk_token="<unk>",
    )
    tokenizer = tokenizers.Tokenizer(model)
    word = tokenizers.Regex(rf"\w+{END}?|[^\w{END}]{END}?")
    tokenizer.pre_tokenizer = Split(word, "isolated")
    spaced = tokenizers.normalizers.NFC().normalize_str(text).replace(END, " ").split()
    return tokenizer.encode("".join(word + END for word in spaced)).ids


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("merges", [0, 30, 400])
def test_encodes_like_the_package_with_the_same_merges(merges, fast):
    bpe = BPE.train(TEXTS, merges, fast=fast)
    assert (len(bpe.merges) > 100) == (merges == 400)
    for text in TEXTS + STRANGE + random_texts():
        assert bpe.encode(text) == package_ids(bpe, text), text


def apply_plainly(word, ranks):
    """The definition: look through the whole word for the pair that was learned first."""
    pieces = list(word)
    while known := [pair for pair in pairwise(pieces) if pair in ranks]:
        at = list(pairwise(pieces)).index(min(known, key=ranks.get))
        pieces[at : at + 2] = ["".join(pieces[at : at + 2])]
    return pieces


def test_merges_are_applied_as_defined():
    draw = random.Random(0)
    for _ in range(60):  # few letters: overlaps such as "aaa", and tokens made in two ways
        tokens, merges = ["a", "b", "c"], []
        for _ in range(draw.randint(1, 30)):
            merges.append((draw.choice(tokens), draw.choice(tokens)))
            tokens.append("".join(merges[-1]))
        ranks = {pair: rank for rank, pair in enumerate(dict.fromkeys(merges))}
        for length in (0, 1, 2, 12, 80):
            word = "".join(draw.choices("abcd", k=length))
            assert apply_merges(word, ranks) == apply_plainly(word, ranks), (word, ranks)


def test_the_time_for_a_long_word_grows_with_its_length_not_with_the_square():
    bpe = BPE.train(TEXTS, 400)
    word = "".join(random.Random(0).choices("etaoinshr", k=32_000))

    def cost(length):
        """Looks into the table of merges: what the time consists of, without a clock."""
        looks = 0

        class Counted(dict):
            def get(self, pair):
                nonlocal looks
                looks += 1
                return super().get(pair)

        apply_merges(word[:length], Counted(bpe._ranks))
        return looks

    assert cost(32_000) < 6 * cost(8_000) < 6 * 10 * 8_000


def test_encodes_like_the_package_when_two_merges_make_one_token():
    merges = [("a", "b"), ("ab", "c"), ("abc", "a"), ("b", "c"), ("a", "bc"), ("abc", END)]
    bpe = BPE(["a", "b", "c", END], merges)
    assert BPE(bpe.alphabet, [*merges, merges[0]]).merges == bpe.merges  # given twice, kept once
    assert len(bpe) == 4 + 4 + 5  # specials, alphabet, merges that made something new
    draw = random.Random(0)
    for _ in range(500):
        text = "".join(draw.choice("abc ") for _ in range(12))
        assert bpe.encode(text) == package_ids(bpe, text), text


def test_learns_the_example_of_the_paper():
    text = "low " * 5 + "lower " * 2 + "newest " * 6 + "widest " * 3
    bpe = BPE.train([text], merges=5)
    assert bpe.merges == (("e", "s"), ("es", "t"), ("est", END), ("l", "o"), ("lo", "w"))
    assert bpe.split("lowest slower") == ["low", "est▁", "s", "low", "e", "r", END]


def test_fast_training_takes_a_most_frequent_pair_each_time():
    bpe = BPE.train(TEXTS, 100, fast=True)
    spelled = {word: tuple(word) for text in TEXTS for word in BPE.words(text)}
    words = Counter(word for text in TEXTS for word in BPE.words(text))
    assert len(bpe.merges) == 100
    for merge in bpe.merges:
        counts = Counter()
        for word, count in words.items():
            for pair in pairwise(spelled[word]):
                counts[pair] += count
        assert counts[merge] == max(counts.values())
        spelled = {word: tuple(join_pair(symbols, merge)) for word, symbols in spelled.items()}


@pytest.mark.parametrize("fast", [False, True])
def test_training_is_deterministic_and_stops_when_nothing_repeats(fast):
    assert BPE.train(TEXTS, 50, fast=fast).merges == BPE.train(TEXTS, 50, fast=fast).merges
    assert BPE.train(["abc"], 50, fast=fast).merges == ()
    assert len(BPE.train(["abab abab"], 50, fast=fast).merges) < 5


@pytest.mark.parametrize(
    ("word", "joined"), [("aaab", ["aa", "a", "b"]), ("aaaa", ["aa", "aa"]), ("", [])]
)
def test_join_pair_goes_from_left_to_right(word, joined):
    assert list(join_pair(word, ("a", "a"))) == joined


def test_decoding_restores_composed_text_but_for_white_space_and_unknown_characters():
    bpe = BPE.train(TEXTS, 100)
    for text in TEXTS + STRANGE + random_texts():
        restored = " ".join(unicodedata.normalize("NFC", text).replace(END, " ").split())
        known = "".join(c if c == " " or c in bpe.vocabulary else "<unk>" for c in restored)
        assert bpe.decode(bpe.encode(text)) == known
        assert (UNK in bpe.encode(text)) == (known != restored)
    assert bpe.decode(bpe.encode("the▁river")) == "the river"
    assert bpe.decode(bpe.encode("e\u0301te\u0301")) == "\u00e9t\u00e9"
    assert bpe.decode(bpe.encode("  the ✗river✗\n\n")) == "the <unk>river<unk>"


def test_more_merges_give_fewer_tokens():
    trained = [BPE.train(TEXTS, merges) for merges in (0, 50, 100, 200)]
    sizes = [sum(len(bpe.encode(text)) for text in TEXTS) for bpe in trained]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 1.5 * sizes[-1]
    # Without merges a token is a character, and the space after the last word is written too.
    assert sizes[0] == sum(len(text) + 1 for text in TEXTS)


def test_merges_never_cross_words_or_punctuation():
    bpe = BPE.train(["in the end. " * 50], 100)
    assert set(bpe.split("in the end.")) == {"in▁", "the▁", "end", ".▁"}


@pytest.mark.parametrize("fast", [False, True])
def test_rare_characters_can_be_left_out(fast):
    bpe = BPE.train(["aba " * 9 + "azb zab"], 20, min_count=3, fast=fast)
    assert "z" not in bpe.vocabulary and END in bpe.vocabulary
    assert not any("z" in left + right for left, right in bpe.merges)
    assert UNK in bpe.encode("azb")
    assert known_parts(Counter({"azb": 2}), "ab") == {"a": 2, "b": 2}


def test_wrong_input_is_explained():
    with pytest.raises(ValueError, match="does not exist yet"):
        BPE(["a", "b", END], [("ab", "a")])
    with pytest.raises(ValueError, match="no word"):
        BPE.train(["", " "], 3)
