"""TLS of both ports: the certificate and its key."""
