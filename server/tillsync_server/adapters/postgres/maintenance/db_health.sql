-- name: answers
-- Returns whether the database answers as a primary. A standby accepts no work. Parameters: none; no tables, no locks.
SELECT NOT pg_is_in_recovery()

-- name: lane_gauges
-- Returns counts of lanes by state, for the metrics. It is sampled, and never runs in a request.
-- Parameters: none. Reads the lane table once (one small row an account); no index, no locks.
SELECT
  count(*) AS lanes,
  count(*) FILTER (WHERE lease_expires_at > now()) AS leased,
  count(*) FILTER (WHERE lease_expires_at IS NULL AND next_run_at <= now()) AS ready,
  count(*) FILTER (WHERE till_probe_at > now() OR shop_probe_at > now()) AS paused,
  count(*) FILTER (WHERE till_probe_at IS NOT NULL OR shop_probe_at IS NOT NULL) AS with_problem,
  coalesce(extract(epoch FROM now() - min(coalesce(lease_expires_at, next_run_at)) FILTER (WHERE coalesce(lease_expires_at, next_run_at) <= now())), 0)::float8
    AS oldest_ready_seconds
FROM lane

-- name: entry_estimate
-- Estimates the live entries (PENDING and HELD) from the statistics' count of live rows. It is exact to some per cent, and costs the same
-- at any size. Parameters: none. Reads one row of statistics; no locks.
SELECT greatest(pg_stat_get_live_tuples('entry'::regclass), 0) AS live_entries

-- name: oldest_foreign_transaction
-- Returns the oldest transaction in this database that is not tillsync's and keeps dead rows: one of a session that holds a snapshot or has
-- written, or a prepared one. It always returns one row; kind is NULL without such a transaction. sees_all: whether this role sees sessions
-- of other roles. tillsync's own sessions have the application name of the asking session. Parameters: none. Reads the views of sessions;
-- no locks.
WITH foreign_transaction AS (
  SELECT 'session' AS kind, pid, application_name AS name, usename::text AS role, state, xact_start AS began
  FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start IS NOT NULL
    AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND application_name <> current_setting('application_name')
  UNION ALL
  SELECT 'prepared', NULL, gid, owner::text, NULL, prepared FROM pg_prepared_xacts WHERE database = current_database())
SELECT oldest.*, extract(epoch FROM clock_timestamp() - oldest.began)::float8 AS seconds, seen.sees_all
FROM (SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all) AS seen
LEFT JOIN (SELECT * FROM foreign_transaction ORDER BY began LIMIT 1) AS oldest ON true
