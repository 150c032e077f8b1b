"""Read the reader's own text files, with errors that name the file and the line."""

import codecs
from pathlib import Path


class LocalFileError(ValueError):
    """A local data file cannot be used; the message names the file, the line and the remedy."""

    def __init__(self, path: str | Path, line: int, problem: str) -> None:
        super().__init__(f"{path}, line {line}: {problem}")


def read_lines(path: str | Path) -> list[str]:
    """The lines of a UTF-8 text file, without line ends, whatever system wrote it.

    A byte-order mark at the beginning is cut.
    """
    raw = Path(path).read_bytes()
    line, problem = 1, ""
    try:
        if not (text := raw.decode("utf-8-sig")).strip():
            problem = "the file is empty; it should hold text, encoded as UTF-8"
    except UnicodeDecodeError as error:
        line = len(_lines(raw[: error.start].decode("utf-8-sig")))
        problem = (
            f"byte 0x{raw[error.start]:02x} is not valid UTF-8. Save the file as UTF-8, for "
            "example with `iconv -f latin1 -t utf-8` if it is in Latin-1."
        )
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in raw:
        line = 1
        problem = "this is UTF-16. Save it as UTF-8, for example with `iconv -f utf-16 -t utf-8`."
    if problem:
        raise LocalFileError(path, line, problem)
    return _lines(text)


def _lines(text: str) -> list[str]:
    """Not `splitlines`, which would also cut at rare characters inside a line."""
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
