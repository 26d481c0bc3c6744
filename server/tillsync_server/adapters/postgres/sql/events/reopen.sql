-- What bridges refused is told again; returns how many. $1 only what was told so many seconds ago, $2 most. Locks: the events, in order,
-- then what was refused of them. Indexes: refused_event_by_time, primary keys of order_event and refused_event.
WITH due AS MATERIALIZED (
  SELECT account_id, order_id FROM refused_event WHERE told_time <= now() - make_interval(secs => $1) ORDER BY told_time LIMIT $2),
locked AS MATERIALIZED (
  SELECT o.account_id, o.order_id FROM order_event o JOIN due USING (account_id, order_id)
  ORDER BY o.account_id, o.order_id FOR NO KEY UPDATE OF o),
noted AS (
  UPDATE refused_event r SET told_time = now() FROM due WHERE r.account_id = due.account_id AND r.order_id = due.order_id),
opened AS (
  UPDATE order_event o SET delivered = least(o.delivered, o.sequence - 1) FROM locked
  WHERE o.account_id = locked.account_id AND o.order_id = locked.order_id)
SELECT count(*) FROM due
