"""One suite per port: a class of tests of what callers rely on, and a subclass for the fake and each real implementation.

``pytest tests/contracts -m "not integration"`` runs all implementations except PostgreSQL.
"""
