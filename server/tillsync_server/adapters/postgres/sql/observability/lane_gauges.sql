-- How the lanes stand, for the metrics; sampled, never asked for by a request.
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
