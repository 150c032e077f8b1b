"""Studies of chapter 11: BERT."""
