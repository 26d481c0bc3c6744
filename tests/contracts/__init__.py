"""One suite a port: a class of tests on what the callers rely on, and a subclass for each implementation, the fake and the real ones.

``pytest tests/contracts -m "not integration"`` runs all but PostgreSQL.
"""
