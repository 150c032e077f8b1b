"""Sphinx extension for the English pages: Korean words in a sentence are marked as Korean.

A screen reader then speaks them as Korean, and a browser breaks their lines by Korean rules. The
names of terms are an example: “attention (어텐션)”. Code and what a cell shows have marks of their
own, or none.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

# Words with what may stand between them; a lone particle begins with a hyphen in print.
KOREAN = re.compile(r"([가-힣]+(?:[ ·,-]+[가-힣]+)*)")
KEPT = (nodes.FixedTextElement, nodes.literal, nodes.raw, nodes.math, nodes.math_block)


class korean(nodes.inline):  # noqa: N801  docutils names nodes in small letters
    """Korean words inside another language."""


def visit_korean(translator: HTML5Translator, node: korean) -> None:
    translator.body.append('<span lang="ko">')


def depart_korean(translator: HTML5Translator, node: korean) -> None:
    translator.body.append("</span>")


class MarkKorean(SphinxPostTransform):
    """Put Korean words of the text into nodes of their own."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        for text in list(self.document.findall(nodes.Text)):
            above, inside = text.parent, False
            while above is not None and not inside:
                inside = isinstance(above, (*KEPT, korean))
                above = above.parent
            parts = KOREAN.split(text.astext())
            if inside or len(parts) == 1:
                continue
            new = [
                korean("", "", nodes.Text(part)) if number % 2 else nodes.Text(part)
                for number, part in enumerate(parts)
                if part
            ]
            text.parent.replace(text, new)


def setup(app: Sphinx) -> dict[str, bool]:
    if app.config.language != "ko":
        app.add_node(korean, html=(visit_korean, depart_korean))
        app.add_post_transform(MarkKorean)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
