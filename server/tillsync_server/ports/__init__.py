"""Protocols of everything that the use cases need from outside. Adapters implement them, and `composition` connects them."""
