"""Prometheus metrics and structured logs for operators. Neither has personal data or credentials."""
