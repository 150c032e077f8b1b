"""Sphinx extension: on the notebooks' pages the first use of a term of the glossary leads there.

Nothing is written into the notebooks. A term is linked once on a page, in a paragraph or a list,
where it stands in its own words; not on the pages of the chapter that introduces it, and not where
its everyday sense is the likelier one.
"""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx

PAGE = "book/glossary"
# Everyday words, too: these are linked only beside their Korean name or in emphasis.
EVERYDAY = set("body feature gate head key packing rank segment shortcut state value".split())
PLAIN = (nodes.paragraph, nodes.emphasis, nodes.strong, nodes.inline)  # what may hold a use


def entries(glossary: nodes.document) -> Iterator[tuple[str, str, str, str, bool]]:
    """A name as it is used, its anchor, its definition, the page that introduces it, and whether
    it is an everyday word, too."""
    for item in glossary.findall(nodes.definition_list_item):
        term, told = item[0], item[-1]
        links = [one["refuri"] for one in told.findall(nodes.reference) if one.get("internal")]
        definition = re.sub(r"\s*(?:See|참고:) .*$", "", " ".join(told.astext().split()))
        home = re.search(r"(\d\d_\w+)\.html", links[0]) if links else None
        # English (한국어) on the English pages, 한국어(English) on the Korean ones.
        names = re.sub(r"\s*\([^()]*[가-힣][^()]*\)$|(?<=[가-힣])\([^()]+\)$", "", term.astext())
        everyday = not EVERYDAY.isdisjoint({names, *re.findall(r"\((\w+)\)$", term.astext())})
        short = re.search(r"\s*\((\w+)\)$", names)
        for name in [names[: short.start()], short[1]] if short else [names]:
            yield name, term["ids"][0], definition, home[1] if home else "", everyday


def pattern(name: str) -> str:
    """As it stands in a text: a capital letter or a plural does no harm; an acronym stays one."""
    if re.search("[가-힣]", name):  # a particle may follow
        return rf"(?<![\w-]){re.escape(name)}"
    flags = "" if re.search("[A-Z]", name) else "i"
    words = r"[\s-]".join(map(re.escape, re.split(r"[\s-]", name)))
    words = rf"(?<![\w-]){words}s?(?![\w-])"
    return f"(?{flags}:{words})" if flags else words


def linked(
    text: nodes.Text, found: re.Match, anchor: str, told: str, address: str
) -> list[nodes.Text]:
    """Put a link in the place of a match in a text; what is left of the text around it."""
    before, after = text[: found.start()], text[found.end() :]
    link = nodes.reference("", found[0], internal=True, refuri=f"{address}#{anchor}")
    link["reftitle"], link["classes"] = told, ["am-term"]
    parts = [part for part in (nodes.Text(before), link, nodes.Text(after)) if part.astext()]
    text.parent.replace(text, parts)
    return [part for part in parts if part is not link]


def uses(doctree: nodes.document) -> Iterator[nodes.Text]:
    """The texts of paragraphs, without what is a link, a title, code or a formula."""
    for text in list(doctree.findall(nodes.Text)):
        node = text.parent
        while isinstance(node, PLAIN):
            if isinstance(node, nodes.paragraph):
                yield text
                break
            node = node.parent


def link_terms(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if not docname.startswith("notebooks/") or app.builder.format != "html":
        return
    if not hasattr(app, "glossary_terms"):  # the same for every page
        found = entries(app.env.get_and_resolve_doctree(PAGE, app.builder))
        app.glossary_terms = [(re.compile(pattern(one[0])), *one) for one in found]
        app.glossary_terms.sort(key=lambda one: -len(one[1]))
    texts = list(uses(doctree))
    address = app.builder.get_relative_uri(docname, PAGE)
    for wanted, _, anchor, told, home, everyday in app.glossary_terms:
        if home and docname.startswith(f"notebooks/{home}"):
            continue
        for place, text in enumerate(texts):
            found = wanted.search(text)
            if found and not (everyday and isinstance(text.parent, nodes.paragraph)):
                texts[place : place + 1] = linked(text, found, anchor, told, address)
                break


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", link_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
