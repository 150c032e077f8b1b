"""Studies of chapter 01: recurrent networks."""
