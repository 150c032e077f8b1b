"""Texts of the reader's own, from files and from the hub, in the types of our corpora."""

import sys
from types import SimpleNamespace

import pytest

from course_lib.data import hub, reviews, verses, wikipedia
from course_lib.data.local import LocalFileError, read_lines
from course_lib.data.reviews import FRESH, ROTTEN, Review
from course_lib.data.verses import VersePair
from course_lib.data.wikipedia import Article

LINES = ["one", "", "two\u2028halves", "café"]


END = pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])


@END
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_end_as_every_system_ends_them(tmp_path, end, mark):
    (tmp_path / "a.txt").write_bytes((mark + end.join(LINES) + end).encode())
    assert read_lines(tmp_path / "a.txt") == LINES
    (tmp_path / "a.txt").write_bytes((mark + end.join(LINES)).encode("latin-1", "ignore"))
    with pytest.raises(LocalFileError, match="line 4: byte 0xe9 is not valid UTF-8.*latin1"):
        read_lines(tmp_path / "a.txt")


def test_verses(tmp_path):
    lines = [f"sentence {i}\tphrase {i}" for i in range(400)]
    (tmp_path / "pairs.tsv").write_text("\n".join(lines))
    loaded = verses.load(path=tmp_path / "pairs.tsv")
    assert loaded[1] == VersePair("", 0, 2, "sentence 1", "phrase 1") and len(loaded) == 400
    splits = verses.split(loaded)
    assert sorted(pair for part in splits for pair in part) == sorted(loaded)
    assert all(len(part) > 5 for part in splits)
    assert set(verses.split(loaded[::-1]).test) == set(splits.test)


def test_wikipedia(tmp_path):
    (tmp_path / "notes.txt").write_text("\nFirst line,\nsecond line.\n \n\nAnother article.\n")
    assert wikipedia.load(path=tmp_path / "notes.txt") == [
        Article("notes 1", "First line, second line.", ""),
        Article("notes 2", "Another article.", ""),
    ]


@END
def test_reviews(tmp_path, end):
    lines = ["text,label,movie", '"Good, very', 'good",fresh,Up', "Bad,0,", ""]
    (tmp_path / "mine.csv").write_bytes(end.join(lines).encode())
    expected = [Review("Good, very good", FRESH, "Up"), Review("Bad", ROTTEN, "")]
    assert reviews.load(path=tmp_path / "mine.csv") == expected


@pytest.mark.parametrize(
    ("load", "content", "message"),
    [
        (verses.load, b"a\tb\nonly one column\n", "line 2: expected a source, one tab"),
        (verses.load, b"a\tb\nc\td\te\n", "line 2"),
        (verses.load, b"a\tb\n\nc\td\n", "line 2"),
        (verses.load, b"a\tb\nc\t \n", "line 2"),
        (verses.load, b" \n", "line 1: the file is empty"),
        (wikipedia.load, b"", "line 1: the file is empty"),
        (wikipedia.load, "été\n".encode("utf-16"), "line 1: this is UTF-16.*iconv -f utf-16"),
        (wikipedia.load, "fine\n".encode("utf-16-le"), "line 1: this is UTF-16"),  # without a mark
        (wikipedia.load, "한글".encode("utf-16"), "line 1: this is UTF-16"),
        (reviews.load, b"review,label\nGood,1\n", "line 1: expected .* columns text and label"),
        (reviews.load, b"text,label\nGood,1\nGood, very,1\n", "line 3: expected 2 fields"),
        (reviews.load, b"text,label\nGood\n", "line 2: expected 2 fields"),
        (reviews.load, b"text,label\nGood,1\nMixed,maybe\n", "line 3: the label 'maybe' is none"),
        (reviews.load, b'text,label\n"Good,1\n', "line 2: unexpected end of data"),
        (reviews.load, b"text,label\r\rGood,1\rMixed,maybe\r", "line 4: the label 'maybe'"),
    ],
)
def test_malformed_files_name_the_line(tmp_path, load, content, message):
    (tmp_path / "mine.x").write_bytes(content)
    with pytest.raises(LocalFileError, match=f"mine.x, {message}"):
        load(path=tmp_path / "mine.x")


def on_the_hub(monkeypatch, rows: list[dict]) -> list[tuple]:
    """Let the package `datasets` be one that has these rows only, and notes what it is asked."""
    asked = []

    def load_dataset(*names, split):
        asked.append((*names, split))
        return rows

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return asked


def test_hub(monkeypatch):
    rows = [{"text": "Fine  film", "label": 1}, {"text": "fine film!", "label": 1}]
    asked = on_the_hub(monkeypatch, rows)
    assert hub.imdb("test") == [Review("Fine film", FRESH, "")]
    assert asked == [("stanfordnlp/imdb", "test")]

    asked = on_the_hub(monkeypatch, [{"english": "Hello.", "non_english": "안녕."}])
    assert hub.tatoeba("ko") == [VersePair("", 0, 1, "Hello.", "안녕.")]
    assert asked == [("sentence-transformers/parallel-sentences-tatoeba", "en-ko", "train")]

    lines = ["", " = Robin = \n", " The robin sings . \n", " = = Song = = \n", " It is loud . \n"]
    lines += [" = Wren = \n", " Small . \n"]
    asked = on_the_hub(monkeypatch, [{"text": line} for line in lines])
    assert hub.wikitext("test") == [
        Article("Robin", "The robin sings . It is loud .", ""),
        Article("Wren", "Small .", ""),
    ]
    assert asked[0][1:] == ("wikitext-2-raw-v1", "test")


def test_hub_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match="pip install datasets"):
        hub.tatoeba()
