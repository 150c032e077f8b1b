"""Studies of chapter 10: GPT."""
