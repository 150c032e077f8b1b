"""The editions of the book: the same pages in English and in Korean.

The Korean pages stand in `ko/` beside the English ones, under the same names, with the same
anchors. They are built from the same notebooks and the same run of them: prose comes from the
catalogs of `locale/ko`, what the cells show is put into Korean text by text (`tools.outputs`).

As a Sphinx extension this module translates what directives write into a page, and tells each page
where its twin is.
"""

import posixpath
import shutil
from pathlib import Path
from typing import NamedTuple

import nbformat
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx import locale
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from course_lib.figures.language import Translation, counted, key, messages
from course_lib.figures.words import SAID
from tools import catalogs, korean_notebooks, outputs
from tools.project import BUILD, EXECUTED, HTML, ROOT, config, notebooks, toc_files


class Edition(NamedTuple):
    """One language of the book.

    `build` is where its parts are made, `cache` Jupyter Book's copy of the recorded outputs.
    """

    language: str
    build: Path
    cache: Path
    html: Path


ENGLISH = Edition("en", ROOT, BUILD / ".jupyter_cache", HTML)
KOREAN = Edition("ko", BUILD / "ko", BUILD / "ko" / ".jupyter_cache", HTML / "ko")
PLACE = "ko"  # the folder of the Korean pages beside the English ones
# What _config.yml says in English.
IN_KOREAN = {
    "title": "어텐션을 재다",
    "author": "‘어텐션을 재다’ 저자들",
    "extra_footer": (
        "<p>코드: MIT 라이선스. 글과 그림: CC BY 4.0. "
        "자료의 출처는 ‘자료와 라이선스’에 있습니다.</p>"
    ),
    "nb_code_prompt_show": "코드",
    "nb_code_prompt_hide": "코드",
}


def settings(edition: Edition) -> dict:
    """_config.yml for an edition."""
    found = config()
    if edition is KOREAN:
        found |= {name: IN_KOREAN[name] for name in ("title", "author")}
        found["html"]["extra_footer"] = IN_KOREAN["extra_footer"]
        if base := found["html"].get("baseurl"):
            found["html"]["baseurl"] = f"{base}{PLACE}/"
        found["execute"]["cache"] = str(edition.cache)
        settings = found["sphinx"]["config"]
        settings |= {
            "language": "ko",
            "locale_dirs": [str(ROOT / "locale")],
            "gettext_compact": False,
            **{name: text for name, text in IN_KOREAN.items() if name.startswith("nb_")},
        }
    return found


def executed(edition: Edition) -> Path:
    """The folder with the executed notebooks of an edition; the Korean ones are written here."""
    if edition is ENGLISH:
        return EXECUTED
    folder = edition.build / "executed"
    shutil.rmtree(folder, ignore_errors=True)
    kept = catalogs.kept()
    for path in notebooks():
        name = path.relative_to(ROOT)
        copy, said = outputs.executed(path)
        translation = Translation(messages("ko", path.stem), said, kept=kept)
        for cell in copy.cells:
            outputs.translate(translation, cell)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(copy, folder / name)
    return folder


# As a Sphinx extension

UNFINISHED = "이 페이지는 아직 다 옮기지 못했습니다. 옮기지 못한 곳은 영어로 나옵니다."


class EditionButton(Directive):
    """A button that leads to the same page in the other language."""

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        language, name, address = twin(env.docname, korean=env.config.language == "ko")
        button = (
            f'<a class="sd-btn sd-btn-outline-primary am-edition" href="{address}" '
            f'hreflang="{language}" lang="{language}">{name}</a>'
        )
        return [nodes.raw("", f"<p>{button}</p>", format="html")]


def twin(page: str, *, korean: bool) -> tuple[str, str, str]:
    """Language, name and address of the other edition of a page, seen from it."""
    other = f"../{page}.html" if korean else f"{PLACE}/{page}.html"
    address = posixpath.relpath(other, posixpath.dirname(page) or ".")
    return ("en", "English", address) if korean else ("ko", "한국어", address)


def translate_raw(app: Sphinx, doctree: nodes.document) -> None:
    """HTML that stands in a page, or that directives write into it, in the page's language."""
    korean = app.config.language == "ko"
    translation = Translation(messages("ko") if korean else {}, SAID)
    for raw in list(doctree.findall(nodes.raw)):
        # What is part of a paragraph is part of its message; outputs have been seen to.
        if raw.get("format") == "html" and not inside(raw):
            markup = translation.html(raw.astext())
            if korean:
                raw.replace_self(nodes.raw("", markup, format="html"))
    for button in doctree.findall(is_button):
        for text in list(button.findall(nodes.Text)):
            text.parent.replace(text, nodes.Text(translation.text(text)))
    # A literal of the page's own Markdown stays whole.
    templates = {one.template for one in SAID.values()}
    written = key(Path(app.env.doc2path(app.env.docname)).read_text("utf8").replace('\\"', '"'))
    app.raw_texts[app.env.docname] = [
        counted(text) if key(text) in written else outputs.message_of(text, templates)
        for text in translation.missing
    ]


def is_button(node: nodes.Node) -> bool:
    """Whether a node is a link that looks like a button; Sphinx leaves its words alone."""
    return isinstance(node, nodes.Element) and "sd-btn" in node.get("classes", [])


class Formulas(SphinxTransform):
    """Displayed formulas with words in them, in Korean.

    It goes before Sphinx's own translation, which loses a formula that differs in MyST.
    """

    default_priority = 19

    def apply(self, **kwargs: object) -> None:
        if self.config.language != "ko":
            return
        folders = [str(Path(self.env.srcdir, name)) for name in self.config.locale_dirs]
        catalog, _found = locale.init(folders, "ko", self.env.docname)
        for formula in self.document.findall(nodes.math_block):
            english = formula.rawsource or formula.astext()
            if english and (korean := catalog.gettext(english)) != english:
                formula.rawsource = korean
                formula.children = [nodes.Text(korean)]


def inside(node: nodes.Node) -> bool:
    """Whether a node is part of a paragraph, or of what a cell shows."""
    while node := node.parent:
        if isinstance(node, nodes.TextElement) or "cell_output" in node.get("classes", []):
            return True
    return False


def tell_unfinished(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """On a Korean page whose Korean is not whole: that some of it is still in English."""
    if app.config.language == "ko" and not catalogs.whole(docname):
        note = nodes.note("", nodes.paragraph("", UNFINISHED))
        title = doctree.next_node(nodes.title)
        title.parent.insert(title.parent.index(title) + 1, note)


def name_twin(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """The address of the same page in the other language, and of both for search engines."""
    korean = app.config.language == "ko"
    if pagename in toc_files() or pagename in ("search", "genindex"):
        named = zip(("language", "name", "address"), twin(pagename, korean=korean), strict=True)
        context["twin"] = dict(named)
    if (base := config()["html"].get("baseurl")) and pagename in toc_files():
        context["editions"] = [
            ("en", f"{base}{pagename}.html"),
            ("ko", f"{base}{PLACE}/{pagename}.html"),
        ]


def lead_to_korean_notebooks(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree
) -> None:
    """On a Korean page the buttons open the Korean notebook."""
    if app.config.language != "ko" or not pagename.startswith("notebooks/"):
        return
    for group in context.get("header_buttons", []):
        for button in [group, *group.get("buttons", [])]:
            if "colab" in button.get("url", ""):
                button["url"] = button["url"].replace("/notebooks/", "/notebooks/ko/")


def keep_korean_notebooks(app: Sphinx, error: Exception | None) -> None:
    """What a Korean page offers for download is the Korean notebook."""
    if not error and app.config.language == "ko" and app.builder.name == "html":
        for path in notebooks():
            shutil.copy(korean_notebooks.FOLDER / path.name, Path(app.outdir, "_sources/notebooks"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.raw_texts = {}
    app.add_directive("edition-button", EditionButton)
    app.add_transform(Formulas)
    app.connect("doctree-read", translate_raw, priority=900)
    app.connect("doctree-resolved", tell_unfinished)
    app.connect("html-page-context", name_twin)
    app.connect("html-page-context", lead_to_korean_notebooks, priority=900)
    app.connect("build-finished", keep_korean_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
