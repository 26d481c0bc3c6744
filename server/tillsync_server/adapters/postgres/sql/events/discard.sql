-- Another shop, or none: what the former one was still to be told is nobody's business any more. Sequences stay. $1 account.
-- Under the lane's lock. Locks: the events, in order. Index: order_event_waiting.
WITH locked AS MATERIALIZED (
  SELECT order_id FROM order_event WHERE account_id = $1 AND sequence > delivered ORDER BY order_id FOR NO KEY UPDATE)
UPDATE order_event o SET delivered = o.sequence FROM locked WHERE o.account_id = $1 AND o.order_id = locked.order_id
