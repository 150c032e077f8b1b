"""Studies of chapter 02: encoder–decoder translation."""
