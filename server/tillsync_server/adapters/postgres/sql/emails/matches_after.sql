-- Answers of orders in order of their keys, with the facts of their entries where these are kept. $1 account and $2 order to begin behind,
-- $3 most rows. Takes no lock. Indexes: order_match, entry primary key, entry_history_by_id.
SELECT m.account_id AS key, m.order_id AS id, m.account_email, m.billing_email, m.facts_hash, coalesce(e.facts, h.facts) AS facts
FROM (SELECT account_id, order_id, account_email, billing_email, facts_hash, entry_id FROM order_match
  WHERE (account_id, order_id) > ($1, $2::bigint) ORDER BY account_id, order_id LIMIT $3) AS m
LEFT JOIN entry e ON e.account_id = m.account_id AND e.entry_id = m.entry_id
LEFT JOIN LATERAL (SELECT f.facts FROM entry_history f WHERE f.account_id = m.account_id AND f.entry_id = m.entry_id LIMIT 1) AS h ON true
ORDER BY m.account_id, m.order_id
