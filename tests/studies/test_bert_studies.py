"""Parts of chapter 11's studies that a wrong line would bend without an error."""

import pytest
import torch

from course_lib import studies
from course_lib.bert.model import BertConfig, BertForPreTraining
from course_lib.data import archives, reviews, sentence_order, wikipedia
from course_lib.studies.ch11 import bert_tuning, minilm_fill_mask, small_bert
from course_lib.studies.ch11.minilm_fill_mask import Hidden
from course_lib.studies.engine import artifacts
from course_lib.text.wordpiece import SPECIALS, WordPiece

LETTERS = [chr(n) for n in range(97, 123)]
TOKENS = WordPiece([*SPECIALS, *LETTERS, *(f"##{letter}" for letter in LETTERS), "the", "of"])


@pytest.fixture(autouse=True)
def data():
    try:
        for name in ("reviews", "wikipedia"):
            archives.fetch(name)
    except archives.ArchiveError as error:
        pytest.skip(str(error))


def test_the_subset_is_fixed_balanced_and_part_of_the_test():
    parts = [bert_tuning.review_parts(TOKENS, seed) for seed in (0, 1)]
    one, other = (bert_tuning.subset(each["test"]) for each in parts)
    assert one.written == other.written and len(one.labels) == 500 and sum(one.labels) == 250
    whole = dict(zip(parts[0]["test"].written, parts[0]["test"].labels, strict=True))
    assert len(whole) == 2000
    assert all(whole[text] == label for text, label in zip(one.written, one.labels, strict=True))
    films = {text.lower() for text in reviews.task(reviews.load(), 0).unlabeled}
    assert films.isdisjoint(one.written)


def test_labeled_reviews_are_those_of_the_protocol():
    few = bert_tuning.review_parts(TOKENS, 2)["labeled"].first(100)
    wanted = reviews.task(reviews.load(), 2).labeled[:100]
    assert few.written == [review.text.lower() for review in wanted]
    assert few.labels == [review.label for review in wanted] and sum(few.labels) == 50


def test_pairs_keep_their_order_and_their_length():
    found = bert_tuning.order_parts(TOKENS, 0)
    task = sentence_order.task(wikipedia.load(), 0)
    assert len(found["labeled"].ids) == 5000 and len(found["test"].ids) == len(task.test)
    for ids, pair in zip(found["test"].ids[:20], task.test, strict=False):
        assert ids.count(TOKENS.sep) == 2 and len(ids) <= bert_tuning.LONGEST_PAIR
        assert ids == TOKENS.text(pair.first, pair.second, longest=bert_tuning.LONGEST_PAIR).ids


def test_pieces_cover_a_text_without_a_gap():
    text = "the " * 100 + "of " * 45
    found = small_bert.pieces([text, "of"], TOKENS, length=32)
    inside = [id for piece in found for id in piece.ids[1:-1]]
    assert inside == TOKENS.encode(text)[: len(inside)] and len(inside) > 140
    assert all(8 <= len(piece.ids) <= 32 for piece in found)
    assert all((p.ids[0], p.ids[-1]) == (TOKENS.cls, TOKENS.sep) for p in found)


def test_the_kept_model_comes_back(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_ARTIFACTS", str(tmp_path))
    torch.manual_seed(0)
    model = small_bert.build({"direction": "both"}, TOKENS)
    artifacts.save_reader(small_bert.KEPT, model, {"what": "test"}, TOKENS)
    again, tokens, card = small_bert.load_kept(folder=tmp_path)
    assert tokens.tokens == TOKENS.tokens and card["storage"] == "16-bit floats"
    ids = torch.tensor([TOKENS.text("the cat").ids])
    torch.testing.assert_close(again(ids).words, model.float().eval()(ids).words)
    assert (tmp_path / "small_bert.safetensors").stat().st_size < 5_000_000


def test_only_what_the_head_has_of_its_own_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_ARTIFACTS", str(tmp_path))
    head = BertForPreTraining(BertConfig.tiny(60)).cls["predictions"]
    own = minilm_fill_mask.OwnWeights(head)
    names = {name for name, _ in own.named_parameters()}
    assert names == {
        "transform.dense.weight",
        "transform.dense.bias",
        "transform.LayerNorm.weight",
        "transform.LayerNorm.bias",
        "bias",
    }
    torch.nn.init.constant_(head.bias, 2.0)
    artifacts.save("head", own, {})
    other = BertForPreTraining(BertConfig.tiny(60)).cls["predictions"]
    artifacts.load("head", minilm_fill_mask.OwnWeights(other), folder=tmp_path)
    assert (other.decoder.bias == 2).all() and torch.equal(
        other.transform["dense"].weight, head.transform["dense"].weight
    )


def test_counting_prefers_what_stood_between_these_neighbors():
    guess = minilm_fill_mask.counted(["a red house", "a big house", "a big house", "a old tree"])
    known = ["red", "big", "old", "house"]
    between = guess(Hidden(["a", "?", "house"], 1), known)
    assert max(zip(between, known, strict=True))[1] == "big"
    left = guess(Hidden(["a", "?", "river"], 1), known)  # never seen between: the left one decides
    assert max(zip(left, known, strict=True))[1] == "big"
    alone = guess(Hidden(["green", "?", "river"], 1), known)
    assert max(zip(alone, known, strict=True))[1] == "house"


def test_ranks_and_rarer_words():
    scores = torch.tensor([[3.0, 2.0, 1.0], [0.0, 2.0, 1.0]])
    asked = [Hidden(["x"], 0), Hidden(["x"], 0)]
    found = minilm_fill_mask.summary(scores, asked, ["x", "y", "z"], frequent=set())
    assert (found["top1"], found["top5"], found["rare_top1"]) == (0.5, 1.0, 0.5)


def test_hidden_words_are_candidates_of_test_articles():
    known = ["the", "of", "river", "city"]
    found = minilm_fill_mask.hidden_words(known, 50)
    assert len(found) == 50 and {one.word for one in found} <= set(known)
    assert found == minilm_fill_mask.hidden_words(known, 50)


def test_every_cell_has_its_steps():
    from course_lib.studies.ch11 import minilm_reviews, three_tasks

    for cell in studies.get("minilm_reviews").cells:
        assert cell["labels"] in minilm_reviews.STEPS
    for cell in studies.get("three_tasks").cells:
        if cell["start"] == "tuned":
            assert (cell["task"], cell["labels"]) in three_tasks.STEPS
        if cell["start"] == "small":
            assert cell["labels"] in three_tasks.SMALL_STEPS
