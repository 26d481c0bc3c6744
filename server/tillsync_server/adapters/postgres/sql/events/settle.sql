-- The shop has taken these events. $1 account, $2 orders, $3 the sequences sent, $4 the sequence the shop holds where it held a newer one
-- (or NULL). A newer event made meanwhile stays waiting. A shop that is ahead of us (our database was restored) gets the event again above
-- what it holds. Locks: the events, in order, then what was refused of them. Indexes: primary keys of order_event and refused_event.
WITH told AS MATERIALIZED (
  SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS t(order_id, sequence, held)),
locked AS MATERIALIZED (
  SELECT order_id FROM order_event WHERE account_id = $1 AND order_id = ANY ($2::bigint[]) ORDER BY order_id FOR NO KEY UPDATE),
taken AS (
  DELETE FROM refused_event r USING told JOIN locked USING (order_id)
  WHERE r.account_id = $1 AND r.order_id = told.order_id AND r.sequence <= told.sequence)
UPDATE order_event o SET delivered = greatest(o.delivered, told.sequence),
  sequence = CASE WHEN told.held > o.sequence THEN told.held + 1 ELSE o.sequence END
FROM told JOIN locked USING (order_id)
WHERE o.account_id = $1 AND o.order_id = told.order_id
