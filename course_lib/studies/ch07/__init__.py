"""Studies of chapter 07: training a Transformer."""
