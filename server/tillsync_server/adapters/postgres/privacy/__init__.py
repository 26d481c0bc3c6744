"""Storage of one person's data: export and erasure."""
