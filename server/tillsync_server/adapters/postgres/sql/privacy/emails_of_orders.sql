-- The addresses that orders of these customers gave. $1 account, $2 shop and $3 till customers. Takes no lock.
-- Indexes: order_match_by_woo_customer, order_match_by_epos_customer.
SELECT DISTINCT e.email FROM order_match m CROSS JOIN LATERAL (VALUES (m.account_email), (m.billing_email)) AS e(email)
WHERE m.account_id = $1 AND e.email IS NOT NULL AND (m.woo_customer_id = ANY ($2::bigint[])
  OR (m.epos_customer_id = ANY ($3::bigint[]) AND m.outcome IS DISTINCT FROM 14))
LIMIT 1000
