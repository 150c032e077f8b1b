"""Python imports this at its start when the folder is on PYTHONPATH.

The network is blocked, and a notebook's kernel notes what it opens.
"""

import sys

import network_block  # noqa: F401  (blocks on import)
import used_files

used_files.record()

# jsonschema, which nbformat imports, builds a grammar of international addresses from it: a second
# at the start of every pytest, for a format that no notebook has.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
