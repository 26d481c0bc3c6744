-- Of an event only the order's number, its state and its sequence stay: the sequence is never reset. $1 account, $2 orders.
-- Under the lane's lock. Locks: the events, in order. Index: order_event primary key.
WITH locked AS MATERIALIZED (
  SELECT order_id FROM order_event WHERE account_id = $1 AND order_id = ANY ($2::bigint[]) AND (entry_id IS NOT NULL OR outcome IS NOT NULL)
  ORDER BY order_id FOR NO KEY UPDATE)
UPDATE order_event o SET entry_id = NULL, outcome = NULL FROM locked WHERE o.account_id = $1 AND o.order_id = locked.order_id
RETURNING o.order_id
