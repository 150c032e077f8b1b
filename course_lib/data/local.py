"""Read the reader's own text files, with errors that name the file and the line."""

from pathlib import Path


class LocalFileError(ValueError):
    """A local data file cannot be used; the message names the file, the line and the remedy."""


def read_lines(path: str | Path) -> list[str]:
    """Return the lines of a UTF-8 text file, without line ends. A leading byte-order mark is cut.

    Raises:
        LocalFileError: there is no such file, it is empty, or a line is not UTF-8.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LocalFileError(f"cannot read {path}: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise LocalFileError(
            f"{path}, line {line}: byte 0x{raw[error.start]:02x} is not valid UTF-8. "
            "Save the file as UTF-8, for example with `iconv -f latin1 -t utf-8`."
        ) from error
    if not text.strip():
        raise LocalFileError(f"{path} is empty; it should hold text, encoded as UTF-8")
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")
