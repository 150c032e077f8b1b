"""The whole book as one PDF, printed from the built pages: `make pdf`, after `make book`.

Chromium prints each page as a reader would, with the styles for paper; links to other pages lead to
the published book.
"""

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser
from pypdf import PdfReader, PdfWriter

from tools.chromium import NoChromium, chromium
from tools.project import BUILD, HTML, config, toc_files

FILE = BUILD / "attention-measured.pdf"
FOOT = (
    '<div style="font:8pt sans-serif;width:100%;text-align:center;color:#666">'
    '<span class="title"></span> · <span class="pageNumber"></span></div>'
)
# On paper a link needs its whole address, and a figure its first state: nothing loads later.
READY = """base => {
    for (const link of document.querySelectorAll('article a[href]')) {
        const there = new URL(link.href);
        if (there.pathname !== location.pathname && there.protocol === 'file:') {
            link.href = base + there.pathname.split('/html/').pop() + there.hash;
        }
    }
    return document.fonts.ready.then(() => document.title);
}"""


def printed(browser: Browser, names: Sequence[str], base: str) -> Iterator[tuple[str, bytes]]:
    """Title and PDF of each of the built pages."""
    tab = browser.new_page()
    for name in names:
        tab.goto((HTML / f"{name}.html").as_uri(), wait_until="load")
        tab.wait_for_timeout(500)  # mathematics is set by a script
        title = tab.evaluate(READY, base).split(" — ")[0]
        options = {"display_header_footer": True, "header_template": "<i></i>"}
        yield title, tab.pdf(format="A4", footer_template=FOOT, **options)
    tab.close()


def joined(pages: Iterator[tuple[str, bytes]]) -> PdfWriter:
    """One document with an outline."""
    book = PdfWriter()
    for title, content in pages:
        first = len(book.pages)
        book.append(PdfReader(io.BytesIO(content)), import_outline=False)
        book.add_outline_item(title=title, page_number=first)
        print(f"{title}: {len(book.pages) - first} pages")
    book.compress_identical_objects()
    book.add_metadata({"/Title": config()["title"], "/Author": config()["author"]})
    return book


def main(file: Path = FILE) -> None:
    if not HTML.is_dir():
        sys.exit("There are no built pages yet: run `make book` first.")
    base = config()["html"]["baseurl"]
    try:
        with chromium() as browser:
            joined(printed(browser, toc_files(), base)).write(file)
    except NoChromium as reason:
        sys.exit(f"The pages cannot be printed: {reason}")
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
