-- The current answers of orders. $1 account, $2 order ids. Reads only. Index: order_match primary key.
SELECT order_id, order_key, facts_hash, entry_id, state, outcome, cause, comment, notes, epos_customer_id, woo_customer_id,
  candidate_ids, update_time
FROM order_match WHERE account_id = $1 AND order_id = ANY ($2::bigint[])
