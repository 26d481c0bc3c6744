"""The engine's lanes: leases, claims, completions, customer hints, and the lock of one lane."""
