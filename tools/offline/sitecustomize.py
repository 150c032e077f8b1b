"""Python imports this at its start when the folder is on PYTHONPATH.

The network is blocked, and a notebook's kernel notes what it opens.
"""

import network_block  # noqa: F401  (blocks on import)
import used_files

used_files.record()
