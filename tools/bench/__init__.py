"""How much our code costs; ``python -m tools.bench`` measures it."""
