"""Storage of order events for shops."""
