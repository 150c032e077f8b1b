"""The policy that a built page is given."""

import base64
import hashlib

import pytest

from tools import policy


def named(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def page(head: str = "", body: str = "") -> str:
    return f'<html><head><meta charset="utf-8" />{head}</head><body>{body}</body></html>'


def test_a_script_that_stands_in_the_page_is_known_by_its_hash():
    text = '\n  if (1 < 2 && "a&lt;b") run();\n'
    rules = policy.policy(page(body=f"<script>{text}</script>"), hosts=False)
    assert rules["script-src"] == f"'self' {named(text)}"
    assert rules["default-src"] == "'self'" and "unsafe" not in rules["script-src"]


def test_data_in_a_script_element_and_scripts_with_an_address_need_no_hash():
    body = '<script type="application/json">{}</script><script src="a.js"></script>'
    assert policy.policy(page(body=body), hosts=False)["script-src"] == "'self'"


def test_a_handler_is_known_by_what_the_browser_runs():
    body = '<button onclick="say(&quot;a&quot;)">a</button><p>b</p>' * 2
    rules = policy.policy(page(body=body), hosts=False)
    hashed = named('say("a")')
    assert rules["script-src-attr"] == f"'unsafe-hashes' {hashed}"
    assert "say" not in rules["script-src"]
    assert policy.policy(page(), hosts=False)["script-src-attr"] == "'none'"


def test_other_hosts_are_allowed_only_where_scripts_come_from_them():
    head = '<script async src="https://cdn.example.org/npm/mathjax@3/es5/all.js"></script>'
    inside = policy.policy(page(head), hosts=False)
    assert not [rule for rule in inside.values() if "example" in rule]
    outside = policy.policy(page(head), hosts=True)
    allowed = {name for name, rule in outside.items() if "https://cdn.example.org" in rule.split()}
    assert allowed == {"script-src", "style-src", "font-src"}


def test_the_policy_stands_before_everything_that_loads():
    whole = policy.guarded(page("<script>a()</script>"), {"default-src": "'self'", "img-src": "a"})
    content = "default-src 'self'; img-src a"
    head = (
        f'<meta charset="utf-8" />\n<meta http-equiv="Content-Security-Policy" content="{content}">'
    )
    assert whole == page("<script>a()</script>").replace('<meta charset="utf-8" />', head)


@pytest.mark.parametrize("bad", ["<html><head></head></html>", f"<script></script>{page()}"])
def test_a_page_that_could_load_something_before_its_policy_is_refused(bad):
    with pytest.raises(ValueError, match="before its first script"):
        policy.guarded(bad, {})


def test_a_page_that_loads_nothing_may_load_nothing():
    style, form = "a { color: red; }", '<form action="https://example.org/course/search.html">'
    rules = policy.lone_policy(page(f"<style>{style}</style>", form))
    assert rules["default-src"] == "'none'" and rules["style-src"] == named(style)
    assert rules["form-action"] == "https://example.org"


def test_every_page_is_guarded_but_no_template(tmp_path, monkeypatch):
    monkeypatch.setattr(policy, "vendored", lambda: True)
    for name in ("404", "index", "book/index", "_static/macros"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.html").write_text(page(), "utf8")
    policy.guard(tmp_path)
    first = {
        str(path.relative_to(tmp_path)): path.read_text("utf8").partition("default-src ")[2][:6]
        for path in tmp_path.rglob("*.html")
    }
    assert first == {
        "404.html": "'none'",
        "index.html": "'none'",
        "book/index.html": "'self'",
        "_static/macros.html": "",
    }
