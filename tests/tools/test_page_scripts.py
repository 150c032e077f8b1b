from tools import pages


def test_a_page_loads_the_parts_of_its_live_figures_once_and_before_them(monkeypatch):
    monkeypatch.setattr(pages, "PARTS", {"b": ("tensors",), "c": ("tensors", "grammar")})
    body = '<div data-live="a"></div><div data-live="c"></div><div data-live="b"></div>'
    names = ["live", "controls", "chart", "a", "tensors", "grammar", "c", "b"]
    assert pages.live_scripts(body) == [f"live/{name}.js" for name in names]
    assert pages.live_scripts("<p>no figure</p>") == []
