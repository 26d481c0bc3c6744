"""TLS certificate and key of all listeners."""
