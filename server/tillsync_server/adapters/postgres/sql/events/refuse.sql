-- The shop's bridge could not read these events: they are passed over, and kept. $1 account, $2 orders, $3 the sequences sent, $4 the fields
-- it names. A newer event made meanwhile stays waiting. Locks: the events, in order, then what was refused of them. Indexes: primary keys
-- of order_event and refused_event.
WITH refused AS MATERIALIZED (
  SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS t(order_id, sequence, field)),
locked AS MATERIALIZED (
  SELECT order_id FROM order_event WHERE account_id = $1 AND order_id = ANY ($2::bigint[]) ORDER BY order_id FOR NO KEY UPDATE),
passed AS (
  UPDATE order_event o SET delivered = greatest(o.delivered, refused.sequence)
  FROM refused JOIN locked USING (order_id)
  WHERE o.account_id = $1 AND o.order_id = refused.order_id)
INSERT INTO refused_event AS r (account_id, order_id, sequence, field, first_time, told_time)
SELECT $1, refused.order_id, refused.sequence, refused.field, now(), now() FROM refused JOIN locked USING (order_id) ORDER BY refused.order_id
ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = greatest(r.sequence, excluded.sequence), field = excluded.field,
  told_time = excluded.told_time
