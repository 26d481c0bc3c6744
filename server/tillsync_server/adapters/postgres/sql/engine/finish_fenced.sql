-- End entries whose lane is still ours: fence, end, answer (orders, as answer_orders.sql) and tell the shop of it (as events/record.sql)
-- in one statement that commits by itself, one round trip for a batch in which nothing but ends has to be written. What is not returned
-- (the lane lost, its settings changed, a hint came) goes the long way: fence.sql first.
-- The lanes' rows are locked before any entry is looked for; an entry that somebody changed while that lock was waited for is looked at
-- again as it is then. Parameters as in finish.sql, but the database's time is taken here, and $1 numbers the claims that the entries
-- come from: $10 accounts, $8 config_versions, $19 owners, $20 tokens.
-- Locks: the lanes, in account order; the entries; the events, in order. Indexes: the primary keys of lane, entry, order_match, account
-- and order_event.
-- A state that is not HELD is PENDING; said so, no plan can take the index of due entries for the primary key.
WITH clock AS MATERIALIZED (SELECT now() AS at),
l AS MATERIALIZED (
  SELECT lane.account_id, t.claim_number
  FROM lane JOIN unnest($10::text[], $19::text[], $20::bigint[], $8::bigint[]) WITH ORDINALITY
      AS t(account_id, owner, token, config_version, claim_number)
    ON lane.account_id = t.account_id
      /* invariant: completions-are-fenced */ AND lane.lease_owner = t.owner AND lane.lease_token = t.token
      /* /invariant: completions-are-fenced */
      /* invariant: changed-settings-void-decisions */ AND lane.config_version = t.config_version
      /* /invariant: changed-settings-void-decisions */
  ORDER BY lane.account_id FOR UPDATE OF lane),
r AS MATERIALIZED (
  SELECT l.account_id, t.entry_id, coalesce(t.revision, 1) AS revision, coalesce(t.class_number, 1) AS class_number, t.run_seconds,
    t.epos_customer_id, t.woo_customer_id, t.label
  FROM unnest($1::integer[], $2::uuid[], $3::bigint[], $4::integer[], $5::float8[], $6::bigint[], $7::bigint[], $9::text[])
    AS t(claim_number, entry_id, revision, class_number, run_seconds, epos_customer_id, woo_customer_id, label)
  JOIN l USING (claim_number)),
c AS MATERIALIZED (
  SELECT t.state, t.outcome, t.cause, t.comment, t.notes, t.charged, t.candidate_ids::bigint[] AS candidate_ids, t.class_number,
    jsonb_build_array(t.attempt || jsonb_build_object('f', clock.at)) AS attempts
  FROM unnest($11::smallint[], $12::smallint[], $13::smallint[], $14::text[], $15::text[], $16::integer[], $17::jsonb[], $18::text[])
    WITH ORDINALITY AS t(state, outcome, cause, comment, notes, charged, attempt, candidate_ids, class_number) CROSS JOIN clock),
gone AS (
  DELETE FROM entry e USING r
  WHERE e.account_id = r.account_id AND e.entry_id = r.entry_id
    /* invariant: hints-during-a-run-survive */ AND e.entry_revision = r.revision /* /invariant: hints-during-a-run-survive */
    AND e.state <> 4
  RETURNING e.*, r.class_number, r.run_seconds, r.epos_customer_id AS found_epos, r.woo_customer_id AS found_woo, r.label),
ended AS (
  INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
  coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
  billing_email, candidate_ids, facts, attempts, retried_from, create_time, update_time, finish_time, retention)
SELECT g.account_id, g.entry_id, g.queue, g.kind, g.subject_id, c.state, g.priority, g.force, g.entry_revision,
  g.attempt_count + c.charged, g.coalesced_count, c.outcome, c.cause, c.comment, c.notes,
  CASE WHEN g.kind = 3 THEN g.found_epos ELSE coalesce(g.found_epos, g.epos_customer_id) END,
  coalesce(g.found_woo, g.woo_customer_id), g.order_number, coalesce(g.label, g.subject_label), g.account_email, g.billing_email,
  c.candidate_ids,
  CASE WHEN c.state = 2 AND g.facts IS NOT NULL THEN g.facts || '{"phone": ""}' ELSE g.facts END,
  (CASE WHEN g.attempts = '[]' THEN '[]' WHEN jsonb_array_length(g.attempts) >= 30 THEN g.attempts - 0 ELSE g.attempts END)
    || jsonb_set(c.attempts, '{0,s}', to_jsonb(clock.at - make_interval(secs => g.run_seconds))),
  g.retried_from, g.create_time, clock.at, clock.at, CASE WHEN c.state IN (2, 3) THEN 1 ELSE 2 END
FROM gone g JOIN c USING (class_number) CROSS JOIN clock
RETURNING entry_id),
answered AS (
  UPDATE order_match m SET state = c.state, outcome = c.outcome, cause = c.cause, comment = c.comment, notes = c.notes,
    epos_customer_id = g.found_epos, woo_customer_id = coalesce(g.found_woo, m.woo_customer_id), candidate_ids = c.candidate_ids,
    update_time = clock.at
  FROM gone g JOIN c USING (class_number) CROSS JOIN clock
  WHERE g.kind = 3 AND m.account_id = g.account_id AND m.order_id = g.subject_id AND m.entry_id = g.entry_id
  RETURNING m.account_id, m.order_id, m.entry_id, m.state, m.outcome, m.update_time),
told AS (
  INSERT INTO order_event AS o (account_id, order_id, sequence, type, entry_id, state, outcome, event_time)
  SELECT d.account_id, d.order_id, 1, 1, d.entry_id, d.state, d.outcome, d.update_time
  FROM answered d JOIN account a ON a.account_id = d.account_id AND a.shop_bridge_secret IS NOT NULL
  ORDER BY d.account_id, d.order_id
  ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = o.sequence + 1, type = excluded.type, entry_id = excluded.entry_id,
    state = excluded.state, outcome = excluded.outcome, event_time = excluded.event_time)
SELECT entry_id FROM ended
