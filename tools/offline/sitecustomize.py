"""Python imports this at its start when the folder is on PYTHONPATH: the network is blocked."""

import network_block  # noqa: F401  (blocks on import)
