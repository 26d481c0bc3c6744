"""The contract of tillsync. ``tillsync.v1`` has the messages and stubs generated from ``protos/``. Use ``tillsync_client``."""
