"""Studies of chapter 06: the Transformer."""
