-- Wake one lane that sleeps past its earliest pending entry, and lower its bound to that entry. $1 account; its lane is locked by the
-- statement before. Of a leased lane only the bound counts. A lane that is ready has been so since now: every lease finds it behind its own bound.
-- Index: entry_due_by_queue (lane_times, migration 0014), from its beginning.
WITH clock AS MATERIALIZED (SELECT now() AS at)
UPDATE lane SET
  next_live_at = CASE WHEN times.live_at IS NULL THEN 'infinity' ELSE greatest(times.live_at, clock.at) END,
  next_run_at = CASE WHEN times.run_at IS NULL THEN 'infinity' ELSE greatest(times.run_at, clock.at) END,
  next_probe_at = coalesce(times.probe_at, 'infinity'), due_from = least(lane.due_from, times.first_due)
FROM clock CROSS JOIN lane AS stands
CROSS JOIN LATERAL lane_times(stands.account_id, stands.till_probe_at, stands.shop_probe_at, '-infinity') AS times
WHERE lane.account_id = $1 AND stands.account_id = lane.account_id
  AND (/* invariant: sweeps-look-before-the-bound */ times.first_due < lane.due_from OR /* /invariant: sweeps-look-before-the-bound */
    lane.lease_expires_at IS NULL AND lane.next_run_at > clock.at AND (times.run_at < lane.next_run_at OR times.probe_at < lane.next_probe_at))
RETURNING lane.account_id
