"""The engine: enqueueing, lanes, runs, completions (docs/engine.md). It handles entries, and no till or shop.

``enqueuer`` stores hints as entries. ``worker`` leases lanes and renews the leases. ``lane_runner`` runs one leased lane.
``lane_statements`` gathers the claims, completions and releases of many lanes into few statements.
"""
