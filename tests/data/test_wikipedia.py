"""Wikipedia introductions: the counts of the archive, splits, sentences."""

import pytest

from course_lib.data import wikipedia


@pytest.mark.parametrize(
    ("language", "count", "topics", "words"),
    [("english", 10_033, 12, 775_000), ("french", 9_955, 11, 561_000)],
)
def test_articles_and_split(articles, language, count, topics, words):
    loaded = articles[language]
    assert len(loaded) == count == len({article.title for article in loaded})
    assert len({article.topic for article in loaded}) == topics
    assert words < sum(len(article.text.split()) for article in loaded) < words + 1000
    for article in loaded:
        assert article.text and article.text == " ".join(article.text.split())
    splits = wikipedia.split(loaded)
    assert sorted(a for part in splits for a in part) == sorted(loaded)
    for part in splits[1:]:
        assert 0.04 < len(part) / len(loaded) < 0.06
    training = {article.text for article in splits.train}
    assert not any(article.text in training for part in splits[1:] for article in part)
    fewer = wikipedia.split(loaded[::-3])  # the part depends on the title only
    assert set(fewer.test) == set(splits.test) & set(loaded[::-3])


def test_topics(articles):
    loaded = {article.title: article for article in articles["english"]}
    assert loaded["Dysprosium"].topic == "Physical sciences"
    assert loaded["Dysprosium"].text.startswith("Dysprosium is a chemical element")
    parts = wikipedia.split(articles["english"])
    task, other = (wikipedia.topic_task(articles["english"], seed) for seed in (0, 1))
    assert len(task.labeled) >= 1200
    for size in (60, 300, 1200):  # balanced and nested
        topics = [article.topic for article in task.labeled[:size]]
        assert {topics.count(topic) for topic in wikipedia.TOPICS} == {size // 6}
    assert set(task.labeled) <= set(parts.train)
    assert task.test == other.test and set(task.test) <= set(parts.test)
    assert task.validation == other.validation and set(task.validation) <= set(parts.validation)
    assert len(task.test) == 366 and {a.topic for a in task.test} == set(wikipedia.TOPICS)
    assert len(set(task.labeled[:300]) & set(other.labeled[:300])) < 60


@pytest.mark.parametrize(
    "text",  # with | where a sentence ends
    [
        "One sentence without an end",
        "It grows.|It flowers!|Does it?|Yes.",
        "J. S. Bach met Dr. Who in St. Petersburg.",
        "It is 3.5 m long, e.g. in Rome.",
        'He said "No."|Then he left.',
        "Elle naît v. 340 av. J.-C. et meurt.|Élu en 1900.",
    ],
)
def test_sentences(text):
    assert wikipedia.sentences(text.replace("|", " ")) == text.split("|")


def test_sentences_lose_no_text(articles):
    assert wikipedia.sentences("") == []
    for article in articles["english"][:500]:
        assert " ".join(wikipedia.sentences(article.text)) == article.text
