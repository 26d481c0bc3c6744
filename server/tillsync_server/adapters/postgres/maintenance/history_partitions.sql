-- name: try_history_lock
-- Takes the lock of the history's partitions for this session, if no other session has it. $1 its key;
-- each schema has a lock of its own.
SELECT pg_try_advisory_lock($1::int, hashtext(current_schema()))

-- name: release_history_lock
-- Releases the lock. $1 its key.
SELECT pg_advisory_unlock($1::int, hashtext(current_schema()))

-- name: make_weeks
-- Makes the weekly partitions of the kind $1 (entry_history_short or entry_history_long) until $3 weeks after this one, if fewer than $2 are
-- there. Returns the names of the new ones. Locks: entry_history, exclusively, for milliseconds; 55P03 if that would take longer than 300 ms.
SELECT make_history_weeks($1, $2, $3) AS name

-- name: outdated_weeks
-- Returns the weekly tables of the kind $1 whose week ended more than $2 days ago, oldest first: name, whether the table is attached, and
-- whether a detach was begun and not finished. CASE keeps other names from to_date, which fails on them.
SELECT c.relname AS name, i.inhrelid IS NOT NULL AS is_attached, coalesce(i.inhdetachpending, false) AS is_detaching
FROM pg_class p JOIN pg_class c ON c.relnamespace = p.relnamespace AND c.relkind = 'r'
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE p.oid = to_regclass('entry_history') AND CASE WHEN c.relname ~ ('^' || $1 || '_\d{4}w\d{2}$')
  THEN (to_date(right(c.relname, 7), 'IYYY"w"IW') + 7)::timestamp AT TIME ZONE 'UTC' + make_interval(days => $2) <= now() END
ORDER BY c.relname

-- name: weeks_ahead
-- Counts the weeks after this one that have a partition of their own, of the kind that has fewer. 0: new results go into the partition
-- for later soon, or do already.
SELECT greatest(coalesce(min(ahead), 0), 0)::int FROM (
  SELECT floor(extract(epoch FROM max((to_date(right(c.relname, 7), 'IYYY"w"IW') + 7)::timestamp AT TIME ZONE 'UTC')
    - date_trunc('week', now(), 'UTC')) / 604800) - 1 AS ahead
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = to_regclass('entry_history') AND c.relname ~ '^entry_history_(short|long)_\d{4}w\d{2}$'
  GROUP BY left(c.relname, 19)) AS kinds

-- name: detach_command
-- Returns the command that detaches the week $1. $2: a detach of it was begun and not finished.
SELECT format('ALTER TABLE entry_history DETACH PARTITION %I %s', $1::text, CASE WHEN $2::boolean THEN 'FINALIZE' ELSE 'CONCURRENTLY' END)
