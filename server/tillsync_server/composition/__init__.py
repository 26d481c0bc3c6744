"""The composition root: settings, and everything wired together. Only this package may import all the others."""
