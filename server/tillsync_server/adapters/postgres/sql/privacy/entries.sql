-- The person's entries, live and finished, oldest first. $1 account, $2 emails, $3 shop and $4 till customers, $5 after this entry,
-- $6 most rows. What went to the default customer (outcome 14) is not the till customer's own. Takes no lock. Indexes: entry_live and
-- entry_history_by_subject, entry_by_… and entry_history_by_… account_email, billing_email, woo_customer, epos_customer, _by_id.
SELECT q.entry_id, q.kind, q.subject_id, q.state, q.outcome, q.comment, q.notes, q.epos_customer_id, q.woo_customer_id, q.order_number,
  q.subject_label, q.account_email, q.billing_email, q.candidate_ids, q.facts, q.attempts, q.create_time, q.finish_time
FROM queue_entry q
WHERE q.account_id = $1 AND q.entry_id = ANY (ARRAY(
  SELECT found.entry_id FROM (
    SELECT entry_id FROM queue_entry WHERE account_id = $1 AND account_email = ANY ($2::text[])
    UNION SELECT entry_id FROM queue_entry WHERE account_id = $1 AND billing_email = ANY ($2::text[])
    UNION SELECT entry_id FROM queue_entry WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND woo_customer_id = ANY ($3::bigint[])
    UNION SELECT entry_id FROM queue_entry WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND epos_customer_id = ANY ($4::bigint[])
      AND outcome IS DISTINCT FROM 14
    UNION SELECT entry_id FROM queue_entry WHERE account_id = $1 AND kind = 1 AND subject_id = ANY ($4::bigint[])) AS found
  WHERE found.entry_id > $5 ORDER BY found.entry_id LIMIT $6))
ORDER BY q.entry_id
