"""WordPiece: equal to the `tokenizers` package, and documented where it is not asked."""

import random
from itertools import islice

import pytest
from tokenizers import BertWordPieceTokenizer

from course_lib.data import wikipedia
from course_lib.text.wordpiece import LONGEST_WORD, SPECIALS, WordPiece, cut_pair, words
from tests.fetched import fetched

VOCABULARY = [*SPECIALS, "low", "##er", "##est", "new", "##s", "!", "a", "##b", "猫", "l", "##ow"]


@pytest.fixture(scope="module")
def small() -> WordPiece:
    return WordPiece(VOCABULARY)


@pytest.fixture(scope="module")
def file():
    return fetched("minilm") / "vocab.txt"


@pytest.fixture(scope="module")
def ours(file) -> WordPiece:
    found = WordPiece.read_vocab(file)
    assert found.tokens == tuple(file.read_text("utf-8").split())
    return found


@pytest.fixture(scope="module")
def package(file) -> BertWordPieceTokenizer:
    return BertWordPieceTokenizer(str(file), lowercase=True)


def test_longest_match_from_the_left(small):
    assert small.pieces(small.encode("lower lowest NEWS!")) == [
        "low", "##er", "low", "##est", "new", "##s", "!",
    ]  # fmt: skip


def test_greedy_is_not_the_fewest_pieces():
    tokens = WordPiece([*SPECIALS, "abc", "ab", "##cd", "##d", "##x"])
    assert tokens.pieces(tokens.encode("abcd")) == ["abc", "##d"]
    assert tokens.pieces(tokens.encode("abcdx")) == ["abc", "##d", "##x"]
    greedy = WordPiece([*SPECIALS, "abc", "ab", "##cd"])  # ab + cd would do; abc leaves d alone
    assert greedy.pieces(greedy.encode("abcd ab xab")) == ["[UNK]", "ab", "[UNK]"]


def test_basic_step():
    assert words("Élève, naïve-ly\u00a0OK?") == ["eleve", ",", "naive", "-", "ly", "ok", "?"]
    assert words("我like猫") == ["我", "like", "猫"]
    assert words("a\u200bb\x00c\ufffdd\te") == ["abcd", "e"]
    assert words("$5+`x`") == ["$", "5", "+", "`", "x", "`"]
    assert words("a\ud800b") == ["ab"]  # half a surrogate pair
    assert words("") == [] and words(" \n\u2028 ") == []
    assert words("한국어") == ["\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165"]  # decomposed


@pytest.mark.parametrize(("language", "count"), [("english", 10_000), ("french", 4_000)])
def test_equal_to_the_package_on_thousands_of_sentences(ours, package, language, count):
    found = (s for article in wikipedia.load(language) for s in wikipedia.sentences(article.text))
    sentences = list(islice(found, count))
    theirs = package.encode_batch(sentences, add_special_tokens=False)
    assert len(theirs) == count
    for sentence, other in zip(sentences, theirs, strict=True):
        assert ours.encode(sentence) == other.ids, sentence


ODD = {
    "empty": "",
    "blanks": " \t\n\r\u3000 ",
    "emoji": "fine 👍🏽 family 👨‍👩‍👧 flag 🇰🇷!",
    "ten thousand words": "the cat sat " * 3334,
    "one endless word": "a" * 5000,
    "just short enough": "ab" * (LONGEST_WORD // 2),
    "invalid UTF-8": b"caf\xe9 and \xff\xfe rest".decode("utf-8", errors="replace"),
    "controls": "a\x00b\x07c\x85d\u200de\ufefff",
    "accents": "Ångström, Straße, ŒUVRE, İstanbul, ὈΔΥΣΣΕΎΣ, Ελλάς",
    "scripts": "한국어 문장 123, 日本語テキスト, русский, العربية, हिन्दी",
    "punctuation": "«So?» — ¿no!… $3.50 #tag @me a/b a_b ^~|<>",
    "unassigned": "a\u0378b",
    "private": "a\ue000b",
}


def test_odd_texts_are_cut_as_the_package_cuts_them(ours, package):
    for name, text in ODD.items():
        assert ours.encode(text) == package.encode(text, add_special_tokens=False).ids, name


def test_random_texts_are_cut_as_the_package_cuts_them(ours, package):
    draw = random.Random(0)
    ranges = [(0, 0x7F), (0x80, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x2000, 0x206F),
              (0x3040, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xADFF), (0x1F600, 0x1F64F)]  # fmt: skip
    for _ in range(1500):
        text = "".join(chr(draw.randint(*draw.choice(ranges))) for _ in range(draw.randint(0, 40)))
        if not any(special in text for special in SPECIALS):
            theirs = package.encode(text, add_special_tokens=False).ids
            assert ours.encode(text) == theirs, ascii(text)


def test_marks_in_a_text_are_text(ours):
    ids = ours.encode("see [MASK] and [SEP]")
    assert not set(ours.specials) & set(ids)
    assert ours.pieces(ids)[:4] == ["see", "[", "mask", "]"]


def test_text_and_pair_have_marks_and_segments(small):
    one = small.text("low news")
    assert small.pieces(one.ids) == ["[CLS]", "low", "new", "##s", "[SEP]"]
    assert one.segments == [0] * 5
    pair = small.text("low", "news !")
    assert small.pieces(pair.ids) == ["[CLS]", "low", "[SEP]", "new", "##s", "!", "[SEP]"]
    assert pair.segments == [0, 0, 0, 1, 1, 1, 1]
    assert small.pieces(small.text("").ids) == ["[CLS]", "[SEP]"]


def test_truncation(ours, package):
    long, short = "the cat sat on the mat " * 30, "a small dog " * 5
    for first, second in ((long, short), (short, long), (long, long), (short, short)):
        for longest in (5, 9, 16, 17, 64, 512):
            marked = ours.text(first, second, longest=longest)
            assert len(marked.ids) == len(marked.segments) <= longest
            one, other = ours.encode(first), ours.encode(second)
            while len(one) + len(other) > longest - 3:  # token by token, from the longer
                (one if len(one) > len(other) else other).pop()
            assert marked.ids == [ours.cls, *one, ours.sep, *other, ours.sep]
    package.enable_truncation(16)
    assert ours.text(long, longest=16).ids == package.encode(long).ids
    package.no_truncation()


def test_no_room_for_a_token_is_an_error(small):
    with pytest.raises(ValueError, match="expected at least 3"):
        small.text("low", longest=2)
    with pytest.raises(ValueError, match="expected at least 5"):
        small.text("low", "low", longest=4)
    assert cut_pair([1, 2, 3], [4], 4) == ([1, 2, 3], [4])


def test_special_ids_are_those_of_the_vocabulary():
    tokens = WordPiece(["[PAD]", "a", "##b", "[MASK]", "[SEP]", "[CLS]", "[UNK]"])
    assert tokens.specials == (0, 5, 4, 6, 3)
    assert tokens.encode("ab z") == [1, 2, 6]  # 1 and 2 are tokens like any other
    assert tokens.decode([5, 1, 2, 3, 4, 0]) == "ab [MASK]"


def test_decoding_joins_pieces(small):
    assert small.decode(small.text("lowest news !").ids) == "lowest news !"
    with pytest.raises(ValueError, match="outside this vocabulary"):
        small.decode([99])


def test_wrong_vocabularies_are_refused():
    with pytest.raises(ValueError, match=r"lacks \[MASK\]"):
        WordPiece([*SPECIALS[:4], "a"])
    with pytest.raises(ValueError, match="as id 0"):
        WordPiece(["a", *SPECIALS])
    with pytest.raises(ValueError, match="'a' occurs more often"):
        WordPiece([*SPECIALS, "a", "a"])


def test_learned_vocabulary_knows_its_texts():
    texts = ["low lower lowest", "new newer newest", "wide wider widest"] * 5
    tokens = WordPiece.train(texts, 200)
    assert len(tokens) <= 200 and tokens.tokens[:5] == SPECIALS
    assert tokens.encode("low") == [tokens.tokens.index("low")]
    assert WordPiece.train(texts, 200).tokens == tokens.tokens
