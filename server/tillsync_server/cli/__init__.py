"""Commands that run the service on this machine. An entry point of the group ``tillsync.commands`` adds them to ``tillsync``."""
