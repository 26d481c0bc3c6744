-- Held orders that rest on these customers, in order of arrival: orders of the shop customers, and orders with one of the till customers as
-- candidate or as customer. $1 account, $2 till and $3 shop customers, $4 an entry to leave out (or NULL), $5 limit.
-- Indexes: entry_held_by_candidate, entry_by_epos_customer, entry_by_woo_customer.
SELECT entry_id FROM (
  SELECT entry_id FROM entry WHERE account_id = $1 AND state = 4 AND candidate_ids && $2::bigint[]
  UNION
  SELECT entry_id FROM entry WHERE account_id = $1 AND queue = 2 AND state = 4 AND epos_customer_id = ANY ($2::bigint[])
  UNION
  SELECT entry_id FROM entry WHERE account_id = $1 AND queue = 2 AND state = 4 AND woo_customer_id = ANY ($3::bigint[])
) AS held
WHERE entry_id IS DISTINCT FROM $4::uuid
ORDER BY entry_id LIMIT $5
