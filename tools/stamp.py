"""Write the Colab cell into every notebook, with the address that _config.yml names.

`python -m tools.stamp` (make stamp). The cell is the first code cell and carries the tag `colab`.
It installs the library only where it is missing, so it does nothing in a local environment.
"""

import nbformat

from tools.project import ROOT, config, notebooks

CELL_ID = "colab"


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


def main() -> None:
    address = config()["repository"]["url"]
    for path in notebooks():
        notebook = nbformat.read(path, as_version=4)
        if stamp(notebook, address):
            nbformat.write(notebook, path)
            print(f"stamped {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
