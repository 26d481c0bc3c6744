-- name: lock_lane
-- Locks one lane, before any other row of its account. $1 account. Returns the database's time. The lane is found by the newest token of
-- the snapshot or a higher one, because a lease that committed in between has raised it. Index: lane_pkey.
SELECT account_id, next_run_at, next_live_at, lease_expires_at, till_probe_at, shop_probe_at, config_version, now() AS at
FROM lane WHERE account_id = $1 AND lease_token >= (SELECT newest_token($1)) FOR NO KEY UPDATE

-- name: fence
-- Locks the lanes whose lease still has the given owner and token. It runs first in its transaction and locks in account order. The caller
-- drops everything for a lane that is not returned. A process may pass two leases of one lane, a lapsed one and its successor, so each row
-- names its lease. $1 accounts, $2 owners, $3 tokens. Returns the database's time for the statements that follow.
SELECT lane.account_id, t.owner, t.token, lane.config_version, now() AS at
FROM lane JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS t(account_id, owner, token)
  ON lane.account_id = t.account_id
    /* invariant: stale-leases-change-nothing */
    AND lane.lease_owner = t.owner AND lane.lease_token = t.token
    /* /invariant: stale-leases-change-nothing */
ORDER BY lane.account_id FOR UPDATE OF lane

-- name: raise_config_version
-- Raises the version of an account's settings and links. Decisions under an older version are void from then on (invariant 6). $1 account.
-- Runs after `lock_lane` in its transaction.
UPDATE lane SET config_version = config_version
  /* invariant: setting-changes-raise-the-version */ + 1 /* /invariant: setting-changes-raise-the-version */
WHERE account_id = $1

-- name: wake_lane
-- Wakes one locked lane that got due work. $1 account, $2 when the work is due, $3 whether it is live.
-- It decides on the row's values under the lock. The release of a leased lane looks for due work itself; an entry that is due before the
-- bound of a leased lane lowers the bound. The statement does not check whether the work waits for a paused side. If it does, the lane is
-- leased once without work, and its release stores the time of the probe. Index: lane_pkey.
UPDATE lane SET next_run_at = least(next_run_at, $2), next_live_at = CASE WHEN $3::boolean THEN least(next_live_at, $2) ELSE next_live_at END,
  due_from = least(due_from, $2)
WHERE account_id = $1 AND lease_token >= (SELECT newest_token($1))
  AND (lease_expires_at IS NULL OR due_from > $2)

-- name: reschedule_lane
-- Stores when a lane next has work, after its sides changed. $1 account. A leased lane is left to its release. A lane that becomes ready
-- gets the present time: it queues behind the other ready lanes, and a search from an earlier bound (`lease`) finds it.
-- Runs after `lock_lane` in its transaction. Index: entry_due_by_queue (lane_times, migration 0014).
WITH clock AS MATERIALIZED (SELECT now() AS at)
UPDATE lane SET
  next_live_at = CASE WHEN times.live_at IS NULL THEN 'infinity' ELSE greatest(times.live_at, clock.at) END,
  next_run_at = CASE WHEN times.run_at IS NULL THEN 'infinity' ELSE greatest(times.run_at, clock.at) END,
  next_probe_at = CASE WHEN times.probe_at IS NULL THEN 'infinity' ELSE greatest(times.probe_at, clock.at) END
FROM clock CROSS JOIN lane AS present
CROSS JOIN LATERAL lane_times(present.account_id, present.till_probe_at, present.shop_probe_at, present.due_from) AS times
WHERE lane.account_id = $1 AND present.account_id = lane.account_id AND lane.lease_expires_at IS NULL
