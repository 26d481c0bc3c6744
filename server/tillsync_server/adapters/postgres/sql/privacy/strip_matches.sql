-- Answers without the person; those of live entries are left for the next call. $1 account, $2 orders, $3 the note that takes the place of
-- the others, $4 the database's time. Under the lane's lock. Index: order_match primary key.
UPDATE order_match SET account_email = NULL, billing_email = NULL, woo_customer_id = NULL, epos_customer_id = NULL, candidate_ids = NULL,
  notes = $3, facts_hash = decode(repeat('00', 16), 'hex'), state = CASE WHEN state = 5 THEN 6 ELSE state END, update_time = $4
WHERE account_id = $1 AND order_id = ANY ($2::bigint[]) AND state NOT IN (1, 4)
RETURNING order_id
