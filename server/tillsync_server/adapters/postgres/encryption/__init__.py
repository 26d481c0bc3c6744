"""Encryption of credentials and of page tokens."""
