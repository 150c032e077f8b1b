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

# Behind what passed: how the book's pages learn of it.
CODE = "To mark it as done in the book, enter this code on the page of the exercises: `{code}`"
CODE_OF_SEVERAL = "One code for all of this chapter that passed in this session: `{code}`"


class Outcome(enum.Enum):
    """PASS, FAIL (a wrong answer), TODO (not started) or ERROR (the code did not run through)."""

    PASS = ("✓", "Pass", "#2da44e")
    FAIL = ("✗", "Not yet", "#d1242f")
    TODO = ("○", "To do", "#8c959f")
    ERROR = ("!", "Error", "#bf8700")

    def __init__(self, symbol: str, word: str, color: str) -> None:
        self.symbol, self.word, self.color = symbol, word, color


@dataclass(frozen=True)
class Result:
    """The answer of `check`. `case` names the test that stopped it, `passed_cases` those before;
    `code` and `code_of_several` are for the pages of the book.
    """

    exercise: str
    outcome: Outcome
    message: str = ""
    case: str | None = None
    passed_cases: tuple[str, ...] = ()
    traceback: str = ""
    code: str = ""
    code_of_several: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS

    @property
    def codes(self) -> list[str]:
        """The sentences with the codes; none where the answer did not pass."""
        told = [CODE.format(code=self.code)] if self.code else []
        if self.code_of_several:
            told.append(CODE_OF_SEVERAL.format(code=self.code_of_several))
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
        said = f"{self.outcome.symbol} {self.outcome.word}"
        parts = [f"<strong>{said}</strong> · <code>{escape(self.exercise)}</code>"]
        if self.case:
            parts.append(f" · case <code>{escape(self.case)}</code>")
        parts.append(f"<div>{inline_html(self.message)}</div>")
        parts += [f"<div><small>{inline_html(one)}</small></div>" for one in self.codes]
        if self.outcome in (Outcome.FAIL, Outcome.ERROR) and self.passed_cases:
            names = ", ".join(f"<code>{escape(name)}</code>" for name in self.passed_cases)
            parts.append(f"<div><small>Already right: {names}</small></div>")
        if self.traceback:
            parts.append(
                "<details><summary>Where it happened</summary>"
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
            f"<details><summary>Hint {number}</summary><p>{inline_html(hint)}</p></details>"
            for number, hint in enumerate(self.hints, start=1)
        ]
        code = self.source._repr_html_()
        folds.append(f"<details><summary>Solution</summary>{code}</details>")
        return f'<div class="exercise-help">{"".join(folds)}</div>'


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
