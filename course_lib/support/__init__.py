"""What everything else stands on: evaluation mode for a while (`modes`), checks that models share
(`checks`), a file written whole (`files`), a progress bar (`progress`), and ending long work
between two steps (`interrupts`).
"""
