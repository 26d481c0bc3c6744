-- Store what runs came to: end entries, hold them or put them off, answer their orders, tell the shop of it, open and close account
-- problems. One statement, which commits by itself.
-- Per claim (a lease under one version of the settings), numbered from 1: $1 accounts, $2 owners, $3 tokens, $4 config_versions.
-- Per class of results, numbered from 1: $5 state, $6 outcome, $7 cause, $8 comment, $9 notes, $10 charged, $11 attempt (JSON without
-- times), $12 candidate ids as text.
-- Per run: $13 claim number, $14 entry_id, $15 revision (NULL: 1), $16 class number (NULL: 1), $17 seconds it ran, $18 epos and $19 woo
-- customer, $20 subject label, $21 seconds until due, $22 seconds in which no hint may run it, $23 time before which nothing may run it.
-- Columns of NULLs may be shorter or empty.
-- Per side whose problem changes: $24 claim number, $25 side, $26 seconds until its probe, $27 reason (NULL: the problem closes), $28 text,
-- $29 entry that met it. Per run again: $30 kind and $31 subject of the entry.
-- Returns one row for each run whose lane is still ours: its number, from 1; true: stored as decided; false: a hint came during the run,
-- the entry stays PENDING as the hint left it, and only the attempt is kept; NULL: another session changed the entry while this statement
-- waited for the lane's lock, or the entry is gone. Run the statement again for these: it sees what was committed then.
-- Of an order that a hint changed, outcome, comment, notes and customer stay: they may answer other facts. Of an order that is stored as
-- decided, customer and candidates are those of this run.
-- Locks: the lanes that still have the token, in account order; the entries; the events, in order. Indexes: the primary keys of lane, entry,
-- order_match, account and order_event, and entry_live. "state <> 4" instead of "state = 1": no plan can take the index of due entries for
-- the primary key. With kind and subject entry_live serves as well: where few entries live, the planner takes the smaller of the two, and
-- with the account alone it would lead through every dead entry of the account. What became of a run is carried on by RETURNING and joined
-- with no other of these results: the planner expects one row of each, so that a join of 500 with 500 looks at 250,000 pairs.
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
gone AS (
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
ended AS (
  INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
    coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
    billing_email, candidate_ids, facts, attempts, retried_from, create_time, update_time, finish_time, retention)
  SELECT account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
    coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
    billing_email, candidate_ids, facts, attempts, retried_from, create_time, at, at, retention
  FROM gone),
kept AS (
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
    AND e.state <> 4 AND (NOT run.ends OR e.entry_revision <> run.revision) AND run.number NOT IN (SELECT number FROM gone)
  RETURNING run.number, e.account_id, e.entry_id, e.kind, e.subject_id, run.state, run.outcome, run.cause, run.comment, run.notes,
    run.epos, run.woo, run.candidate_ids, run.at, e.entry_revision = run.revision AS as_decided),
answered AS (
  UPDATE order_match m SET state = d.state, outcome = d.outcome, cause = d.cause, comment = d.comment, notes = d.notes,
    epos_customer_id = d.epos, woo_customer_id = coalesce(d.woo, m.woo_customer_id), candidate_ids = d.candidate_ids, update_time = d.at
  FROM (SELECT account_id, entry_id, subject_id, state, outcome, cause, comment, notes, epos_customer_id AS epos, woo, candidate_ids, at
        FROM gone WHERE kind = 3
        UNION ALL
        SELECT account_id, entry_id, subject_id, state, outcome, cause, comment, notes, epos, woo, candidate_ids, at
        FROM kept WHERE kind = 3 AND as_decided) AS d
  WHERE m.account_id = d.account_id AND m.order_id = d.subject_id AND m.entry_id = d.entry_id
  RETURNING m.account_id, m.order_id, m.entry_id, m.state, m.outcome, m.update_time),
told AS (
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
      UNION ALL SELECT number, true FROM gone
      UNION ALL SELECT number, as_decided FROM kept) AS results
GROUP BY number
