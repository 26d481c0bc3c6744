"""The composition root: it reads the settings and joins all components. Only this package may import all the others."""
