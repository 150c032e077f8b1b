"""Studies of chapter 08: transfer in vision."""
