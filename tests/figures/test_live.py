import json
import re
from html import unescape

import pytest

from course_lib.figures.live import live_markup

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><path d="M0 0h4"/></svg>'
GIVEN = {"alt": "A line.", "caption": "**Figure 1.1** A line.", "header": ["x"], "rows": [["1"]]}


def test_script_values_picture_and_numbers_stand_in_the_figure():
    markup, text = live_markup("softmax", SVG, **GIVEN, words=["l'été", 'say "yes"'], most=3.5)
    values = json.loads(unescape(re.search(r'data-values="([^"]*)"', markup)[1]))
    assert values == {"words": ["l'été", 'say "yes"'], "most": 3.5}
    assert 'data-live="softmax"' in markup and "<svg" in markup and "<table" in markup
    assert text.splitlines() == ["Figure 1.1 A line.", "[A line.]", "x", "1"]


def test_what_is_no_number_in_json_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        live_markup("softmax", SVG, **GIVEN, most=float("nan"))


def test_a_picture_that_stays_is_marked():
    assert 'class="am-live am-stays"' in live_markup("lstm", SVG, **GIVEN, stays=True)[0]
    assert "am-stays" not in live_markup("lstm", SVG, **GIVEN)[0]
