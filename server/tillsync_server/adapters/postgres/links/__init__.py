"""Links between till and shop customers, the held orders that depend on them, and what the shop is known to hold."""
