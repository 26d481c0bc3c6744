-- What an order came to stays, without the person; a FAILED one is closed with it. $1 account, $2 entries, $3 the note that takes the place
-- of the others, $4 the database's time. Under the lane's lock. Index: entry_history_by_id.
UPDATE entry_history h SET subject_label = 'order ' || coalesce(nullif(h.order_number, ''), h.subject_id::text), account_email = NULL,
  billing_email = NULL, woo_customer_id = NULL, epos_customer_id = NULL, candidate_ids = NULL, facts = NULL, notes = $3,
  state = CASE WHEN h.state = 5 THEN 6 ELSE h.state END, update_time = $4,
  attempts = (SELECT coalesce(jsonb_agg(a.one - 'n' - 'c' ORDER BY a.position), '[]')
    FROM jsonb_array_elements(h.attempts) WITH ORDINALITY AS a(one, position))
WHERE h.account_id = $1 AND h.entry_id = ANY ($2::uuid[]) AND h.kind = 3
