"""How a study runs: what it is (`core`), its record on disk (`record`), its cells in their own
processes (`runner`, `workers`), what they ran on (`environment`), the weights it keeps
(`artifacts`), and how the JSON files are checked (`forms`).
"""
