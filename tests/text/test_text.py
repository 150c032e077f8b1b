"""Vocabularies, word and character tokenizers."""

import json

import pytest
import torch

from course_lib.text.words import (
    BOS,
    EOS,
    PAD,
    SPECIALS,
    UNK,
    CharTokenizer,
    Vocabulary,
    WordTokenizer,
)

SENTENCES = [
    "In the beginning God made the heaven and the earth.",
    "L'homme n’a pas dit : « Oui » ! (Ou presque ; qui sait ?)",
    "태초에 하나님이 천지를 창조하시니라",
    "Don't stop: the cat's at 10, Zürich [or Łódź].",
]


# Vocabulary


def test_special_tokens_come_first_whether_given_or_not():
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.tokens == (*SPECIALS, "a", "b")
    assert vocabulary.tokens == Vocabulary([*SPECIALS, "a", "b"]).tokens
    assert [SPECIALS[i] for i in (PAD, BOS, EOS, UNK)] == ["<pad>", "<s>", "</s>", "<unk>"]


def test_build_orders_by_count_then_alphabet():
    lists = [["b", "c", "a"], ["c", "b", "d"]]
    assert Vocabulary.build(lists).tokens[4:] == ("b", "c", "a", "d")
    assert Vocabulary.build(lists, min_count=2).tokens[4:] == ("b", "c")
    assert len(Vocabulary.build(lists, max_size=7)) == 7


def test_encode_and_decode_are_inverse_on_known_tokens():
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.encode(["b", "a", "z"]) == [5, 4, UNK]
    assert vocabulary.decode([5, 4, UNK]) == ["b", "a", "<unk>"]
    assert "a" in vocabulary and "z" not in vocabulary


def test_text_cannot_spell_a_special_token():
    assert Vocabulary(["a"]).encode(["<pad>", "</s>", "a"]) == [UNK, UNK, 4]
    assert Vocabulary(["a"]).token_to_id("</s>") == EOS
    tokenizer = WordTokenizer.train(["the <pad> cat <s>"], style="lab")
    assert PAD not in tokenizer.encode("the <pad> cat") and len(tokenizer) == 6


@pytest.mark.parametrize("wrong", [-1, 6, 1000])
def test_wrong_id_is_named_with_the_valid_range(wrong):
    with pytest.raises(ValueError, match=rf"{wrong} .*0 to 5"):
        Vocabulary(["a", "b"]).decode([4, wrong])


def test_decode_takes_a_tensor_and_refuses_fractions():
    assert Vocabulary(["a", "b"]).decode(torch.tensor([5, 4])) == ["b", "a"]
    with pytest.raises(TypeError):
        Vocabulary(["a", "b"]).decode([4.0])


def test_vocabulary_refuses_duplicates_and_no_room():
    with pytest.raises(ValueError, match="'a' occurs more often"):
        Vocabulary(["a", "b", "a"])
    with pytest.raises(ValueError, match="at least 5"):
        Vocabulary.build([["a"]], max_size=4)


# Tokenizers


@pytest.mark.parametrize("train", [WordTokenizer.train, CharTokenizer.train])
def test_decode_then_encode_gives_the_same_ids(train):
    tokenizer = train(SENTENCES)
    for sentence in SENTENCES:
        ids = tokenizer.encode(sentence)
        assert UNK not in ids
        assert tokenizer.encode(tokenizer.decode(ids)) == ids


def test_words_are_split_and_joined_as_people_write():
    tokenizer = WordTokenizer.train(SENTENCES)
    tokens = tokenizer.vocabulary.decode(tokenizer.encode("L'homme n’a dit : Don't!"))
    assert tokens == ["L'", "homme", "n’", "a", "dit", ":", "Don'", "t", "!"]
    assert tokenizer.decode(tokenizer.encode("L'homme dit : Don't stop.")) == (
        "L'homme dit: Don't stop."
    )
    assert tokenizer.decode(tokenizer.encode(SENTENCES[0])) == SENTENCES[0]


def test_lab_style_only_splits_at_spaces():
    tokenizer = WordTokenizer.train(["l' homme voit-il , oui"], style="lab")
    assert tokenizer.split("l' homme voit-il , oui") == ["l'", "homme", "voit-il", ",", "oui"]
    text = "oui , l' homme"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_characters_are_lossless():
    tokenizer = CharTokenizer.train(SENTENCES)
    for sentence in SENTENCES:
        assert tokenizer.decode(tokenizer.encode(sentence)) == sentence


@pytest.mark.parametrize("train", [WordTokenizer.train, CharTokenizer.train])
def test_composed_and_decomposed_letters_are_the_same(train):
    tokenizer = train(["\u00e9"])
    assert tokenizer.encode("e\u0301") == tokenizer.encode("\u00e9") == [4]


def test_decode_drops_marks_and_shows_unknown():
    tokenizer = WordTokenizer.train(["the cat"])
    cat = tokenizer.vocabulary.token_to_id("cat")
    assert tokenizer.decode([BOS, cat, UNK, EOS, PAD]) == "cat <unk>"
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == ""


@pytest.mark.parametrize(
    "tokenizer",
    [
        WordTokenizer.train(SENTENCES, min_count=1, max_size=20),
        WordTokenizer.train(SENTENCES, style="lab"),
        CharTokenizer.train(SENTENCES),
    ],
)
def test_saved_and_loaded_is_the_same(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    again = type(tokenizer).load(path)
    for sentence in [*SENTENCES, "something unseen ✗"]:
        assert again.encode(sentence) == tokenizer.encode(sentence)
        assert again.decode(again.encode(sentence)) == tokenizer.decode(tokenizer.encode(sentence))
    assert [p.name for p in tmp_path.iterdir()] == ["tokenizer.json"]


def test_vocabulary_is_saved_and_loaded(tmp_path):
    vocabulary = Vocabulary(["b", "é", "한"])
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json").tokens == vocabulary.tokens
    assert "한" in (tmp_path / "v.json").read_text("utf-8")


def test_loading_another_file_says_what_is_wrong(tmp_path):
    path = tmp_path / "t.json"
    CharTokenizer.train(["a"]).save(path)
    with pytest.raises(ValueError, match="holds 'characters', expected 'words'"):
        WordTokenizer.load(path)
    path.write_text(json.dumps([1, 2]))
    with pytest.raises(ValueError, match="expected 'words'"):
        WordTokenizer.load(path)
    path.write_bytes('{"kind": "é"}'.encode("latin-1"))
    with pytest.raises(ValueError, match="not a JSON file in UTF-8"):
        WordTokenizer.load(path)


def test_encode_wants_one_string_and_a_known_style():
    with pytest.raises(TypeError, match="got list"):
        CharTokenizer.train(["a"]).encode(["a"])
    with pytest.raises(ValueError, match="'wrods'"):
        WordTokenizer(Vocabulary([]), style="wrods")
