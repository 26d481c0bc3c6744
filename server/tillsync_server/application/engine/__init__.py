"""The engine: enqueueing, lanes, runs, completions (docs/architecture.md#the-engine-on-one-page). It knows entries, and no till or shop.

``enqueuer`` is the way in; ``worker`` leases lanes and keeps the leases; ``lane_runner`` runs one leased lane; ``lane_statements`` gathers
what lanes read and store into few statements.
"""
