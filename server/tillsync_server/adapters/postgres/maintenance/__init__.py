"""Recurring work on the database: retention, rekeying of emails, and health."""
