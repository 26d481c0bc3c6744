"""Accounts: settings, encrypted credentials, and warnings."""
