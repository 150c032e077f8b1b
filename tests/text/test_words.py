"""Vocabularies, special ids, and the tokenizer for whole words."""

import pytest
import torch

from course_lib.text.bpe import BPE
from course_lib.text.wordpiece import WordPiece
from course_lib.text.words import (
    BOS,
    EOS,
    OURS,
    PAD,
    SPECIALS,
    UNK,
    Specials,
    Tokenizer,
    Vocabulary,
    WordTokenizer,
)

SENTENCES = [
    "In the beginning God made the heaven and the earth.",
    "L'homme n’a pas dit : « Oui » ! (Ou presque ; qui sait ?)",
    "태초에 하나님이 천지를 창조하시니라",
    "Don't stop: the cat's at 10, Zürich [or Łódź].",
]


def test_special_tokens_come_first_whether_given_or_not():
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.tokens == (*SPECIALS, "a", "b")
    assert vocabulary.tokens == Vocabulary([*SPECIALS, "a", "b"]).tokens
    assert vocabulary.specials == OURS == (PAD, BOS, EOS, UNK, None) == (0, 1, 2, 3, None)
    assert SPECIALS == ("<pad>", "<s>", "</s>", "<unk>")


def test_build_orders_by_count_then_alphabet():
    lists = [["b", "c", "a"], ["c", "b", "d"]]
    assert Vocabulary.build(lists).tokens[4:] == ("b", "c", "a", "d")
    assert Vocabulary.build(lists, min_count=2).tokens[4:] == ("b", "c")
    assert [len(Vocabulary.build(lists, max_size=size)) for size in (3, 4, 7)] == [4, 4, 7]


def test_text_is_encoded_and_cannot_spell_a_special_token():
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.encode(["b", "a", "z", "<pad>", "</s>"]) == [5, 4, UNK, UNK, UNK]
    assert vocabulary.decode([5, 4, UNK]) == ["b", "a", "<unk>"]
    assert "a" in vocabulary and "z" not in vocabulary
    tokenizer = WordTokenizer.train(["the <pad> cat <s>"], style="lab")
    assert PAD not in tokenizer.encode("the <pad> cat") and len(tokenizer) == 6


class Published(Tokenizer):
    """Words of a vocabulary numbered by somebody else; only the last two ids are special."""

    def split(self, text):
        return text.split()

    def join(self, tokens):
        return " ".join(tokens)


def test_low_ids_of_a_published_vocabulary_are_ordinary_tokens():
    words = ["!", "the", "cat", "sat", "<end>", "<unk>"]
    tokenizer = Published(Vocabulary(words, Specials(None, 4, 4, 5)))
    assert tokenizer.vocabulary.tokens == tuple(words)
    ids = tokenizer.encode("the cat sat ! dog <end>")
    assert ids == [1, 2, 3, 0, 5, 5]
    assert tokenizer.decode([4, *ids, 4]) == "the cat sat ! <unk> <unk>"
    assert tokenizer.specials.pad is None


def test_without_a_token_for_the_unknown_nothing_is_unknown():
    tokenizer = Published(Vocabulary(["the", "cat", "<end>"], Specials(None, None, 2, None)))
    assert tokenizer.encode("the cat") == [0, 1]
    for text, word in (("the dog", "dog"), ("cat <end> the", "<end>")):
        with pytest.raises(ValueError, match=f"'{word}' is no text token"):
            tokenizer.encode(text)


@pytest.mark.parametrize("wrong", [-1, 6])
def test_what_a_vocabulary_refuses(wrong):
    with pytest.raises(ValueError, match=rf"{wrong} .*0 to 5"):
        Vocabulary(["a", "b"]).decode([4, wrong])
    with pytest.raises(ValueError, match="'a' occurs more often"):
        Vocabulary(["a", "b", "a"])


def test_decode_takes_a_tensor_and_refuses_fractions():
    assert Vocabulary(["a", "b"]).decode(torch.tensor([5, 4])) == ["b", "a"]
    tokenizer = WordTokenizer.train(["the cat"])
    assert tokenizer.decode(torch.tensor([BOS, 4, UNK, EOS, PAD])) == "cat <unk>"
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == ""
    with pytest.raises(TypeError):
        tokenizer.decode([4.0])


def test_words_are_split_and_joined_as_people_write():
    tokenizer = WordTokenizer.train(SENTENCES)
    assert tokenizer.split("L'homme n’a dit : Don't!") == (
        ["L'", "homme", "n’", "a", "dit", ":", "Don'", "t", "!"]
    )
    assert tokenizer.decode(tokenizer.encode("L'homme dit : Don't stop.")) == (
        "L'homme dit: Don't stop."
    )
    assert tokenizer.decode(tokenizer.encode(SENTENCES[0])) == SENTENCES[0]
    assert tokenizer.encode("Zu\u0308rich") == tokenizer.encode("Z\u00fcrich")  # composed or not
    for sentence in SENTENCES:
        ids = tokenizer.encode(sentence)
        assert UNK not in ids and tokenizer.encode(tokenizer.decode(ids)) == ids


def test_lab_style_only_splits_at_spaces():
    text = "l' homme voit-il , oui"
    tokenizer = WordTokenizer.train([text], style="lab")
    assert tokenizer.split(text) == ["l'", "homme", "voit-il", ",", "oui"]
    assert tokenizer.decode(tokenizer.encode(text)) == text
    with pytest.raises(KeyError, match="wrods"):
        WordTokenizer(Vocabulary([]), style="wrods")


@pytest.mark.parametrize(
    "tokenizer",
    [
        WordTokenizer.train(SENTENCES, max_size=20),
        WordTokenizer.train(SENTENCES, style="lab"),
        BPE.train(SENTENCES, 30),
        WordPiece.train(SENTENCES, 60),
    ],
)
def test_saved_and_loaded_is_the_same(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    again = type(tokenizer).load(path)
    assert again.vocabulary.tokens == tokenizer.vocabulary.tokens
    for sentence in [*SENTENCES, "something unseen ✗"]:
        assert again.encode(sentence) == tokenizer.encode(sentence)
        assert again.decode(again.encode(sentence)) == tokenizer.decode(tokenizer.encode(sentence))
    assert [p.name for p in tmp_path.iterdir()] == ["tokenizer.json"]
    assert "\\u" not in path.read_text("utf-8")  # readable: é and 한 as they are


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"kind": "bpe"}', "holds 'bpe', expected 'words'"),
        (b'{"tokens": ["a"]}', "no tokenizer in JSON"),
        (b"[1, 2]", "no tokenizer in JSON"),
        (b'{"kind": "wor', "no tokenizer in JSON"),
        ('{"kind": "é"}'.encode("latin-1"), "no tokenizer in JSON and UTF-8"),
    ],
)
def test_loading_another_file_says_what_is_wrong(tmp_path, content, message):
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(ValueError, match=f"t.json holds .*{message}|t.json {message}"):
        WordTokenizer.load(tmp_path / "t.json")
