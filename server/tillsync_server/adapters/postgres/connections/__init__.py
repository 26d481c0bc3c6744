"""Connections to PostgreSQL: the pool, its checks, and notifications."""
