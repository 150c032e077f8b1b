"""Byte pair encoding: learning, encoding, and equality with the `tokenizers` package."""

import random
from collections import Counter
from itertools import pairwise

import pytest
import tokenizers
from tokenizers.models import BPE as PackageModel
from tokenizers.pre_tokenizers import Split

from course_lib.text.bpe import BPE, END, join_pair, known_parts, learn_merges
from course_lib.text.words import UNK, CharTokenizer

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


def learn_slowly(words, number):
    """Algorithm 1 as printed: count every pair anew for each merge."""
    spelled = {word: tuple(word) for word in words}
    merges = []
    for _ in range(number):
        counts = Counter()
        for word, count in words.items():
            for pair in pairwise(spelled[word]):
                counts[pair] += count
        if not counts or max(counts.values()) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        spelled = {word: tuple(join_pair(symbols, best)) for word, symbols in spelled.items()}
    return merges


def test_counting_changes_only_equals_counting_anew():
    words = Counter(word for text in TEXTS for word in BPE.words(text))
    assert learn_merges(words, 400) == learn_slowly(words, 400)
    draw = random.Random(0)
    for _ in range(20):  # few letters: many repeats and overlaps such as "aaa"
        words = Counter("".join(draw.choices("ab", k=draw.randint(1, 9))) + END for _ in range(30))
        assert learn_merges(words, 60) == learn_slowly(words, 60)


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
    one, two = BPE.train(TEXTS, 200, fast=fast), BPE.train(TEXTS, 200, fast=fast)
    assert one.merges == two.merges
    assert BPE.train(["abc"], 50, fast=fast).merges == ()
    assert len(BPE.train(["abab abab"], 50, fast=fast).merges) < 5


def test_join_pair_goes_from_left_to_right():
    assert list(join_pair("aaab", ("a", "a"))) == ["aa", "a", "b"]
    assert list(join_pair("aaaa", ("a", "a"))) == ["aa", "aa"]
    assert list(join_pair("", ("a", "a"))) == []


@pytest.mark.parametrize("text", TEXTS)
def test_decoding_restores_the_text(text):
    bpe = BPE.train(TEXTS, 100)
    assert bpe.decode(bpe.encode(text)) == text
    assert bpe.decode(bpe.encode(f"  {text}\n\n")) == text


def test_composed_and_decomposed_letters_are_the_same():
    bpe = BPE.train(TEXTS, 100)
    assert bpe.encode("e\u0301te\u0301") == bpe.encode("\u00e9t\u00e9")
    assert UNK not in bpe.encode("e\u0301te\u0301")


def test_more_merges_give_fewer_tokens():
    sizes = [sum(len(BPE.train(TEXTS, n).encode(t)) for t in TEXTS) for n in (0, 50, 100, 200)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 1.5 * sizes[-1]
    characters = CharTokenizer.train(TEXTS)
    # Without merges a token is a character, and the space after the last word is written too.
    assert sizes[0] == sum(len(characters.encode(text)) + 1 for text in TEXTS)


def test_merges_never_cross_words_or_punctuation():
    bpe = BPE.train(["in the end. " * 50], 100)
    assert set(bpe.split("in the end.")) == {"in▁", "the▁", "end", ".▁"}


def test_unknown_characters_stay_alone():
    bpe = BPE.train(TEXTS, 100)
    ids = bpe.encode("the ✗river✗")
    assert ids.count(UNK) == 2
    assert bpe.decode(ids) == "the <unk>river<unk>"


@pytest.mark.parametrize("fast", [False, True])
def test_rare_characters_can_be_left_out(fast):
    bpe = BPE.train(["aba " * 9 + "azb zab"], 20, min_count=3, fast=fast)
    assert "z" not in bpe.vocabulary and END in bpe.vocabulary
    assert not any("z" in left + right for left, right in bpe.merges)
    assert UNK in bpe.encode("azb")
    assert known_parts(Counter({"azb": 2}), "ab") == {"a": 2, "b": 2}


def test_saved_and_loaded_is_the_same(tmp_path):
    bpe = BPE.train(TEXTS, 150)
    bpe.save(tmp_path / "bpe.json")
    again = BPE.load(tmp_path / "bpe.json")
    assert again.merges == bpe.merges and again.vocabulary.tokens == bpe.vocabulary.tokens
    assert [again.encode(t) for t in STRANGE] == [bpe.encode(t) for t in STRANGE]
    with pytest.raises(ValueError, match="holds 'bpe', expected 'characters'"):
        CharTokenizer.load(tmp_path / "bpe.json")


def test_wrong_input_is_explained():
    with pytest.raises(ValueError, match="does not exist yet"):
        BPE(["a", "b", END], [("ab", "a")])
    with pytest.raises(ValueError, match="merges is -1"):
        BPE.train(TEXTS, -1)
    with pytest.raises(ValueError, match="no word"):
        BPE.train(["", " "], 3)
    bpe = BPE.train(TEXTS, 3)
    with pytest.raises(ValueError, match=rf"Token id {len(bpe)} .* 0 to {len(bpe) - 1}"):
        bpe.decode([len(bpe)])
