"""Studies of chapter 04: attention."""
