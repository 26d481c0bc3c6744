-- Held orders of a shop customer, in order of arrival. $1 account, $2 shop customer, $3 an entry to leave out (or NULL), $4 limit.
-- Index: entry_by_woo_customer or entry_by_state.
SELECT entry_id FROM entry
WHERE account_id = $1 AND queue = 2 AND woo_customer_id = $2 AND state = 4 AND entry_id IS DISTINCT FROM $3::uuid
ORDER BY entry_id LIMIT $4
