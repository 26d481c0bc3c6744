-- name: enqueue_hints
-- Enqueues hints on the Customers Queue, or coalesces them into the live entry of their subject. One statement, one commit.
-- $1 to $6: columns of the hints (account_id, kind, subject_id, priority, force, entry_id). The caller merges hints, so each subject is
-- there once; $7: number of further hints that were merged into the row; $8: the distinct accounts.
-- $9: owner that leases sleeping lanes which get live work (NULL: no lease); $10: lease seconds. The token commits together with the hint.
-- Locks: lanes in account order (l), then entries. The wake-up uses the lane's values that the lock returned, never those of the snapshot.
-- The lane is found by the newest token of the snapshot or a higher one, because a lease that committed in between has raised it. An entry
-- that is due before the lane's bound lowers the bound, also of a leased lane.
-- Indexes: lane primary key, entry_live. An unknown account has no lane, so it returns no row. Each row shows the entry after the write,
-- with the database's time as update_time, so the answer needs no second read.
WITH clock AS MATERIALIZED (SELECT now() AS at),
i AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::smallint[], $5::boolean[], $6::uuid[], $7::integer[])
    AS t(account_id, kind, subject_id, priority, force, entry_id, merged)),
newest AS MATERIALIZED (
  SELECT account_id, newest_token(account_id) AS lease_token FROM unnest($8::text[]) AS t(account_id)),
l AS MATERIALIZED (
  SELECT lane.account_id, newest.lease_token, next_run_at, next_live_at, next_probe_at, lease_expires_at, due_from, config_version,
    till_probe_at, shop_probe_at, greatest(till_probe_at, shop_probe_at) AS blocked_until
  FROM newest JOIN lane ON lane.account_id = newest.account_id
    AND /* invariant: locked-lanes-may-have-a-newer-token */ lane.lease_token >= newest.lease_token
    /* /invariant: locked-lanes-may-have-a-newer-token */
  ORDER BY lane.account_id
  /* invariant: wake-ups-use-the-locked-lane */ FOR NO KEY UPDATE OF lane /* /invariant: wake-ups-use-the-locked-lane */),
ins AS (
  INSERT INTO entry AS e (account_id, entry_id, queue, kind, subject_id, priority, force, due_at, coalesced_count, epos_customer_id,
    create_time, update_time)
  SELECT i.account_id, i.entry_id, 1, i.kind, i.subject_id, i.priority, i.force, clock.at, i.merged,
    CASE i.kind WHEN 1 THEN i.subject_id END, clock.at, clock.at
  FROM i JOIN l USING (account_id) CROSS JOIN clock ORDER BY i.account_id, i.kind, i.subject_id
  ON CONFLICT (account_id, kind, subject_id) DO UPDATE SET
    entry_revision = e.entry_revision /* invariant: hints-raise-the-revision */ + 1 /* /invariant: hints-raise-the-revision */,
    coalesced_count = e.coalesced_count + 1 + excluded.coalesced_count,
    priority = least(e.priority, excluded.priority),
    force = e.force OR excluded.force,
    due_at = greatest(least(e.due_at, excluded.due_at), e.not_before),
    attempt_count = 0, state = 1, update_time = excluded.update_time
  RETURNING e.*),
due AS (
  SELECT account_id, min(due_at) AS any_due, coalesce(min(due_at) FILTER (WHERE priority = 1), 'infinity') AS live_due
  FROM ins GROUP BY account_id),
wake AS MATERIALIZED (
  SELECT l.account_id, l.lease_token,
    CASE WHEN l.blocked_until IS NULL THEN least(l.next_run_at, due.any_due) ELSE l.next_run_at END AS next_run_at,
    CASE WHEN l.blocked_until IS NULL THEN least(l.next_live_at, due.live_due) ELSE l.next_live_at END AS next_live_at,
    CASE WHEN l.blocked_until IS NULL THEN l.next_probe_at
      ELSE least(l.next_probe_at, greatest(due.any_due, l.blocked_until)) END AS next_probe_at,
    least(l.due_from, due.any_due) AS due_from,
    $9::text IS NOT NULL AND l.blocked_until IS NULL AND l.next_run_at > due.live_due AND due.live_due <= clock.at
      /* invariant: hints-lease-no-leased-lane */ AND l.lease_expires_at IS NULL /* /invariant: hints-lease-no-leased-lane */ AS is_leased,
    clock.at + make_interval(secs => $10) AS leased_until
  FROM due JOIN l USING (account_id) CROSS JOIN clock
  WHERE l.lease_expires_at IS NULL
      AND CASE WHEN l.blocked_until IS NULL THEN due.any_due < l.next_run_at OR due.live_due < l.next_live_at
        ELSE greatest(due.any_due, l.blocked_until) < l.next_probe_at END
    /* invariant: earlier-entries-lower-the-bound */ OR due.any_due < l.due_from /* /invariant: earlier-entries-lower-the-bound */),
woken AS (
  UPDATE lane SET next_run_at = wake.next_run_at, next_live_at = wake.next_live_at, next_probe_at = wake.next_probe_at,
    due_from = wake.due_from, lease_token = lane.lease_token + wake.is_leased::integer,
    lease_owner = CASE WHEN wake.is_leased THEN $9::text ELSE lane.lease_owner END,
    lease_expires_at = CASE WHEN wake.is_leased THEN wake.leased_until ELSE lane.lease_expires_at END
  FROM wake WHERE lane.account_id = wake.account_id AND lane.lease_token >= wake.lease_token
  RETURNING lane.account_id, CASE WHEN wake.is_leased THEN lane.lease_token END AS lease_token, lane.lapses)
SELECT ins.account_id, ins.kind, ins.subject_id, ins.entry_id, ins.entry_revision,
  l.lease_expires_at IS NOT NULL AS tell_owner,
  woken.account_id IS NOT NULL AND woken.lease_token IS NULL AS woke,
  ins.priority, ins.coalesced_count, ins.due_at, ins.create_time, ins.update_time, l.blocked_until,
  CASE WHEN l.blocked_until IS NOT NULL THEN (
    SELECT s.problem_text FROM account_side s WHERE s.account_id = ins.account_id
      AND s.side = CASE WHEN l.blocked_until = l.shop_probe_at THEN 2 ELSE 1 END) END AS problem_text,
  ins.outcome, ins.cause, ins.comment, ins.notes, ins.epos_customer_id, ins.woo_customer_id, ins.subject_label, ins.retried_from,
  ins.force, l.config_version, woken.lease_token, woken.lapses
FROM ins JOIN l USING (account_id) LEFT JOIN woken ON woken.account_id = ins.account_id
