-- The longest waiting events of an account. $1 account, $2 most rows. Takes no lock. Index: order_event_waiting.
SELECT order_id, sequence, type, entry_id, state, outcome FROM order_event
WHERE account_id = $1 AND sequence > delivered ORDER BY event_time, order_id LIMIT $2
