"""Recurring work on the database: retention, new form of emails, and health."""
