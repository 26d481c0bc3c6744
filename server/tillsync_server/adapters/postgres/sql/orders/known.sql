-- What is known of arriving orders. $1 account, $2 order ids. Runs under the lane's lock. Indexes: order_match primary key, entry_live.
SELECT m.order_id, m.order_key, m.facts_hash, m.entry_id, coalesce(e.state, m.state) AS state
FROM order_match m
LEFT JOIN entry e ON e.account_id = m.account_id AND e.kind = 3 AND e.subject_id = m.order_id
WHERE m.account_id = $1 AND m.order_id = ANY ($2::bigint[])
