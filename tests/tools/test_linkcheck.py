"""The link checker finds what it is for."""

from tools.linkcheck import broken_links, loads_from_elsewhere


def write(folder, **pages):
    for name, body in pages.items():
        (folder / f"{name}.html").write_text(f"<html><body>{body}</body></html>", "utf8")


def test_sound_links_pass(tmp_path):
    write(
        tmp_path,
        one='<a href="two.html#here">a</a><a href="#top" id="top">b</a>',
        two='<p id="here"></p><a href="https://example.org/absent">elsewhere</a>',
    )
    assert broken_links(tmp_path) == []


def test_missing_file_and_missing_anchor_are_named(tmp_path):
    write(tmp_path, one='<a href="three.html">a</a><a href="two.html#gone">b</a>', two="")
    assert broken_links(tmp_path) == [
        "one.html: three.html (no such file)",
        "one.html: two.html#gone (no such anchor)",
    ]


def test_scripts_and_styles_from_other_sites_are_named(tmp_path):
    write(
        tmp_path,
        one='<script src="https://cdn.example.org/a.js"></script><script src="b.js"></script>'
        '<link rel="stylesheet" href="//cdn.example.org/c.css"><a href="https://example.org">x</a>',
    )
    assert loads_from_elsewhere(tmp_path) == [
        "one.html: https://cdn.example.org/a.js",
        "one.html: //cdn.example.org/c.css",
    ]
