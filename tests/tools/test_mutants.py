"""The mutants are what they say, and a surviving one is told from a killed one."""

import ast

from tools import mutants

SOURCE = '''
def sign(x: "x + 1") -> int:
    """x < 0"""
    if x < 0:
        raise ValueError(f"{1 + 1}")
    return max([x, 2], key=abs) if not x else x + 1
'''


def test_each_change_stands_alone_and_messages_stay():
    found = [said for _, said, _ in mutants.mutants(SOURCE)]
    assert set(found) == {
        "x < 0  ->  x <= 0",
        "0  ->  1",
        "not x  ->  x",
        "x + 1  ->  x - 1",
        "1  ->  2",
        "2  ->  3",
        "max([x, 2], key=abs)  ->  max([x, 2])",
        "max([x, 2], key=abs) if not x else x + 1  ->  max([x, 2], key=abs)",
        "max([x, 2], key=abs) if not x else x + 1  ->  x + 1",
    }
    sources = {source for _, _, source in mutants.mutants(SOURCE)}
    assert len(sources) == len(found)
    original = ast.unparse(ast.parse(SOURCE))
    for source in sources:
        ast.parse(source)
        assert source != original
