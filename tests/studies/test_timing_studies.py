"""No clock is compared with a record; that a study of time measures the same things still is."""

import pytest

from course_lib.studies.engine import core, record

TIMED = [name for name in core.names() if core.get(name).timing]


@pytest.mark.parametrize("name", TIMED)
def test_the_smoke_cell_measures_what_the_record_holds(name):
    study = core.get(name)
    recorded = dict(core.leaves(record.load(name).smoke["metrics"]))
    found = dict(core.leaves(core.plain(study.run(dict(study.smoke), study.seeds[0]))))
    assert found.keys() == recorded.keys()
