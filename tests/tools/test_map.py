"""The map of the library is that of its present state."""

from tools import map as library_map


def test_the_map_is_true():
    written = library_map.PAGE.read_text("utf8")
    assert written == library_map.render(), "run: python -m tools.map"


def test_every_room_stands_on_the_map():
    rooms = {path.parent.name for path in library_map.LIBRARY.glob("*/__init__.py")}
    assert rooms == set(library_map.ROOMS)
