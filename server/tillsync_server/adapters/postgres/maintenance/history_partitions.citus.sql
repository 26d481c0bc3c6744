-- name: detach_command
-- As in history_partitions.sql. Citus has no DETACH CONCURRENTLY: the table is locked for milliseconds, or the week goes in the next hour.
SELECT format('ALTER TABLE entry_history DETACH PARTITION %I', $1::text) WHERE $2::boolean IS NOT NULL
