"""Studies of chapter 05: without recurrence."""
