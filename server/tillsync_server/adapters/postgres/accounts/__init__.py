"""Storage of accounts: settings, encrypted credentials, and warnings."""
