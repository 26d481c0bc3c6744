"""Storage of links between till and shop customers, of the held orders that depend on them, and of what the shop is known to hold."""
