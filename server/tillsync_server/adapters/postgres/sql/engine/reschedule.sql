-- Keep entries live: PENDING until due, or HELD. Where the revision moved meanwhile the entry stays PENDING as the hint set it, and only
-- what happened is recorded. Of an order that is among its attempts: its outcome, comment, notes and customer stay what they were, because
-- what was thrown away may be an answer to other facts.
-- Parameters as in finish.sql, and $19 due times, $20 not-before times, both per entry.
-- Runs after fence.sql in its transaction. Index: entry primary key.
-- A state that is not HELD is PENDING; said so, no plan can take the index of due entries for the primary key.
WITH r AS MATERIALIZED (
  SELECT ($10::text[])[account_number] AS account_id, entry_id, coalesce(revision, 1) AS revision,
    coalesce(class_number, 1) AS class_number, run_seconds, epos_customer_id, woo_customer_id, label,
    due, not_before
  FROM unnest($1::integer[], $2::uuid[], $3::bigint[], $4::integer[], $5::float8[], $6::bigint[], $7::bigint[], $9::text[],
      $19::timestamptz[], $20::timestamptz[])
    AS t(account_number, entry_id, revision, class_number, run_seconds, epos_customer_id, woo_customer_id, label, due, not_before)),
c AS MATERIALIZED (
  SELECT t.state, t.outcome, t.cause, t.comment, t.notes, t.charged, t.candidate_ids::bigint[] AS candidate_ids, t.class_number,
    jsonb_build_array(t.attempt || jsonb_build_object('f', $8::timestamptz)) AS attempts
  FROM unnest($11::smallint[], $12::smallint[], $13::smallint[], $14::text[], $15::text[], $16::integer[], $17::jsonb[], $18::text[])
    WITH ORDINALITY AS t(state, outcome, cause, comment, notes, charged, attempt, candidate_ids, class_number))
UPDATE entry e SET
  state = CASE WHEN e.entry_revision = r.revision THEN c.state ELSE 1 END,
  due_at = CASE WHEN e.entry_revision = r.revision THEN r.due ELSE greatest(e.due_at, r.not_before) END,
  not_before = r.not_before,
  attempt_count = e.attempt_count + CASE WHEN e.entry_revision = r.revision THEN c.charged ELSE 0 END,
  outcome = CASE WHEN e.kind <> 3 OR e.entry_revision = r.revision THEN c.outcome ELSE e.outcome END,
  cause = CASE WHEN e.kind <> 3 OR e.entry_revision = r.revision THEN c.cause ELSE e.cause END,
  comment = CASE WHEN e.kind <> 3 OR e.entry_revision = r.revision THEN c.comment ELSE e.comment END,
  notes = CASE WHEN e.kind <> 3 OR e.entry_revision = r.revision THEN c.notes ELSE e.notes END,
  epos_customer_id = CASE WHEN e.kind <> 3 THEN coalesce(r.epos_customer_id, e.epos_customer_id)
    WHEN e.entry_revision = r.revision THEN r.epos_customer_id ELSE e.epos_customer_id END,
  woo_customer_id = coalesce(r.woo_customer_id, e.woo_customer_id), subject_label = coalesce(r.label, e.subject_label),
  candidate_ids = CASE WHEN e.entry_revision = r.revision THEN c.candidate_ids ELSE e.candidate_ids END,
  attempts = (CASE WHEN e.attempts = '[]' THEN '[]' WHEN jsonb_array_length(e.attempts) >= 30 THEN e.attempts - 0 ELSE e.attempts END)
    || jsonb_set(c.attempts, '{0,s}', to_jsonb($8::timestamptz - make_interval(secs => r.run_seconds))),
  update_time = $8
FROM r JOIN c USING (class_number)
WHERE e.account_id = r.account_id AND e.entry_id = r.entry_id AND e.state <> 4
RETURNING e.account_id, e.entry_id, e.state, e.entry_revision = r.revision AS is_as_claimed
