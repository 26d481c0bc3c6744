"""The ports in memory: one fake for each port that tests replace (tests/README.md). Each is held by a suite in ``tests/contracts``."""
