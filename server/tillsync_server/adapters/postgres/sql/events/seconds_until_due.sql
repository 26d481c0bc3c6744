-- Seconds until the next account's events may be sent (negative: they may be sent now); NULL: no account with a bridge has any waiting.
-- An account counts from the end of its lease, and from its next try. Takes no lock. The recursion steps from account to account, as in
-- claim.sql. Indexes: order_event_waiting, primary keys of account and event_delivery.
WITH RECURSIVE waiting AS (
  (SELECT account_id FROM order_event WHERE sequence > delivered ORDER BY account_id LIMIT 1)
  UNION ALL
  SELECT (SELECT e.account_id FROM order_event e WHERE e.sequence > e.delivered AND e.account_id > w.account_id ORDER BY e.account_id LIMIT 1)
  FROM waiting w WHERE w.account_id IS NOT NULL)
SELECT extract(epoch FROM min(coalesce(greatest(d.lease_expires_at, d.next_try_at), now())) - now())::float8
FROM waiting w
JOIN account a ON a.account_id = w.account_id AND a.shop_bridge_secret IS NOT NULL
LEFT JOIN event_delivery d ON d.account_id = w.account_id
