"""The Korean font: the letters of the pages and no others, under a name of its own."""

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph

from tools import korean_font


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A built folder with a Korean edition inside, and a whole font with empty letters."""
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    for weight in korean_font.WEIGHTS:
        letters = {ord(letter): f"uni{ord(letter):04X}" for letter in "가나다라마A"}
        maker = FontBuilder(1000)
        maker.setupGlyphOrder([".notdef", *letters.values()])
        maker.setupCharacterMap(letters)
        maker.setupGlyf({name: Glyph() for name in [".notdef", *letters.values()]})
        maker.setupHorizontalMetrics({name: (900, 0) for name in maker.font.getGlyphOrder()})
        maker.setupHorizontalHeader(ascent=800, descent=-200)
        maker.setupNameTable({"familyName": "Given", "copyright": "Given, by its maker"})
        maker.setupOS2()
        maker.setupPost()
        maker.font.flavor = "woff"
        maker.save(fonts / f"pretendard-{weight}.woff")
    monkeypatch.setattr(korean_font, "FONTS", fonts)
    site = tmp_path / "html"
    for name, text in {
        "book/page.html": "<p>가 and A</p>",
        "_static/live/words.js": "'나'",
        "searchindex.js": "'다'",
        "ko/book/page.html": "<p>라</p>",
    }.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")
    (site / "ko/_static").mkdir()
    return site


def kept(path) -> set[str]:
    return {chr(code) for code in TTFont(path).getBestCmap()}


def test_each_edition_gets_the_letters_that_it_shows(built):
    assert korean_font.write(built) is None
    assert korean_font.write(built / "ko") is None
    for weight in korean_font.WEIGHTS:
        assert kept(built / f"_static/hangul-{weight}.woff") == {"가", "나"}
        assert kept(built / f"ko/_static/hangul-{weight}.woff") == {"라"}


def test_the_style_sheet_declares_both_weights_for_korean_alone(built):
    korean_font.write(built)
    style = (built / "_static/hangul.css").read_text("utf8")
    assert style.count("@font-face") == 2
    assert style.count(f"unicode-range:{korean_font.RANGE}") == 2
    assert "font-weight:400" in style
    assert "font-weight:700" in style


def test_letters_apart_have_a_file_of_their_own_which_comes_last(built):
    korean_font.write(built, apart="다라")
    assert kept(built / "_static/hangul-name-400.woff") == {"다", "라"}
    assert kept(built / "_static/hangul-400.woff") == {"가", "나"}
    style = (built / "_static/hangul.css").read_text("utf8")
    whole, apart = style.split("@font-face")[1:3]
    assert "hangul-400.woff" in whole and korean_font.RANGE in whole
    assert "hangul-name-400.woff" in apart and "unicode-range:U+B2E4,U+B77C}" in apart


def test_a_changed_font_has_a_name_of_its_own_and_keeps_its_copyright(built):
    korean_font.write(built)
    names = TTFont(built / "_static/hangul-400.woff")["name"]
    assert names.getDebugName(1) == korean_font.FAMILY
    assert names.getDebugName(0) == "Given, by its maker"
    given = [record for record in names.names if record.nameID != 0 and "Given" in str(record)]
    assert not given


def test_without_the_font_there_is_a_reason_and_an_empty_style_sheet(built, monkeypatch):
    monkeypatch.setattr(korean_font, "FONTS", built / "nowhere")
    assert "not fetched" in korean_font.write(built)
    assert (built / "_static/hangul.css").read_text("utf8") == ""


def test_pages_without_korean_declare_nothing(built):
    (built / "book/page.html").write_text("A", "utf8")
    (built / "_static/live/words.js").write_text("", "utf8")
    assert korean_font.write(built) is None
    assert (built / "_static/hangul.css").read_text("utf8") == ""
