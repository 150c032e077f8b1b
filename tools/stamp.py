"""Write the addresses that _config.yml names wherever they stand: `python -m tools.stamp`.

- The Colab cell of every notebook, in both languages: its first code cell, tagged `colab`. It
  installs the library only where it is missing, so it does nothing in a local environment.
- The link to the book at the top of README.md, and the address of the repository in the texts that
  tell how to get it.
"""

import re

import nbformat

from tools import korean_notebooks
from tools.project import ROOT, config, notebooks

CELL_ID = "colab"
TEXTS = ("README.md", "CITATION.cff", "book/how_to_use.md")
REPOSITORY = re.compile(r"(git clone |repository-code: \")(https?://[^\s\"]+)")
BOOK = re.compile(r"(\[(?:\*\*Read the book\*\*|한국어로 읽기)\]\()(?:[^)]+?)((?:ko/)?)(?=\))")


def colab_source(address: str) -> str:
    """The exact text of the Colab cell for a repository address."""
    return (
        "# Colab: install the course's library. Where it is already there, nothing happens.\n"
        "import importlib.util\n"
        "\n"
        'if importlib.util.find_spec("course_lib") is None:\n'
        f'    %pip install -q "git+{address}"'
    )


def stamp(notebook: nbformat.NotebookNode, address: str) -> bool:
    """Put the cell in place (before the first code cell, or anew); whether anything changed."""
    source = colab_source(address)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if code and "colab" in code[0].metadata.get("tags", []):
        changed = code[0].source != source
        code[0].source = source
        return changed
    cell = nbformat.v4.new_code_cell(source, id=CELL_ID, metadata={"tags": ["colab", "hide-cell"]})
    place = notebook.cells.index(code[0]) if code else len(notebook.cells)
    notebook.cells.insert(place, cell)
    return True


def stamp_text(text: str, repository: str, book: str) -> str:
    """A text with both addresses in place."""
    text = REPOSITORY.sub(lambda found: found[1] + repository, text)
    return BOOK.sub(lambda found: found[1] + book + found[2], text)


def main() -> None:
    settings = config()
    address = settings["repository"]["url"]
    for path in notebooks():
        notebook = nbformat.read(path, as_version=4)
        if stamp(notebook, address):
            nbformat.write(notebook, path)
            print(f"stamped {path.relative_to(ROOT)}")
    korean_notebooks.main()
    for path in map(ROOT.joinpath, TEXTS):
        text = path.read_text("utf8")
        stamped = stamp_text(text, address, settings["html"]["baseurl"])
        if stamped != text:
            path.write_text(stamped, "utf8")
            print(f"stamped {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
