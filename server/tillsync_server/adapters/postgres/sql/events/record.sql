-- Orders ended, are held, or are held no more: their next event, in the place of one not yet told. $1 accounts, $2 orders (no pair twice),
-- $3 the database's time. Only where the account has a bridge; an answer that is open again says something only after decision.needed.
-- After the order's answer in its transaction, under the lane's lock. Locks: the events, in order. Indexes: primary keys of order_event,
-- order_match and account.
INSERT INTO order_event AS o (account_id, order_id, sequence, type, entry_id, state, outcome, event_time)
SELECT m.account_id, m.order_id, 1, CASE m.state WHEN 4 THEN 2 WHEN 1 THEN 3 ELSE 1 END, m.entry_id, m.state, m.outcome, $3
FROM unnest($1::text[], $2::bigint[]) AS t(account_id, order_id)
JOIN account a ON a.account_id = t.account_id AND a.shop_bridge_secret IS NOT NULL
JOIN order_match m ON m.account_id = t.account_id AND m.order_id = t.order_id
LEFT JOIN order_event before ON before.account_id = t.account_id AND before.order_id = t.order_id
WHERE m.state <> 1 OR before.state = 4
ORDER BY m.account_id, m.order_id
ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = o.sequence + 1, type = excluded.type, entry_id = excluded.entry_id,
  state = excluded.state, outcome = excluded.outcome, event_time = excluded.event_time
