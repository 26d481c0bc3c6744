"""The folder from which the service offers releases of the bridge."""
