"""The real corpora, read once."""

import pytest

from course_lib.data import reviews, verses, wikipedia


@pytest.fixture(scope="session")
def articles() -> dict[str, list[wikipedia.Article]]:
    return {language: wikipedia.load(language) for language in ("english", "french")}


@pytest.fixture(scope="session")
def opinions() -> list[reviews.Review]:
    return reviews.load()


@pytest.fixture(scope="session")
def verse_pairs() -> list[verses.VersePair]:
    return verses.load()
