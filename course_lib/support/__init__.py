"""What everything else stands on: evaluation mode for a while (`modes`), a file written whole
(`files`), a progress bar (`progress`), ending long work between two steps (`interrupts`), and a
published model's `config.json` (`published`).
"""
