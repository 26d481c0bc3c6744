-- Make the missing weekly partitions of entry_history from now on. $1 weeks ahead. Locks: entry_history_short and _long, when one is missing.
SELECT ensure_history_partitions(now(), $1)
