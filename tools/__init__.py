"""What builds and checks the book. Run through the Makefile."""
