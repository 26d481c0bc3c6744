-- End the pause of a lane; its problem stays until the side has proven to work. $1 account, $2 the database's time.
-- Runs after lock_lane.sql in its transaction. A leased lane is looked at again by its release. Index: entry_due (two probes).
UPDATE lane SET paused_until = NULL, pause_count = 0,
  next_live_at = CASE WHEN live.due IS NULL THEN 'infinity' ELSE greatest(live.due, $2) END,
  next_run_at = CASE WHEN live.due IS NULL AND bulk.due IS NULL THEN 'infinity' ELSE greatest(least(live.due, bulk.due), $2) END
FROM (SELECT $1::text AS account_id) AS t
LEFT JOIN LATERAL (SELECT due_at AS due FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND priority = 1
  ORDER BY due_at LIMIT 1) AS live ON true
LEFT JOIN LATERAL (SELECT due_at AS due FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND priority = 2
  ORDER BY due_at LIMIT 1) AS bulk ON true
WHERE lane.account_id = t.account_id
