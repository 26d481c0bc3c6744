"""What an operator sees: Prometheus metrics and structured logs. Neither holds personal data or credentials."""
