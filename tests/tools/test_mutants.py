"""The mutants are what they say, and those judged equal are still there."""

import ast
from collections import defaultdict

from tools import mutants
from tools.project import ROOT

SOURCE = '''
def sign(x: "x + 1") -> int:
    """x < 0"""
    if x < 0:
        raise ValueError(f"{1 + 1}")
    return max([x, 2], key=abs) if not x else x + 1
'''


def test_each_change_stands_alone_and_messages_stay():
    found = list(mutants.mutants("sign.py", SOURCE))
    assert {one.change for one in found} == {
        "x < 0  ->  x <= 0",
        "x < 0  ->  x < 1",
        "not x  ->  x",
        "x + 1  ->  x - 1",
        "x + 1  ->  x + 2",
        "[x, 2]  ->  [x, 3]",
        "max([x, 2], key=abs)  ->  max([x, 2])",
        "max([x, 2], key=abs) if not x else x + 1  ->  max([x, 2], key=abs)",
        "max([x, 2], key=abs) if not x else x + 1  ->  x + 1",
    }
    sources = {mutants.mutated(SOURCE, one.number) for one in found}
    assert len(sources) == len(found) and ast.unparse(ast.parse(SOURCE)) not in sources
    for source in sources:
        ast.parse(source)


def test_the_draw_is_the_same_again_shared_by_lines_and_without_those_judged_equal(monkeypatch):
    sources = {"long.py": 20 * SOURCE, "short.py": 5 * SOURCE}
    chosen = mutants.drawn(sources, 50, seed=1)
    assert [one.module for one in chosen] == 40 * ["long.py"] + 10 * ["short.py"]
    assert chosen == mutants.drawn(sources, 50, seed=1) != mutants.drawn(sources, 50, seed=2)
    equal = chosen[0].key()
    monkeypatch.setattr(mutants, "judged_equal", lambda: {equal: "no test can tell"})
    assert equal not in {one.key() for one in mutants.drawn(sources, 50, seed=1)}


def test_mutants_judged_equal_are_still_there_and_have_a_reason():
    by_module = defaultdict(set)
    for (module, *key), because in mutants.judged_equal().items():
        assert because
        by_module[module].add((module, *key))
    for module, keys in by_module.items():
        source = (ROOT / "course_lib" / module).read_text("utf8")
        assert keys <= {one.key() for one in mutants.mutants(module, source)}, module
