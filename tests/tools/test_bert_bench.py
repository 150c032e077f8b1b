"""The bench of BERT compares like with like (no timing is tested)."""

import pytest

from course_lib.data import archives
from tools.bench import bert


@pytest.mark.parametrize("padded", [False, True])
def test_both_read_the_same_texts(monkeypatch, padded):
    """The bench itself compares the states; here: what it times."""
    pytest.importorskip("transformers")
    try:
        archives.fetch("minilm")
    except archives.ArchiveError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(bert, "TEXTS", 2)
    result = bert.forward(padded, pairs=1)
    assert result.target == 1.0 and ("padded" in result.name) == padded
    tokens = bert.texts(padded)
    assert (tokens == 0).any() == padded and ((tokens == 0) | (tokens >= 1000)).all()
