-- Lease ready lanes, run-out leases and lanes whose ill side is to be probed, and tell when the next lane is ready. $1 most lanes, $2 most of
-- them without live work, $3 owner, $4 lease seconds, $5 most lanes to probe, $6 the time from which to look (NULL: all lanes). The last row
-- has no account: seconds until the next lane that was left is ready, is to be probed (where $5 allows one), or its lease runs out (negative:
-- it is; NULL: there is none); and the time from which to look next. Every lane that was left is ready after it, and so is whatever a
-- transaction makes ready that began up to ten seconds ago: none makes a lane ready before its own beginning.
-- Indexes: lane_ready_live, lane_ready, lane_probe, lane_pkey (newest: the token that the snapshot sees; another session may have raised it
-- before the lock was had). Locks: the lanes taken, SKIP LOCKED. An idle system writes nothing.
WITH live AS MATERIALIZED (
  SELECT account_id FROM lane WHERE coalesce(lease_expires_at, next_live_at) BETWEEN coalesce($6::timestamptz, '-infinity') AND now()
  ORDER BY coalesce(lease_expires_at, next_live_at) LIMIT $1 FOR UPDATE SKIP LOCKED),
bulk AS MATERIALIZED (
  SELECT account_id FROM lane WHERE coalesce(lease_expires_at, next_run_at) BETWEEN coalesce($6::timestamptz, '-infinity') AND now()
    AND account_id <> ALL (ARRAY(SELECT account_id FROM live))
  ORDER BY coalesce(lease_expires_at, next_run_at)
  LIMIT (SELECT greatest(0, least($2::bigint, $1::bigint - count(*))) FROM live) FOR UPDATE SKIP LOCKED),
probed AS MATERIALIZED (
  SELECT account_id FROM lane WHERE next_probe_at <= now() AND next_probe_at < 'infinity' AND lease_expires_at IS NULL
    AND account_id <> ALL (ARRAY(SELECT account_id FROM live)) AND account_id <> ALL (ARRAY(SELECT account_id FROM bulk))
  ORDER BY next_probe_at
  LIMIT (SELECT greatest(0, least($5::bigint, $1::bigint - (SELECT count(*) FROM live) - (SELECT count(*) FROM bulk))))
  FOR UPDATE SKIP LOCKED),
taken AS MATERIALIZED (SELECT account_id FROM live UNION ALL SELECT account_id FROM bulk UNION ALL SELECT account_id FROM probed),
newest AS MATERIALIZED (SELECT account_id, newest_token(account_id) AS lease_token FROM taken),
leased AS (
  UPDATE lane SET lease_owner = $3, lease_token = lane.lease_token + 1, lease_expires_at = now() + make_interval(secs => $4),
    lapses = lapses + (lease_expires_at IS NOT NULL)::integer
  FROM newest
  WHERE /* invariant: lapsed-leases-are-taken-over */ lane.account_id = newest.account_id
      AND lane.lease_token >= newest.lease_token /* /invariant: lapsed-leases-are-taken-over */
  RETURNING lane.account_id, lane.lease_token, lapses, till_probe_at, shop_probe_at),
ill AS (
  SELECT s.account_id, max(s.failures) FILTER (WHERE s.side = 1) AS till_failures, max(s.failures) FILTER (WHERE s.side = 2) AS shop_failures
  FROM account_side s WHERE s.account_id = ANY (ARRAY(
    SELECT account_id FROM leased WHERE till_probe_at IS NOT NULL OR shop_probe_at IS NOT NULL))
  GROUP BY s.account_id),
left_over AS MATERIALIZED (
  SELECT (SELECT coalesce(lease_expires_at, next_run_at) FROM lane
    WHERE coalesce(lease_expires_at, next_run_at) >= coalesce($6::timestamptz, '-infinity')
      AND coalesce(lease_expires_at, next_run_at) < 'infinity' AND account_id <> ALL (ARRAY(SELECT account_id FROM taken))
    ORDER BY coalesce(lease_expires_at, next_run_at) LIMIT 1) AS ready_at,
  (SELECT next_probe_at FROM lane
    WHERE $5 > 0 AND next_probe_at < 'infinity' AND lease_expires_at IS NULL AND account_id <> ALL (ARRAY(SELECT account_id FROM taken))
    ORDER BY next_probe_at LIMIT 1) AS probe_at,
  now() AS at)
SELECT account_id, lease_token, lapses, extract(epoch FROM till_probe_at - now())::float8 AS till_seconds, till_failures,
  extract(epoch FROM shop_probe_at - now())::float8 AS shop_seconds, shop_failures, NULL::float8 AS seconds, NULL::timestamptz AS look_from
FROM leased LEFT JOIN ill USING (account_id)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, extract(epoch FROM least(ready_at, probe_at) - clock_timestamp())::float8,
  least(/* invariant: leases-look-from-lanes-left */ ready_at, /* /invariant: leases-look-from-lanes-left */
    at /* invariant: leases-wait-for-open-transactions */ - interval '10 seconds' /* /invariant: leases-wait-for-open-transactions */)
FROM left_over
