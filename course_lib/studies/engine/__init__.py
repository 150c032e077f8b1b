"""How a study runs: what it is (`core`), its record on disk (`store`), its cells in their own
processes (`runner`, `workers`), where they ran (`environment`), and the weights it keeps
(`artifacts`).
"""
