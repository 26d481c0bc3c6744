-- A page of one till customer's entries, newest first. An entry of the Customers Queue names its customer as its subject from the start,
-- in epos_customer_id perhaps only after a run. Indexes: entry_by_epos_customer, entry_live, entry_history_by_epos_customer and _by_subject.
-- $1 account, $2 queue; filters, NULL where not set: $3 states, $4 outcomes, $5 till customer, $6 shop customer, $7 order, $8 email, $9 text,
-- $10 created at or after, $11 created before; $12 and $13: entry ids from and below; $14 and $15: bounds of filed_at and $16 retentions,
-- which leave out partitions; $17 most rows, $18 whether attempts are wanted. Takes no lock.
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $18::boolean THEN e.attempts END AS attempts
FROM (
  (SELECT q.* FROM filtered_entries($1, $2, $3, $4, NULL, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) q
   WHERE q.epos_customer_id = $5 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered_entries($1, $2, $3, $4, NULL, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) q
   WHERE q.kind = 1 AND q.subject_id = $5 AND q.epos_customer_id IS DISTINCT FROM $5 ORDER BY q.entry_id DESC LIMIT $17)
) AS e
ORDER BY e.entry_id DESC LIMIT $17
