"""Korean search: a word is found whatever its particle, and a query is read as the pages are."""

import json
import re
import shutil
import subprocess

import pytest

from tools.catalogs import PROSE
from tools.korean_search import SearchKorean, bare, forms

WORDS = """
    정렬 정렬을 정렬은 정렬에서는 정렬의 길이 길이의 길이에서 결과 결과는 결과를 정확도 정확도를
    모델 모델도 모델로 데이터로 값으로 것으로 층은 층에서 수입니다 가중치입니다 크기이며
    측정합니다 측정한 측정하는 어린이 어린이를 차이가 효과와 효과를 추가 추가로 인코더만으로
    단어들을 최대한 으로 이
""".split()


@pytest.fixture(scope="module")
def language() -> SearchKorean:
    return SearchKorean({})


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("정렬", "정렬 정렬을 정렬은 정렬의 정렬에서는 정렬과 정렬이란 정렬입니다 정렬도 정렬만"),
        ("가중치", "가중치 가중치이며 가중치는 가중치를 가중치로 가중치와 가중치까지의 가중치마다"),
        ("측정", "측정 측정한 측정하는 측정합니다 측정했습니다 측정된 측정하려면"),
        ("길이", "길이 길이는 길이의 길이로 길이에서도"),
        ("결과", "결과 결과는 결과로 결과입니다"),
        ("정확도", "정확도 정확도를 정확도가 정확도의"),
        ("층", "층 층은 층을 층의 층에서"),
        ("정렬을", "정렬 정렬은 정렬에서"),
        ("어린이", "어린이 어린이를 어린이가"),
        ("값", "값으로 값은 값입니다"),
    ],
)
def test_a_word_is_found_in_each_of_its_forms(query, written):
    for word in written.split():
        assert bare(query) in forms(word), word


@pytest.mark.parametrize(
    ("query", "other"), [("길이", "길을"), ("정확도", "정확한"), ("결과", "결을"), ("추가", "추를")]
)
def test_another_word_is_not_found(query, other):
    assert bare(query) not in forms(other)


def test_words_in_latin_letters_are_told_from_their_particles(language):
    words = language.split("LSTM은 어텐션(attention)을 30단어에서 BLEU는")
    assert words == "LSTM 은 어텐션 attention 을 30 단어 BLEU 는".split()
    kept = [language.stem(word) for word in words if language.word_filter(language.stem(word))]
    assert kept == ["lstm", "어텐션", "attent", "30", "단어", "bleu"]


def test_the_english_stemmer_leaves_korean_alone(language):
    for word in WORDS:
        assert language.stem(word) == word


def in_node(script: str, argument: object) -> object:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not to be had here")
    text = f"{script}\nconsole.log(JSON.stringify(answer({json.dumps(argument)})));"
    done = subprocess.run([node, "-"], input=text, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_query_is_read_as_the_pages_are(language):
    catalog = (PROSE / "notebooks" / "04_attention.po").read_text("utf8")
    words = sorted({*WORDS, *re.findall("[가-힣]+", catalog)})
    answer = "const answer = (words) => words.map((word) => splitQuery(word));"
    assert in_node(language.js_stemmer_code + answer, words) == [[bare(word)] for word in words]


def test_a_page_must_have_every_word_of_the_query(language):
    pages = {"정렬": ["a", "b"], "가중치": ["b", "c"], "attent": ["b"]}
    search = """
    const pages = %s;
    const Search = { performTermsSearch: (terms) => (pages[[...terms][0]] || [])
        .map((name) => [name, name, "", null, 5, name + ".html"]) };
    """
    answer = """
    const answer = (queries) => queries.map((query) => Search.performTermsSearch(
        new Set(splitQuery(query).map((word) => new Stemmer().stemWord(word))), new Set()));
    """
    script = search % json.dumps(pages) + language.js_stemmer_code + answer
    both, one, none = in_node(script, ["정렬은 가중치를 attention이", "정렬", "정렬 사과"])
    # The 이 that follows a Latin word is among the stop words, which Sphinx takes out beforehand.
    assert [page[0] for page in one] == ["a", "b"]
    assert none == []
    assert both == []
