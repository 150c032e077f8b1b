"""Studies of chapter 09: ULMFiT."""
