"""Order events that a shop is to be told."""
