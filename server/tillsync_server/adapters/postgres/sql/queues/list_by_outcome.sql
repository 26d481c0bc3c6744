-- A page of the entries with one outcome, as outcome or as cause, newest first; of several outcomes ($4) it is asked once for each. An
-- entry that has another of them as its outcome is left to that one. One outcome at a time, so that the planner knows how many entries
-- have it: of a rare one among millions it would otherwise walk the primary key to the end.
-- Indexes: entry_by_outcome, entry_by_cause, entry_history_by_outcome, entry_history_by_cause.
-- $1 account, $2 queue; filters, NULL where not set: $3 states, $4 outcomes, $5 till customer, $6 shop customer, $7 order, $8 email, $9 text,
-- $10 created at or after, $11 created before; $12 and $13: entry ids from and below; $14 and $15: bounds of filed_at and $16 retentions,
-- which leave out partitions; $17 most rows, $18 whether attempts are wanted; $19 this outcome. Takes no lock.
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $18::boolean THEN e.attempts END AS attempts
FROM (
  (SELECT q.* FROM filtered_entries($1, $2, $3, NULL, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) q
   WHERE q.outcome = $19 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered_entries($1, $2, $3, NULL, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) q
   WHERE q.cause = $19 AND q.outcome <> ALL ($4::smallint[]) ORDER BY q.entry_id DESC LIMIT $17)
) AS e
ORDER BY e.entry_id DESC LIMIT $17
