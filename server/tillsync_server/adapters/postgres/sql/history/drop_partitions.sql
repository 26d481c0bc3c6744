-- Drop the partitions of entry_history whose last week ended more than $1 days (PROCESSED, SKIPPED) or $2 days (FAILED, DISMISSED) ago.
-- Locks: those partitions and their parents, exclusively, when there are any.
SELECT drop_history_partitions(now() - make_interval(days => $1), now() - make_interval(days => $2)) AS name
