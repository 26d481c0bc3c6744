-- Entries by id. $1 account, $2 entry ids, $3 and $4 bounds of filed_at (they leave out partitions), $5 whether attempts are wanted.
-- Indexes: entry_pkey, entry_history_by_id. Takes no lock.
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $5::boolean THEN e.attempts END AS attempts
FROM queue_entry e
WHERE e.account_id = $1 AND e.entry_id = ANY ($2::uuid[]) AND e.filed_at >= $3 AND e.filed_at < $4
