-- The same for the orders of live entries. $1 account, $2 entries, $3 the database's time. After the order's answer in its transaction,
-- under the lane's lock. Locks: the events, in order. Indexes: primary keys of entry, order_event, order_match and account.
INSERT INTO order_event AS o (account_id, order_id, sequence, type, entry_id, state, outcome, event_time)
SELECT m.account_id, m.order_id, 1, CASE m.state WHEN 4 THEN 2 WHEN 1 THEN 3 ELSE 1 END, m.entry_id, m.state, m.outcome, $3
FROM entry e
JOIN account a ON a.account_id = e.account_id AND a.shop_bridge_secret IS NOT NULL
JOIN order_match m ON m.account_id = e.account_id AND m.order_id = e.subject_id AND m.entry_id = e.entry_id
LEFT JOIN order_event before ON before.account_id = m.account_id AND before.order_id = m.order_id
WHERE e.account_id = $1 AND e.entry_id = ANY ($2::uuid[]) AND e.kind = 3 AND (m.state <> 1 OR before.state = 4)
ORDER BY m.order_id
ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = o.sequence + 1, type = excluded.type, entry_id = excluded.entry_id,
  state = excluded.state, outcome = excluded.outcome, event_time = excluded.event_time
