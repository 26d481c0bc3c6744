-- The shop's bridge may have been updated: what it refused is told again. $1 account. Locks: the events, in order. Indexes: primary keys of
-- refused_event and order_event.
WITH locked AS MATERIALIZED (
  SELECT o.order_id FROM refused_event r JOIN order_event o USING (account_id, order_id)
  WHERE r.account_id = $1 ORDER BY o.order_id FOR NO KEY UPDATE OF o)
UPDATE order_event o SET delivered = least(o.delivered, o.sequence - 1) FROM locked WHERE o.account_id = $1 AND o.order_id = locked.order_id
