"""Orders as they arrive, and their answers."""
