-- Lease ready lanes and run-out leases, and tell when the next lane is ready. $1 most lanes, $2 most lanes without live work, $3 owner,
-- $4 lease seconds. The last row has no account: seconds until the next lane that was left is ready or its lease runs out (negative: it
-- is; NULL: there is none).
-- Indexes: lane_ready_live, lane_ready. Locks: the lanes taken, SKIP LOCKED. An idle system writes nothing.
WITH live AS MATERIALIZED (
  SELECT account_id FROM lane WHERE coalesce(lease_expires_at, next_live_at) <= now()
  ORDER BY coalesce(lease_expires_at, next_live_at) LIMIT $1 FOR UPDATE SKIP LOCKED),
bulk AS MATERIALIZED (
  SELECT account_id FROM lane WHERE coalesce(lease_expires_at, next_run_at) <= now()
    AND account_id <> ALL (ARRAY(SELECT account_id FROM live))
  ORDER BY coalesce(lease_expires_at, next_run_at)
  LIMIT (SELECT greatest(0, least($2::bigint, $1::bigint - count(*))) FROM live) FOR UPDATE SKIP LOCKED),
taken AS MATERIALIZED (SELECT account_id FROM live UNION ALL SELECT account_id FROM bulk),
leased AS (
  UPDATE lane SET lease_owner = $3, lease_token = lease_token + 1, lease_expires_at = now() + make_interval(secs => $4),
    lapses = lapses + (lease_expires_at IS NOT NULL)::integer
  WHERE /* invariant: lapsed-leases-are-taken-over */ account_id = ANY (ARRAY(SELECT account_id FROM taken))
    /* /invariant: lapsed-leases-are-taken-over */
  RETURNING account_id, lease_token, lapses, problem_side, pause_count)
SELECT account_id, lease_token, lapses, problem_side, pause_count, NULL::float8 AS seconds FROM leased
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, (
  SELECT extract(epoch FROM coalesce(lease_expires_at, next_run_at) - clock_timestamp())::float8 FROM lane
  WHERE coalesce(lease_expires_at, next_run_at) < 'infinity' AND account_id <> ALL (ARRAY(SELECT account_id FROM taken))
  ORDER BY coalesce(lease_expires_at, next_run_at) LIMIT 1)
