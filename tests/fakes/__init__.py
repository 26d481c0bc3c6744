"""Ports in memory. Each port that tests replace has one fake (tests/README.md), and a suite in ``tests/contracts`` runs on it."""
