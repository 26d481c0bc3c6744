-- About how many live entries (PENDING and HELD) there are: the statistics' own count of live rows, exact to some per cent and free at
-- any size. Parameters: none. Reads one row of statistics; no locks.
SELECT greatest(pg_stat_get_live_tuples('entry'::regclass), 0) AS live_entries
