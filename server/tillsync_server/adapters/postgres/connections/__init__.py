"""Connections to one PostgreSQL: the pool, its checks, and notifications."""
