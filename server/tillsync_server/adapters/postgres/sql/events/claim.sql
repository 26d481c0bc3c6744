-- Take the right to send the events of accounts that have some waiting and whose next try is due. $1 most accounts, $2 seconds it holds.
-- The recursion steps from account to account, so the cost is that of the accounts with waiting events. Locks: the rows taken, in account
-- order; of two that want one at the same moment, the second sees the first one's lease and gets nothing.
-- Indexes: order_event_waiting, primary keys of account and event_delivery.
WITH RECURSIVE clock AS MATERIALIZED (SELECT now() AS at),
waiting AS (
  (SELECT account_id FROM order_event WHERE sequence > delivered ORDER BY account_id LIMIT 1)
  UNION ALL
  SELECT (SELECT e.account_id FROM order_event e WHERE e.sequence > e.delivered AND e.account_id > w.account_id ORDER BY e.account_id LIMIT 1)
  FROM waiting w WHERE w.account_id IS NOT NULL),
due AS MATERIALIZED (
  SELECT a.account_id FROM waiting w CROSS JOIN clock
  JOIN account a ON a.account_id = w.account_id AND a.shop_bridge_secret IS NOT NULL
  LEFT JOIN event_delivery d ON d.account_id = w.account_id
  WHERE d.account_id IS NULL OR (d.lease_expires_at <= clock.at AND d.next_try_at <= clock.at)
  ORDER BY d.next_try_at NULLS FIRST, a.account_id LIMIT $1)
INSERT INTO event_delivery AS d (account_id, lease_token, lease_expires_at, next_try_at)
SELECT due.account_id, 1, clock.at + make_interval(secs => $2), clock.at FROM due CROSS JOIN clock ORDER BY due.account_id
ON CONFLICT (account_id) DO UPDATE SET lease_token = d.lease_token + 1, lease_expires_at = excluded.lease_expires_at
WHERE d.lease_expires_at <= excluded.next_try_at AND d.next_try_at <= excluded.next_try_at
RETURNING account_id, lease_token, failures
