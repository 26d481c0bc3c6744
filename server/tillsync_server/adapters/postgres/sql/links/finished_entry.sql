-- A finished entry a person decides about, and whether it is still its order's current one. $1 account, $2 entry.
-- Indexes: entry_history_by_id, order_match primary key.
SELECT h.kind, h.state, h.subject_id, coalesce(h.facts ->> 'billing_email', h.billing_email) AS billing_email,
  (h.facts ->> 'woo_customer_id')::bigint AS woo_customer_id,
  (h.facts ->> 'woo_registered_at')::timestamptz AS woo_registered_at,
  h.facts IS NOT NULL AS has_facts, m.entry_id IS NOT DISTINCT FROM h.entry_id AS is_current
FROM entry_history h LEFT JOIN order_match m ON m.account_id = h.account_id AND m.order_id = h.subject_id
WHERE h.account_id = $1 AND h.entry_id = $2
