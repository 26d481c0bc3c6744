"""Engine storage: leases of lanes, claims, completions, hints of the Customers Queue, and the lock of one lane."""
