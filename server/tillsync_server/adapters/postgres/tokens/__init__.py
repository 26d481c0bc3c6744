"""Storage of bearer tokens."""
