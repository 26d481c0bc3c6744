-- What the shop was, or is to be, told of orders. $1 account, $2 orders, $3 after this order, $4 most rows. Takes no lock.
-- Index: order_event primary key.
SELECT order_id, sequence, delivered, type, entry_id, state, outcome, event_time FROM order_event
WHERE account_id = $1 AND order_id = ANY ($2::bigint[]) AND order_id > $3 AND (entry_id IS NOT NULL OR outcome IS NOT NULL)
ORDER BY order_id LIMIT $4
