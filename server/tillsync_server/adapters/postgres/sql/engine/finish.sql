-- End entries: from the hot table to the history, in one statement. An entry whose revision moved is not touched (not returned).
-- Per entry: $1 account number in $10, $2 entry_id, $3 revision (NULL: 1), $4 class number (NULL: 1), $5 seconds it ran, $6 epos and $7 woo
-- customer (or NULL); columns of NULLs may be shorter or empty;
-- $8 the database's time, $9 subject labels (or NULL). Per class, by number from 1: $11 state, $12 outcome, $13 cause, $14 comment,
-- $15 notes, $16 charged, $17 attempt (JSON without times), $18 candidate ids as text.
-- An order's customer and candidates are those of this run: what an earlier one found is no answer any more.
-- Runs after fence.sql in its transaction. Index: entry primary key.
-- A state that is not HELD is PENDING; said so, no plan can take the index of due entries for the primary key.
WITH r AS MATERIALIZED (
  SELECT ($10::text[])[account_number] AS account_id, entry_id, coalesce(revision, 1) AS revision,
    coalesce(class_number, 1) AS class_number, run_seconds, epos_customer_id, woo_customer_id, label
  FROM unnest($1::integer[], $2::uuid[], $3::bigint[], $4::integer[], $5::float8[], $6::bigint[], $7::bigint[], $9::text[])
    AS t(account_number, entry_id, revision, class_number, run_seconds, epos_customer_id, woo_customer_id, label)),
c AS MATERIALIZED (
  SELECT t.state, t.outcome, t.cause, t.comment, t.notes, t.charged, t.candidate_ids::bigint[] AS candidate_ids, t.class_number,
    jsonb_build_array(t.attempt || jsonb_build_object('f', $8::timestamptz)) AS attempts
  FROM unnest($11::smallint[], $12::smallint[], $13::smallint[], $14::text[], $15::text[], $16::integer[], $17::jsonb[], $18::text[])
    WITH ORDINALITY AS t(state, outcome, cause, comment, notes, charged, attempt, candidate_ids, class_number)),
gone AS (
  DELETE FROM entry e USING r
  WHERE e.account_id = r.account_id AND e.entry_id = r.entry_id
    /* invariant: hints-during-a-run-survive-the-fallback */ AND e.entry_revision = r.revision
    /* /invariant: hints-during-a-run-survive-the-fallback */
    AND e.state <> 4
  RETURNING e.*, r.class_number, r.run_seconds, r.epos_customer_id AS found_epos, r.woo_customer_id AS found_woo, r.label)
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
    || jsonb_set(c.attempts, '{0,s}', to_jsonb($8::timestamptz - make_interval(secs => g.run_seconds))),
  g.retried_from, g.create_time, $8, $8, CASE WHEN c.state IN (2, 3) THEN 1 ELSE 2 END
FROM gone g JOIN c USING (class_number)
RETURNING account_id, entry_id
