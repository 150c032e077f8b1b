"""What a built page may load and run: its Content-Security-Policy.

A page runs the scripts of the site and those that stood in it when it was built, each known by its
hash; nothing that comes into it later, and nothing from another site. Where MathJax was not
vendored (tools/vendor.py), a page may also load scripts, styles and fonts from the host that its
own markup names.

The exceptions, each with a test that takes it away and sees something break
(tests/browser/test_page_policy.py): styles in attributes and in elements that scripts add, the
controls of a figure that carry their few words of script (they must work in Jupyter and Colab too),
and pictures inside a style or a drawing.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from tools.vendor import vendored

# Types of <script> that a browser runs; others are data.
RUN = ("", "text/javascript", "application/javascript", "module")
# Pages that load nothing, by their names in the uppermost folder.
LONE = ("404", "index")
CHARSET = re.compile(r'<meta charset="utf-8"[^>]*>')

Policy = dict[str, str]


class Scripts(HTMLParser):
    """What of a page runs: texts of scripts, texts of handlers, hosts of scripts elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.handlers: list[str] = []
        self.hosts: set[str] = set()
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.handlers += [text or "" for name, text in attributes if name.startswith("on")]
        if tag != "script":
            return
        address = urlsplit(values.get("src") or "")
        if address.netloc:
            self.hosts.add(f"https://{address.netloc}")
        self._inside = "src" not in values and (values.get("type") or "").lower() in RUN
        if self._inside:
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def source(text: str) -> str:
    """How a policy names a text that may run."""
    content = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(content).decode()}'"


def sources(texts: Iterable[str]) -> list[str]:
    return sorted({source(text) for text in texts})


def policy(page: str, *, hosts: bool) -> Policy:
    """What a page needs; `hosts`: also from the hosts of scripts that it names."""
    found = Scripts(page)
    others = sorted(found.hosts) if hosts else []
    handlers = sources(found.handlers)
    rules = {
        "default-src": ["'self'"],
        "script-src": ["'self'", *others, *sources(found.texts)],
        "script-src-attr": ["'unsafe-hashes'", *handlers] if handlers else ["'none'"],
        "style-src": ["'self'", *others, "'unsafe-inline'"],
        "font-src": ["'self'", *others],
        "img-src": ["'self'", "data:"],
        "frame-src": ["'none'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
    }
    return {name: " ".join(allowed) for name, allowed in rules.items()}


def lone_policy(page: str) -> Policy:
    """What a page needs that loads and runs nothing: its own styles, and where its form leads."""
    styles = sources(re.findall(r"(?s)<style>(.*?)</style>", page))
    forms = sorted(set(re.findall(r'<form action="(\w+://[^/"]+)', page)))
    return {
        "default-src": "'none'",
        "style-src": " ".join(styles or ["'none'"]),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": " ".join(forms or ["'self'"]),
    }


def guarded(page: str, rules: Policy) -> str:
    """The page with its policy, before anything that loads."""
    content = "; ".join(f"{name} {allowed}" for name, allowed in rules.items())
    meta = f'<meta http-equiv="Content-Security-Policy" content="{content}">'
    head = CHARSET.search(page)
    if head is None or "<script" in page[: head.start()]:
        raise ValueError("a page must name its character set before its first script")
    return f"{page[: head.end()]}\n{meta}{page[head.end() :]}"


def guard(folder: Path) -> None:
    """Give each built page its policy; the theme's webpack macros are templates, not pages."""
    for path in folder.rglob("*.html"):
        page = path.read_text("utf8")
        if path.parent == folder and path.stem in LONE:
            path.write_text(guarded(page, lone_policy(page)), "utf8")
        elif "_static" not in path.parts:
            path.write_text(guarded(page, policy(page, hosts=not vendored())), "utf8")
