"""What a cell shows, in another language.

Cells are written in English: literal texts, and templates that `say` fills. A `Translation` takes
what they show, HTML or Markdown, and puts in the other language's text for each text of a reader: a
caption, the cell of a table, a label in a drawing, an alternative text. A text is found by its
English words; or, if `say` made it, by its template; or by what is left when its numbers are taken
out, `{1} of {2} sentences`. What stands in the slots of a template is translated in the same way. A
link keeps its own target; a message only counts them, `[Cho](1)`. Code, numbers, and whatever is
marked `translate="no"` or has a `lang` of its own stay.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from course_lib.figures.plots import markdown_light
from course_lib.figures.words import SAID, Said

# A comment or a tag; what a tag's attributes hold in quotation marks may be anything.
TOKEN = re.compile(r"""(<!--.*?-->|</?[a-zA-Z](?:"[^"]*"|'[^']*'|[^>"'])*>)""", re.DOTALL)
NAME = re.compile(r"</?([a-zA-Z][\w-]*)")
MARKS = {"strong": "**", "em": "*", "code": "`"}
INLINE = {*MARKS, "a", "b", "i", "sub", "sup", "kbd"}
SMALL = rf"</?(?:{'|'.join(sorted(INLINE))}|br)(?:\s[^>]*)?/?>"  # tags inside a text
VOID = {"br", "img", "input", "hr", "meta", "link", "wbr"}
MARKED = {"td", "th", "li", "p", "span", "div", "label", "summary"}  # may hold a mark of language
KEPT = {"script", "style", "pre", "math"}
SHOWN = re.compile(r'(\s(?:alt|title|aria-label|aria-valuetext|placeholder|data-label)=")([^"]*)"')
GIVEN = re.compile(r'(\sdata-values=")([^"]*)"')
NAMES = re.compile(r'(\sdata-names=")([^"]*)"')  # of a slider's places, one after another
# What may stand between the parts of a list, the widest first; not the full stop of “et al.”.
BETWEEN = [
    re.compile(f"({mark})") for mark in ("\n\n", "\n- |\n", "; ", ", ", r"\. (?=[A-Z])", ": ")
]
# Marked as no text of ours, or as another language than the page's own.
FOREIGN = re.compile(r'\stranslate="no"|(?<!<html)\slang=')
TARGET = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
NUMBER = re.compile(r"(?<![\w{.])[+−-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w}])")
CODE = re.compile(r"`[^`]*`")
# Two letters of the Latin alphabet in a row: anything less is no word of English.
WORD = re.compile(r"[A-Za-z]{2}")


def worded(text: str) -> bool:
    """Whether there are words in it, outside of code, targets of links and tags."""
    return bool(WORD.search(re.sub(r"`[^`]*`|\]\([^)]*\)|<[^>]*>", "", text)))


@cache
def key(text: str) -> str:
    """The words of a text, however they are marked and broken into lines."""
    text = re.sub(r"\]\([^)\s]*\)|[*`\[\]]", "", html.unescape(TOKEN.sub("", text)))
    return " ".join(text.split())


def counted(text: str) -> str:
    """A text as its message has it: each link leads to its own number."""
    numbers = iter(range(1, len(TARGET.findall(text)) + 1))
    return TARGET.sub(lambda _: str(next(numbers)), text)


def masked(text: str) -> tuple[str, list[str]]:
    """A text with `{1}`, `{2}` … for its numbers, but not for those in code, and the numbers."""
    parts = re.split(r"(`[^`]*`|(?<=\]\()[^)\s]+(?=\)))", text)
    found: list[str] = []

    def mask(number: re.Match[str]) -> str:
        found.append(number[0])
        return f"{{{len(found)}}}"

    parts[::2] = [NUMBER.sub(mask, part) for part in parts[::2]]
    return "".join(parts), found


class Translation:
    """Texts of one page in another language.

    Args:
        messages: the text of the other language by the English text or template.
        said: what `say` made: the sentence, its template, and what fills the slots; it may grow.
        whole: the words of texts that are asked for as they are, even if they look like a list.
        kept: the language of what stays as it is, such as the words of an example.

    Attributes:
        missing: the English texts that were asked for and have no translation, in order, once each.
    """

    def __init__(
        self,
        messages: Mapping[str, str],
        said: Mapping[str, Said],
        whole: Collection[str] = frozenset(),
        kept: Mapping[str, str] | None = None,
    ) -> None:
        self.messages = {key(english): other for english, other in messages.items() if other}
        self._said, self._by_words, self._read = said, dict[str, Said](), 0
        self._whole, self._kept = whole, {key(text): name for text, name in (kept or {}).items()}
        self.missing: dict[str, None] = {}

    def text(self, english: str) -> str:
        """Light Markdown in the other language; the English itself where there is none."""
        found = self._found(english)
        if found is None:
            self._miss(english)
            return english
        # The words of a message are found without their marks; a text that is bold stays so.
        if re.fullmatch(r"\*\*[^*]+\*\*", english) and "**" not in found:
            return f"**{found}**"
        return found

    def _miss(self, english: str) -> None:
        if worded(english):
            one = self._made(key(english))
            self.missing[one.template if one else english] = None

    def _made(self, words: str) -> Said | None:
        """How `say` made a text; it may have said more since this was asked the last time."""
        for text, one in islice(self._said.items(), self._read, None):
            self._by_words[key(text)] = one
        self._read = len(self._said)
        return self._by_words.get(words)

    def _found(self, english: str) -> str | None:
        words = key(english)
        if not worded(english):
            return None
        if words in self.messages:
            return self._linked(self.messages[words], english)
        if one := self._made(words):
            return self._filled(one)
        shape, numbers = masked(english)
        other = self.messages.get(key(shape)) if numbers else None
        if other is None:
            return None
        filled = re.sub(r"\{(\d+)\}", lambda found: numbers[int(found[1]) - 1], other)
        return self._linked(filled, english)

    def _linked(self, other: str, english: str) -> str:
        """The targets of the English text in the place of their numbers."""
        targets = TARGET.findall(english)
        return TARGET.sub(lambda found: targets[int(found[0]) - 1], other) if targets else other

    def _filled(self, one: Said) -> str | None:
        # The template is looked up for the slots too: what fills them may have to be translated.
        template = self.messages.get(key(one.template))
        code = "".join(CODE.findall(one.template))
        slots = {
            slot: text if slot in code else self.value(text) for slot, text in one.slots.items()
        }
        if template is None:
            return None
        template = self._linked(template, one.template)
        for slot, text in slots.items():
            template = template.replace(slot, text)
        return template.replace("{{", "{").replace("}}", "}")

    def value(self, english: str) -> str:
        """What fills a slot: a name, a sentence, or a list of these."""
        if not worded(english):
            return english
        if "</" in english:
            return self.html(english)
        if (found := self._found(english)) is not None:
            return found
        words = key(english)
        if not self._made(words) and words not in self._whole:
            for mark in BETWEEN:
                parts = mark.split(english)
                if len(parts) > 1:
                    parts[::2] = map(self.value, parts[::2])
                    return "".join(parts)
        self._miss(english)
        return english

    def markdown(self, text: str) -> str:
        """A Markdown output: one text."""
        return self.text(text)

    def html(self, markup: str) -> str:
        """HTML, text by text."""
        done: list[str] = []
        run: list[str] = []
        around = ""  # the element that the run stands in, if it has just begun
        closed: list[str] = []  # the elements around that are kept as they are
        for token in TOKEN.split(markup):
            found = NAME.match(token)
            if not found:
                (done if closed else run).append(token)
                continue
            name = found[1].lower()
            if closed:
                done.append(token)
                if name == closed[-1]:
                    if token.startswith("</"):
                        closed.pop()
                    elif not token.endswith("/>"):
                        closed.append(name)
                continue
            if name in KEPT or FOREIGN.search(token):
                done += [self._run(run, around), token]
                run, around = [], ""
                if not token.endswith("/>") and name not in VOID:
                    closed.append(name)
            elif name in INLINE:
                run.append(token)
            else:
                done += [self._run(run, around), self._tag(token)]
                run, around = [], "" if token.startswith("</") else name
        return "".join([*done, self._run(run, around)])

    def _run(self, tokens: list[str], around: str) -> str:
        """Text between two blocks, with marks, links and small tags inside."""
        markup = "".join(tokens)
        # A mark that opens before the text or closes after it is around more than this text.
        words = re.sub(r"^(?:\s|</\w+>)+|(?:\s|<\w[^>]*(?<!/)>)+$", "", markup)
        if not words or not WORD.search(TOKEN.sub("", words)):
            return markup
        english = light(words)
        other = self.text(english)
        before, after = markup.split(words, 1)
        if other == english:
            language = self._kept.get(key(english))
            marked = f'<span lang="{language}">{words}</span>'
            return before + marked + after if language and around in MARKED else markup
        return before + dark(other) + after

    def _tag(self, tag: str) -> str:
        """The attributes that a reader sees or hears, and the names that a live figure is given."""

        def seen(found: re.Match[str]) -> str:
            return f'{found[1]}{html.escape(self.text(html.unescape(found[2])))}"'

        def given(found: re.Match[str]) -> str:
            values = self._names(json.loads(html.unescape(found[2])))
            return f'{found[1]}{html.escape(json.dumps(values, ensure_ascii=False))}"'

        def names(found: re.Match[str]) -> str:
            texts = map(self.value, html.unescape(found[2]).split("|"))
            return f'{found[1]}{html.escape("|".join(texts))}"'

        return NAMES.sub(names, GIVEN.sub(given, SHOWN.sub(seen, tag)))

    def _names(self, value: object) -> object:
        """Names among the values of a live figure; its other texts are data."""
        if isinstance(value, dict):
            return {name: self._names(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._names(one) for one in value]
        if isinstance(value, str):
            found = self._found(value)
            return value if found is None else found
        return value


def light(markup: str) -> str:
    """The light Markdown of a line of HTML: what `plots.markdown_light` made it from."""
    parts: list[str] = []
    links: list[str] = []
    for token in TOKEN.split(markup):
        found = NAME.match(token)
        name = found[1].lower() if found else ""
        if name in MARKS:
            parts.append(MARKS[name])
        elif name == "a" and token.startswith("</"):
            parts.append(f"]({links.pop()})" if links else "")
        elif name == "a":
            links.append((re.search(r'href="([^"]*)"', token) or ["", ""])[1])
            parts.append("[")
        else:
            parts.append(token if found else html.unescape(token))
    return " ".join("".join(parts).split())


def dark(text: str) -> str:
    """HTML of light Markdown; the tags in it stay tags."""
    tags: list[str] = []

    def keep(found: re.Match[str]) -> str:
        tags.append(found[0])
        return f"\ue000{len(tags) - 1}\ue001"

    markup = markdown_light(re.sub(SMALL, keep, text))
    return re.sub("\ue000(\\d+)\ue001", lambda found: tags[int(found[1])], markup)


CATALOGS = Path(__file__).parent.parent / "locale"


@cache
def read(language: str) -> list[tuple[str, str, str]]:
    """Text, its translation, and the notebook where it has this sense alone ("" for all)."""
    from babel.messages.pofile import read_po

    found = []
    paths = sorted((CATALOGS / language).glob("*.po"))
    if not paths:
        known = sorted(path.name for path in CATALOGS.iterdir())
        raise ValueError(f"the course does not speak {language!r}, only English and {known}")
    for path in paths:
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
        for one in catalog:
            if isinstance(one.id, str) and isinstance(one.string, str) and not one.fuzzy:
                found.append((one.id, one.string, one.context or ""))
    return [(text, other, page) for text, other, page in found if text and other]


def messages(language: str, page: str = "") -> dict[str, str]:
    """Everything that the library and the notebooks say, in another language.

    Args:
        language: its code, such as "ko".
        page: the notebook in whose sense a word is meant, if it has more than one.

    Raises:
        ValueError: there is no such language.
    """
    texts = read(language)
    here = {text: other for text, other, where in texts if where and where == page}
    return {text: other for text, other, where in texts if not where} | here


def speak(language: str) -> None:
    """From now on this notebook shows what cells display in another language."""
    from IPython import get_ipython

    shell, translation = get_ipython(), Translation(messages(language), SAID)
    if shell is None:
        return
    ways = {"text/html": translation.html, "text/markdown": translation.markdown}

    def translated(data: dict[str, Any]) -> dict[str, Any]:
        done = {
            kind: way(data[kind]) for kind, way in ways.items() if isinstance(data.get(kind), str)
        }
        return {**data, **done}

    publish, compute = shell.display_pub.publish, shell.displayhook.compute_format_data

    def published(data: dict[str, Any], *more: Any, **named: Any) -> None:
        publish(translated(data), *more, **named)

    def computed(result: object) -> tuple[dict[str, Any], dict[str, Any]]:
        data, about = compute(result)
        return translated(data), about

    shell.display_pub.publish, shell.displayhook.compute_format_data = published, computed
