"""Sphinx extension: what stays English on the Korean pages though their text is Korean.

On pages in another language it does nothing.

All its Korean is in locale/ko/LC_MESSAGES/sphinx.po, which Sphinx asks before its own catalog; what
scripts say of themselves is in sphinx.js beside it.

- The theme has a catalog of its own with Korean out of a machine; it gets ours.
- Some of the theme's attributes and the messages of the copy buttons can have no translation; they
  are replaced in what was written.
- Titles of _toc.yml come into the pages after Sphinx has translated these.
- A title such as “4. 어텐션” is a list to Markdown, so Sphinx leaves its English.
- A browser would break a line before the particle in 97%를, “거의”라고 or (verdict)이.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes, locale
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.locale import _
from sphinx.transforms import SphinxTransform
from sphinx.transforms.i18n import publish_msgstr
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.i18n import docname_to_domain
from sphinx.util.nodes import extract_messages

# Values of attributes that the theme's templates hold in English.
ATTRIBUTES = (
    "Main",
    "Page",
    "Toggle primary sidebar",
    "Toggle secondary sidebar",
    "Toggle hidden content",
)
NAMED = re.compile(rf'\b(aria-label|title)="({"|".join(ATTRIBUTES)})"')
# What the copy buttons say, by the names that sphinx_copybutton gives it.
COPY = {
    "copy": "Copy",
    "copy_to_clipboard": "Copy to clipboard",
    "copy_success": "Copied!",
    "copy_failure": "Failed to copy",
}
NUMBERED = re.compile(r"(\d+)\.(?= )")


class Titles(SphinxTransform):
    """Titles that Sphinx does not translate: of _toc.yml, and those that open with a number."""

    default_priority = 200  # after sphinx_external_toc has put its titles in

    def apply(self, **kwargs: object) -> None:
        domain = docname_to_domain(self.env.docname, self.config.gettext_compact)
        folders = [str(Path(self.env.srcdir, name)) for name in self.config.locale_dirs]
        catalog, _found = locale.init(folders, self.config.language, domain)

        def korean(text: str) -> str:
            said = catalog.gettext(text)
            return said if said != text else _(text)

        for tree in self.document.findall(addnodes.toctree):
            if tree.get("caption"):
                tree["caption"] = korean(tree["caption"])
            tree["entries"] = [(title and korean(title), page) for title, page in tree["entries"]]
        for node, message in list(extract_messages(self.document)):
            if isinstance(node, nodes.title) and NUMBERED.match(message):
                said = NUMBERED.sub(r"\1\\.", korean(message), count=1)
                source, settings = self.document["source"], self.document.settings
                parsed = publish_msgstr(self.app, said, source, node.line, self.config, settings)
                node.children = []
                node.extend(parsed.children)


# Where no line may begin, though a browser would: behind these marks, and in a range of numbers.
MARKS = ")]”’%"
KEPT = re.compile(rf"(?<=[{re.escape(MARKS)}])(?=[가-힣])|(?<=\d–)(?=\d)")
JOINER = "\u2060"
LITERAL = (nodes.literal, nodes.FixedTextElement)


class Particles(SphinxPostTransform):
    """Keep a particle on the line of its word."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        before = ""  # the last letter, where a node of the same paragraph follows
        for node in list(self.document.findall()):
            if isinstance(node, nodes.TextElement) and not isinstance(node, nodes.Inline):
                before = ""
            if not isinstance(node, nodes.Text):
                continue
            text = node.astext()
            if not isinstance(node.parent, (*LITERAL, nodes.math)):
                # The letter before stands there for the rule alone.
                kept = KEPT.sub(JOINER, before + text).removeprefix(before)
                if kept != text:
                    node.parent.replace(node, nodes.Text(kept))
            before = MARKS[0] if isinstance(node.parent, nodes.math) else text[-1:]


def configure(app: Sphinx, config: Config) -> None:
    """The theme's catalog, and what extensions take from the configuration."""
    locale.translators["general", "booktheme"] = locale.get_translator("sphinx")
    config.html_theme_options["search_bar_text"] = _("Search this book...")
    config.togglebutton_hint = _("Click to show")
    config.togglebutton_hint_hide = _("Click to hide")


def in_korean(text: str) -> str:
    """The text of a page or a script with the attributes that no catalog reaches in Korean."""
    return NAMED.sub(lambda found: f'{found[1]}="{_(found[2])}"', text)


def copy_buttons(script: str) -> str:
    """The script of sphinx_copybutton with Korean among its languages."""
    said = json.dumps({name: _(text) for name, text in COPY.items()}, ensure_ascii=False)
    return script.replace("const messages = {", f"const messages = {{\n  'ko': {said},", 1)


def finish(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    folder = Path(app.outdir)
    for path in [*folder.rglob("*.html"), folder / "_static" / "togglebutton.js"]:
        if path.is_file():
            path.write_text(in_korean(path.read_text("utf8")), "utf8")
    script = folder / "_static" / "copybutton.js"
    if script.is_file():
        script.write_text(copy_buttons(script.read_text("utf8")), "utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    if app.config.language == "ko":
        app.add_transform(Titles)
        app.add_post_transform(Particles)
        app.connect("config-inited", configure, priority=900)
        app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
