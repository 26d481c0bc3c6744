-- name: lease
-- The worker takes the lease of ready lanes, of lanes whose lease ran out, and of lanes whose paused side is due for a probe. Returns when
-- the next lane is ready. Two other statements lease one sleeping lane in the commit of its new entry (hints.sql, orders.sql).
-- $1 most lanes, $2 most of them without live work, $3 owner, $4 lease seconds, $5 most lanes to probe, $6 time from which the search
-- starts (NULL: all lanes). The last row has no account. Its seconds run until the next lane not leased here is ready, is due for a probe
-- (if $5 allows one) or loses its lease; negative: one is due already; NULL: there is none. Its search_from is the $6 of the next call. No
-- lane that was left is ready before it. A transaction makes no lane ready before its own start, so lanes of transactions that began up to
-- ten seconds ago are found too.
-- Indexes: lane_ready_live, lane_ready, lane_probe, lane_pkey (newest: the token of the snapshot; another session may have raised it before
-- this statement got the lock). Locks: the lanes taken, SKIP LOCKED. An idle system writes nothing.
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
chosen AS MATERIALIZED (SELECT account_id FROM live UNION ALL SELECT account_id FROM bulk UNION ALL SELECT account_id FROM probed),
newest AS MATERIALIZED (SELECT account_id, newest_token(account_id) AS lease_token FROM chosen),
leased AS (
  UPDATE lane SET lease_owner = $3, lease_token = lane.lease_token + 1, lease_expires_at = now() + make_interval(secs => $4),
    lapses = lapses + (lease_expires_at IS NOT NULL)::integer
  FROM newest
  WHERE /* invariant: lapsed-leases-are-taken-over */ lane.account_id = newest.account_id
      AND lane.lease_token >= newest.lease_token /* /invariant: lapsed-leases-are-taken-over */
  RETURNING lane.account_id, lane.lease_token, lapses, till_probe_at, shop_probe_at),
paused AS (
  SELECT s.account_id, max(s.failures) FILTER (WHERE s.side = 1) AS till_failures, max(s.failures) FILTER (WHERE s.side = 2) AS shop_failures
  FROM account_side s WHERE s.account_id = ANY (ARRAY(
    SELECT account_id FROM leased WHERE till_probe_at IS NOT NULL OR shop_probe_at IS NOT NULL))
  GROUP BY s.account_id),
remaining AS MATERIALIZED (
  SELECT (SELECT coalesce(lease_expires_at, next_run_at) FROM lane
    WHERE coalesce(lease_expires_at, next_run_at) >= coalesce($6::timestamptz, '-infinity')
      AND coalesce(lease_expires_at, next_run_at) < 'infinity' AND account_id <> ALL (ARRAY(SELECT account_id FROM chosen))
    ORDER BY coalesce(lease_expires_at, next_run_at) LIMIT 1) AS ready_at,
  (SELECT next_probe_at FROM lane
    WHERE $5 > 0 AND next_probe_at < 'infinity' AND lease_expires_at IS NULL AND account_id <> ALL (ARRAY(SELECT account_id FROM chosen))
    ORDER BY next_probe_at LIMIT 1) AS probe_at,
  now() AS at)
SELECT account_id, lease_token, lapses, extract(epoch FROM till_probe_at - now())::float8 AS till_seconds, till_failures,
  extract(epoch FROM shop_probe_at - now())::float8 AS shop_seconds, shop_failures, NULL::float8 AS seconds, NULL::timestamptz AS search_from
FROM leased LEFT JOIN paused USING (account_id)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, extract(epoch FROM least(ready_at, probe_at) - clock_timestamp())::float8,
  least(/* invariant: leases-look-from-lanes-left */ ready_at, /* /invariant: leases-look-from-lanes-left */
    at /* invariant: leases-wait-for-open-transactions */ - interval '10 seconds' /* /invariant: leases-wait-for-open-transactions */)
FROM remaining

-- name: leases_of
-- Returns the present leases of these owners. $1 accounts, $2 owners, by position. Index: lane_pkey. Takes no lock.
SELECT lane.account_id, lane.lease_owner, lane.lease_token, lane.lapses
FROM unnest($1::text[], $2::text[]) AS t(account_id, owner) JOIN lane ON lane.account_id = t.account_id
  AND lane.lease_token >= newest_token(t.account_id)
  /* invariant: lost-answers-free-no-other-lease */ AND lane.lease_owner = t.owner /* /invariant: lost-answers-free-no-other-lease */

-- name: renew
-- Renews the leases that still have the given owner and token, and returns their accounts (function of migration 0014).
-- $1 accounts, $2 owners, $3 tokens, $4 lease seconds.
SELECT renew_lanes($1, $2, $3, $4) AS account_id

-- name: release
-- Releases lanes (function of migration 0014). $1 accounts, $2 owners, $3 tokens, $4 clean (resets lapses). Returns whether a released lane
-- is ready. A lane that still has due work queues behind the other ready lanes.
SELECT release_lanes($1, $2, $3, $4)

-- name: claim
-- Returns due entries of leased lanes, in order of their classes, and the account's paused sides. Writes nothing. It is a statement of its
-- own, so that its snapshot has everything committed before it.
-- $1 accounts; $2 owners and $3 tokens of the leases (a lost lease returns no row); limits: $4 live orders, $5 live customers and types,
-- $6 bulk orders, $7 bulk customers and types; $8 entries in flight. Each lane returns at least one row, with the number of its request
-- (from 1) and the sides; the entry is NULL if none is due.
-- Indexes: lane_pkey; entry_due_by_queue (due_entries, migration 0014) from the lane's bound on, since only dead entries are before it.
SELECT t.number, extract(epoch FROM lane.till_probe_at - now())::float8, extract(epoch FROM lane.shop_probe_at - now())::float8,
  t.account_id, e.entry_id, e.kind, e.subject_id, e.priority, e.entry_revision, lane.config_version, e.attempt_count,
  e.coalesced_count, e.force, e.account_email, e.billing_email, e.woo_customer_id, e.epos_customer_id, e.facts, e.chosen_epos_customer_id
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[], $7::integer[])
  WITH ORDINALITY AS t(account_id, owner, token, live_orders, live_customers, bulk_orders, bulk_customers, number)
JOIN lane ON lane.account_id = t.account_id
  /* invariant: lost-lanes-claim-nothing */ AND lane.lease_owner = t.owner AND lane.lease_token = t.token
  /* /invariant: lost-lanes-claim-nothing */
LEFT JOIN LATERAL (
  SELECT * FROM due_entries(t.account_id, 2::smallint, 1::smallint, lane.due_from, t.live_orders, $8::uuid[])
  UNION ALL
  SELECT * FROM due_entries(t.account_id, 1::smallint, 1::smallint, lane.due_from, t.live_customers, $8::uuid[])
  UNION ALL
  SELECT * FROM due_entries(t.account_id, 2::smallint, 2::smallint, lane.due_from, t.bulk_orders, $8::uuid[])
  UNION ALL
  SELECT * FROM due_entries(t.account_id, 1::smallint, 2::smallint, lane.due_from, t.bulk_customers, $8::uuid[])) AS e ON true

-- name: charge_first
-- Charges an attempt before the run, for an entry that may kill the process. $1 account, $2 owner, $3 token, $4 entry, $5 revision,
-- $6 seconds until the entry is due again if this run completes nothing. Locks: the lane, then the entry.
WITH own_lane AS MATERIALIZED (
  SELECT account_id, now() + make_interval(secs => $6) AS again FROM lane
  WHERE account_id = $1 AND lease_owner = $2 AND lease_token = $3 FOR UPDATE)
UPDATE entry e SET attempt_count = attempt_count + 1, due_at = own_lane.again, update_time = now()
FROM own_lane WHERE e.account_id = own_lane.account_id AND e.entry_id = $4 AND e.entry_revision = $5 AND e.state = 1
RETURNING true

-- name: complete
-- Completes runs: ends, holds or reschedules entries, updates the answers of their orders, records order events for the shop, opens and
-- closes account problems. One statement, which commits by itself.
-- Per claim (a lease under one version of the settings), numbered from 1: $1 accounts, $2 owners, $3 tokens, $4 config_versions.
-- Per class of results, numbered from 1: $5 state, $6 outcome, $7 cause, $8 comment, $9 notes, $10 charged, $11 attempt (JSON without
-- times), $12 candidate ids as text.
-- Per run: $13 claim number, $14 entry_id, $15 revision (NULL: 1), $16 class number (NULL: 1), $17 seconds of the run, $18 till and $19
-- shop customer, $20 subject label, $21 seconds until due, $22 seconds in which no hint may make the entry due, $23 time before which
-- nothing may make it due; $30 kind and $31 subject of the entry. Columns of NULLs may be shorter or empty.
-- Per side whose problem changes: $24 claim number, $25 side, $26 seconds until its probe, $27 reason (NULL: the problem closes), $28 text,
-- $29 entry that met the problem.
-- Returns the number (from 1) of each run whose lease and settings are unchanged, and as_decided. True: stored as decided. False: a hint
-- arrived during the run, so the entry stays PENDING as the hint left it and only the attempt is kept. NULL: another session changed the
-- entry while this statement waited for the lane's lock, or the entry is gone. Run the statement again for NULL: its new snapshot has the
-- change. If a hint changed an order, its outcome, comment, notes and customer stay, because the run's may answer other facts. If an order
-- is stored as decided, customer and candidates are those of this run.
-- Locks: the lanes that still have the token, in account order; the entries; the order events, in order. Indexes: the primary keys of lane,
-- entry, order_match, account and order_event, and entry_live.
-- "state <> 4" instead of "state = 1" keeps plans from taking the index of due entries for the primary key. kind and subject let the
-- planner use entry_live. With few live entries it takes the smaller of the two indexes, and by account alone it would read every dead
-- entry of the account. RETURNING carries a run's columns on, and the results are not joined with each other: the planner expects one row
-- of each, and would compare 500 with 500 rows in 250,000 pairs.
WITH clock AS MATERIALIZED (SELECT now() AS at),
locked AS MATERIALIZED (
  SELECT account_id, lease_owner, lease_token, config_version FROM lane
  WHERE (account_id, lease_token) IN (SELECT * FROM unnest($1::text[], $3::bigint[])) ORDER BY account_id FOR UPDATE),
claimed AS MATERIALIZED (
  SELECT locked.account_id, t.claim_number
  FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
    AS t(account_id, owner, token, config_version, claim_number)
  JOIN locked ON locked.account_id = t.account_id
    /* invariant: completions-are-fenced */ AND locked.lease_owner = t.owner AND locked.lease_token = t.token
    /* /invariant: completions-are-fenced */
    /* invariant: changed-settings-void-decisions */ AND locked.config_version = t.config_version
    /* /invariant: changed-settings-void-decisions */),
class AS MATERIALIZED (
  SELECT t.class_number, t.state, t.outcome, t.cause, t.comment, t.notes, t.charged, t.attempt, t.candidates::bigint[] AS candidate_ids
  FROM unnest($5::smallint[], $6::smallint[], $7::smallint[], $8::text[], $9::text[], $10::integer[], $11::jsonb[], $12::text[])
    WITH ORDINALITY AS t(state, outcome, cause, comment, notes, charged, attempt, candidates, class_number)),
run AS MATERIALIZED (
  SELECT t.number, claimed.account_id, t.entry_id, t.kind, t.subject_id, coalesce(t.revision, 1) AS revision, t.epos, t.woo, t.label,
    class.state, class.outcome, class.cause, class.comment, class.notes, class.charged, class.candidate_ids, class.state NOT IN (1, 4) AS ends,
    CASE WHEN t.not_before IS NULL THEN clock.at + make_interval(secs => coalesce(t.wait, 0))
      ELSE greatest(t.not_before, clock.at + interval '1 second') END AS due_at,
    CASE WHEN t.quiet IS NULL THEN t.not_before ELSE clock.at + make_interval(secs => t.quiet) END AS not_before,
    jsonb_build_array(class.attempt || jsonb_build_object(
      's', clock.at - make_interval(secs => t.run_seconds), 'f', clock.at)) AS attempt,
    clock.at
  FROM unnest($13::integer[], $14::uuid[], $15::bigint[], $16::integer[], $17::float8[], $18::bigint[], $19::bigint[], $20::text[],
      $21::float8[], $22::float8[], $23::timestamptz[], $30::smallint[], $31::bigint[]) WITH ORDINALITY
    AS t(claim_number, entry_id, revision, class_number, run_seconds, epos, woo, label, wait, quiet, not_before, kind, subject_id,
      number)
  JOIN claimed USING (claim_number) JOIN class ON class.class_number = coalesce(t.class_number, 1) CROSS JOIN clock),
deleted AS (
  DELETE FROM entry e USING run
  WHERE run.ends AND e.account_id = run.account_id AND e.entry_id = run.entry_id AND e.kind = run.kind AND e.subject_id = run.subject_id
    AND e.state <> 4
    /* invariant: hints-during-a-run-survive */ AND e.entry_revision = run.revision /* /invariant: hints-during-a-run-survive */
  RETURNING run.number, e.account_id, e.entry_id, e.queue, e.kind, e.subject_id, run.state, e.priority, e.force, e.entry_revision,
    e.attempt_count + run.charged AS attempt_count, e.coalesced_count, run.outcome, run.cause, run.comment, run.notes,
    CASE WHEN e.kind = 3 THEN run.epos ELSE coalesce(run.epos, e.epos_customer_id) END AS epos_customer_id, run.woo,
    coalesce(run.woo, e.woo_customer_id) AS woo_customer_id, e.order_number, coalesce(run.label, e.subject_label) AS subject_label,
    e.account_email, e.billing_email, run.candidate_ids,
    CASE WHEN run.state = 2 AND e.facts IS NOT NULL THEN e.facts || '{"phone": ""}' ELSE e.facts END AS facts,
    (CASE WHEN jsonb_array_length(e.attempts) >= 30 THEN e.attempts - 0 ELSE e.attempts END) || run.attempt AS attempts,
    e.retried_from, e.create_time, run.at, CASE WHEN run.state IN (2, 3) THEN 1 ELSE 2 END AS retention),
history AS (
  INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
    coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
    billing_email, candidate_ids, facts, attempts, retried_from, create_time, update_time, finish_time, retention)
  SELECT account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
    coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
    billing_email, candidate_ids, facts, attempts, retried_from, create_time, at, at, retention
  FROM deleted),
updated AS (
  UPDATE entry e SET
    state = CASE WHEN e.entry_revision = run.revision THEN run.state ELSE 1 END,
    due_at = CASE WHEN e.entry_revision = run.revision THEN run.due_at ELSE greatest(e.due_at, run.not_before) END,
    not_before = run.not_before,
    attempt_count = e.attempt_count + CASE WHEN e.entry_revision = run.revision THEN run.charged ELSE 0 END,
    outcome = CASE WHEN e.kind <> 3 OR e.entry_revision = run.revision THEN run.outcome ELSE e.outcome END,
    cause = CASE WHEN e.kind <> 3 OR e.entry_revision = run.revision THEN run.cause ELSE e.cause END,
    comment = CASE WHEN e.kind <> 3 OR e.entry_revision = run.revision THEN run.comment ELSE e.comment END,
    notes = CASE WHEN e.kind <> 3 OR e.entry_revision = run.revision THEN run.notes ELSE e.notes END,
    epos_customer_id = CASE WHEN e.kind <> 3 THEN coalesce(run.epos, e.epos_customer_id)
      WHEN e.entry_revision = run.revision THEN run.epos ELSE e.epos_customer_id END,
    woo_customer_id = coalesce(run.woo, e.woo_customer_id), subject_label = coalesce(run.label, e.subject_label),
    candidate_ids = CASE WHEN e.entry_revision = run.revision THEN run.candidate_ids ELSE e.candidate_ids END,
    attempts = (CASE WHEN jsonb_array_length(e.attempts) >= 30 THEN e.attempts - 0 ELSE e.attempts END) || run.attempt,
    update_time = run.at
  FROM run
  WHERE e.account_id = run.account_id AND e.entry_id = run.entry_id AND e.kind = run.kind AND e.subject_id = run.subject_id
    AND e.state <> 4 AND (NOT run.ends OR e.entry_revision <> run.revision) AND run.number NOT IN (SELECT number FROM deleted)
  RETURNING run.number, e.account_id, e.entry_id, e.kind, e.subject_id, run.state, run.outcome, run.cause, run.comment, run.notes,
    run.epos, run.woo, run.candidate_ids, run.at, e.entry_revision = run.revision AS as_decided),
answered AS (
  UPDATE order_match m SET state = d.state, outcome = d.outcome, cause = d.cause, comment = d.comment, notes = d.notes,
    epos_customer_id = d.epos, woo_customer_id = coalesce(d.woo, m.woo_customer_id), candidate_ids = d.candidate_ids, update_time = d.at
  FROM (SELECT account_id, entry_id, subject_id, state, outcome, cause, comment, notes, epos_customer_id AS epos, woo, candidate_ids, at
        FROM deleted WHERE kind = 3
        UNION ALL
        SELECT account_id, entry_id, subject_id, state, outcome, cause, comment, notes, epos, woo, candidate_ids, at
        FROM updated WHERE kind = 3 AND as_decided) AS d
  WHERE m.account_id = d.account_id AND m.order_id = d.subject_id AND m.entry_id = d.entry_id
  RETURNING m.account_id, m.order_id, m.entry_id, m.state, m.outcome, m.update_time),
recorded AS (
  INSERT INTO order_event AS o (account_id, order_id, sequence, type, entry_id, state, outcome, event_time)
  SELECT d.account_id, d.order_id, 1, CASE d.state WHEN 4 THEN 2 ELSE 1 END, d.entry_id, d.state, d.outcome, d.update_time
  FROM answered d JOIN account a ON a.account_id = d.account_id AND a.shop_bridge_secret IS NOT NULL
  WHERE d.state <> 1 ORDER BY d.account_id, d.order_id
  ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = o.sequence + 1, type = excluded.type, entry_id = excluded.entry_id,
    state = excluded.state, outcome = excluded.outcome, event_time = excluded.event_time),
change AS MATERIALIZED (
  SELECT claimed.account_id, t.side, t.reason, t.text, t.entry_id, clock.at + make_interval(secs => t.seconds) AS probe_at,
    CASE WHEN t.reason IS NOT NULL THEN clock.at END AS since
  FROM unnest($24::integer[], $25::smallint[], $26::float8[], $27::smallint[], $28::text[], $29::uuid[])
    AS t(claim_number, side, seconds, reason, text, entry_id) JOIN claimed USING (claim_number) CROSS JOIN clock),
sides AS (
  INSERT INTO account_side AS s (account_id, side, failures, problem_reason, problem_text, problem_since, problem_entry_id, opened_by,
    times_opened)
  SELECT account_id, side, CASE WHEN reason IS NULL THEN 0 ELSE 1 END, reason, text, since, entry_id, entry_id, 1
  FROM change ORDER BY account_id, side
  ON CONFLICT (account_id, side) DO UPDATE SET
    failures = CASE WHEN excluded.problem_reason IS NULL THEN 0 ELSE s.failures + 1 END,
    problem_since = CASE WHEN s.problem_reason = excluded.problem_reason THEN s.problem_since ELSE excluded.problem_since END,
    problem_entry_id = CASE WHEN s.problem_reason = excluded.problem_reason THEN s.problem_entry_id ELSE excluded.problem_entry_id END,
    opened_by = CASE WHEN s.problem_reason IS NULL THEN coalesce(excluded.opened_by, s.opened_by) ELSE s.opened_by END,
    times_opened = CASE WHEN s.problem_reason IS NOT NULL OR excluded.opened_by IS NULL THEN s.times_opened
      WHEN s.opened_by = excluded.opened_by THEN s.times_opened + 1 ELSE 1 END,
    problem_reason = excluded.problem_reason, problem_text = excluded.problem_text),
probes AS (
  UPDATE lane SET till_probe_at = CASE WHEN c.till THEN c.till_probe_at ELSE lane.till_probe_at END,
    shop_probe_at = CASE WHEN c.shop THEN c.shop_probe_at ELSE lane.shop_probe_at END
  FROM (SELECT account_id, bool_or(side = 1) AS till, max(probe_at) FILTER (WHERE side = 1) AS till_probe_at,
          bool_or(side = 2) AS shop, max(probe_at) FILTER (WHERE side = 2) AS shop_probe_at
        FROM change GROUP BY account_id) AS c
  WHERE lane.account_id = c.account_id)
SELECT number, bool_or(as_decided) AS as_decided
FROM (SELECT number, NULL::boolean AS as_decided FROM run
      UNION ALL SELECT number, true FROM deleted
      UNION ALL SELECT number, as_decided FROM updated) AS results
GROUP BY number

-- name: times_opened
-- Returns how often in a row an entry opened the problem of a side that is not paused now. $1 account, $2 side, $3 entry. No row: another
-- entry opened the last problem, or the side is paused.
-- Index: account_side primary key. Takes no lock.
SELECT times_opened FROM account_side WHERE account_id = $1 AND side = $2 AND opened_by = $3 AND problem_reason IS NULL

-- name: lost_wakeups
-- Returns lanes that sleep past their earliest pending entry, and lanes with a pending entry before their bound. There must be none. A
-- ready lane is not lost. Takes no lock; the caller checks again under the lane's lock. paused_until: a process of the previous release
-- makes the lane sleep until then. Index: entry_due_by_queue, from its beginning.
SELECT lane.account_id FROM lane
WHERE EXISTS (
  SELECT FROM (VALUES (1, 1), (1, 2), (2, 1), (2, 2)) AS p(queue, priority)
  CROSS JOIN LATERAL (SELECT due_at FROM entry WHERE entry.account_id = lane.account_id AND state = 1 AND entry.queue = p.queue
    AND entry.priority = p.priority ORDER BY due_at LIMIT 1) AS first
  CROSS JOIN LATERAL (SELECT CASE p.queue WHEN 1 THEN greatest(lane.till_probe_at, lane.shop_probe_at) ELSE lane.till_probe_at END
    AS blocked_until) AS side
  WHERE first.due_at < lane.due_from OR lane.lease_expires_at IS NULL AND lane.next_run_at > now()
    AND greatest(first.due_at, side.blocked_until, lane.paused_until)
      < CASE WHEN side.blocked_until IS NULL THEN lane.next_run_at ELSE lane.next_probe_at END)
ORDER BY lane.account_id LIMIT 1000

-- name: repair_lost_wakeup
-- Wakes one lane that sleeps past its earliest pending entry, and lowers its bound to that entry. $1 account; `lock_lane` has locked its
-- lane in this transaction. Of a leased lane only the bound is checked. A lane that becomes ready gets the present time, so a search from
-- an earlier bound (`lease`) finds it. Index: entry_due_by_queue (lane_times, migration 0014), from its beginning.
WITH clock AS MATERIALIZED (SELECT now() AS at)
UPDATE lane SET
  next_live_at = CASE WHEN times.live_at IS NULL THEN 'infinity' ELSE greatest(times.live_at, clock.at) END,
  next_run_at = CASE WHEN times.run_at IS NULL THEN 'infinity' ELSE greatest(times.run_at, clock.at) END,
  next_probe_at = coalesce(times.probe_at, 'infinity'), due_from = least(lane.due_from, times.first_due)
FROM clock CROSS JOIN lane AS present
CROSS JOIN LATERAL lane_times(present.account_id, present.till_probe_at, present.shop_probe_at, '-infinity') AS times
WHERE lane.account_id = $1 AND present.account_id = lane.account_id
  AND (/* invariant: sweeps-look-before-the-bound */ times.first_due < lane.due_from OR /* /invariant: sweeps-look-before-the-bound */
    lane.lease_expires_at IS NULL AND lane.next_run_at > clock.at AND (times.run_at < lane.next_run_at OR times.probe_at < lane.next_probe_at))
RETURNING lane.account_id
