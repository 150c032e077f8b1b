"""Internal links and anchors of a built tree, offline: python -m tools.linkcheck [FOLDER]."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.project import HTML, toc_files


class Page(HTMLParser):
    """The ids, the links and the addresses of loaded scripts, styles and pictures of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.ids.update(value for key in ("id", "name") if (value := values.get(key)))
        self.links.extend(value for key in ("href", "src") if (value := values.get(key)))
        if values.get("src"):
            self.loads.append(values["src"])
        if tag == "link" and values.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads.append(values.get("href") or "")


def pages(root: Path) -> dict[Path, Page]:
    """All pages of a built tree; the theme's webpack macros are templates, not pages."""
    found = sorted(path for path in root.rglob("*.html") if "_static" not in path.parts)
    return {path.resolve(): Page(path.read_text("utf8")) for path in found}


def broken_links(root: Path) -> list[str]:
    """One line for each internal link without a target."""
    documents = pages(root)
    problems = []
    for path, page in documents.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target = target / "index.html"
            where = f"{path.relative_to(root.resolve())}: {link}"
            if not target.exists():
                problems.append(f"{where} (no such file)")
            elif parts.fragment and target in documents:
                if unquote(parts.fragment) not in documents[target].ids:
                    problems.append(f"{where} (no such anchor)")
    return problems


def missing_pages(root: Path) -> list[str]:
    """One line for each page of the table of contents that was not built."""
    return [f"{name} was not built" for name in toc_files() if not (root / f"{name}.html").exists()]


def loads_from_elsewhere(root: Path) -> list[str]:
    """One line for each script, style or picture that a page loads from another site."""
    return [
        f"{path.relative_to(root.resolve())}: {address}"
        for path, page in pages(root).items()
        for address in page.loads
        if urlsplit(address).netloc
    ]


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HTML
    found = broken_links(folder) or missing_pages(folder)
    print("\n".join(found) or f"{len(pages(folder))} pages, every internal link has its target")
    sys.exit(bool(found))
