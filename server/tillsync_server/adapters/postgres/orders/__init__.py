"""Storage of incoming orders and of their answers."""
