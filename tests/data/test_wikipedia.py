"""Wikipedia introductions: the counts of the archive, splits, sentences."""

import pytest

from course_lib.data import wikipedia


@pytest.mark.parametrize(
    ("language", "count", "topics", "words"),
    [("english", 10_033, 12, 775_000), ("french", 9_955, 11, 561_000)],
)
def test_counts(language, count, topics, words):
    articles = wikipedia.load(language)
    assert len(articles) == count == len({article.title for article in articles})
    assert len({article.topic for article in articles}) == topics
    assert words < sum(len(article.text.split()) for article in articles) < words + 1000
    for article in articles:
        assert article.text and article.text == " ".join(article.text.split())


def test_topics_match_the_articles():
    articles = {article.title: article for article in wikipedia.load()}
    assert articles["Dysprosium"].topic == "Physical sciences"
    assert articles["Dysprosium"].text.startswith("Dysprosium is a chemical element")
    assert sum(article.topic == "People" for article in articles.values()) == 1_828


@pytest.mark.parametrize("language", ["english", "french"])
def test_split_depends_on_the_title_only(language):
    articles = wikipedia.load(language)
    splits = wikipedia.split(articles)
    assert sorted(a for part in splits for a in part) == sorted(articles)
    for part in splits[1:]:
        assert 0.04 < len(part) / len(articles) < 0.06
    training = {article.text for article in splits.train}
    assert not any(article.text in training for part in splits[1:] for article in part)
    fewer = wikipedia.split(articles[::-3])
    assert set(fewer.test) == set(splits.test) & set(articles[::-3])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("One sentence without an end", ["One sentence without an end"]),
        ("It grows. It flowers! Does it? Yes.", ["It grows.", "It flowers!", "Does it?", "Yes."]),
        ("J. S. Bach met Dr. Who in St. Petersburg.", None),
        ("It is 3.5 m long, e.g. in Rome.", None),
        ('He said "No." Then he left.', ['He said "No."', "Then he left."]),
        ("Elle naît v. 340 av. J.-C. et meurt. Élu en 1900.", None),
    ],
)
def test_sentences(text, expected):
    if expected is None:
        expected = [part for part in text.replace(". Élu", ".|Élu").split("|") if part]
    assert wikipedia.sentences(text) == expected


def test_topic_task_is_balanced_nested_and_apart_from_the_held_out_articles():
    articles = wikipedia.load()
    parts = wikipedia.split(articles)
    task, other = (wikipedia.topic_task(articles, seed) for seed in (0, 1))
    assert len(task.labeled) >= 1200
    for size in (60, 300, 1200):
        topics = [article.topic for article in task.labeled[:size]]
        assert {topics.count(topic) for topic in wikipedia.TOPICS} == {size // 6}
    assert set(task.labeled) <= set(parts.train)
    assert task.test == other.test and set(task.test) <= set(parts.test)
    assert task.validation == other.validation and set(task.validation) <= set(parts.validation)
    assert len(task.test) == 366 and {a.topic for a in task.test} == set(wikipedia.TOPICS)
    assert len(set(task.labeled[:300]) & set(other.labeled[:300])) < 60


def test_sentences_lose_no_text():
    for article in wikipedia.load()[:500]:
        assert " ".join(wikipedia.sentences(article.text)) == article.text
