-- Release lanes; a statement after fence.sql in its transaction, so that entries committed before the lock was had are seen.
-- $1 accounts, $2 clean (resets lapses), $3 the database's time: a lane that still has due work goes to the back of the line.
-- Index: entry_due (two probes a lane).
UPDATE lane SET lease_owner = NULL, lease_expires_at = NULL, lapses = CASE WHEN t.clean THEN 0 ELSE lane.lapses END,
  next_live_at = CASE WHEN live.due IS NULL THEN 'infinity' ELSE greatest(live.due, lane.paused_until, $3) END,
  next_run_at = CASE
    WHEN /* invariant: releases-keep-due-work-ready */ /* invariant: empty-lanes-sleep */
      live.due IS NULL AND bulk.due IS NULL
      /* /invariant: empty-lanes-sleep */ /* /invariant: releases-keep-due-work-ready */ THEN 'infinity'
    ELSE greatest(least(live.due, bulk.due), lane.paused_until, $3) END
FROM unnest($1::text[], $2::boolean[]) AS t(account_id, clean)
LEFT JOIN LATERAL (SELECT due_at AS due FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND priority = 1
  ORDER BY due_at LIMIT 1) AS live ON true
LEFT JOIN LATERAL (SELECT due_at AS due FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND priority = 2
  ORDER BY due_at LIMIT 1) AS bulk ON true
WHERE lane.account_id = t.account_id
RETURNING lane.account_id, lane.next_run_at <= $3 AS ready
