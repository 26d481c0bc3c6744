-- Gives leased lanes back: next_run_at and next_live_at become the time of the earliest entry that waits, a pause counted in. clean_runs
-- resets the lapses. A lane whose lease has another owner or token stays as it is. True: a released lane is ready.
-- The lock and the look at the entries are two statements: each takes a snapshot of its own, so the look sees every hint that was
-- committed before the lock was had. One statement would look with a snapshot older than its lock, and lose such a hint.
-- Locks: the lanes, in account order. Index: entry_due (two probes a lane).
CREATE FUNCTION release_lanes(account_ids text[], owners text[], tokens bigint[], clean_runs boolean[]) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  is_any_ready boolean;
BEGIN
  PERFORM FROM lane WHERE account_id = ANY (account_ids) ORDER BY account_id FOR UPDATE;
  WITH released AS (
    UPDATE lane SET lease_owner = NULL, lease_expires_at = NULL, lapses = CASE WHEN t.clean THEN 0 ELSE lane.lapses END,
      next_live_at = CASE WHEN live.due IS NULL THEN 'infinity' ELSE greatest(live.due, lane.paused_until, now()) END,
      next_run_at = CASE
        WHEN /* invariant: releases-keep-due-work-ready */ /* invariant: empty-lanes-sleep */
          live.due IS NULL AND bulk.due IS NULL
          /* /invariant: empty-lanes-sleep */ /* /invariant: releases-keep-due-work-ready */ THEN 'infinity'
        ELSE greatest(least(live.due, bulk.due), lane.paused_until, now()) END
    FROM unnest(account_ids, owners, tokens, clean_runs) AS t(account_id, owner, token, clean)
    LEFT JOIN LATERAL (SELECT due_at AS due FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND priority = 1
      ORDER BY due_at LIMIT 1) AS live ON true
    LEFT JOIN LATERAL (SELECT due_at AS due FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND priority = 2
      ORDER BY due_at LIMIT 1) AS bulk ON true
    WHERE lane.account_id = t.account_id AND lane.lease_owner = t.owner AND lane.lease_token = t.token
    RETURNING lane.next_run_at <= clock_timestamp() AS ready)
  SELECT coalesce(bool_or(ready), false) INTO is_any_ready FROM released;
  RETURN is_any_ready;
END $$;
