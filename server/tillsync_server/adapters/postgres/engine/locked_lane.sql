-- name: lock_lane
-- Lock one lane before anything else of its account. $1 account. Brings the database's time. The lane is found by the newest token that the
-- snapshot sees, or a higher one: a lease that was committed meanwhile has raised it. Index: lane_pkey.
SELECT account_id, next_run_at, next_live_at, lease_expires_at, till_probe_at, shop_probe_at, config_version, now() AS at
FROM lane WHERE account_id = $1 AND lease_token >= (SELECT newest_token($1)) FOR NO KEY UPDATE

-- name: fence
-- Lock the lanes whose lease is still ours; what is not returned is dropped by the caller. Always first, in account order. A process may
-- ask for two leases of one lane, one that ran out and the one after: each row says which it is for.
-- $1 accounts, $2 owners, $3 tokens. Brings the database's time for the statements that follow.
SELECT lane.account_id, t.owner, t.token, lane.config_version, now() AS at
FROM lane JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS t(account_id, owner, token)
  ON lane.account_id = t.account_id
    /* invariant: stale-leases-change-nothing */
    AND lane.lease_owner = t.owner AND lane.lease_token = t.token
    /* /invariant: stale-leases-change-nothing */
ORDER BY lane.account_id FOR UPDATE OF lane

-- name: raise_config_version
-- What was decided on the former settings or links is refused from now on (invariant 6). $1 account. Runs after `lock_lane` in its
-- transaction.
UPDATE lane SET config_version = config_version
  /* invariant: setting-changes-raise-the-version */ + 1 /* /invariant: setting-changes-raise-the-version */
WHERE account_id = $1

-- name: wake_lane
-- Wake one lane whose lock is held and that got due work. $1 account, $2 when it is due, $3 whether it is live work.
-- Decides on the value of the row as it is under the lock. A leased lane is looked at again by its release; an entry that is due before the
-- lane's bound lowers the bound of a leased lane too. Whether the work waits for an ill side is not asked: then the lane is leased for
-- nothing once, and its release tells when to probe. Index: lane_pkey.
UPDATE lane SET next_run_at = least(next_run_at, $2), next_live_at = CASE WHEN $3::boolean THEN least(next_live_at, $2) ELSE next_live_at END,
  due_from = least(due_from, $2)
WHERE account_id = $1 AND lease_token >= (SELECT newest_token($1))
  AND (lease_expires_at IS NULL OR due_from > $2)

-- name: reschedule_lane
-- When a lane next has work, after its sides have changed. $1 account. A leased lane is looked at again by its release. A lane that is ready
-- has been so since now: it goes to the back of the line, and `lease` finds it behind its bound.
-- Runs after `lock_lane` in its transaction. Index: entry_due_by_queue (lane_times, migration 0014).
WITH clock AS MATERIALIZED (SELECT now() AS at)
UPDATE lane SET
  next_live_at = CASE WHEN times.live_at IS NULL THEN 'infinity' ELSE greatest(times.live_at, clock.at) END,
  next_run_at = CASE WHEN times.run_at IS NULL THEN 'infinity' ELSE greatest(times.run_at, clock.at) END,
  next_probe_at = CASE WHEN times.probe_at IS NULL THEN 'infinity' ELSE greatest(times.probe_at, clock.at) END
FROM clock CROSS JOIN lane AS stands
CROSS JOIN LATERAL lane_times(stands.account_id, stands.till_probe_at, stands.shop_probe_at, stands.due_from) AS times
WHERE lane.account_id = $1 AND stands.account_id = lane.account_id AND lane.lease_expires_at IS NULL
