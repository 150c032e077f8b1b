"""What a check says, and how it looks in a notebook, on a page and in a terminal.

The HTML uses the text color of its surroundings, so it reads in light and in dark, and names each
outcome in words, so that color is never the only signal. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from html import escape

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from course_lib.figures.words import say


class Outcome(enum.Enum):
    """PASS, FAIL (a wrong answer), TODO (not started) or ERROR (the code did not run through)."""

    PASS = ("✓", say("Pass"), "#2da44e")
    FAIL = ("✗", say("Not yet"), "#d1242f")
    TODO = ("○", say("To do"), "#8c959f")
    ERROR = ("!", say("Error"), "#bf8700")

    def __init__(self, symbol: str, word: str, color: str) -> None:
        self.symbol, self.word, self.color = symbol, word, color


class Quoted(str):
    """A learner's own words among ours: shown as they are in every language."""


@dataclass(frozen=True)
class Result:
    """The answer of `check`. `sentences` are the message, each translated by itself; `case` names
    the test that stopped it, `passed_cases` those before; `code` and `code_of_several` are for the
    pages of the book.
    """

    exercise: str
    outcome: Outcome
    sentences: tuple[str, ...] = ()
    case: str | None = None
    passed_cases: tuple[str, ...] = ()
    traceback: str = ""
    code: str = ""
    code_of_several: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS

    @property
    def message(self) -> str:
        return " ".join(self.sentences)

    @property
    def codes(self) -> list[str]:
        """The sentences with the codes, from which the book's pages learn of it; none where the
        answer did not pass.
        """
        told = []
        if self.code:
            told.append(
                say(
                    "To mark it as done in the book, enter this code on the page of the exercises: "
                    "`{code}`",
                    code=self.code,
                )
            )
        if self.code_of_several:
            told.append(
                say(
                    "One code for all of this chapter that passed in this session: `{code}`",
                    code=self.code_of_several,
                )
            )
        return told

    def require(self) -> Result:
        """Return self if the exercise is passed.

        Raises: AssertionError with the message otherwise. For tests; a notebook shows the result.
        """
        if not self.passed:
            raise AssertionError(str(self))
        return self

    def __str__(self) -> str:
        at = f" (case: {self.case})" if self.case else ""
        said = f"{self.outcome.symbol} {self.outcome.word} · {self.exercise}{at}: {self.message}"
        return "\n".join([said, *self.codes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [
            f"<strong><span>{self.outcome.symbol}</span> <span>{self.outcome.word}</span></strong>",
            f" · <code>{escape(self.exercise)}</code>",
        ]
        if self.case:
            parts.append(f" · <span>{say('case')}</span> <code>{escape(self.case)}</code>")
        parts.append(f"<div>{' '.join(map(_span, self.sentences))}</div>")
        parts += [f"<div><small>{inline_html(one)}</small></div>" for one in self.codes]
        if self.outcome in (Outcome.FAIL, Outcome.ERROR) and self.passed_cases:
            names = ", ".join(f"`{name}`" for name in self.passed_cases)
            right = say("Already right: {names}", names=names)
            parts.append(f"<div><small>{inline_html(right)}</small></div>")
        if self.traceback:
            parts.append(
                f"<details><summary>{say('Where it happened')}</summary>"
                f"<pre>{escape(self.traceback)}</pre></details>"
            )
        style = f"border-left:0.3em solid {self.outcome.color};padding:0.3em 0.8em;margin:0.4em 0"
        return f'<div class="exercise-result" style="{style}">{"".join(parts)}</div>'


class Text(str):
    """A string that a notebook shows as text instead of in quotation marks."""

    __repr__ = str.__str__

    def _repr_html_(self) -> str:
        return f"<p>{inline_html(self)}</p>"


class Source(str):
    """Python source that a notebook shows highlighted and `exec` takes as it is."""

    __repr__ = str.__str__

    def _repr_html_(self) -> str:
        return highlight(str(self), PythonLexer(), HtmlFormatter(cssclass="highlight"))


@dataclass(frozen=True)
class Help:
    """All hints and the solution, each folded away; needs no kernel once it is on a page."""

    exercise: str
    hints: tuple[str, ...]
    source: Source

    def __repr__(self) -> str:
        name, count = self.exercise, len(self.hints)
        return f"{name}: {count} hints, {name}.hint(1) to {name}.hint({count}); {name}.solution()"

    def _repr_html_(self) -> str:
        folds = [
            f"<details><summary>{say('Hint {number}', number=number)}</summary>"
            f"<p>{inline_html(hint)}</p></details>"
            for number, hint in enumerate(self.hints, start=1)
        ]
        code = self.source._repr_html_()
        folds.append(f"<details><summary>{say('Solution')}</summary>{code}</details>")
        return f'<div class="exercise-help">{"".join(folds)}</div>'


def _span(sentence: str) -> str:
    own = ' translate="no"' if isinstance(sentence, Quoted) else ""
    return f"<span{own}>{inline_html(sentence)}</span>"


def inline_html(text: str) -> str:
    """Escape `text` and turn `code`, **bold** and *emphasis* into HTML, nothing else."""
    pieces = []
    for position, piece in enumerate(text.split("`")):
        if position % 2:
            pieces.append(f"<code>{escape(piece)}</code>")
        else:
            piece = re.sub(r"\*\*(\S[^*]*)\*\*", r"<strong>\1</strong>", escape(piece))
            pieces.append(re.sub(r"\*(\S[^*]*)\*", r"<em>\1</em>", piece))
    return "".join(pieces)
